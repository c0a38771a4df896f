"""The face detector beside a slow cascade in float64 that shares nothing with it, another copy of its weights, odd photos."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.errors import ArgumentError, DTypeError, FileFormatError, RunError, ShapeError
from minigrad.models import mtcnn
from minigrad.models.mtcnn import MTCNN, FaceDetector, Faces, crop, nms
from minigrad.train import trained
from minigrad.train.trained import Trained
from tests import faces
from tests import faces_reference as slow

NETS: dict[str, Callable[..., Any]] = {"pnet": slow.pnet, "rnet": slow.rnet, "onet": slow.onet}
BLACK = np.zeros((3, 60, 80), np.uint8)


def iou(a: Any, b: Any) -> float:
    """What two boxes have in common, of what they cover together."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    common = float(np.prod(np.maximum(sides, 0)))
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return mtcnn.read_image(faces.astronaut())


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector.load("mtcnn")


@pytest.fixture(scope="module")
def weights() -> slow.Weights:
    return faces.published()


def with_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the weights be those of a file that nobody published."""
    monkeypatch.setattr(trained, "fetch", lambda *_: path)


# ---------------------------------------------------------------------- the networks and their weights


@pytest.mark.parametrize("net", NETS)
def test_a_network_does_what_the_slow_one_does(net: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a file of drawn numbers, so that no two weights could be taken for each other, in float64."""
    weights = faces.drawn()
    with_file(faces.write(tmp_path / "w.npy", weights), monkeypatch)
    network = FaceDetector.load("mtcnn").network.double()
    x = faces.images()[net]
    answers = getattr(network, net)(minigrad.tensor(x))
    for number, image in enumerate(x):
        for ours, theirs in zip(answers, NETS[net](image.transpose(2, 1, 0), weights[net]), strict=True):
            turned = np.asarray(theirs).T if net == "pnet" else theirs
            assert np.abs(ours.detach().numpy()[number] - turned).max() < 1e-12


@pytest.mark.parametrize("net", NETS)
def test_another_copy_of_the_weights_is_the_same_number_by_number(net: str, detector: FaceDetector) -> None:
    ours, theirs = getattr(detector.network, net).state_dict(), faces.copied(net)
    assert sorted(ours) == sorted(theirs)
    for key, tensor in ours.items():
        assert np.array_equal(tensor.numpy(), theirs[key].numpy()), key


@pytest.mark.parametrize("net", NETS)
def test_a_network_says_what_another_copy_said(net: str) -> None:
    """As recorded (``record_faces.py``)."""
    network = getattr(FaceDetector.load("mtcnn").network.double(), net)
    offsets, *rest = json.loads(faces.RECORDED.read_text())[net]
    *points, likely = rest
    answers = network(minigrad.tensor(faces.images()[net]))
    for ours, theirs in zip(answers, (np.array(likely)[:, 1], offsets, *points), strict=True):
        assert np.abs(ours.detach().numpy() - np.array(theirs)).max() < 1e-12


def test_the_card_tells_all_that_is_needed() -> None:
    model = Trained.open("mtcnn")
    assert model.config("detect")["model"] == {
        "network": "mtcnn",
        "min_face": 20,
        "thresholds": [0.6, 0.7, 0.7],
        "factor": 0.709,
    }
    found = model.weights()
    assert {key: tensor.shape for key, tensor in found.items()} == {key: t.shape for key, t in MTCNN().state_dict().items()}
    with pytest.raises(RunError, match="expected a model of the task classify, got one of the task detect"):
        model.config("classify")


BROKEN: dict[str, tuple[Callable[[slow.Weights], Any], type[Exception], str]] = {
    "a layer that is missing": (lambda w: {**w, "rnet": w["rnet"][:-1]}, RunError, "expected weights and a config.json of one"),
    "a network that is missing": (lambda w: {"pnet": w["pnet"]}, RunError, "expected weights and a config.json of one network"),
    "another shape": (lambda w: {**w, "onet": [w["onet"][0][:2], *w["onet"][1:]]}, RunError, "expected weights and a config"),
    "a number that is none": (lambda w: {**w, "pnet": [w["pnet"][0] * np.nan, *w["pnet"][1:]]}, RunError, "nan or inf in pnet"),
    "no arrays": (lambda w: {"pnet": "hello"}, FileFormatError, "got one without any"),
    "a call": (lambda w: {"pnet": [print]}, FileFormatError, "got a reference to 'builtins.print'. Nothing in it was run"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_weights_that_are_refused(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change, kind, words = BROKEN[case]
    path = faces.write(tmp_path / "w.npy", change(faces.drawn()))
    with_file(path, monkeypatch)
    with pytest.raises(kind, match=re.escape(words)):
        FaceDetector.load("mtcnn")


# ---------------------------------------------------------------------- faces


def test_the_face_of_the_astronaut(detector: FaceDetector, photo: np.ndarray, weights: slow.Weights) -> None:
    """Where the package has it, as the slow cascade tells, with its old mistake and all; and where another copy has it."""
    found = detector(photo)
    assert (found.boxes.dtype, found.scores.dtype, found.points.dtype) == (np.float32,) * 3
    ((box,), (score,), (points,)) = found
    x, y, width, height = faces.BOX
    assert iou(box, np.array([x, y, x + width, y + height])) > 0.97
    (theirs,) = slow.detect(photo.transpose(1, 2, 0), weights, upside_down=True)
    assert tuple(theirs.box) == faces.BOX
    assert np.abs(box - (np.array(theirs.edges) - [1, 1, 0, 0])).max() < 0.01  # pixels are counted from 1 there
    assert np.abs(points - theirs.points).max() < 0.01 and abs(score - theirs.score) < 1e-5
    other = json.loads(faces.RECORDED.read_text())["astronaut"]
    assert len(other["boxes"]) == 1 and iou(box, np.array(other["boxes"][0])) > 0.9
    assert np.abs(points - other["points"][0]).max() < 2
    (left_eye, right_eye, nose, left_mouth, right_mouth) = points
    assert left_eye[0] < nose[0] < right_eye[0] and left_eye[1] < nose[1] < left_mouth[1] and left_mouth[0] < right_mouth[0]


@pytest.mark.parametrize(
    ("piece", "faces_there"),
    [
        ((slice(40, 190), slice(200, 340)), 1),  # the face is cut off at the left,
        ((slice(90, 230), slice(150, 290)), 1),  # at the top,
        ((slice(30, 160), slice(150, 290)), 1),  # below,
        ((slice(30, 200), slice(120, 250)), 1),  # at the right
        ((slice(59, 174), slice(179, 268)), 1),  # and all around
        ((slice(300, 440), slice(0, 150)), 0),  # no face
    ],
)
def test_faces_at_the_border(
    piece: tuple[slice, slice], faces_there: int, detector: FaceDetector, photo: np.ndarray, weights: slow.Weights
) -> None:
    part = np.ascontiguousarray(photo[:, *piece])
    found, theirs = detector(part), slow.detect(part.transpose(1, 2, 0), weights)
    assert len(found.boxes) == len(theirs) == faces_there
    for box, score, points, face in zip(*found, theirs):
        assert np.abs(box - (np.array(face.edges) - [1, 1, 0, 0])).max() < 0.02 and abs(score - face.score) < 1e-4
        assert np.abs(points - face.points).max() < 0.02


def test_settings_are_those_of_the_model_or_given(detector: FaceDetector, photo: np.ndarray, weights: slow.Weights) -> None:
    assert (detector.min_face, detector.thresholds, detector.factor) == (20, (0.6, 0.7, 0.7), 0.709)
    other = FaceDetector.load("mtcnn", min_face=60, factor=0.5)
    part = photo[:, :220, 100:340]
    (box,) = other(part).boxes
    (face,) = slow.detect(part.transpose(1, 2, 0), weights, min_face=60, factor=0.5)
    assert np.abs(box - (np.array(face.edges) - [1, 1, 0, 0])).max() < 0.01
    assert len(FaceDetector.load("mtcnn", min_face=221)(part).boxes) == 0  # the photo is smaller
    assert len(FaceDetector.load("mtcnn", thresholds=(0.6, 0.7, 1.0))(part).boxes) == 0


def test_a_grey_photo_is_one_of_three_channels_alike(detector: FaceDetector, photo: np.ndarray) -> None:
    grey = photo[:1, :220, 100:340]
    found, wide = detector(grey), detector(np.repeat(grey, 3, axis=0))
    assert len(found.boxes) == 1 and all(np.array_equal(a, b) for a, b in zip(found, wide))


def test_a_large_photo_is_made_smaller_first(
    detector: FaceDetector, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its boxes are in its own pixels."""
    part = photo[:, :220, 100:340]
    small = detector(part)
    monkeypatch.setattr(mtcnn, "PIXELS", 220 * 240)
    large = detector(np.repeat(np.repeat(part, 2, axis=1), 2, axis=2))  # made smaller it is the same
    assert len(small.boxes) == 1 and np.array_equal(large.scores, small.scores)
    assert np.abs(large.boxes / 2 - small.boxes).max() < 1e-4 and np.abs(large.points / 2 - small.points).max() < 1e-4
    monkeypatch.setattr(mtcnn, "PIXELS", 300)
    assert len(detector(part).boxes) == 0  # of less than 20 pixels a side, in which no face is looked for


def test_the_number_of_candidates_is_bounded(detector: FaceDetector, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where everything is taken for a face."""
    asked: list[int] = []
    monkeypatch.setattr(mtcnn, "CANDIDATES", 40)
    monkeypatch.setattr(mtcnn, "crop", lambda image, box, *size: asked.append(size[0]) or crop(image, box, *size))
    noise = np.random.default_rng(0).integers(0, 256, (3, 90, 90), dtype=np.uint8)
    found = FaceDetector(detector.network, thresholds=(0, 0, 0))(noise)
    assert 0 < len(found.boxes) <= asked.count(48) <= asked.count(24) <= 40


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (19, 300), (20, 20), (20, 31), (60, 20)])
def test_small_photos_and_narrow_ones(shape: tuple[int, int], channels: int, detector: FaceDetector) -> None:
    boxes, scores, points = detector(np.full((channels, *shape), 200, np.uint8))
    assert (boxes.shape, scores.shape, points.shape) == ((0, 4), (0,), (0, 5, 2))
    assert boxes.dtype == scores.dtype == points.dtype == np.float32


@pytest.mark.parametrize(
    ("image", "kind", "words"),
    [
        (BLACK.astype(np.float32), DTypeError, "expected uint8 (3, H, W), or (1, H, W), got float32"),
        ("a.png", DTypeError, "expected uint8 (3, H, W), or (1, H, W), got str. minigrad.data.read_image reads a file so"),
        (BLACK[0], ShapeError, "got shape (60, 80)"),
        (BLACK.transpose(1, 2, 0), ShapeError, "got shape (60, 80, 3)"),
        (BLACK[:, :0], ShapeError, "got shape (3, 0, 80)"),
    ],
)
def test_what_is_no_photo(image: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=re.escape(words)):
        FaceDetector(MTCNN())(image)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"min_face": 11}, "min_face: expected a finite number of pixels, at least 12, got 11. Enlarge the photo"),
        ({"min_face": float("nan")}, "min_face: expected"),
        ({"min_face": "20"}, "min_face: expected"),
        ({"thresholds": (0.6, 0.7)}, "thresholds: expected three numbers from 0 to 1, got (0.6, 0.7)"),
        ({"thresholds": (0.6, 0.7, 1.1)}, "thresholds: expected"),
        ({"thresholds": 0.6}, "thresholds: expected"),
        ({"factor": 1.0}, "factor: expected a number from 0.1 to 0.95, got 1.0"),
        ({"factor": True}, "factor: expected"),
    ],
)
def test_settings_that_are_none(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=re.escape(words)):
        FaceDetector(MTCNN(), **settings)


def test_models_that_are_none() -> None:
    with pytest.raises(RunError, match="expected a model of the task detect, got one of the task classify"):
        FaceDetector.load("efficientnet-lite0")
    with pytest.raises(RunError, match="Did you mean mtcnn"):
        FaceDetector.load("mtcn")


def test_a_detector_of_another_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trained, "config", lambda *_: {"task": "detect", "model": {"network": "faster"}})
    with pytest.raises(RunError, match="expected the network mtcnn, got 'faster'"):
        FaceDetector.load("mtcnn")


def test_squares_that_grow_beyond_all_bounds() -> None:
    """Weights that move boxes by 10^9 sides, or to nothing: no memory is taken for such squares."""
    for move in (1e9, -1e9, 3e38):
        network = MTCNN()
        for part in (network.pnet.conv4_2, network.rnet.dense5_2):
            nn.init.constant_(part.bias, move)
            with minigrad.no_grad():
                part.bias[:2] *= -1
        found = FaceDetector(network, thresholds=(0, 0, 0))(BLACK)
        assert np.isfinite(found.boxes).all()


# ---------------------------------------------------------------------- parts


@pytest.mark.parametrize(
    ("size", "box", "out"),
    [
        ((20, 30), (0, 0, 30, 20), (7, 11)),
        ((20, 30), (3, 2, 21, 20), (24, 24)),  # larger
        ((20, 30), (-6, -4, 12, 14), (6, 6)),  # beyond the corner
        ((20, 30), (25, 15, 41, 31), (48, 48)),
        ((20, 30), (-5, -5, 50, 50), (24, 24)),
        ((20, 30), (40, 3, 50, 13), (24, 24)),  # beside it
        ((90, 70), (0, 0, 70, 90), (60, 50)),  # in several tiles
        ((1, 1), (0, 0, 1, 1), (12, 12)),
    ],
)
@pytest.mark.parametrize("most", [1 << 20, 100, 1])
def test_crops(
    size: tuple[int, int], box: tuple[int, ...], out: tuple[int, int], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mtcnn, "TILE_PIXELS", most)
    image = np.random.default_rng(1).integers(0, 256, (3, *size), dtype=np.uint8)
    x1, y1, x2, y2 = box
    around = np.pad(image, ((0, 0), (60, 60), (60, 60)))[:, y1 + 60 : y2 + 60, x1 + 60 : x2 + 60]
    theirs = slow.resize(around.transpose(1, 2, 0).astype(float), *out)
    assert np.abs(crop(image, np.array(box), *out) - theirs.transpose(2, 0, 1)).max() < 1e-4


@pytest.mark.parametrize("smaller", [False, True])
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.7, 1.0])
def test_suppression(smaller: bool, threshold: float) -> None:
    drawn = np.random.default_rng(2)
    corner = drawn.uniform(0, 30, (60, 2))
    boxes = np.concatenate([corner, corner + drawn.uniform(1, 20, (60, 2))], axis=1)
    scores = np.round(drawn.uniform(0, 1, 60), 1)  # some alike: the first goes before
    theirs = slow.suppress((boxes - [0, 0, 1, 1]).tolist(), scores.tolist(), threshold, smaller)
    assert nms(boxes, scores, threshold, smaller).tolist() == theirs
    assert nms(boxes[:0], scores[:0], threshold, smaller).shape == (0,)


def test_plain_data() -> None:
    found = Faces(np.float32([[1, 2, 3, 4]]), np.float32([0.5]), np.arange(10, dtype=np.float32).reshape(1, 5, 2))
    (face,) = json.loads(json.dumps(found.plain()))
    assert (face["label"], face["score"], face["box"]) == ("face", 0.5, [1, 2, 3, 4])
    assert list(face["points"]) == list(mtcnn.POINTS) and face["points"]["nose"] == [4, 5]
