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
    "unsigned int": "uint32",
    "long long": "int64",
    "unsigned long long": "uint64",
    "bool": "bool",
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
_BOUNDS = r"(?:__launch_bounds__\s*\((?:[^()]|\([^()]*\))*\)\s*)?"
_HEAD = re.compile(
    rf"(?:template\s*<(?P<template>[^<>]*)>\s*)?(?:extern\s+\"C\"\s+)?__global__\s+{_BOUNDS}void\s+{_BOUNDS}(?P<name>\w+)\s*\((?P<parameters>[^()]*)\)"
)


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
        """The NumPy dtype, where ``template`` says what its parameters stand for; none for a structure of the file's own."""
        name = TYPES.get(template.get(self.type, self.type))
        return None if name is None else np.dtype(name)


@dataclass(frozen=True)
class Head:
    """What stands before a kernel's body.

    Attributes:
        name: the kernel's.
        template: the names of its template's parameters, and what each is (``"typename"``, ``"int"``, ``"bool"``).
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
    for match in _HEAD.finditer(text):
        name = match["name"]
        if name in found:
            raise KernelError("cuda", where, "kernels of different names", f"two kernels named {name}")
        template = tuple(_template_parameter(each, where) for each in _parts(match["template"] or ""))
        found[name] = Head(
            name, template, tuple(_parameter(each, own_names, f"{where}: {name}") for each in _parts(match["parameters"]))
        )
    return found


def _parts(text: str) -> list[str]:
    return [part for part in (" ".join(part.split()) for part in text.split(",")) if part]


def _template_parameter(text: str, where: str) -> tuple[str, str]:
    kind, _, name = text.partition(" ")
    if kind not in ("typename", "int", "bool") or not name.isidentifier():
        raise KernelError("cuda", where, "template parameters that are a typename, an int or a bool", repr(text))
    return name, kind


def _parameter(text: str, own_names: Mapping[str, str], where: str) -> Parameter:
    plain = re.sub(r"\b(__restrict__|volatile|__grid_constant__)", " ", text).replace("*", " * ")
    words = plain.split()
    stars, constant = words.count("*"), "const" in words
    type_, name = " ".join(word for word in words[:-1] if word not in ("*", "const")), words[-1]
    if stars > 1 or not type_ or not name.isidentifier():
        raise KernelError("cuda", where, "parameters like 'const T* x' or 'int n'", repr(text))
    return Parameter(name, own_names.get(type_, type_), stars == 1, constant and stars == 1)
