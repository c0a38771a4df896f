"""What a kernel's head in CUDA C++ says of its parameters, read from the text.

A head is all that CUDA itself keeps of a contract, and nothing of it is left at launch: the driver copies as many bytes as the
compiled kernel wants from wherever it is told to. It is read here, so that a launch can be held to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from minigrad.errors import KernelError

TYPES = {
    "float": "float32",
    "double": "float64",
    "char": "int8",
    "signed char": "int8",
    "unsigned char": "uint8",
    "short": "int16",
    "unsigned short": "uint16",
    "int": "int32",
    "unsigned": "uint32",
    "long": "int64",  # where CUDA kernels are compiled for Linux
    "unsigned long": "uint64",
    "long long": "int64",
    "unsigned long long": "uint64",
    "bool": "bool",
    "size_t": "uint64",
    "ptrdiff_t": "int64",
    **{f"{sign}int{bits}_t": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
_VECTORS = {  # float4 is four float
    **{name: name for name in ("char", "short", "int", "long", "float", "double")},
    **{f"u{name}": f"unsigned {name}".replace(" int", "") for name in ("char", "short", "int", "long")},
    "longlong": "long long",
    "ulonglong": "unsigned long long",
}
NAMES = {
    "float32": "float",
    "float64": "double",
    "int32": "int",
    "uint32": "unsigned",
    "int64": "long long",
    "uint64": "unsigned long long",
}

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
_TYPEDEF = re.compile(r"\btypedef\s+([\w\s]+?)\s+(\w+)\s*;")
_USING = re.compile(r"\busing\s+(\w+)\s*=\s*([\w\s]+?)\s*;")
_NESTED = r"(?:[^()]|\([^()]*\))*"
_BOUNDS = rf"(?:__launch_bounds__\s*\({_NESTED}\)\s*)?"
_HEAD = re.compile(
    r"(?:template\s*<(?P<template>[^<>]*)>\s*)?(?:extern\s+\"C\"\s+)?(?:static\s+)?__global__\s+"
    rf"{_BOUNDS}(?:static\s+)?void\s+{_BOUNDS}(?P<name>\w+)\s*\((?P<parameters>{_NESTED})\)"
)
_WHOLE = ("int", "unsigned", "long", "unsigned long", "long long", "unsigned long long", "short", "unsigned short", "size_t")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a kernel.

    Attributes:
        name: as the head has it.
        type: its C++ type, or that of what it points to, without ``const``; a template's parameter stands by its name.
        pointer: whether it is a pointer.
        read_only: whether it points to what the kernel may not write.
    """

    name: str
    type: str
    pointer: bool
    read_only: bool

    def dtype(self, template: Mapping[str, str]) -> np.dtype | None:
        """The NumPy dtype, where ``template`` says what its parameters stand for; none for a structure of the file's own.

        A pointer to vectors like ``float4*`` takes an array of their components.
        """
        type_ = template.get(self.type, self.type)
        if self.pointer and type_[-1:] in ("1", "2", "3", "4"):
            type_ = _VECTORS.get(type_[:-1], type_)
        name = TYPES.get(_plain(type_))
        return None if name is None else np.dtype(name)


@dataclass(frozen=True)
class Head:
    """What stands before a kernel's body.

    Attributes:
        name: the kernel's.
        template: the names of its template's parameters, and what each is, like ``"typename"``, ``"bool"``, ``"int"``.
        parameters: the kernel's own.
    """

    name: str
    template: tuple[tuple[str, str], ...]
    parameters: tuple[Parameter, ...]


def heads(text: str, where: str) -> dict[str, Head]:
    """The heads of all kernels in a text, by name.

    Raises:
        KernelError: a parameter that is no plain type, pointer or structure, or a name that stands for two kernels.

    Example:
        >>> found = heads("template <typename T> __global__ void scale(const T* x, T* y, float by, int n) {}", "a.cu")
        >>> [(each.name, each.type, each.pointer, each.read_only) for each in found["scale"].parameters][:2]
        [('x', 'T', True, True), ('y', 'T', True, False)]
    """
    found: dict[str, Head] = {}
    text = _COMMENT.sub(" ", text)
    own_names = {name: " ".join(type_.split()) for type_, name in _TYPEDEF.findall(text)}
    own_names |= {name: " ".join(type_.split()) for name, type_ in _USING.findall(text)}
    for match in _HEAD.finditer(text):
        name = match["name"]
        if name in found:
            raise KernelError("cuda", where, "kernels of different names", f"two kernels named {name}")
        template = tuple(_template_parameter(each, where) for each in _parts(match["template"] or ""))
        place = f"{where}: {name}"
        parameters = tuple(_parameter(each, own_names, place) for each in _parts(match["parameters"]))
        found[name] = Head(name, template, parameters)
    return found


def _parts(text: str) -> list[str]:
    return [part for part in (" ".join(part.split()) for part in text.split(",")) if part]


def _template_parameter(text: str, where: str) -> tuple[str, str]:
    """Its name and kind, whatever it is by default: a launch names them all."""
    kind, _, name = text.partition("=")[0].strip().rpartition(" ")
    kind = "typename" if kind == "class" else _plain(kind)
    if kind not in ("typename", "bool", *_WHOLE) or not name.isidentifier():
        raise KernelError("cuda", where, "template parameters that are a typename, a whole number or a bool", repr(text))
    return name, kind


def _parameter(text: str, own_names: Mapping[str, str], where: str) -> Parameter:
    plain = re.sub(r"\b(__restrict__|__restrict|volatile|__grid_constant__)\b", " ", text.partition("=")[0])
    words = plain.replace("*", " * ").split()
    before = words[: words.index("*")] if "*" in words else words
    type_ = " ".join(word for word in words[:-1] if word not in ("*", "const")).replace("std::", "")
    stars, name = words.count("*"), words[-1] if words else ""
    if stars > 1 or not name.isidentifier() or not re.fullmatch(r"[\w:<> ]+", type_) or _plain(name) in TYPES:
        raise KernelError("cuda", where, "parameters like 'const T* x' or 'int n'", repr(text))
    return Parameter(name, own_names.get(type_, type_), stars == 1, stars == 1 and "const" in before)


def _plain(type_: str) -> str:
    """One of the names of a type of C++: ``long long`` for ``long long int``, ``unsigned long`` for ``long unsigned``.

    Example:
        >>> _plain("long long unsigned int"), _plain("signed"), _plain("float")
        ('unsigned long long', 'int', 'float')
    """
    words = type_.split()
    if not set(words) <= {"signed", "unsigned", "short", "long", "int", "char"}:
        return type_
    sizes = [word for word in words if word in ("short", "long", "char")]
    if "char" in sizes and "signed" in words:
        return "signed char"
    return " ".join([*(["unsigned"] if "unsigned" in words else []), *sizes]) or "int"
