"""Record what another copy of MTCNN says: ``python -m tests.record_faces FOLDER`` (needs the peer extra).

FOLDER holds the package ``facenet_pytorch`` as its wheel, facenet-pytorch 2.6.0, has it: it is not installed, as it asks for
torchvision, of which one function is put in its place here. Its networks answer in float64; of ``astronaut.png`` it gives
boxes, likelihoods and points, from squares that it resizes a little otherwise than the authors. Kept in
``recorded/faces.json``.
"""

from __future__ import annotations

import json
import sys
from types import ModuleType
from typing import Any

import numpy as np
import torch

from minigrad.data.decode import read_image
from tests.faces import RECORDED, astronaut, images


def kept(boxes: Any, scores: Any, indices: Any, threshold: float) -> Any:
    """torchvision's non-maximum suppression, of boxes of one image."""
    left, found = torch.argsort(-scores, stable=True), []
    while len(left):
        best, left = left[0], left[1:]
        found.append(best)
        sides = torch.minimum(boxes[best, 2:], boxes[left, 2:]) - torch.maximum(boxes[best, :2], boxes[left, :2])
        common = sides.clamp(min=0).prod(dim=1)
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
        left = left[common / (areas[best] + areas[left] - common) <= threshold]
    return torch.tensor(found, dtype=torch.int64)


def package(folder: str) -> Any:
    """Its module of the three networks."""
    for name, content in {
        "torchvision": {},
        "torchvision.transforms": {"functional": None},
        "torchvision.ops": {},
        "torchvision.ops.boxes": {"batched_nms": kept},
        "facenet_pytorch": {"__path__": [f"{folder}/facenet_pytorch"]},
    }.items():
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name]).update(content)
    from importlib import import_module

    return import_module("facenet_pytorch.models.mtcnn")


def main(folder: str) -> None:
    theirs = package(folder)
    answers: dict[str, Any] = {}
    for name, x in images().items():
        net = getattr(theirs, {"pnet": "PNet", "rnet": "RNet", "onet": "ONet"}[name])().double()
        answers[name] = [answer.detach().numpy().tolist() for answer in net(torch.tensor(x))]
    pixels = np.ascontiguousarray(read_image(astronaut()).transpose(1, 2, 0))
    boxes, scores, points = theirs.MTCNN(keep_all=True).detect(pixels, landmarks=True)
    answers["astronaut"] = {"boxes": boxes.tolist(), "scores": scores.tolist(), "points": points.tolist()}
    RECORDED.write_text(json.dumps(answers) + "\n", encoding="utf-8")
    sys.stdout.write(f"{RECORDED.name}: {len(boxes)} faces\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
