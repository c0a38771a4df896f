"""Kernels: plain arrays in, plain arrays out. A folder is a family, its ``__init__.py`` the contract, its files the ladder.

``use`` chooses among a family's implementations, ``register`` adds one from a file of your own, ``checking`` runs each beside
its reference. See :mod:`minigrad.kernels.choice` and :mod:`minigrad.kernels.registry`.
"""

from __future__ import annotations

from minigrad.kernels.choice import checking, chosen, find, selected, use, wished
from minigrad.kernels.cuda.own import CudaKernel
from minigrad.kernels.own_files import cuda_kernels, load_file, unload_file
from minigrad.kernels.registry import (
    Implementation,
    available,
    contract_of,
    default_of,
    families,
    functions_of,
    implementations,
    reason_not_available,
    register,
    unregister,
)

__all__ = [
    "CudaKernel",
    "Implementation",
    "available",
    "checking",
    "chosen",
    "contract_of",
    "cuda_kernels",
    "default_of",
    "families",
    "find",
    "functions_of",
    "implementations",
    "load_file",
    "reason_not_available",
    "register",
    "selected",
    "unload_file",
    "unregister",
    "use",
    "wished",
]
