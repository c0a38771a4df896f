"""Numba's analysis of functions in less of its time: without work that comes to the same each time, or to nothing.

Compiling is most of a first training step, and Numba's own Python most of compiling. Each thing that is put in place of one of
Numba's gives the same result; all stand there only while a kernel of ours is analysed, under Numba's lock.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator
from typing import Any

from numba.core import base, byteflow, errors, interpreter, ir, lowering, ssa, transforms, typeinfer, types
from numba.core.errors import NumbaError
from numba.core.postproc import PostProcessor, VariableLifetime
from numba.core.transforms import canonicalize_cfg
from numba.core.types.functions import BaseFunction
from numba.core.typing.context import BaseContext as BaseTypingContext

_SCALARS = (types.Number, types.Boolean, types.CPointer, types.Literal)
_resolved: dict[Any, Any] = {}  # an operation, and the types that it is asked for -> its signature
_located: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()  # Numba's function -> whether it takes a place


class Context:
    """What Numba has around each step, to say where an error arose; and its own, a generator, is slow: there are 60,000."""

    __slots__ = ("given", "values")

    def __init__(self, given: str, *args: Any, **values: Any) -> None:
        self.given, self.values = given, (args, values)

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, NumbaError):
            args, values = self.values
            error.add_context(self.given.format(*args, **values) if args or values else self.given)


class Silent:
    """A logger of which nothing is asked: Numba tells of each statement several times, 180,000 in all."""

    def debug(self, *_: Any, **__: Any) -> None:
        pass


def listed(_: Any, value: Any) -> list[Any]:
    """The variables in what an instruction holds, in their order.

    Example:
        >>> where = ir.Loc("file.py", 1)
        >>> a, b = (ir.Var(None, name, where) for name in "ab")
        >>> listed(None, {"value": ir.Expr.build_tuple([b], where), "loc": where, "target": a}) == [b, a]
        True
    """
    found: list[Any] = []
    _gather(value, found)
    return found


def _gather(value: Any, found: list[Any]) -> None:
    kind = type(value)
    if kind is ir.Var:
        found.append(value)
    elif kind in _WITHOUT:
        pass
    elif isinstance(value, ir.Inst):
        found.extend(value.list_vars())
    elif isinstance(value, (dict, list, tuple)):
        for each in value.values() if isinstance(value, dict) else value:
            _gather(each, found)


_WITHOUT = frozenset({ir.Loc, str, int, float, bool, type(None)})


class Renaming:
    """Numba's renaming of variables that are assigned several times, in those blocks alone that have the variable.

    Numba goes through the whole function for each such variable, twice.
    """

    def __init__(self, rewrite: Any) -> None:
        self._rewrite = rewrite
        self._known: dict[int, tuple[Any, frozenset[str]]] = {}  # a block's identity -> the block, and its variables

    def __call__(self, blocks: Any, states: Any, handler: Any) -> Any:
        name = states["varname"]
        having = {label: block for label, block in blocks.items() if name in self._names_in(block)}
        made = self._rewrite(having, states, handler)
        for label, block in made.items():
            self._known[id(block)] = block, self._names_in(having[label])  # new names are not renamed again
        return {label: made.get(label, block) for label, block in blocks.items()}

    def _names_in(self, block: Any) -> frozenset[str]:
        if id(block) not in self._known:
            names = frozenset(each.name for statement in block.body for each in statement.list_vars())
            self._known[id(block)] = block, names
        return self._known[id(block)][1]


@contextlib.contextmanager
def brief() -> Iterator[None]:
    """Numba does without work that comes to the same each time, or to nothing that is asked for.

    What it finds out about an operation on numbers is kept: its search through all definitions takes a millisecond. So are what
    parameters its own functions have, which it reads each time that it calls one, and the sizes of types, for which it has a
    module parsed. New definitions are looked for once, and not for each helper. Which variables live at the begin of each
    block, which it computes four times for a function, only generators need; what is left of a ``with``, only a ``with``. A
    warning is given at once and not gathered.
    """
    context: Any = base.BaseContext
    typing: Any = BaseTypingContext
    search, measure = BaseFunction.get_call_type, context.get_abi_sizeof
    process, signed = PostProcessor.run, vars(base)["_has_loc"]
    sizes: dict[Any, int] = {}
    refreshed = set()

    def found(function: Any, context: Any, args: Any, kws: Any) -> Any:
        if kws or not all(isinstance(each, _SCALARS) for each in args):
            return search(function, context, args, kws)
        key = function, tuple(args)
        if key not in _resolved:
            _resolved[key] = search(function, context, args, kws)
        return _resolved[key]

    def processed(self: Any, emit_dels: bool = False, **others: Any) -> None:
        if emit_dels or self.func_ir.is_generator:
            process(self, emit_dels, **others)
            return
        self.func_ir.blocks = canonicalize_cfg(self.func_ir.blocks)
        self.func_ir.variable_lifetime = VariableLifetime(self.func_ir.blocks)
        self.func_ir.generator_info = None

    def located(function: Any) -> bool:
        known = _located.get(function)
        if known is None:
            known = _located[function] = signed(function)
        return known

    def measured(context: Any, kind: Any) -> int:
        if kind not in sizes:
            sizes[kind] = measure(context, kind)
        return sizes[kind]

    def once(refresh: Any) -> Any:
        def refresh_once(context: Any) -> None:
            if context not in refreshed:
                refreshed.add(context)
                refresh(context)

        return refresh_once

    put: list[tuple[Any, str, Any]] = [
        (BaseFunction, "get_call_type", found), (PostProcessor, "run", processed), (base, "_has_loc", located),
        (context, "get_abi_sizeof", measured), (context, "refresh", once(context.refresh)),
        (typing, "refresh", once(typing.refresh)), (lowering, "new_error_context", Context),
        (typeinfer, "new_error_context", Context), (interpreter, "peep_hole_delete_with_exit", lambda function: function),
        (vars(errors)["WarningsFixer"], "catch_warnings", lambda self, **place: contextlib.nullcontext()),
        (ir.Inst, "_rec_list_vars", listed), (ssa, "_run_block_rewrite", Renaming(vars(ssa)["_run_block_rewrite"])),
        *((module, "_logger", Silent()) for module in (byteflow, ssa, transforms)),
    ]  # fmt: skip
    before = [(where, name, vars(where)[name]) for where, name, _ in put]
    try:
        for where, name, value in put:
            setattr(where, name, value)
        yield
    finally:
        for where, name, value in before:
            setattr(where, name, value)
