"""MTCNN: three small networks, one after the other, that find faces and five points on each; with weights of its authors.

Paper: Joint Face Detection and Alignment using Multitask Cascaded Convolutional Networks, Zhang, Zhang, Li and Qiao 2016,
arXiv:1604.02878.

1. P-Net looks at all squares of 12 x 12 pixels of the photo in several sizes, each 0.709 times the one before (the image
   pyramid): a face as large as such a square in one of the sizes is a candidate. It is a convolution all through, so that the
   squares cost little more than the pixels.
2. R-Net looks at each candidate once more, at 24 x 24 pixels, and drops most.
3. O-Net looks at what is left, at 48 x 48 pixels, and says where eyes, nose and mouth are.

Each tells how likely its square is a face, and by what shares of the square's sides its four edges should move (calibration).
After each, of squares that overlap only the likeliest stays (non-maximum suppression).

The arithmetic is that of the weights' own package, ``mtcnn`` 0.1.1, and of the authors' program: they count pixels from 1 and
cut squares at whole ones. Boxes here are the edges of their pixels, counted from 0 at the photo's corner; so x1 and y1 are
less than theirs by one, x2 and y2 the same. Applied only: the networks are not trained here.

Shapes are written in one alphabet: N images, C channels, H x W pixels, n boxes.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

import minigrad
import minigrad.nn.functional as F
from minigrad import nn
from minigrad.data.decode import read_image
from minigrad.errors import ArgumentError, DTypeError, RunError, ShapeError
from minigrad.ops import boxes as ops
from minigrad.train.trained import Trained

CELL, STRIDE = 12, 2  # pixels of P-Net's squares, and from one to the next
SIDES = (24, 48)  # pixels of what R-Net and O-Net look at
WITHIN, ACROSS = 0.5, 0.7  # overlap from which on one of two boxes goes: of one size of the photo, and of all
MIDDLE, HALF = 127.5, 128.0  # (pixel - MIDDLE) / HALF is what the networks take
PIXELS = 1 << 22  # of a photo; a larger one is made smaller first
CANDIDATES = 5_000  # of each size of the photo, and for R-Net; photos have a tenth of it
AT_ONCE = 256  # squares that a network looks at
TILE, TILE_PIXELS = 24, 1 << 20  # pixels a side that are resized at once, and how many they may cover
FARTHEST = 1e9  # pixels
FROM_1 = np.array([1, 1, 0, 0])  # what edges of boxes have more where pixels are counted from 1
POINTS = ("left eye", "right eye", "nose", "left corner of the mouth", "right corner of the mouth")  # left in the picture


class Net(nn.Module):
    """What the three have in common: layers that are called as in other copies of these weights, and the order of features.

    Args:
        convolutions: of each, the channels that it gives, its kernel, and the window of which the largest number is kept
            behind it, two pixels apart (0: all are).
    """

    def __init__(self, *convolutions: tuple[int, int, int]) -> None:
        super().__init__()
        channels = 3
        self.order: list[str] = []
        for number, (out, kernel, pool) in enumerate(convolutions, 1):
            self._add(f"conv{number}", nn.Conv2d(channels, out, kernel))
            self._add(f"prelu{number}", nn.PReLU(out))
            if pool:
                self._add(f"pool{number}", nn.MaxPool2d(pool, 2, ceil_mode=True))
            channels = out

    def _add(self, name: str, module: nn.Module) -> None:
        setattr(self, name, module)
        self.order.append(name)

    def maps(self, x: minigrad.Tensor) -> minigrad.Tensor:
        """What the convolutions make of images (N, 3, H, W)."""
        for name in self.order:
            x = getattr(self, name)(x)
        return x

    def features(self, x: minigrad.Tensor) -> minigrad.Tensor:
        """The maps as a row for each image, in the order W, H, C that the weights were published for."""
        return self.maps(x).permute(0, 3, 2, 1).flatten(1)


class PNet(Net):
    """The proposal network: images (N, 3, H, W) to how likely a square is a face (N, H', W'), and its offsets (N, 4, H', W').

    H' is about (H - 10) / 2; the square of place (y, x) begins at pixel (2y, 2x).

    Example:
        >>> faces, offsets = PNet()(minigrad.zeros(1, 3, 12, 16))
        >>> faces.shape, offsets.shape
        (minigrad.Size([1, 1, 3]), minigrad.Size([1, 4, 1, 3]))
    """

    def __init__(self) -> None:
        super().__init__((10, 3, 2), (16, 3, 0), (32, 3, 0))
        self.conv4_1, self.conv4_2 = nn.Conv2d(32, 2, 1), nn.Conv2d(32, 4, 1)

    def forward(self, x: minigrad.Tensor) -> tuple[minigrad.Tensor, minigrad.Tensor]:
        x = self.maps(x)
        return F.softmax(self.conv4_1(x), dim=1)[:, 1], self.conv4_2(x)


class RNet(Net):
    """The refining network. Squares (n, 3, 24, 24) to how likely each is a face (n,), and its offsets (n, 4).

    Example:
        >>> [part.shape for part in RNet()(minigrad.zeros(5, 3, 24, 24))]
        [minigrad.Size([5]), minigrad.Size([5, 4])]
    """

    def __init__(self) -> None:
        super().__init__((28, 3, 3), (48, 3, 3), (64, 2, 0))
        self.dense4, self.prelu4 = nn.Linear(576, 128), nn.PReLU(128)
        self.dense5_1, self.dense5_2 = nn.Linear(128, 2), nn.Linear(128, 4)

    def forward(self, x: minigrad.Tensor) -> tuple[minigrad.Tensor, minigrad.Tensor]:
        x = self.prelu4(self.dense4(self.features(x)))
        return F.softmax(self.dense5_1(x), dim=1)[:, 1], self.dense5_2(x)


class ONet(Net):
    """The output network. Squares (n, 3, 48, 48) to how likely each is a face (n,), its offsets (n, 4), its points (n, 10).

    Of the points come first the five x, then the five y, as shares of the square's sides.

    Example:
        >>> [part.shape for part in ONet()(minigrad.zeros(5, 3, 48, 48))]
        [minigrad.Size([5]), minigrad.Size([5, 4]), minigrad.Size([5, 10])]
    """

    def __init__(self) -> None:
        super().__init__((32, 3, 3), (64, 3, 3), (64, 3, 2), (128, 2, 0))
        self.dense5, self.prelu5 = nn.Linear(1152, 256), nn.PReLU(256)
        self.dense6_1, self.dense6_2, self.dense6_3 = nn.Linear(256, 2), nn.Linear(256, 4), nn.Linear(256, 10)

    def forward(self, x: minigrad.Tensor) -> tuple[minigrad.Tensor, minigrad.Tensor, minigrad.Tensor]:
        x = self.prelu5(self.dense5(self.features(x)))
        return F.softmax(self.dense6_1(x), dim=1)[:, 1], self.dense6_2(x), self.dense6_3(x)


class MTCNN(nn.Module):
    """The three networks: 495,850 parameters. ``FaceDetector`` applies them.

    Example:
        >>> sum(parameter.numel() for parameter in MTCNN().parameters())
        495850
    """

    def __init__(self) -> None:
        super().__init__()
        self.pnet, self.rnet, self.onet = PNet(), RNet(), ONet()


class Faces(NamedTuple):
    """The faces of a photo, the likeliest first.

    Attributes:
        boxes: float32 (n, 4), x1 y1 x2 y2 in pixels, counted from the photo's corner; parts may lie outside of it.
        scores: float32 (n,), how likely each is a face.
        points: float32 (n, 5, 2), x and y in pixels of what ``POINTS`` names.
    """

    boxes: np.ndarray
    scores: np.ndarray
    points: np.ndarray

    def plain(self) -> list[dict[str, Any]]:
        """A dict for each, of plain numbers.

        Example:
            >>> face = Faces(np.array([[1, 2, 9, 12]]), np.array([0.5]), np.arange(10).reshape(1, 5, 2)).plain()[0]
            >>> face["label"], face["box"], face["score"], face["points"]["nose"]
            ('face', [1.0, 2.0, 9.0, 12.0], 0.5, [4.0, 5.0])
        """
        return [
            {
                "label": "face",
                "score": float(score),
                "box": [float(edge) for edge in box],
                "points": {name: [float(x), float(y)] for name, (x, y) in zip(POINTS, points)},
            }
            for box, score, points in zip(self.boxes, self.scores, self.points)
        ]


class FaceDetector:
    """The three networks with all that it takes to find faces.

    A photo of more than ``PIXELS`` pixels is made smaller first: that bounds the time, and the memory to about 300 MB (800 MB
    with the smallest ``min_face``), and the smallest face that is found there is larger in the same proportion.

    Args:
        network: with its weights.
        min_face: pixels of the smallest face that is looked for, 12 at least. Twice as large: a quarter of the time.
        thresholds: how likely a square must be a face for P-, R- and O-Net, each from 0 to 1.
        factor: of one size of the photo to the one before, from 0.1 to 0.95.

    Raises:
        ArgumentError: a setting is none.

    Example:
        >>> detector = FaceDetector(MTCNN(), thresholds=(1, 1, 1))
        >>> boxes, scores, points = detector(np.zeros((3, 40, 60), np.uint8))
        >>> boxes.shape, scores.shape, points.shape
        ((0, 4), (0,), (0, 5, 2))
    """

    def __init__(
        self,
        network: MTCNN,
        min_face: float = 20,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7),
        factor: float = 0.709,
    ) -> None:
        where = "FaceDetector"
        if not _number(min_face) or min_face < CELL:
            got, remedy = repr(min_face), "Enlarge the photo to find smaller faces"
            raise ArgumentError(where, "min_face", f"a finite number of pixels, at least {CELL}", got, remedy)
        if (
            not isinstance(thresholds, (tuple, list))
            or len(thresholds) != 3
            or not all(_number(least) and 0 <= least <= 1 for least in thresholds)
        ):
            raise ArgumentError(where, "thresholds", "three numbers from 0 to 1", repr(thresholds))
        if not _number(factor) or not 0.1 <= factor <= 0.95:
            raise ArgumentError(where, "factor", "a number from 0.1 to 0.95", repr(factor))
        self.network = network.eval()
        self.min_face, self.thresholds, self.factor = min_face, tuple(thresholds), factor

    @classmethod
    def load(cls, model: str = "mtcnn", **settings: Any) -> FaceDetector:
        """The detector with its published weights, which are fetched when they are first asked for.

        Args:
            model: its name.
            settings: in place of those that the model has.

        Raises:
            RunError: there is no such model, or it is another one.
            DataError: the weights cannot be had.
            ArgumentError: a setting is none.

        Example:
            >>> FaceDetector.load("mtcnn", min_face=40).min_face
            40
        """
        trained = Trained.open(model)
        config = trained.config("detect").get("model")
        if not isinstance(config, dict) or config.get("network") != "mtcnn":
            got = repr(config.get("network")) if isinstance(config, dict) else "none"
            raise RunError("detect", trained.name, "the network mtcnn", got)
        network = trained.network(MTCNN, lambda: sum(parameter.numel() for parameter in MTCNN().parameters()))
        known = {name: config[name] for name in ("min_face", "thresholds", "factor") if name in config}
        assert_kind = network if isinstance(network, MTCNN) else MTCNN()
        return cls(assert_kind, **{**known, **settings})

    def read(self, path: Any) -> np.ndarray:
        """An image file as it is taken, uint8 (3, H, W).

        Raises:
            DataError: it cannot be read.
        """
        return read_image(path)

    def __call__(self, image: np.ndarray) -> Faces:
        """The faces of a photo.

        Args:
            image: uint8 (3, H, W), or (1, H, W) for a grey one.

        Raises:
            DTypeError: other numbers.
            ShapeError: another shape, or no pixels.
        """
        where, expected = "FaceDetector", "uint8 (3, H, W), or (1, H, W)"
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
            got = str(image.dtype) if isinstance(image, np.ndarray) else type(image).__name__
            raise DTypeError(where, "image", expected, got, "minigrad.data.read_image reads a file so")
        if image.ndim != 3 or image.shape[0] not in (1, 3) or 0 in image.shape:
            raise ShapeError(where, "image", expected, f"shape {image.shape}")
        image = np.broadcast_to(image, (3, *image.shape[1:]))
        height, width = image.shape[1:]
        smaller = math.sqrt(min(1.0, PIXELS / (height * width)))
        if min(height, width) * smaller < self.min_face:
            return Faces(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))
        if smaller < 1:
            image = _resized(image, int(height * smaller), int(width * smaller))
        with minigrad.no_grad():
            boxes, scores, points = self._output(image, self._refine(image, self._propose(image)))
        back = np.array([width / image.shape[2], height / image.shape[1]])
        return Faces(
            (boxes * np.tile(back, 2)).astype(np.float32), scores.astype(np.float32), (points * back).astype(np.float32)
        )

    def _propose(self, image: np.ndarray) -> np.ndarray:
        """P-Net's candidates: boxes (n, 4)."""
        found, offsets, scores = [], [], []
        height, width = image.shape[1:]
        number = 0
        while min(height, width) * (scale := CELL / self.min_face * self.factor**number) >= CELL:
            level = _resized(image, math.ceil(height * scale), math.ceil(width * scale))
            faces, moves = self.network.pnet(self._tensor(level[None]))
            likely, by = faces.cpu().numpy()[0], moves.cpu().numpy()[0]
            y, x = np.nonzero(likely > self.thresholds[0])
            best = np.argsort(-likely[y, x], kind="stable")[:CANDIDATES]
            y, x = y[best], x[best]
            edges = STRIDE * np.stack([x, y, x, y], axis=1) + np.array([1, 1, CELL, CELL])
            boxes = np.trunc(edges / scale) - FROM_1
            kept = nms(boxes, likely[y, x], WITHIN)
            found.append(boxes[kept])
            offsets.append(by[:, y, x].T[kept])
            scores.append(likely[y, x][kept])
            number += 1
        if not found:
            return np.zeros((0, 4))
        boxes, by, likely = np.concatenate(found), np.concatenate(offsets), np.concatenate(scores)
        kept = nms(boxes, likely, ACROSS)[:CANDIDATES]
        return _square(boxes[kept] + by[kept] * (_sides(boxes[kept]) - 1))

    def _refine(self, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Those of the candidates that R-Net takes for faces."""
        boxes = _whole(boxes)
        likely, by = self._look(self.network.rnet, image, boxes, SIDES[0], (1, 4))
        passed = likely[:, 0] > self.thresholds[1]
        boxes, likely, by = boxes[passed], likely[passed, 0], by[passed]
        kept = nms(boxes, likely, ACROSS)
        return _square(boxes[kept] + by[kept] * _sides(boxes[kept]))

    def _output(self, image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Those of them that O-Net takes for faces: boxes (n, 4), scores (n,), points (n, 5, 2)."""
        boxes = _whole(boxes)
        likely, by, points = self._look(self.network.onet, image, boxes, SIDES[1], (1, 4, 10))
        passed = likely[:, 0] > self.thresholds[2]
        boxes, likely, by, points = boxes[passed], likely[passed, 0], by[passed], points[passed]
        sides = _sides(boxes)
        points = boxes[:, None, :2] + points.reshape(-1, 2, 5).transpose(0, 2, 1) * sides[:, None, :2]
        boxes = boxes + by * sides
        kept = nms(boxes, likely, ACROSS, smaller=True)
        return boxes[kept], likely[kept], points[kept]

    def _look(
        self, network: nn.Module, image: np.ndarray, boxes: np.ndarray, side: int, sizes: tuple[int, ...]
    ) -> list[np.ndarray]:
        """What a network says of boxes of an image: for each of its answers, of that size, an array (n, size)."""
        answers: list[list[np.ndarray]] = [[np.zeros((0, size), np.float32)] for size in sizes]
        for start in range(0, len(boxes), AT_ONCE):
            squares = np.stack([crop(image, box, side, side) for box in boxes[start : start + AT_ONCE]])
            for size, parts, answer in zip(sizes, answers, network(self._tensor(squares))):
                parts.append(answer.cpu().numpy().reshape(-1, size))
        return [np.concatenate(parts) for parts in answers]

    def _tensor(self, pixels: np.ndarray) -> minigrad.Tensor:
        """Pixels (n, 3, H, W) as the networks take them."""
        parameter = next(self.network.parameters())
        scaled = (pixels - MIDDLE) / HALF
        return minigrad.tensor(scaled.astype(str(parameter.dtype).rpartition(".")[2]), device=parameter.device)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def nms(boxes: np.ndarray, scores: np.ndarray, threshold: float, smaller: bool = False) -> np.ndarray:
    """Non-maximum suppression: the places of the boxes that stay, the likeliest first.

    Args:
        boxes: (n, 4), x1 y1 x2 y2.
        scores: (n,).
        threshold: a box goes if a likelier one that stays has more of it in common than this.
        smaller: the common area is measured by the smaller of the two boxes, not by what they cover together: so a box
            within another goes.

    Example:
        >>> boxes = np.array([[0, 0, 10, 10], [2, 2, 4, 4], [0, 1, 10, 11]])
        >>> nms(boxes, np.array([0.9, 0.8, 0.7]), 0.5).tolist(), nms(boxes, np.array([0.9, 0.8, 0.7]), 0.5, True).tolist()
        ([0, 1], [0])
    """
    if not smaller:
        found, likely = (minigrad.tensor(each.astype(np.float64), device="cpu") for each in (boxes, scores))
        return ops.nms(found, likely, threshold).numpy()
    order = np.argsort(-scores, kind="stable")
    areas = _sides(boxes)[:, 0] * _sides(boxes)[:, 1]
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        across = np.minimum(boxes[best, 2], boxes[order, 2]) - np.maximum(boxes[best, 0], boxes[order, 0])
        down = np.minimum(boxes[best, 3], boxes[order, 3]) - np.maximum(boxes[best, 1], boxes[order, 1])
        common = np.maximum(across, 0) * np.maximum(down, 0)
        order = order[~(common > threshold * np.minimum(areas[best], areas[order]))]
    return np.array(kept, np.int64)


def _sides(boxes: np.ndarray) -> np.ndarray:
    """Width, height, width, height of each box."""
    return np.tile(boxes[:, 2:] - boxes[:, :2], 2)


def _square(boxes: np.ndarray) -> np.ndarray:
    """Boxes made square around their middles, by the longer side."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True, initial=-np.inf) / 2
    return np.concatenate([middle - half, middle + half], axis=1)


def _whole(boxes: np.ndarray) -> np.ndarray:
    """Boxes cut at whole pixels, as they are where pixels are counted from 1; without those that have none, or lie nowhere."""
    boxes = np.trunc(boxes + FROM_1) - FROM_1
    return boxes[(np.abs(boxes) < FARTHEST).all(axis=1) & (_sides(boxes) >= 1).all(axis=1)]


def _resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """A whole image in another size, in 8 bits."""
    return np.rint(crop(image, np.array([0, 0, image.shape[2], image.shape[1]]), height, width)).astype(np.uint8)


def crop(image: np.ndarray, box: np.ndarray, height: int, width: int) -> np.ndarray:
    """What lies in a box of an image, in a size: each pixel is the mean of what it covers. Outside of the image it is black.

    It is made in tiles, each of which is a product of two small matrices and what it covers: so a box of any size takes memory
    for ``TILE_PIXELS`` pixels at most, or for what one pixel covers.

    Args:
        image: (C, H, W).
        box: x1 y1 x2 y2, of some width and height.
        height, width: of the result.

    Returns:
        float32 (C, height, width).

    Example:
        >>> crop(np.array([[[10, 20, 30]]]), np.array([0, 0, 3, 2]), 2, 2)
        array([[[13.333333, 26.666666],
                [ 0.      ,  0.      ]]], dtype=float32)
    """
    x1, y1, x2, y2 = (float(edge) for edge in box)
    across, down = (x2 - x1) / width, (y2 - y1) / height  # pixels that one covers
    side = max(1, min(TILE, int(math.sqrt(TILE_PIXELS / (across * down)))))
    columns = [
        _shares(x1 + across * np.arange(start, min(start + side, width) + 1), image.shape[2]) for start in range(0, width, side)
    ]
    out = np.empty((len(image), height, width), np.float32)
    for top in range(0, height, side):
        rows, by_rows = _shares(y1 + down * np.arange(top, min(top + side, height) + 1), image.shape[1])
        for left, (place, by_columns) in zip(range(0, width, side), columns):
            out[:, top : top + side, left : left + side] = by_rows @ image[:, rows, place].astype(np.float64) @ by_columns.T
    return out


def _shares(edges: np.ndarray, size: int) -> tuple[slice, np.ndarray]:
    """Which of so many pixels lie between edges, and the share that each has in what lies from one edge to the next."""
    first, end = int(np.clip(np.floor(edges[0]), 0, size)), int(np.clip(np.ceil(edges[-1]), 0, size))
    pixels = np.arange(first, end)
    common = np.minimum(pixels + 1, edges[1:, None]) - np.maximum(pixels, edges[:-1, None])
    return slice(first, end), np.maximum(common, 0) / (edges[1] - edges[0])
