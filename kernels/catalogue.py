"""What kernels there are: families, their functions, and the ladder of implementations with what each says of itself."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minigrad.kernels.choice import selected
from minigrad.kernels.cuda.signature import heads
from minigrad.kernels.registry import Implementation, contract_of, default_of, implementations, reason_not_available


@dataclass(frozen=True)
class Entry:
    """An implementation.

    Attributes:
        family, name: which.
        device: ``"cpu"``, ``"cuda"`` or ``"any"``.
        default: whether it is what runs on a CPU where none is chosen.
        chosen: whether it is what runs on a CPU now.
        reason: why it cannot run here, or nothing.
        summary: its first sentence about itself.
        text: all that it says about itself: why it is faster than the one before it.
        file: where its source is, or nothing where that cannot be told.
        functions: the functions that are its own, with their arguments.
        kernels: the files of CUDA C++ that it launches from, each with its kernels.
    """

    family: str
    name: str
    device: str
    default: bool
    chosen: bool
    reason: str
    summary: str
    text: str
    file: str
    functions: list[str]
    kernels: dict[str, list[str]]


@dataclass(frozen=True)
class Family:
    """A family: its contract, and its implementations with the default first.

    Attributes:
        name, summary, text: as in :class:`Entry`, of the contract.
        file: where the contract is.
        functions: name and arguments of each function, and its first sentence.
        entries: the implementations.
    """

    name: str
    summary: str
    text: str
    file: str
    functions: dict[str, str]
    entries: list[Entry]


def family(name: str) -> Family:
    """What there is to know of a family.

    Raises:
        KernelError: an unknown family.

    Example:
        >>> [entry.name for entry in family("pool2d").entries][-1]
        'reference'
    """
    contract = contract_of(name)
    text, file, signatures = _of_module(contract.__name__, contract.FUNCTIONS)
    functions = {each: first_sentence(getattr(contract, each.partition("(")[0]).__doc__ or "") for each in signatures}
    entries = [_entry(name, each, one) for each, one in implementations(name).items()]
    return Family(name, first_sentence(text), text, file, functions, entries)


def first_sentence(text: str) -> str:
    """The first sentence of a docstring on one line, without its full stop.

    Example:
        >>> first_sentence("The oracle:\\none window at a time. Slow.")
        'The oracle: one window at a time'
    """
    words = " ".join(text.split("\n\n")[0].split())
    return re.split(r"\.(?= [A-Z`]|$)", words, maxsplit=1)[0]


def _entry(family: str, name: str, one: Implementation) -> Entry:
    wanted = contract_of(family).FUNCTIONS
    text, file, functions = _of_module(one.module, wanted) if one.module else _of_functions(one.functions)
    about = name == default_of(family), name == selected(family)
    summary = first_sentence(text)
    reason, kernels = reason_not_available(family, name), _kernels(file) if one.device == "cuda" and one.module else {}
    return Entry(family, name, one.device, *about, reason, summary, text, file, functions, kernels)


def _kernels(file: str) -> dict[str, list[str]]:
    """The files of CUDA C++ beside a module, with the names of their kernels."""
    return {str(path): list(heads(path.read_text("utf-8"), path.name)) for path in sorted(Path(file).parent.glob("*.cu"))}


def _of_module(module: str, wanted: tuple[str, ...]) -> tuple[str, str, list[str]]:
    """Docstring, file and wanted functions of a module that is not imported for it: it may need what is not there."""
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        return "", "", []
    with open(found.origin, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    functions = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name in wanted:
            for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
                argument.annotation = None
            functions.append(f"{node.name}({ast.unparse(node.args)})")
    return ast.get_docstring(tree) or "", found.origin, functions


def _of_functions(functions: Any) -> tuple[str, str, list[str]]:
    """The same of functions that a user registered: what stands on top of their file, else over the first of them."""
    first: Callable[..., Any] = next(iter(functions.values()))
    module = inspect.getmodule(first)
    text = inspect.getdoc(module) if module is not None and module.__name__.startswith("kernels_of_") else None
    code = getattr(inspect.unwrap(first), "__code__", None)
    named = [f"{name}{_signature(function)}" for name, function in functions.items()]
    return text or inspect.getdoc(first) or "", code.co_filename if code else "", named


def _signature(function: Callable[..., Any]) -> str:
    try:
        found = inspect.signature(function)
    except (TypeError, ValueError):
        return "(...)"
    bare = [each.replace(annotation=inspect.Parameter.empty) for each in found.parameters.values()]
    return str(found.replace(parameters=bare, return_annotation=inspect.Signature.empty))
