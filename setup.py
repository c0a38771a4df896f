"""Which folder becomes which package; everything else about the distribution stands in pyproject.toml.

``kernels/``, ``models/`` and ``benchmarks/`` lie beside ``minigrad/`` in the checkout and install as ``minigrad.kernels``,
``minigrad.models`` and ``minigrad.benchmarks``, so that an installed minigrad takes one name on the user's path.
"""

from __future__ import annotations

import os

from setuptools import setup

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDERS = {
    "minigrad": "minigrad",
    "minigrad.kernels": "kernels",
    "minigrad.models": "models",
    "minigrad.benchmarks": "benchmarks",
}
DATA = ("py.typed", "*.cu", "*.h", "*.cuh", "*.hpp", "*.cpp", "*.safetensors", "*.json", "*.html", "*.css", "*.js")


def packages() -> list[str]:
    """Every folder with an ``__init__.py`` under the three roots, by the name under which it is imported."""
    found = []
    for package, folder in FOLDERS.items():
        root = os.path.join(HERE, folder)
        for path, folders, files in os.walk(root):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            if "__init__.py" in files:
                inner = os.path.relpath(path, root)
                found.append(package if inner == "." else ".".join([package, *inner.split(os.sep)]))
    return sorted(found)


setup(
    packages=packages(),
    package_dir=FOLDERS,
    package_data={"": [f"**/{pattern}" for pattern in DATA]},
    include_package_data=False,
)
