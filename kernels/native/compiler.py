"""Kernels as LLVM's intermediate code, by Numba: its analysis of types and its lowering, and nothing after that.

Numba would go on to optimise each helper and each kernel, and to make machine code of them for a process that never calls it.
The module is optimised once, as a whole, by ``programs.py``; so compiling takes about half as long. Of Numba's passes over a
function those are left out that no kernel needs, such as the marks of where a variable's life ends, of which only memory that
is counted knows; and a call of the same types is resolved once and not each time that it stands somewhere. LLVM makes the same
code of what is left, or a little less.
"""

from __future__ import annotations

import functools
import gc
import importlib
import sys
from types import CellType, CodeType, FunctionType
from typing import Any

import numba
from numba.core import config, ir, lowering, types
from numba.core.cgutils import alloca_once, create_struct_proxy
from numba.core.codegen import CPUCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.errors import NumbaError
from numba.core.ir_utils import enforce_no_phis
from numba.core.typed_passes import AnnotateTypes, InlineOverloads, IRLegalization, NativeLowering, NopythonRewrites
from numba.core.untyped_passes import InlineClosureLikes, InlineInlinables

from minigrad.errors import KernelError
from minigrad.kernels.native import intrinsics
from minigrad.kernels.native.brief import brief
from minigrad.kernels.native.identity import Identity, bindings
from minigrad.kernels.native.language import Helper, Kernel, Word
from minigrad.kernels.native.target import Target

_NAMED = (ir.Const, ir.Global, ir.FreeVar)
LONGEST_STEP = 1 << 31  # which can be added to a count without an overflow


class Library(CPUCodeLibrary):
    """What Numba gathers a function and its helpers in: linked, and left as it is."""

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalized = True


class Lower(lowering.Lower):
    """Numba's translation of a function, for values of which none is counted, and without anything for a debugger."""

    def setup_function(self, fndesc: Any) -> None:
        super().setup_function(fndesc)
        if getattr(self.func_ir.func_id.func, "apart", False):
            self.function.attributes.add("noinline")

    def incref(self, kind: Any, value: Any) -> None:
        pass

    def decref(self, kind: Any, value: Any) -> None:
        pass

    def lower_expr(self, kind: Any, expression: Any) -> Any:
        """A range whose step is a known positive number is counted without a branch, and without an error for a step of 0."""
        step = self._step_of(expression.value) if expression.op == "getiter" else None
        if step is None:
            return super().lower_expr(kind, expression)
        builder, number = self.builder, self.context.get_constant
        given = create_struct_proxy(types.range_state64_type)(self.context, builder, self.loadvar(expression.value.name))
        made = create_struct_proxy(types.range_iter64_type)(self.context, builder)
        count = builder.sub(given.stop, given.start, flags=["nsw"])  # of an empty range none or less: both end it
        if step > 1:
            above = builder.add(count, number(types.int64, step - 1), flags=["nsw"])
            count = builder.sdiv(above, number(types.int64, step))
        made.iter, made.count = alloca_once(builder, count.type), alloca_once(builder, count.type)
        builder.store(given.start, made.iter)
        builder.store(count, made.count)
        made.stop, made.step = given.stop, given.step
        return made._getvalue()

    def _step_of(self, variable: Any) -> int | None:
        """The step of ``range(...)`` of whole numbers, if it is written there, and positive."""
        call = self._written(variable)
        if self.typeof(variable.name) != types.range_state64_type or not isinstance(call, ir.Expr) or call.op != "call":
            return None
        called, step = self._written(call.func), self._written(call.args[2]) if len(call.args) == 3 else None
        if not isinstance(called, _NAMED) or called.value is not range:
            return None
        found = 1 if len(call.args) < 3 else step.value if isinstance(step, _NAMED) else None
        return found if isinstance(found, int) and 0 < found < LONGEST_STEP else None

    def _written(self, variable: Any) -> Any:
        """What a variable is made by; ``None`` where it is chosen from several."""
        try:
            return self.func_ir.get_definition(variable)
        except KeyError:
            return None

    def alloca_lltype(self, name: str, lltype: Any, datamodel: Any = None) -> Any:
        return alloca_once(self.builder, lltype, name=name)


@register_pass(mutates_CFG=True, analysis_only=False)
class Lowering(NativeLowering):
    """Numba's lowering into a :class:`Library`."""

    _name = "minigrad_lowering"

    @property
    def lowering_class(self) -> Any:
        return Lower

    def run_pass(self, state: Any) -> bool:
        state.library = Library(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        super().run_pass(state)
        entry: Any = [].append  # a builtin like no other: Numba keeps the functions it knows under what would call them
        state.targetctx.insert_user_function(entry, state.cr.fndesc, [state.library])
        state["cr"] = state.cr._replace(cfunc=entry)
        state.library.finalize()
        return True


@register_pass(mutates_CFG=False, analysis_only=True)
class Legalization(IRLegalization):
    """Numba's last look at a function, without marks of where a variable's life ends: numbers and addresses need none."""

    _name = "minigrad_legalization"

    def run_pass(self, state: Any) -> bool:
        enforce_no_phis(state.func_ir)
        return True


class Pipeline(CompilerBase):
    """Numba's way from Python to intermediate code."""

    def define_pipelines(self) -> list[Any]:
        put = {NativeLowering: Lowering, IRLegalization: Legalization}
        left_out = {InlineInlinables, InlineOverloads, NopythonRewrites, AnnotateTypes}
        if not any(isinstance(each, CodeType) for each in self.state.func_id.code.co_consts):
            left_out.add(InlineClosureLikes)
        chosen = PassManager("minigrad")
        for each, name in DefaultPassBuilder.define_nopython_pipeline(self.state).passes:
            if each not in left_out:
                chosen.add_pass(put.get(each, each), name)
        chosen.finalize()
        return [chosen]


def _load_definitions() -> None:
    """Load what Numba would load with its first function, but not SciPy's linear algebra, which takes longer than all the rest.

    Numba loads that only to see whether it is there, and looks again where a function multiplies matrices.
    """
    name = "numba.np.arraymath"
    if name in sys.modules:
        return
    algebra: Any = importlib.import_module("numba.np.linalg")
    looks = algebra.ensure_blas
    algebra.ensure_blas = lambda: None
    try:
        arrays: Any = importlib.import_module(name)
    finally:
        algebra.ensure_blas = looks
    arrays.ensure_blas = looks


_load_definitions()


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
        with global_compiler_lock, brief():  # another thread may compile functions of its own by Numba
            made.compile(intrinsics.signature(kernel.kinds, dtype))
    except NumbaError as error:
        raise KernelError(kernel.__name__, "function", "one that Numba compiles", str(error).strip()) from error
    finally:
        if collecting:
            _pass_over()
            gc.enable()
    (overload,) = made.overloads.values()
    return overload.library._final_module, overload.fndesc.llvm_func_name


def _pass_over() -> None:
    """Let what was made meanwhile count as old: the next look for garbage would read all of it, for 30 milliseconds."""
    if gc.get_freeze_count() == 0:  # else the program has objects of its own there
        gc.freeze()
        gc.unfreeze()


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
            bound[name] = _helper(value, Identity(name, value.function).text, dtype, target, flags)
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
def _helper(helper: Helper, _identity: str, dtype: str | None, target: Target, flags: frozenset[str]) -> Any:
    """A helper, compiled once for all kernels that use it with the same meaning of what it refers to."""
    function = _specialised(helper.function, dtype, target, flags)
    function.apart = helper.apart
    made = _jit(function, flags)
    called = made.get_call_template

    def call_of(args: Any, kws: Any) -> Any:
        """A literal is a number as any other: Numba would compile the helper anew for each."""
        return called(tuple(map(types.unliteral, args)), kws)

    made.get_call_template = call_of
    return made
