"""Functions for arrays of a GPU, or of the emulator, called with NumPy arrays: how the laboratory asks them.

Everything that is an array goes over before each call and comes back after it: arguments, results, what a function writes into,
and what one function keeps for another. The laboratory's questions are then the same for all devices.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from minigrad.core.device import CPU, device, module_for, move
from minigrad.kernels.comparison import is_array, leaves, mapped, plain_of, written


def shuttled(functions: Any, contract: Any, where: device) -> Any:
    """An implementation's functions, which take and give arrays on ``where``, as functions of NumPy arrays.

    Args:
        functions: the implementation.
        contract: its family's contract.
        where: a GPU, or ``device("emulated")``.

    Example:
        >>> from minigrad.kernels import contract_of, functions_of
        >>> contract, own = contract_of("random"), functions_of("random", "vectorised", "emulated")
        >>> shuttled(own, contract, device("emulated")).uniform((0, 0), 0, 3, np.dtype("float32"), np)
        array([0.7898894 , 0.08723909, 0.4030313 ], dtype=float32)
    """
    names = [*contract.FUNCTIONS, *getattr(contract, "OPTIONAL", ()), *getattr(contract, "QUESTIONS", ())]
    both = {each: _shuttled(getattr(functions, each), contract, each, where) for each in names if hasattr(functions, each)}
    others = {each: getattr(functions, each) for each in ("tolerance", "registered") if hasattr(functions, each)}
    return SimpleNamespace(__name__=functions.__name__, **both, **others)


def _shuttled(function: Callable[..., Any], contract: Any, name: str, where: device) -> Callable[..., Any]:
    module = module_for(where)

    def there(each: Any) -> Any:
        if each is np:
            return module
        return move(each, where) if is_array(each) else each

    def here(each: Any) -> Any:
        return move(each, CPU) if is_array(each) else each

    def run(*args: Any, **kwargs: Any) -> Any:
        call = mapped(args, there), mapped(kwargs, there)
        returned = function(*call[0], **call[1])
        plain = plain_of(contract, name)[0]
        for old, new in zip(written(contract, plain, (args, kwargs)), written(contract, plain, call), strict=True):
            for (_, target), (_, source) in zip(leaves(old), leaves(new), strict=True):
                if is_array(target) and target.size:
                    target[...] = here(source)
        for given, kept in zip((*args, *kwargs.values()), (*call[0], *call[1].values()), strict=True):
            if isinstance(given, dict):  # a place where an implementation keeps what it likes
                given.update(mapped(kept, here))
        return mapped(returned, here)

    run.__name__ = name
    return run
