"""Photos with boxes by name or from a folder, for one who knows nothing of either."""

from __future__ import annotations

import hashlib
import io
import os
import shlex
import zipfile
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minigrad.data import sources
from minigrad.data.boxed import Boxed, BoxedImages
from minigrad.data.boxfaults import KINDS, Fault, fault_lines
from minigrad.data.boxfind import find_boxes
from minigrad.data.boxjudge import Judged, Outline, Reader, Sound, judge
from minigrad.data.boxlist import Listing, Photo
from minigrad.data.boxsplit import by_column, by_photo
from minigrad.data.boxvoc import draw, read_xml
from minigrad.data.holdout import usual_share
from minigrad.data.masks import RunLengths
from minigrad.data.pixels import IN_MEMORY, Progress
from minigrad.data.scenes import SCENES, open_scenes
from minigrad.data.words import counted, listed, shown
from minigrad.errors import ArgumentError, DTypeError
from minigrad.ops.dims import count_of, whole

TILE = 400  # pixels: the side of tiles where none is asked for
FEW = 12  # photos: fewer that are large are split by tile columns
TREES = "deepforest"
TREE_PHOTOS = (
    "2019_YELL_2_528000_4978000_image_crop2", "2019_YELL_2_541000_4977000_image_crop", "OSBS_029", "SOAP_061",
)  # fmt: skip
TREE_TEST = 0.2  # of the columns of tiles
SPLITS = ("photo", "column")
_NAMED = 12  # classes that a line names
_WORDS = {"train": "to learn from", "validation": "to choose by", "test": "to test by"}


class DetectionData(NamedTuple):
    """What a detector is trained, chosen and tested on.

    Attributes:
        train, validation: to learn from, and to choose by.
        test: to tell the result by; None where the data hold no such part and none is asked for.
        classes: the name of each class.
        policy: lines to print: what was found, how it is split, what was mended and what left out, by name.
        digest: sha256 of what the data are, of photos, boxes and names; the same wherever they lie and however they are split.
        split: how they are split, in words.
        faults: all that was wrong.
    """

    train: Boxed
    validation: Boxed
    test: Boxed | None
    classes: tuple[str, ...]
    policy: tuple[str, ...]
    digest: str
    split: str
    faults: tuple[Fault, ...] = ()


def open_boxes(
    data: str | os.PathLike[str],
    *,
    split: str | None = None,
    tile: int | None = None,
    holdout: float | None = None,
    test: float | None = None,
    longest: int | None = None,
    channels: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> DetectionData:
    """Photos with boxes by name or from files, ready to train on.

    The form of the files is found from what is in them: Pascal VOC's XML, COCO's JSON with polygons or run-length masks, or
    tables ``path,x1,y1,x2,y2,class``, with names of columns or without. Every box is judged: what can be mended is, what
    cannot is left out, and all of it is told by file and row in ``policy`` and ``faults``. Photos listed without boxes are
    kept as empty ones. Parts of the data (train/, val/ and test/, ``instances_val2017.json``, ``ImageSets/Main``) are taken as
    they are. Photos whose pixels together take at most ``pixels.IN_MEMORY`` bytes are decoded once and kept.

    Args:
        data: a named set, ``"deepforest"``, ``"scenes"`` or ``"scenes-digits"``; the path of a folder of photos and boxes, or
            of a file of boxes.
        split: ``"photo"``, or ``"column"`` of tiles; by default columns where fewer than 12 photos are all there is and one of
            them is more than two tiles wide.
        tile: the longest side of tiles that photos are cut into; 0 for none. By default 400 where they are split by columns.
            A box belongs to a tile that has 40 % of its area; what other tiles see of it is ignored there.
        holdout: the share held out for validation where the data have no such part; default 0.1, and 0.2 of fewer than 1,000
            photos.
        test: the share held out to test by where the data have no such part; default none, and 0.2 of ``"deepforest"``.
        longest: photos with a longer side are shrunk to it, and their boxes with them.
        channels: 3 for colour, 1 for grey.
        seed: of what is held out; of scenes, of what is on them.
        progress: called as ``progress(doing, done, total)`` while files are fetched, read and decoded.

    Raises:
        DataError: no sound box is left, or there are too few photos.
        ArgumentError: another argument is out of range.
        DTypeError: ``data`` is no path.

    Example:
        >>> from PIL import Image
        >>> os.makedirs("birds")
        >>> for name in "12345":
        ...     Image.new("RGB", (60, 40), (0, 0, int(name))).save(f"birds/{name}.png")
        >>> with open("birds/boxes.csv", "w") as table:
        ...     _ = table.write("1.png,10,5,30,25,wren" + chr(10) + "2.png,3,3,3,9,wren" + chr(10) + "3.png,,,,,")
        >>> data = open_boxes("birds")
        >>> data.train, data.validation, data.classes
        (BoxedImages(2 images, 1 box, 1 class), BoxedImages(1 image, 0 boxes, 1 class), ('wren',))
        >>> [line for line in data.policy if "zero" in line]
        ['1 box of zero area left out: boxes.csv, line 2: 3 3 3 9 in a picture of 60x40']
    """
    where = "open_boxes"
    if not isinstance(data, (str, os.PathLike)):
        raise DTypeError(where, "data", "the name of a data set or a path", f"a {type(data).__name__}")
    if split is not None and split not in SPLITS:
        raise ArgumentError(where, "split", f"one of {', '.join(SPLITS)}", repr(split))
    if channels not in (1, 3) or isinstance(channels, bool):
        raise ArgumentError(where, "channels", "1 (grey) or 3 (colour)", repr(channels))
    for argument, share in (("holdout", holdout), ("test", test)):
        if share is not None and (isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share < 0.9):
            raise ArgumentError(where, argument, "a share from 0 to below 0.9, such as 0.2", repr(share))
    if holdout == 0:
        raise ArgumentError(where, "holdout", "a share above 0", "0")
    tile = None if tile is None else count_of(where, "tile", tile, 0)
    if tile and tile < 16:
        raise ArgumentError(where, "tile", "0, or at least 16 pixels", str(tile))
    longest = None if longest is None else count_of(where, "longest", longest, 16)
    seed = whole(where, "seed", seed)
    name = os.fsdecode(data)
    if name in SCENES:
        scenes = open_scenes(name, seed=seed, progress=progress)
        return DetectionData(
            scenes.train, scenes.validation, scenes.test, scenes.train.classes, scenes.policy, scenes.digest, scenes.split
        )
    judged, form = judged_boxes(name, channels=channels, longest=longest, progress=progress)
    tested = TREE_TEST if test is None and name == TREES else test or 0.0
    return _split(judged, form, split, tile, holdout, tested, seed, channels)


def judged_boxes(
    name: str, *, channels: int = 3, longest: int | None = None, keep: int = IN_MEMORY, progress: Progress | None = None
) -> tuple[Judged, str]:
    """The sound photos and boxes of a named set or of files, and all faults, before anything is split; and the files' form.

    Raises:
        DataError: no sound box is left.
    """
    listing = tree_boxes(progress) if name == TREES else find_boxes(name)
    check = f"minigrad data check detect {shlex.quote(name)}"
    return judge(listing, Reader(channels, longest, f"`{check}` finds such files"), keep, progress), listing.form


def tree_boxes(progress: Progress | None = None) -> Listing:
    """The crowns of trees on the four aerial photos of DeepForest's package; trees of all kinds are one class.

    Raises:
        DataError: the package cannot be had.
    """
    data = sources.dataset(TREES)
    content = sources.fetch(data, data.files[0], progress).read_bytes()
    listing = Listing("Pascal VOC", "")
    with zipfile.ZipFile(io.BytesIO(content)) as wheel:
        for name in TREE_PHOTOS:
            root = read_xml(wheel.read(f"deepforest/data/{name}.xml"), f"{name}.xml")
            photo = Photo(wheel.read(f"deepforest/data/{name}.png"), f"{name}.png", "", f"{name}.xml")
            draw(listing, photo, f"{name}.xml", root)
            photo.boxes = [box._replace(label="Tree") for box in photo.boxes]
            listing.photos["", name] = photo
    listing.notes.append("one class: trees that one of the files tells apart as Alive and Dead are Tree, as in the others")
    return listing


def _split(
    judged: Judged,
    form: str,
    split: str | None,
    tile: int | None,
    holdout: float | None,
    test: float,
    seed: int,
    channels: int,
) -> DetectionData:
    photos = judged.photos
    side = tile or TILE
    if split is None:
        parted = any(photo.part for photo in photos)
        large = any(photo.width > 2 * side for photo in photos)
        split = "column" if len(photos) < FEW and large and not parted and tile != 0 else "photo"
    share = usual_share(len(photos)) if holdout is None else float(holdout)
    if split == "column":
        parts = by_column(photos, share, float(test), seed, side)
    else:
        parts = by_photo(photos, share, float(test), seed, tile)
    reader = Reader(channels, None, "`minigrad data check detect` finds such files")
    sets = [BoxedImages(photos, items, judged.classes, judged.masks, reader) for items in parts[:3]]
    policy = [*_about(judged, form), *judged.notes, *fault_lines(judged.faults), f"split {parts.words} (seed {seed})"]
    for part, boxed in zip(_WORDS, sets, strict=True):
        if len(boxed):
            policy.append(_part_line(part, boxed))
    test_set = sets[2] if len(sets[2]) else None
    return DetectionData(
        sets[0], sets[1], test_set, judged.classes, tuple(policy), digest(judged.classes, photos), parts.words,
        tuple(judged.faults),
    )  # fmt: skip


def _about(judged: Judged, form: str) -> list[str]:
    """What was found, in lines."""
    photos = judged.photos
    boxes = sum(len(photo.boxes) for photo in photos)
    counts = Counter(judged.classes[label] for photo in photos for label in photo.labels.tolist())
    empty = sum(not len(photo.boxes) and not len(photo.ignored) for photo in photos)
    lost = {fault.image for fault in judged.faults if KINDS[fault.kind].left_out}
    emptied = lost & {photo.name for photo in photos if not len(photo.boxes) and not len(photo.ignored)}
    ignored = sum(len(photo.ignored) for photo in photos)
    named = [f"{shown(label)} {counts[label]:,}" for label in judged.classes]
    boxes_of = f"{boxes:,} {'box' if boxes == 1 else 'boxes'}{' and masks' if judged.masks else ''}"
    classes = f"{counted(len(judged.classes), 'class')} ({listed(named, _NAMED)})"
    lines = [
        f"{counted(len(photos), 'photo')} with {boxes_of} of {classes}, in the form of {form}",
        sizes_line(photos),
    ]
    if empty:
        lines.append(f"{counted(empty, 'photo')} without boxes kept as empty {'one' if empty == 1 else 'ones'}")
    if emptied:
        lines.append(f"of these, left without a box by what is left out below: {listed(sorted(emptied))}")
    if ignored:
        lines.append(
            f"{ignored:,} regions neither to find nor background: crowds, boxes marked as difficult, and what has no mask"
        )
    return lines


def sizes_line(photos: Sequence[Sound]) -> str:
    """The sizes of photos and boxes, in words.

    Example:
        >>> none = np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
        >>> box = np.array([[0, 0, 4, 3]], np.float32), np.zeros(1, np.int64)
        >>> sizes_line([Sound("a.png", "a.png", "", 60, 40, b"", *box, [], *none, [""])])
        'photos of 60x40 pixels, boxes of 4x3 (width x height)'
    """
    sizes = sorted({(photo.width * photo.height, photo.width, photo.height) for photo in photos})
    boxes = np.concatenate([np.zeros((0, 4), np.float32), *(photo.boxes for photo in photos)])
    sides = boxes[:, 2:] - boxes[:, :2]
    order = np.argsort(sides.prod(1), kind="stable")
    told = (
        [f"{width:.0f}x{height:.0f}" for width, height in sides[order[[0, len(order) // 2, -1]]].tolist()] if len(order) else []
    )
    first, last = (f"{width}x{height}" for _, width, height in (sizes[0], sizes[-1]))
    photo_words = f"photos of {first} pixels" if first == last else f"photos of {first} to {last} pixels"
    if not told:
        return photo_words
    if len(set(told)) == 1:
        return f"{photo_words}, boxes of {told[0]} (width x height)"
    return f"{photo_words}, boxes of {told[0]} to {told[2]} (width x height), the middle one {told[1]}"


def _part_line(part: str, boxed: BoxedImages) -> str:
    counts = Counter(label for item in boxed.items for label in item.labels.tolist())
    missing = [name for k, name in enumerate(boxed.classes) if not counts[k]]
    what = "tile" if any(item.window for item in boxed.items) else "photo"
    line = f"{_WORDS[part]}: {counted(len(boxed), what)} with {boxed.boxes:,} {'box' if boxed.boxes == 1 else 'boxes'}"
    return line + (f", none of {listed(missing, _NAMED)}" if missing and boxed.boxes else "")


def digest(classes: Sequence[str], photos: Sequence[Sound]) -> str:
    """The sha256 of photos, boxes and names."""
    found = hashlib.sha256(repr(tuple(classes)).encode())
    for photo in photos:
        found.update(
            f"{photo.name}\0{photo.part}\0{photo.width}x{photo.height}\0".encode("utf-8", "surrogatepass") + photo.content
        )
        for array in (photo.boxes, photo.labels, photo.ignored, photo.ignored_labels):
            found.update(repr(array.shape).encode() + array.tobytes())
        for outline in photo.outlines:
            for array in _arrays(outline):
                found.update(repr(array.shape).encode() + array.tobytes())
    return found.hexdigest()


def _arrays(outline: Outline) -> list[np.ndarray]:
    return [outline.counts] if isinstance(outline, RunLengths) else list(outline)


__all__ = ["DetectionData", "judged_boxes", "open_boxes", "sizes_line"]
