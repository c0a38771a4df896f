"""Kernels as LLVM's intermediate code, by Numba: its analysis of types and its lowering, and nothing after that.

Numba would go on to optimise each helper and each kernel, and to make machine code of them for a process that never calls it.
The module is optimised once, as a whole, by ``programs.py``; so compiling takes about half as long.
"""

from __future__ import annotations

import functools
import gc
import importlib
from types import CellType, FunctionType
from typing import Any

import numba
from numba.core import config
from numba.core.codegen import CPUCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.errors import NumbaError
from numba.core.typed_passes import NativeLowering

from minigrad.errors import KernelError
from minigrad.kernels.native import intrinsics
from minigrad.kernels.native.identity import Identity, bindings
from minigrad.kernels.native.language import Helper, Kernel, Word
from minigrad.kernels.native.target import Target


class Library(CPUCodeLibrary):
    """What Numba gathers a function and its helpers in: linked, and left as it is."""

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class Lowering(NativeLowering):
    """Numba's lowering into a :class:`Library`."""

    _name = "minigrad_lowering"

    def run_pass(self, state: Any) -> bool:
        state.library = Library(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        super().run_pass(state)
        entry: Any = [].append  # a builtin like no other: Numba keeps the functions it knows under what would call them
        state.targetctx.insert_user_function(entry, state.cr.fndesc, [state.library])
        state["cr"] = state.cr._replace(cfunc=entry)
        state.library.finalize()
        return True


class Pipeline(CompilerBase):
    """Numba's way from Python to intermediate code."""

    def define_pipelines(self) -> list[Any]:
        usual = DefaultPassBuilder.define_nopython_pipeline(self.state)
        usual.passes = [(Lowering if each is NativeLowering else each, name) for each, name in usual.passes]
        usual.finalize()
        return [usual]


def lowered(kernel: Kernel, dtype: str | None, target: Target) -> tuple[Any, str]:
    """A kernel's LLVM module, and the name that its function has there.

    Raises:
        KernelError: Numba is switched off, or refuses the function.
    """
    if vars(config).get("DISABLE_JIT"):
        expected = "unset: these functions run only when compiled"
        raise KernelError(kernel.__name__, "NUMBA_DISABLE_JIT", expected, "1", "Unset it, or choose other kernels")
    collecting = gc.isenabled()
    gc.disable()  # nothing that Numba makes here is garbage soon, and it makes a great many objects
    try:
        made = _jit(_specialised(kernel.function, dtype, target, _flags(kernel)), _flags(kernel))
        made.compile(intrinsics.signature(kernel.kinds, dtype))
    except NumbaError as error:
        raise KernelError(kernel.__name__, "function", "one that Numba compiles", str(error).strip()) from error
    finally:
        if collecting:
            gc.enable()
    (overload,) = made.overloads.values()
    return overload.library._final_module, overload.fndesc.llvm_func_name


def _flags(kernel: Kernel) -> frozenset[str]:
    if kernel.reassociate:
        return frozenset({"contract", "reassoc", "nsz", "arcp"})
    return frozenset() if kernel.exact else frozenset({"contract"})


def _jit(function: Any, flags: frozenset[str]) -> Any:
    jit: Any = numba.njit  # its stub does not know all that it takes
    wrappers = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return jit(error_model="numpy", fastmath=set(flags), pipeline_class=Pipeline, **wrappers)(function)


def _specialised(function: Any, dtype: str | None, target: Target, flags: frozenset[str]) -> Any:
    """The function with each word that it uses, and each helper, in the meaning of one dtype and processor."""
    meanings = _environment(target, dtype)
    bound = bindings(function)
    for name, value in bound.items():
        if isinstance(value, Word):
            bound[name] = _made(value.made, meanings) if value.made else meanings[value.name]
        elif isinstance(value, Helper):
            bound[name] = _helper(value.function, Identity(name, value.function).text, dtype, target, flags)
    code = function.__code__
    cells = tuple(CellType(bound[name]) if name in bound else CellType() for name in code.co_freevars)
    return FunctionType(code, {**function.__globals__, **bound}, function.__name__, function.__defaults__, cells)


def _made(where: str, meanings: dict[str, Any]) -> Any:
    """The meaning of a word that a family brings itself."""
    module, _, name = where.partition(":")
    return getattr(importlib.import_module(module), name)(meanings["real"], meanings["lanes"])


@functools.cache
def _environment(target: Target, dtype: str | None) -> dict[str, Any]:
    return intrinsics.environment(target, dtype)


@functools.cache
def _helper(function: Any, _identity: str, dtype: str | None, target: Target, flags: frozenset[str]) -> Any:
    """A helper, compiled once for all kernels that use it with the same meaning of what it refers to."""
    return _jit(_specialised(function, dtype, target, flags), flags)
