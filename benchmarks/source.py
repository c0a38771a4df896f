"""The networks of ``minigrad.models`` for any library with PyTorch's names: the same source text, other imports."""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import types
from typing import Any

ABSENT = {"minigrad.ops.boxes": "minigrad.benchmarks.regions"}  # what PyTorch has not, and where it stands in its plain ops


def network(m: Any, file: str) -> types.SimpleNamespace:
    """The names that ``minigrad.models.FILE`` defines, made with the layers of ``m``.

    Args:
        m: ``minigrad`` or ``torch``.
        file: ``"resnet"``.
    """
    return types.SimpleNamespace(**run_source(model_source(file), m.__name__))


def model_source(file: str) -> str:
    """The text of a file of ``minigrad.models``."""
    found = importlib.util.find_spec(f"minigrad.models.{file}")
    loader: Any = found.loader if found else None
    return loader.get_source(f"minigrad.models.{file}")


def run_source(text: str, package: str, ran: dict[str, types.SimpleNamespace] | None = None) -> dict[str, Any]:
    """The names that a model file defines, where its imports of minigrad give what another package has under these names.

    Errors and checks stay minigrad's, and the other model files that it imports are run in the same way, each once: ``ran`` has
    those that were. For ops that PyTorch has not, see ``ABSENT``.
    """
    known = {} if ran is None else ran

    def imported(name: str, globals: Any = None, locals: Any = None, wanted: Any = (), level: int = 0) -> Any:
        first, _, rest = name.partition(".")
        if first != "minigrad" or name in ("minigrad.errors", "minigrad.nn.checks"):
            return __import__(name, globals, locals, wanted, level)
        if package != "minigrad" and name in ABSENT:
            return importlib.import_module(ABSENT[name])
        if rest.startswith("models."):
            file = rest.removeprefix("models.")
            if file not in known:
                known[file] = types.SimpleNamespace(**run_source(model_source(file), package, known))
            return known[file]
        return __import__(f"{package}.{rest}" if rest else package, globals, locals, wanted, level)

    # A registered name: NamedTuple and others look their class's module up.
    names: dict[str, Any] = {"__name__": "minigrad.models", "__builtins__": {**vars(builtins), "__import__": imported}}
    exec(compile(text, f"<model with {package}>", "exec"), names)
    return names
