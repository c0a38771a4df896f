"""Record torchvision's answers to the rows of ``tests/tables/boxes.py``: ``python -m tests.record_torchvision``.

It needs torchvision, which is no extra of this project, and runs apart from CI. What it writes, values and gradients in
float64, is what ``tests/test_boxes.py`` compares with. The answers that are kept are those of torchvision 0.14.1 on PyTorch
1.13.1, Debian 12's ``python3-torchvision``.
"""

from __future__ import annotations

import importlib
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests import harness
from tests.tables import boxes as table

FILE = harness.RECORDED / "torchvision" / "boxes.npz"


class Beside:
    """PyTorch's module with torchvision's ops where the rows look for them."""

    def __init__(self, torch: Any, ops: Any) -> None:
        self._torch, self.ops = torch, SimpleNamespace(boxes=ops)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._torch, name)


def answers(module: Any) -> dict[str, np.ndarray]:
    """Values and gradients of all rows, by the row's name."""
    found = {}
    for case in table.CASES:
        inputs = [module.tensor(array, requires_grad=harness.is_float(array)) for array in case.arrays()]
        outputs = harness.outputs_of(case.call(module, *inputs))
        starts = harness.cotangents(case.name, outputs)
        sums = [(y * module.tensor(dy)).sum() for y, dy in zip(outputs, starts, strict=True) if dy is not None]
        for one in [each for each in sums if each.requires_grad]:
            one.backward()
        found |= {f"{case.name}#{number}": y.detach().numpy() for number, y in enumerate(outputs)}
        found |= {f"{case.name}#d{number}": x.grad.numpy() for number, x in enumerate(inputs) if x.grad is not None}
    return found


def differences(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> dict[str, float]:
    """How far apart answers are, where it is more than rounding; those that only one has are infinitely far apart."""
    far: dict[str, float] = dict.fromkeys(ours.keys() ^ theirs.keys(), np.inf)
    for name in ours.keys() & theirs.keys():
        if ours[name].shape != theirs[name].shape:
            far[name] = np.inf
        elif (off := harness.difference(ours[name], theirs[name])) > 1e-10:
            far[name] = off
    return dict(sorted(far.items()))


def main() -> None:
    """Ask, and write down."""
    FILE.parent.mkdir(exist_ok=True)
    theirs = answers(Beside(importlib.import_module("torch"), importlib.import_module("torchvision.ops")))
    np.savez_compressed(FILE, **theirs)
    sys.stdout.write(f"{len(theirs)} answers in {FILE}\n")


if __name__ == "__main__":
    main()
