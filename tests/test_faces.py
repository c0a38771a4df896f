"""The tables at the end of the ops files are kept: what they name stands in ``minigrad``, ``nn.functional`` or Tensor."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import minigrad
from minigrad.nn import functional
from minigrad.ops import FAMILIES

FILES = sorted(path.stem for path in Path(inspect.getfile(minigrad.ops)).parent.glob("*.py"))


def module(name: str) -> ModuleType:
    return import_module(f"minigrad.ops.{name}")


def test_every_file_with_methods_is_a_family() -> None:
    assert [name for name in FILES if name != "__init__" and hasattr(module(name), "METHODS")] == list(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_shows_what_its_tables_name(family: str) -> None:
    ops = module(family)
    for face, names in ((minigrad, ops.__all__), (functional, getattr(ops, "FUNCTIONAL", ())), (minigrad.Tensor, ops.METHODS)):
        assert [name for name in names if getattr(face, name, None) is not getattr(ops, name)] == []
        assert len(set(names)) == len(names)
    for name, function in getattr(ops, "OPERATORS", {}).items():
        assert getattr(minigrad.Tensor, name) is function


def test_functional_shows_nothing_else() -> None:
    named = {name for family in FAMILIES for name in getattr(module(family), "FUNCTIONAL", ())}
    assert {name for name, value in vars(functional).items() if inspect.isfunction(value)} == named
