"""What holds this code against the installed CuPy finds planted faults. (The comparison itself is ``make cupy``.)"""

from __future__ import annotations

import ast
from types import ModuleType, SimpleNamespace

import pytest

from tests import compare_cupy


def test_what_is_not_there_or_is_another_thing_is_told() -> None:
    ours = {"cupy": {"sum": {"is": "function", "parameters": "a"}, "gone": {"is": "function"}, "pi": {"is": "value"}}}
    theirs = {"cupy": {"sum": {"is": "function", "parameters": "x"}, "pi": {"is": "value"}, "new": {"is": "value"}}}
    assert list(compare_cupy.differences(ours, theirs)) == [
        "cupy.sum is recorded as {'is': 'function', 'parameters': 'a'}, and is {'is': 'function', 'parameters': 'x'}",
        "cupy.gone is recorded, and not there",
    ]


def test_uses_are_found() -> None:
    found = {".".join(chain) for _, chain, _ in compare_cupy.all_uses()}
    assert {"add.at", "where", "get_default_memory_pool", "cuda.Device", "cupyx.scipy.special.erf"} <= found
    assert len(found) > 100


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("xp.nothing(x)", "cupy.nothing does not exist"),
        ("array_module(x).sums.deep", "cupy.sums does not exist"),
        ("module_for(d).cuda.nothing.more()", "cupy.cuda.nothing does not exist"),
        ("xp.total(x, 1, 2)", "cupy.total takes (x, axis=None), and not 3 arguments"),
        ("xp.total(x, where=mask)", "cupy.total takes (x, axis=None), and not where="),
        ("xp.total(*x)", None),
        ("xp.total(x, axis=1, **more)", None),
        ("np.nothing(x)", None),
    ],
)
def test_planted_faults_are_found(monkeypatch: pytest.MonkeyPatch, source: str, fault: str | None) -> None:
    installed = ModuleType("cupy")
    installed.__dict__.update(total=lambda x, axis=None: x, cuda=SimpleNamespace(Device=int))
    uses = [(f"a.py:{line}", chain, call) for line, chain, call in compare_cupy.uses(source)]
    monkeypatch.setattr(compare_cupy, "all_uses", lambda: iter(uses))
    assert list(compare_cupy.missing(installed)) == ([] if fault is None else [f"a.py:1: {fault}"])
    assert ast.parse(source)
