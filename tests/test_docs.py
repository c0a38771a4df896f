"""Everything public is described, shown by an example (tests/test_doctests.py runs them), and typed."""

from __future__ import annotations

import importlib
import inspect
from types import ModuleType
from typing import Any

import pytest

import minigrad

FACES = ("minigrad", "minigrad.autograd", "minigrad.nn", "minigrad.nn.functional", "minigrad.nn.init", "minigrad.nn.utils",
         "minigrad.nn.utils.rnn", "minigrad.optim", "minigrad.optim.lr_scheduler", "minigrad.optim.swa_utils", "minigrad.data",
         "minigrad.data.check", "minigrad.study", "minigrad.utils.checkpoint", "minigrad.kernels", "minigrad.train",
         "minigrad.show.pictures", "minigrad.ops.boxes")  # fmt: skip


def public(face: str) -> list[tuple[str, Any]]:
    """The functions and classes that a public module shows and this project wrote."""
    module: ModuleType = importlib.import_module(face)
    names = getattr(module, "__all__", vars(module))
    return [
        (f"{face}.{name}", value)
        for name, value in sorted([(name, vars(module)[name]) for name in names])
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__.startswith("minigrad")
    ]


def described(value: Any) -> bool:
    return bool(inspect.getdoc(value)) and value.__doc__ is not None


def has_example(value: Any) -> bool:
    return ">>>" in (inspect.getdoc(value) or "") or "See ``" in (inspect.getdoc(value) or "")


def untyped(value: Any) -> list[str]:
    """The parameters of a function that have no type, and ``return``."""
    signature = inspect.signature(value)
    missing = [
        p.name for p in signature.parameters.values() if p.annotation is p.empty and p.name not in ("self", "cls", "ctx")
    ]
    return missing + ([] if signature.return_annotation is not signature.empty else ["return"])


@pytest.mark.parametrize("face", FACES)
def test_everything_public_is_described_and_typed(face: str) -> None:
    bare, without_example, types = [], [], []
    for name, value in public(face):
        if not described(value):
            bare.append(name)
        elif inspect.isfunction(value) and not has_example(value):
            without_example.append(name)
        function = value if inspect.isfunction(value) else vars(value).get("__init__")
        if inspect.isfunction(function) and untyped(function):
            types.append(f"{name}: {', '.join(untyped(function))}")
    assert not bare, f"without a docstring: {bare}"
    assert not without_example, f"without an example that runs: {without_example}"
    assert not types, f"without types: {types}"


def test_the_rules_find_what_breaks_them() -> None:
    def bad(x, y: int):  # type: ignore[no-untyped-def]
        pass

    def good(x: int) -> int:
        """One.

        Example:
            >>> 1
            1
        """
        return x

    assert untyped(bad) == ["x", "return"] and not described(bad) and not has_example(bad)
    assert untyped(good) == [] and described(good) and has_example(good)
    assert ("minigrad.tensor", minigrad.tensor) in public("minigrad")
