"""Hold what the stand-in for CuPy recorded, and what this code calls of CuPy, against the installed CuPy.

    python tests/compare_cupy.py

Run it in an environment with CuPy and nothing else of this project: no GPU and no driver are needed. ``make cupy`` does, with
CuPy 13 and 14.
"""

from __future__ import annotations

import ast
import importlib
import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import record_cupy_api

ROOT = Path(__file__).resolve().parent.parent
MODULES = {"xp", "cupy", "cp"}  # the names under which code here has the array module
RUNS_ON_CUPY = ("minigrad/core", "minigrad/ops", "minigrad/optim", "minigrad/nn", "minigrad/data", "minigrad/bench", "kernels")
SPECIAL = "special_functions"  # the function that gives SciPy's or cupyx's module
NUMPY_ALONE = {"cpu.py", "reference.py", "numpy_engine.py"}  # rungs that no array of CuPy reaches


def main() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of optional libraries that are not there
        import cupy

        found = record_cupy_api.record()
        faults = [*differences(recorded(cupy.__version__), found["places"]), *missing(cupy)]
    count = sum(len(names) for names in found["places"].values())
    for fault in faults:
        print(fault)
    uses = sum(1 for _ in all_uses())
    print(f"CuPy {cupy.__version__}: {count} names recorded, {uses} uses in this code, {len(faults)} of both wrong")
    return int(bool(faults))


def recorded(version: str) -> dict[str, dict[str, Any]]:
    """What the stand-in has of this version."""
    path = ROOT / "minigrad" / "emulator" / "cupy" / f"api_{version.partition('.')[0]}.json"
    return json.loads(path.read_text())["places"]


def differences(ours: dict[str, dict[str, Any]], theirs: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Names that were recorded and are not there, or are something else; a later version may have more.

    Example:
        >>> list(differences({"cupy": {"sum": {"is": "function"}}}, {"cupy": {}}))
        ['cupy.sum is recorded, and not there']
    """
    for place, names in ours.items():
        for name, entry in names.items():
            now = theirs.get(place, {}).get(name)
            if now is None:
                yield f"{place}.{name} is recorded, and not there"
            elif now != entry:
                yield f"{place}.{name} is recorded as {entry}, and is {now}"


def all_uses() -> Iterator[tuple[str, list[str], ast.Call | None]]:
    """Where code that runs on CuPy names something of it, the names, and the call if it is called."""
    for folder in RUNS_ON_CUPY:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path.name not in NUMPY_ALONE:
                for line, chain, call in uses(path.read_text(encoding="utf-8")):
                    yield f"{path.relative_to(ROOT)}:{line}", chain, call


def uses(source: str) -> Iterator[tuple[int, list[str], ast.Call | None]]:
    """Line, names and call of each use of the array module in a source.

    Example:
        >>> [(line, chain) for line, chain, call in uses("y = xp.linalg.norm(x)\\nz = array_module(x).add.at")]
        [(1, ['linalg', 'norm']), (2, ['add', 'at'])]
    """
    tree = ast.parse(source)
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and id(node) not in inner:
            chain, root = _chain(node)
            if _is_module(root):
                special = isinstance(root, ast.Call) and isinstance(root.func, ast.Name) and root.func.id == SPECIAL
                yield node.lineno, ["cupyx", "scipy", "special", *chain] if special else chain, calls.get(id(node))


def _chain(node: ast.expr) -> tuple[list[str], ast.expr]:
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    return names, node


def _is_module(node: ast.expr) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in ("array_module", "module_of", "module_for", SPECIAL)
    return isinstance(node, ast.Name) and node.id in MODULES


def missing(cupy: ModuleType) -> Iterator[str]:
    """What this code names and the installed CuPy lacks, and arguments that it does not take."""
    for where, chain, call in all_uses():
        special = chain[:1] == ["cupyx"]
        thing: Any = importlib.import_module("cupyx.scipy.special") if special else cupy
        for place, name in enumerate(chain):
            if special and place < 3:
                continue
            if not hasattr(thing, name):
                yield f"{where}: cupy.{'.'.join(chain[: place + 1])} does not exist"
                break
            thing = getattr(thing, name)
        else:
            if call is not None:
                yield from refused(where, chain, call, record_cupy_api.describe(chain[-1], thing))


def refused(where: str, chain: list[str], call: ast.Call, described: dict[str, Any]) -> Iterator[str]:
    """Arguments of a call that are not among the parameters.

    Example:
        >>> call = ast.parse("f(1, 2, where=3)", mode="eval").body
        >>> list(refused("a.py:1", ["f"], call, {"is": "function", "parameters": "x"}))
        ['a.py:1: cupy.f takes (x), and not 2 arguments', 'a.py:1: cupy.f takes (x), and not where=']
    """
    text = described.get("parameters")
    if text is None or any(isinstance(each, ast.Starred) for each in call.args):
        return
    written: Any = ast.parse(f"lambda {text}: ...", mode="eval").body
    parameters: ast.arguments = written.args
    known = {each.arg for each in (*parameters.args, *parameters.kwonlyargs)}
    positional = len(parameters.posonlyargs) + len(parameters.args)
    if parameters.vararg is None and len(call.args) > positional:
        yield f"{where}: cupy.{'.'.join(chain)} takes ({text}), and not {len(call.args)} arguments"
    for keyword in call.keywords:
        if keyword.arg is not None and parameters.kwarg is None and keyword.arg not in known:
            yield f"{where}: cupy.{'.'.join(chain)} takes ({text}), and not {keyword.arg}="


if __name__ == "__main__":
    sys.exit(main())
