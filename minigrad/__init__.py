"""minigrad: a neural-net engine written by hand on NumPy and CuPy."""

import importlib
import importlib.util
import os
from types import ModuleType
from typing import TYPE_CHECKING

# OpenBLAS's threads spin for a while between two products, and take from the rest of a step the core they wait on: they are to
# sleep at once (2^4 cycles). OpenBLAS reads this when NumPy loads it.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
if os.environ.get(
    "MINIGRAD_THREADS"
):  # BLAS has as many from the start; kernels.native.budget tells a BLAS that was there before
    os.environ.setdefault("OPENBLAS_NUM_THREADS", os.environ["MINIGRAD_THREADS"])

if importlib.util.find_spec("minigrad.kernels") is None:
    raise ImportError("minigrad: kernels/ and models/ take their places at installation: run pip install -e . in the checkout")

from minigrad.core import autograd as _autograd  # gives Tensor its backward
from minigrad.core import random
from minigrad.core.device import default_device, device, get_default_device, set_default_device
from minigrad.core.dtypes import (
    bool,
    double,
    float,
    float16,
    float32,
    float64,
    get_default_dtype,
    half,
    int,
    int32,
    int64,
    long,
    promote_types,
    set_default_dtype,
    uint8,
)
from minigrad.core.modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from minigrad.core.random import Generator, get_rng_state, initial_seed, manual_seed, seed, set_rng_state
from minigrad.core.tensor import Size, Tensor
from minigrad.interop.safetensors_io import load, save
from minigrad.kernels.native.budget import get_num_threads, set_num_threads
from minigrad.ops.activation import *
from minigrad.ops.adaptive import *
from minigrad.ops.arithmetic import *
from minigrad.ops.attention import *
from minigrad.ops.batchnorm import *
from minigrad.ops.choice import *
from minigrad.ops.comparison import *
from minigrad.ops.conversion import *
from minigrad.ops.convolution import *
from minigrad.ops.counting import *
from minigrad.ops.creation import *
from minigrad.ops.dense import *
from minigrad.ops.dimensions import *
from minigrad.ops.distance import *
from minigrad.ops.dropout import *
from minigrad.ops.einsum import *
from minigrad.ops.elementwise import *
from minigrad.ops.embedding import *
from minigrad.ops.extrema import *
from minigrad.ops.filling import *
from minigrad.ops.gathering import *
from minigrad.ops.indexing import *
from minigrad.ops.inplace import *
from minigrad.ops.inspection import *
from minigrad.ops.likelihood import *
from minigrad.ops.linalg import *
from minigrad.ops.logic import *
from minigrad.ops.loss import *
from minigrad.ops.matrices import *
from minigrad.ops.normalization import *
from minigrad.ops.norms import *
from minigrad.ops.padding import *
from minigrad.ops.parts import *
from minigrad.ops.pooling import *
from minigrad.ops.power import *
from minigrad.ops.promotion import *
from minigrad.ops.rearranging import *
from minigrad.ops.reduction import *
from minigrad.ops.resize import *
from minigrad.ops.rounding import *
from minigrad.ops.sampling import *
from minigrad.ops.scan import *
from minigrad.ops.selecting import *
from minigrad.ops.shape import *
from minigrad.ops.smooth import *
from minigrad.ops.softmax import *
from minigrad.ops.sorting import *
from minigrad.ops.special import *
from minigrad.ops.statistics import *
from minigrad.ops.strided import *
from minigrad.ops.triangles import *
from minigrad.ops.trigonometry import *
from minigrad.ops.windows import *

if TYPE_CHECKING:
    from minigrad import autograd, cuda, data, interop, kernels, linalg, nn, optim, study, utils

__version__ = "0.1.0"
_PARTS = (
    *("autograd", "cuda", "data", "interop", "kernels", "linalg", "models", "nn", "optim", "show", "study", "train"),
    "utils",
)


def __getattr__(name: str) -> ModuleType:
    """``minigrad.nn`` and the other parts need no import of their own; each is loaded when it is first named."""
    if name in _PARTS:
        return importlib.import_module(f"minigrad.{name}")
    raise AttributeError(f"module 'minigrad' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PARTS})
