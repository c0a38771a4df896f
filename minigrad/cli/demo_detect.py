"""The demo's looks at photos: networks that tell what is on one and where faces are, and a detector that learns here."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from minigrad.cli.output import say
from minigrad.cli.train import follow
from minigrad.errors import ArgumentError
from minigrad.models.precision import check_library

TITLE = "Your own photos"
PHOTOS, FACES, ANIMAL = "example-photos", "astronaut.png", "chelsea.png"
OWN = "cifar10-resnet20"  # comes with minigrad
CLASSIFIER, FACE_FINDER, DATA = "efficientnet-lite0", "mtcnn", "fashion-mnist"
FETCHED: tuple[str, ...] = (CLASSIFIER, FACE_FINDER)
SEEN = 2  # likeliest classes of a photo, of each of which it is shown where it is seen
SIGHT = 190  # pixels of such a picture on the page, at least
STEPS, RATE, BATCH = 600, 3e-3, 4  # with what else is here less than 75 seconds on two cores
SMALL: dict[str, Any] = {"image_size": 96, "width": 16, "maps": 32, "hidden": 128, "flip": False, "zoom": 1.2, "colour": 0.1}
CLASSES = ("Bag", "Pullover", "Sneaker", "Trouser")  # all ten, on more cluttered scenes, take much longer
COMPOSED: dict[str, Any] = {  # photos that are easier than those of the set ``scenes``
    "size": 96, "items": (1, 4), "side": (26.0, 48.0), "turn": 15.0, "brightness": (0.7, 1.0), "together": 0.2, "hidden": 0.15,
    "shapes": (1, 4), "fragments": (0, 2), "noise": 6.0,
}  # fmt: skip
MADE = 800  # to learn from and to choose by
TABLE = "boxes.csv"
LOOKS = 2  # evaluations
JUDGED, DRAWN = 200, 6  # photos that it never saw, and how many of them are shown
PANEL = 260  # pixels of such a photo on the page, at least


def section(page: Any, folder: Path, seed: int) -> None:
    """Show what networks say of three photos; then train a detector on composed ones, and show what it finds."""
    from minigrad.cli.reading import reading
    from minigrad.data.sources import dataset, get

    try:
        check_library()
        missing = ""
    except ArgumentError as error:  # the other networks need it not
        missing = str(error)
        say(f"detect: none is trained here: {error}")
    with reading("bytes") as report:  # all of it, so that the section is whole or is left out
        paths = get(PHOTOS, report)
        for name in (*FETCHED, *([] if missing else [DATA])):
            get(name, report)
    photos = {file.name: path for file, path in zip(dataset(PHOTOS).files, paths, strict=True)}
    page.section(
        TITLE,
        "What is on a photo, and where. Two networks have weights that others have published, one comes with minigrad; a "
        "fourth learns here to find objects and to frame them.",
    )
    _named(page, photos)
    _own(page, photos[ANIMAL])
    _faces(page, photos[FACES])
    if missing:
        page.subsection("A detector of its own", f"None was trained here: {missing}")
    else:
        _trained(page, folder, seed)


def _named(page: Any, photos: dict[str, Path]) -> None:
    """Of each photo the likeliest classes of ImageNet, and where the network sees them."""
    from minigrad.models.classifier import Classifier

    classifier = Classifier.load(CLASSIFIER, whole=True)
    page.subsection(
        "Labels of ImageNet",
        f"{CLASSIFIER} tells {len(classifier.card.classes):,} classes apart: minigrad classify {CLASSIFIER} PHOTO. What is "
        "none of them, such as an astronaut, it takes for something else, and is less sure. Coloured is where it sees what "
        f"speaks for a class, red the most (Grad-CAM): minigrad explain {CLASSIFIER} PHOTO makes a whole page of that.",
    )
    for name, path in photos.items():
        _looked_at(page, CLASSIFIER, classifier, name, path)


def _own(page: Any, path: Path) -> None:
    """The classifier that comes with minigrad, on a photo of an animal."""
    from minigrad.models.classifier import Classifier

    classifier = Classifier.load(OWN, whole=True)
    _, height, width = classifier.card.shape
    page.subsection(
        "A classifier of our own",
        f"{OWN} comes with minigrad. It was trained with it, from nothing, and tells {len(classifier.card.classes)} classes "
        f"apart on images of {width} × {height} pixels, which is all that it sees of a photo: minigrad classify {OWN} PHOTO",
    )
    _looked_at(page, OWN, classifier, ANIMAL, path)


def _looked_at(page: Any, model: str, classifier: Any, name: str, path: Path) -> None:
    """A photo beside where the likeliest classes are seen on it, and how likely they are."""
    from minigrad.models.explained_image import explain
    from minigrad.show.pictures import bars
    from minigrad.show.seen import framed, heated, jpeg

    found = explain(classifier, path)
    label, share = found.top[0]
    say(f"{name}, {model}: {label} ({share:.0%})")
    seen = [(jpeg(heated(found.photo, view.map)), f"{view.label}, {view.probability:.0%}") for view in found.views()[:SEEN]]
    whole = framed(found.image, found.box), f"{name}, and the piece that it looks at"
    page.gallery([whole, *seen], size=SIGHT)
    shares = {label: round(100 * share, 1) for label, share in found.top}
    page.picture(bars(shares, label=f"the likeliest classes of {name}", highest=100.0), "The likeliest, in per cent")


def _faces(page: Any, path: Path) -> None:
    from minigrad.models.mtcnn import FaceDetector

    finder = FaceDetector.load(FACE_FINDER)
    image = finder.read(path)
    found = finder(image)
    count = f"{len(found.boxes)} face{'' if len(found.boxes) == 1 else 's'}"
    say(f"{FACES}: {count}")
    page.subsection(
        "Faces", f"{FACE_FINDER} finds {count} here, with eyes, nose and mouth: minigrad detect {FACE_FINDER} PHOTO"
    )
    labels = [0] * len(found.boxes)
    page.picture(
        _picture(image, found.boxes, labels, classes=["face"], scores=found.scores, points=found.points, scale=1),
        alt=f"{FACES}, with {count}",
    )


def _trained(page: Any, folder: Path, seed: int) -> None:
    """Train on a folder of photos with boxes; show the curve, and others with what it finds on them."""
    from minigrad.cli.reading import reading
    from minigrad.models.detect import Detect, DetectSettings
    from minigrad.models.detect_report import SURE
    from minigrad.train.report import history
    from minigrad.train.runs import Run

    run, photos = Run(folder), folder.with_name(f"{folder.name}-photos")
    settings = DetectSettings(seed=seed, steps=STEPS, lr=RATE, batch_size=BATCH, **SMALL)
    with run:
        if not run.exists():  # else a demo that was stopped goes on
            run.check_new()
        with reading() as report:
            others = _composed(photos, seed, report)
            task = Detect(str(photos), settings, say, report)
        task.evaluate_every = -(-task.total_steps // LOOKS)
        outcome = follow(task, run, f"minigrad demo --out {shlex.quote(str(folder.parent))} --seed {seed}")
    judgement = task.judge(others)
    count = sum(len(truth.boxes) for truth in judgement.truths)
    words = (
        f"On {len(others)} others, with {count:,} objects of {len(others.classes)} classes, its boxes have an AP50 of "
        f"{judgement.metrics['ap50']:.2f}; 1 would be every object found, framed by half or better, and named right."
    )
    say(words)
    page.subsection(
        "A detector of its own",
        f"Trained here from nothing, in {outcome.step:,} steps, on {len(task.data.train)} small pictures composed of garments "
        f"of Fashion-MNIST. {words} What it learned from lies in {photos}, with {TABLE}, the table of the boxes: a folder of "
        "your own is learned in the same way by minigrad train detect --data FOLDER",
    )
    pictures = []
    for number, found in zip(range(DRAWN), judgement.found):  # the first ones
        sure, image = found.scores >= SURE, others[number].image
        boxes, labels, scores = found.boxes[sure], found.labels[sure], found.scores[sure]
        pictures.append((_picture(image, boxes, labels, classes=task.card.classes, scores=scores, scale=4), ""))
    page.gallery(pictures, size=PANEL)
    with page.details("The training, step by step"):
        page.picture(history(task, list(run.metrics.rows())), alt="curves of the training")


def _composed(folder: Path, seed: int, report: Any) -> Any:
    """Write photos and the table of their boxes, the same for a seed; and give others, of other garments, to judge by."""
    import numpy as np
    from PIL import Image

    from minigrad.data.images import class_names, load
    from minigrad.data.scenes import Scenes, SceneSettings
    from minigrad.interop.atomic import write_atomically

    held, names = load(DATA, report), class_names(DATA)

    def scenes(images: np.ndarray, labels: np.ndarray, part: str, count: int) -> Scenes:
        numbers = np.array([CLASSES.index(name) if name in CLASSES else -1 for name in names])[labels]
        chosen, how = numbers >= 0, SceneSettings(**COMPOSED)
        return Scenes(images[chosen], numbers[chosen], CLASSES, count=count, seed=seed, part=part, settings=how, filled=True)

    made = scenes(held.train_images, held.train_labels, "train", MADE)
    folder.mkdir(parents=True, exist_ok=True)
    rows = ["path,x1,y1,x2,y2,class"]
    for number in range(len(made)):
        image, boxes, labels, *_ = made[number]
        name = f"{number:03}.png"
        Image.fromarray(image.transpose(1, 2, 0)).save(folder / name)
        rows += [f"{name},{','.join(f'{edge:g}' for edge in box)},{CLASSES[label]}" for box, label in zip(boxes, labels)]
        rows += [f"{name},,,,,"] * (not len(boxes))
        report("composing", number + 1, len(made))
    write_atomically("demo", folder / TABLE, ("\n".join(rows) + "\n").encode())
    return scenes(held.test_images, held.test_labels, "test", JUDGED)


def _picture(image: Any, *what: Any, **more: Any) -> bytes:
    """A photo with what is on it, as a file that is small enough for a page."""
    import numpy as np

    from minigrad.show.boxes import drawn_boxes
    from minigrad.show.seen import jpeg

    return jpeg(np.asarray(drawn_boxes(image, *what, **more)).transpose(2, 0, 1))
