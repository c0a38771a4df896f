"""Every exception that a user can meet. Each says what was expected, what came and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class MinigradError(RuntimeError):
    """The root of all errors of minigrad.

    Args:
        where: the op, layer or command that refuses, by the name under which the user called it.
        argument: the argument or thing that is wrong.
        expected: what would have been accepted.
        got: what came.
        remedy: what to do, as a sentence without its full stop, or a question. May be empty where ``expected`` says it all.

    The five parts stay readable as attributes, and the text is made from them in one way::

        where: argument: expected EXPECTED, got GOT. REMEDY.

    Example:
        >>> print(ShapeError("mm", "mat2", "3 rows, as mat1 has 3 columns", "shape (4, 5)", "Transpose one of them"))
        mm: mat2: expected 3 rows, as mat1 has 3 columns, got shape (4, 5). Transpose one of them.
    """

    def __init__(self, where: str, argument: str, expected: str, got: str, remedy: str = "") -> None:
        self.where, self.argument, self.expected, self.got, self.remedy = where, argument, expected, got, remedy
        super().__init__(where, argument, expected, got, remedy)  # all parts, so that the error pickles

    def __str__(self) -> str:
        head = ": ".join(part for part in (self.where, self.argument) if part)
        stop = "" if self.remedy.endswith("?") else "."
        tail = f" {self.remedy}{stop}" if self.remedy else ""
        return f"{head}: expected {self.expected}, got {self.got}.{tail}"


class ShapeError(MinigradError, ValueError):
    """Sizes or numbers of dimensions that do not fit together."""


class DTypeError(MinigradError, TypeError):
    """A dtype that an op does not take, or a Python type where a tensor or number belongs."""


class DeviceError(MinigradError):
    """A device that is missing, or tensors of two devices in one op."""


class ArgumentError(MinigradError, ValueError):
    """An argument outside its range, or a combination that has no meaning."""


class IndexingError(MinigradError, IndexError):
    """An index, dimension or class number out of range."""


class OutOfMemoryError(MinigradError, MemoryError):
    """Sizes that no memory holds."""


class GradError(MinigradError):
    """A backward pass that cannot be made: freed, changed in place, or nothing requires grad."""


class AnomalyError(MinigradError):
    """The first NaN or Inf, with the op and the user's line that bore it."""


class KernelError(MinigradError):
    """A kernel that does not exist, does not run here, or breaks its contract."""


class CudaFault(MinigradError):
    """What is wrong with a CUDA kernel that ran in the emulator: a race, an access out of bounds, a deadlock.

    Args:
        where: the launch.
        findings: records of ``minigrad.emulator.Finding``, at least one; they stay readable as ``findings``.

    The first finding gives the five parts; the text tells them all.
    """

    def __init__(self, where: str, findings: Sequence[Any]) -> None:
        first = findings[0]
        super().__init__(where, str(first.place), "a kernel without faults", f"{first.kind}: {first.explanation}", first.remedy)
        self.findings = list(findings)
        self.args = (where, self.findings)  # so that the error pickles

    def __str__(self) -> str:
        count = len(self.findings)
        return "\n".join([f"{self.where}: {count} {'fault' if count == 1 else 'faults'}", *map(str, self.findings)])


class StateError(MinigradError, KeyError):
    """A state that does not fit the object it is loaded into: missing, unexpected or misshapen keys."""

    __str__ = MinigradError.__str__  # KeyError would print the repr


class FileFormatError(MinigradError, ValueError):
    """A file that is missing, cut short, of another format, or hostile."""


class MissingFileError(FileFormatError, FileNotFoundError):
    """A file that is not there."""


class DataError(MinigradError):
    """A data set that cannot be had or does not hold what it should."""


class RunError(MinigradError):
    """A run folder that cannot be made, read or gone on with."""


class DivergedError(MinigradError):
    """A training step whose loss is no number."""


class ExportError(MinigradError):
    """A network that cannot be written for other programs, or whose file gives other numbers than the network itself."""
