"""Run mypy over the tree as it is installed: build/types/minigrad, made of links into the folders.

Mypy finds modules by their folders and knows nothing of setup.py's ``package_dir``; the links show it the installed shape.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from mypy import api

ROOT = Path(__file__).resolve().parent.parent
TREE = ROOT / "build" / "types" / "minigrad"
BESIDE = ("kernels", "models", "benchmarks")


def lay_out() -> None:
    """Link each file and folder of the package to where it stands in the checkout."""
    shutil.rmtree(TREE, ignore_errors=True)
    TREE.mkdir(parents=True)
    for entry in [*(ROOT / "minigrad").iterdir(), *(ROOT / name for name in BESIDE)]:
        if entry.name != "__pycache__":
            (TREE / entry.name).symlink_to(entry)


def main() -> int:
    os.chdir(ROOT)
    lay_out()
    report, trouble, status = api.run(sys.argv[1:])
    for linked, real in (*((f"{name}/", f"{name}/") for name in BESIDE), ("", "minigrad/")):
        report = report.replace(f"build/types/minigrad/{linked}", real)  # the paths that an editor opens
    sys.stdout.write(report)
    sys.stderr.write(trouble)
    return status


if __name__ == "__main__":
    sys.exit(main())
