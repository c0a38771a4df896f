"""Record PyTorch's answers to the rows of the tables: ``python -m tests.record [FAMILY ...]`` (needs the peer extra).

The answers, a few hundred small float64 arrays, are what ``make test`` compares with where PyTorch is not installed.
"""

from __future__ import annotations

import sys

import numpy as np
import torch

from tests import harness, optim_table


def main(names: list[str]) -> None:
    for family in harness.families():
        short = family.__name__.rsplit(".", 1)[1]
        if names and short not in names:
            continue
        answers = {}
        for case in family.CASES:
            if case.peer:
                inputs = [torch.tensor(array) for array in case.arrays()]
                for position, output in enumerate(harness.outputs_of(case.call(torch, *inputs))):
                    answers[f"{case.name}#{position}"] = output.detach().numpy()
        np.savez_compressed(harness.RECORDED / f"{short}.npz", **answers)
        sys.stdout.write(f"{short}: {len(answers)} answers\n")
    if not names or "optim" in names:
        sys.stdout.write(f"optim: {optim_table.record(torch)} answers\n")


if __name__ == "__main__":
    main(sys.argv[1:])
