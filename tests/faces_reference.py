"""MTCNN as its weights' package runs it, slow and plain: float64, pixels counted from 1, images and kernels as TensorFlow has
them with height and width swapped. Written from the description of what the package does; it shares nothing with our code.

``shapes`` has the shapes of the package's arrays, in their order.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

Weights = dict[str, list[np.ndarray]]


def shapes() -> dict[str, list[tuple[int, ...]]]:
    """Of each network: kernels (W, H, in, out), biases, alphas (1, 1, C) or (C,), matrices (in, out)."""

    def convolution(side: int, into: int, out: int) -> list[tuple[int, ...]]:
        return [(side, side, into, out), (out,), (1, 1, out)]

    def dense(into: int, out: int) -> list[tuple[int, ...]]:
        return [(into, out), (out,)]

    p = [*convolution(3, 3, 10), *convolution(3, 10, 16), *convolution(3, 16, 32), (1, 1, 32, 2), (2,), (1, 1, 32, 4), (4,)]
    r = [*convolution(3, 3, 28), *convolution(3, 28, 48), *convolution(2, 48, 64)]
    r += [*dense(576, 128), (128,), *dense(128, 2), *dense(128, 4)]
    o = [*convolution(3, 3, 32), *convolution(3, 32, 64), *convolution(3, 64, 64), *convolution(2, 64, 128)]
    o += [*dense(1152, 256), (256,), *dense(256, 2), *dense(256, 4), *dense(256, 10)]
    return {"pnet": p, "rnet": r, "onet": o}


# ---------------------------------------------------------------------- the networks, of one image (W, H, C)


def convolve(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    wide, high = x.shape[0] - kernel.shape[0] + 1, x.shape[1] - kernel.shape[1] + 1
    out = np.zeros((wide, high, kernel.shape[3])) + bias
    for i in range(kernel.shape[0]):
        for j in range(kernel.shape[1]):
            out += x[i : i + wide, j : j + high] @ kernel[i, j].astype(np.float64)
    return out


def prelu(x: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, x * alpha.reshape(-1))


def pool(x: np.ndarray, side: int, same: bool) -> np.ndarray:
    """The largest of windows that begin two pixels apart; with ``same`` there are as many as half the pixels, rounded up."""
    wide, high = (-(-n // 2) if same else (n - side) // 2 + 1 for n in x.shape[:2])
    out = np.zeros((wide, high, x.shape[2]))
    for i in range(wide):
        for j in range(high):
            out[i, j] = x[2 * i : 2 * i + side, 2 * j : 2 * j + side].max(axis=(0, 1))
    return out


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def pnet(x: np.ndarray, w: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(W', H') how likely, (W', H', 4) offsets."""
    x = pool(prelu(convolve(x, *w[0:2]), w[2]), 2, same=True)
    x = prelu(convolve(x, *w[3:5]), w[5])
    x = prelu(convolve(x, *w[6:8]), w[8])
    return softmax(convolve(x, *w[9:11]))[..., 1], convolve(x, *w[11:13])


def rnet(x: np.ndarray, w: list[np.ndarray]) -> tuple[float, np.ndarray]:
    x = pool(prelu(convolve(x, *w[0:2]), w[2]), 3, same=True)
    x = pool(prelu(convolve(x, *w[3:5]), w[5]), 3, same=False)
    x = prelu(convolve(x, *w[6:8]), w[8])
    row = prelu(x.reshape(-1) @ w[9].astype(np.float64) + w[10], w[11])
    return softmax(row @ w[12] + w[13])[1], row @ w[14] + w[15]


def onet(x: np.ndarray, w: list[np.ndarray]) -> tuple[float, np.ndarray, np.ndarray]:
    x = pool(prelu(convolve(x, *w[0:2]), w[2]), 3, same=True)
    x = pool(prelu(convolve(x, *w[3:5]), w[5]), 3, same=False)
    x = pool(prelu(convolve(x, *w[6:8]), w[8]), 2, same=True)
    x = prelu(convolve(x, *w[9:11]), w[11])
    row = prelu(x.reshape(-1) @ w[12].astype(np.float64) + w[13], w[14])
    return softmax(row @ w[15] + w[16])[1], row @ w[17] + w[18], row @ w[19] + w[20]


# ---------------------------------------------------------------------- the cascade, of an image (H, W, 3)


class Face(NamedTuple):
    """A face as the package has it before it rounds: edges and points counted from 1 and from 0."""

    edges: list[float]
    score: float
    points: list[tuple[float, float]]

    @property
    def box(self) -> list[int]:
        """x, y, width, height, as the package tells them."""
        x, y = (max(0, int(edge)) for edge in self.edges[:2])
        return [x, y, int(self.edges[2] - x), int(self.edges[3] - y)]


def covered(size: int, out: int) -> np.ndarray:
    """(out, size): the share that each pixel has in each of fewer, or more, that cover it."""
    step = size / out
    return np.array([[max(0.0, min(j + 1, (i + 1) * step) - max(j, i * step)) / step for j in range(size)] for i in range(out)])


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    down, across = covered(image.shape[0], height), covered(image.shape[1], width)
    return np.einsum("ih,hwc,jw->ijc", down, image, across, optimize=True)


def seen(pixels: np.ndarray) -> np.ndarray:
    """Pixels (H, W, C) as the networks take them."""
    return ((pixels - 127.5) / 128).transpose(1, 0, 2)


def cut(image: np.ndarray, box: list[float], side: int) -> np.ndarray | None:
    """What lies from pixel x1 to pixel x2, both counted from 1, black outside; then in another size."""
    x1, y1, x2, y2 = (int(edge) for edge in box[:4])
    if x2 < x1 or y2 < y1:
        return None
    out = np.zeros((y2 - y1 + 1, x2 - x1 + 1, 3))
    for y in range(max(y1, 1), min(y2, image.shape[0]) + 1):
        for x in range(max(x1, 1), min(x2, image.shape[1]) + 1):
            out[y - y1, x - x1] = image[y - 1, x - 1]
    return resize(out, side, side)


def suppress(boxes: list[list[float]], scores: list[float], threshold: float, smaller: bool = False) -> list[int]:
    def area(box: list[float]) -> float:
        return (box[2] - box[0] + 1) * (box[3] - box[1] + 1)

    kept: list[int] = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        for j in kept:
            a, b = boxes[i], boxes[j]
            wide, high = min(a[2], b[2]) - max(a[0], b[0]) + 1, min(a[3], b[3]) - max(a[1], b[1]) + 1
            common = max(0.0, wide) * max(0.0, high)
            of = min(area(a), area(b)) if smaller else area(a) + area(b) - common
            if common / of > threshold:
                break
        else:
            kept.append(i)
    return kept


def square(box: list[float]) -> list[float]:
    wide, high = box[2] - box[0], box[3] - box[1]
    side = max(wide, high)
    x, y = box[0] + wide * 0.5 - side * 0.5, box[1] + high * 0.5 - side * 0.5
    return [x, y, x + side, y + side]


def moved(box: list[float], by: np.ndarray, more: int) -> list[float]:
    wide, high = box[2] - box[0] + more, box[3] - box[1] + more
    return [edge + share * side for edge, share, side in zip(box, by.tolist(), (wide, high, wide, high))]


def detect(
    image: np.ndarray, weights: Weights, min_face: float = 20, factor: float = 0.709, upside_down: bool = False
) -> list[Face]:
    """The faces of an image, uint8 (H, W, 3).

    Args:
        upside_down: as the package does, by an old mistake: where a size of the photo has a single candidate, it is moved by
            the offsets of the place on the other side.
    """
    boxes: list[list[float]] = []
    moves: list[np.ndarray] = []
    scores: list[float] = []
    scale, shortest = 12 / min_face, min(image.shape[:2]) * 12 / min_face
    while shortest >= 12:
        level = np.rint(resize(image, math.ceil(image.shape[0] * scale), math.ceil(image.shape[1] * scale)))
        likely, offsets = pnet(seen(level), weights["pnet"])
        places = np.argwhere(likely >= 0.6).tolist()
        if upside_down and len(places) == 1:
            offsets = offsets[::-1]
        here = [
            [float(int((2 * x + 1) / scale)), float(int((2 * y + 1) / scale)), float(int((2 * x + 12) / scale)),
             float(int((2 * y + 12) / scale))]
            for x, y in places
        ]  # fmt: skip
        sure = [float(likely[x, y]) for x, y in places]
        for i in suppress(here, sure, 0.5):
            boxes.append(here[i])
            scores.append(sure[i])
            moves.append(offsets[tuple(places[i])])
        scale, shortest = scale * factor, shortest * factor
    kept = suppress(boxes, scores, 0.7)
    boxes = [[float(int(edge)) for edge in square(moved(boxes[i], moves[i], 0))] for i in kept]

    answers = [(box, *rnet(seen(pixels), weights["rnet"])) for box in boxes if (pixels := cut(image, box, 24)) is not None]
    answers = [answer for answer in answers if answer[1] > 0.7]
    kept = suppress([box for box, *_ in answers], [score for _, score, _ in answers], 0.7)
    boxes = [[float(int(edge)) for edge in square(moved(answers[i][0], answers[i][2], 1))] for i in kept]

    faces = []
    for box in boxes:
        pixels = cut(image, box, 48)
        if pixels is None:
            continue
        score, by, points = onet(seen(pixels), weights["onet"])
        if score > 0.7:
            wide, high = box[2] - box[0] + 1, box[3] - box[1] + 1
            where = [(wide * x + box[0] - 1, high * y + box[1] - 1) for x, y in zip(points[:5], points[5:])]
            faces.append(Face(moved(box, by, 1), float(score), where))
    kept = suppress([face.edges for face in faces], [face.score for face in faces], 0.7, smaller=True)
    return [faces[i] for i in kept]
