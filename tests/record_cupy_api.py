"""Record the names and signatures of the installed CuPy: ``python tests/record_cupy_api.py [FILE]``.

Run it in an environment with CuPy (no GPU and no driver are needed) and nothing else of this project. The stand-in of
``minigrad.emulator.cupy`` refuses what is not in the files so recorded.

A function is recorded as its parameters, a ufunc also with its types, anything else as what it is.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

PLACES = (
    "cupy",
    "cupy.ndarray",
    "cupy.linalg",
    "cupy.fft",
    "cupy.random",
    "cupy.random.Generator",
    "cupy.lib.stride_tricks",
    "cupy.cuda",
    "cupy.cuda.Device",
    "cupy.cuda.Stream",
    "cupy.cuda.Event",
    "cupy.cuda.MemoryPool",
    "cupy.cuda.PinnedMemoryPool",
    "cupy.cuda.runtime",
    "cupy.RawKernel",
    "cupy.RawModule",
    "cupyx",
    "cupyx.scipy.special",
)


def record() -> dict[str, Any]:
    """Every public name of the places, by place: see the head of the file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import cupy

        places = {place: names_of(found(place)) for place in PLACES}
    return {"version": cupy.__version__, "places": places}


def found(place: str) -> Any:
    """The module or class of that name."""
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError:
        owner, _, name = place.rpartition(".")
        return getattr(found(owner), name)


def names_of(owner: Any) -> dict[str, Any]:
    """What each public name of a module or class is."""
    names = {}
    for name in dir(owner):
        if name.startswith("_") and not (isinstance(owner, type) and re.fullmatch("__[a-z]+__", name) and name not in PLAIN):
            continue
        try:
            thing = getattr(owner, name)
        except AttributeError:
            continue
        if type(thing).__module__ == "__future__":
            continue
        if isinstance(thing, ModuleType):
            if thing.__name__.partition(".")[0] in ("cupy", "cupyx", "cupy_backends"):
                names[name] = {"is": "module"}
            continue
        names[name] = describe(name, thing)
    return names


PLAIN = frozenset(dir(object)) | {"__dict__", "__module__", "__weakref__", "__annotations__", "__firstlineno__"}


def describe(name: str, thing: Any) -> dict[str, Any]:
    """One name: its parameters where they can be known."""
    types = getattr(thing, "types", None)
    if type(thing).__name__ == "ufunc" and types:
        return {"is": "ufunc", "in": thing.nin, "out": thing.nout, "types": " ".join(types)}
    if not callable(thing):
        return {"is": "value"}
    kind = "class" if isinstance(thing, type) else "function"
    parameters = of_signature(thing)
    if parameters is None:
        parameters = of_docstring(name, thing)
    return {"is": kind} if parameters is None else {"is": kind, "parameters": parameters}


def of_signature(thing: Any) -> str | None:
    """Parameters as Python tells them, without types; a default that is no plain literal reads ``...``."""
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return None
    if isinstance(thing, type) and any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values()):
        return None
    plain = [p.replace(annotation=p.empty, default=literal(p.default)) for p in signature.parameters.values()]
    return readable(str(signature.replace(parameters=plain, return_annotation=signature.empty))[1:-1])


class Shown:
    """A default that prints as it is to stand in the text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def literal(default: Any) -> Any:
    if default is inspect.Parameter.empty:
        return default
    return default if isinstance(default, (bool, int, float, str, type(None))) else Shown("...")


def of_docstring(name: str, thing: Any) -> str | None:
    """Parameters from the first line that Cython writes: ``ndarray.take(self, indices, int axis=None) -> ndarray``."""
    line = (getattr(thing, "__doc__", None) or "").strip().partition("\n")[0]
    match = re.fullmatch(rf"(?:\w+\.)?{re.escape(name)}\((.*)\)(?: *->.*)?", line)
    if match is None:
        return None
    parts = []
    for part in re.split(r",\s*(?![^\[(]*[\])])", match[1].replace("\\*", "*")):
        head, equals, default = part.strip().partition("=")
        words = head.split(":")[0].split()
        if not words:
            continue
        text = default.strip()
        try:
            ast.literal_eval(text)
        except (ValueError, SyntaxError):
            text = "..."
        parts.append(words[-1] + (f"={text}" if equals else ""))
    return readable(", ".join(parts))


def readable(parameters: str) -> str | None:
    """The text, if Python can read it as parameters."""
    try:
        ast.parse(f"def f({parameters}): ...")
    except SyntaxError:
        return None
    return parameters


def main(path: str | None) -> None:
    text = json.dumps(record(), indent=0, sort_keys=True)
    text = re.sub(r'\{\n("is"[^{}]*|"in"[^{}]*)\n\}', lambda match: "{" + match[1].replace("\n", " ") + "}", text)
    if path is None:
        sys.stdout.write(text + "\n")
    else:
        Path(path).write_text(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
