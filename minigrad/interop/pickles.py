"""Plain values and byte arrays out of a pickle, with nothing in it run.

Python's own ``Unpickler`` calls what the file names and trusts its numbers: restricting the names still leaves a file that
takes all memory by one large memo index, or all time by hashing nested tuples. ``read_pickle`` takes the instructions as the
standard library's ``pickletools`` reads them, and carries out only those that build dictionaries, lists, tuples, numbers,
text, bytes, and the state of a NumPy array, which it keeps as it is. A reader may add names of its own to the table of those
that stand for something (``torch_io.py``); what is in no table is refused by its name.
"""

from __future__ import annotations

import io
import math
import pickletools
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad.errors import DataError

_CORES = ("numpy.core", "numpy._core")  # the name before NumPy 2, and since
_NAMES = {
    **{f"{core}.multiarray _reconstruct": "array" for core in _CORES},
    **{f"{core}.multiarray scalar": "scalar" for core in _CORES},
    "numpy ndarray": "ndarray",
    "numpy dtype": "dtype",
    "_codecs encode": "encode",
}
_NOTHING = frozenset({"PROTO", "FRAME"})
_PUSHED = frozenset(
    {
        *("BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES"),
        *("SHORT_BINBYTES", "BINBYTES8", "BINSTRING", "SHORT_BINSTRING", "BINFLOAT", "INT"),  # INT is protocol 1's bool
    }
)
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
}
_FIXED_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_MARK = object()
# A batch of CIFAR-10 has less than 2^16; an empty list takes one byte in a file and a hundred in memory.
_MOST_INSTRUCTIONS = 1 << 18


KEYS = (str, int, float, type(None))  # what is looked up in no time; bytes become text


@dataclass(frozen=True)
class _Name:
    """A name that the file refers to, which nobody looks up."""

    kind: str


@dataclass(frozen=True)
class Call:
    """What stands for a name that a reader adds, where the file calls it: a function of data to data."""

    function: Callable[..., Any]


class _Code:
    """The argument of ``numpy.dtype``; what else a dtype's state says is of no interest for bytes."""

    def __init__(self, code: Any) -> None:
        self.code = code
        self.order = "<"


_NUMBERS = frozenset(("i1", "i2", "i4", "i8", "u1", "u2", "u4", "f2", "f4", "f8"))


class PickledArray:
    """A NumPy array as the file describes it: ``state`` is (version, shape, dtype, column order, bytes)."""

    state: Any = None

    @property
    def holds_objects(self) -> bool:
        """Whether it is an array of other values than numbers."""
        code = self._parts()[0]
        return isinstance(code, _Code) and code.code in ("O", "O4", "O8")

    def bytes_of(self, *shape: int | None) -> np.ndarray:
        """The array, where it is one of bytes of that shape; None stands for any size.

        Raises:
            ValueError: it is of another dtype or shape, or its bytes do not fill the shape.
        """
        code, sizes, by_columns, content = self._parts()
        if not isinstance(code, _Code) or code.code not in ("u1", "|u1", "uint8"):
            raise ValueError("an array that is not of bytes")
        if len(sizes) != len(shape) or any(want not in (None, size) for want, size in zip(shape, sizes)):
            raise ValueError(f"an array of shape {tuple(sizes[:8])}")
        content = content.encode("latin-1") if isinstance(content, str) else content
        if not isinstance(content, bytes) or len(content) != math.prod(sizes):
            raise ValueError(f"contents that do not fill the shape {sizes}")
        return np.frombuffer(content, np.uint8).reshape(sizes, order="F" if by_columns is True else "C")

    def numbers(self) -> np.ndarray:
        """The array, where it is one of whole numbers or of floats.

        Raises:
            ValueError: it is of another dtype, or its bytes do not fill its shape.
        """
        code, sizes, by_columns, content = self._parts()
        if not isinstance(code, _Code) or code.code not in _NUMBERS or code.order not in ("<", ">", "|", "="):
            raise ValueError("an array that is not of numbers")
        dtype = np.dtype(code.code).newbyteorder(">" if code.order == ">" else "<")
        content = content.encode("latin-1") if isinstance(content, str) else content
        if not isinstance(content, bytes) or len(content) != math.prod(sizes) * dtype.itemsize:
            raise ValueError(f"contents that do not fill the shape {sizes}")
        return np.frombuffer(content, dtype).reshape(sizes, order="F" if by_columns is True else "C")

    def values(self) -> list[Any]:
        """The elements, where it is an array of other values.

        Raises:
            ValueError: it is of another dtype, or they do not fill its shape.
        """
        _, sizes, _, content = self._parts()
        if not self.holds_objects or not isinstance(content, list):
            raise ValueError("an array that is not of other values")
        if len(content) != math.prod(sizes):
            raise ValueError(f"contents that do not fill the shape {sizes}")
        return content

    def _parts(self) -> tuple[Any, tuple[int, ...], Any, Any]:
        """The dtype, the shape, the order and the contents."""
        if not isinstance(self.state, tuple) or len(self.state) != 5:
            raise ValueError("an array without its contents")
        _, sizes, code, by_columns, content = self.state
        if not isinstance(sizes, tuple) or not all(type(size) is int and size >= 0 for size in sizes):
            raise ValueError("an array without a shape")
        return code, sizes, by_columns, content


def read_pickle(content: bytes, source: str, most: int = _MOST_INSTRUCTIONS) -> Any:
    """The values in a pickle: dictionaries with text as keys, lists, tuples, numbers, text, bytes, ``PickledArray``.

    Args:
        content: the pickle, of protocol 1 to 5.
        source: the file's name, for errors.
        most: instructions that it may have.

    Raises:
        DataError: it is cut short, no pickle, or holds anything else than such values.

    Example:
        >>> import pickle
        >>> read_pickle(pickle.dumps({"labels": [3, 1]}), "batch")
        {'labels': [3, 1]}
    """
    try:
        value, _ = unpickle(content, most=most)
    except Refused as error:
        raise refusal(error, source) from error
    return value


def refusal(error: Refused, source: str) -> DataError:
    """The error that says what is wrong with a file of data.

    Example:
        >>> str(refusal(Refused("a reference to 'os.system'"), "a.npy"))[:88]
        "data: a.npy: expected a pickle of numbers, text and arrays only, got a reference to 'os."
    """
    if error.damaged:
        remedy = "Fetch the file again from where it is published"
        return DataError("data", source, "a whole pickle", f"a damaged one ({error})", remedy)
    expected = "a pickle of numbers, text and arrays only"
    return DataError("data", source, expected, str(error), "Do not open this file with Python's pickle either")


def unpickle(
    content: bytes,
    start: int = 0,
    *,
    most: int = _MOST_INSTRUCTIONS,
    names: Mapping[str, Any] | None = None,
    persistent: Callable[[Any], Any] | None = None,
) -> tuple[Any, int]:
    """The value of a pickle that begins at ``start``, and where it ends.

    Args:
        content: what it lies in.
        start: where.
        most: instructions that it may have.
        names: what stands for names beyond NumPy's, ``"module name"``: a ``Call``, or a value.
        persistent: what stands for a persistent id; ``None``: there may be none.

    Raises:
        Refused: it is damaged, or asks for anything else than such values.

    Example:
        >>> import pickle
        >>> twice = pickle.dumps([1]) + pickle.dumps("b")
        >>> value, end = unpickle(twice)
        >>> value, unpickle(twice, end)[0]
        ([1], 'b')
    """
    machine = _Machine(len(content), most, names or {}, persistent)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of escapes in a damaged file's text, which are none
            return machine.run(content, start)
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Refused(str(error), damaged=True) from error


class Refused(Exception):
    """The file asks for something that plain values do not need, or is damaged."""

    def __init__(self, why: str, damaged: bool = False) -> None:
        super().__init__(why)
        self.damaged = damaged


class _Machine:
    """The stack and the memo of one pickle. The values it makes take no more memory than a small multiple of the file."""

    def __init__(
        self, size: int, most: int, names: Mapping[str, Any], persistent: Callable[[Any], Any] | None
    ) -> None:  # fmt: skip
        self.most, self.names, self.persistent = most, names, persistent
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.encodable = size  # bytes that ``encode`` may still make: no file needs more than its own size

    def run(self, content: bytes, start: int) -> tuple[Any, int]:
        steps = {
            "MARK": self.mark,
            "TUPLE": self.close_tuple,
            "APPEND": self.append,
            "APPENDS": self.appends,
            "SETITEM": self.set_item,
            "SETITEMS": self.set_items,
            "REDUCE": self.reduce,
            "BUILD": self.build,
        }
        file = io.BytesIO(content)
        file.seek(start)
        for number, (opcode, argument, position) in enumerate(pickletools.genops(file)):
            if number > self.most:
                raise Refused(f"more than {self.most} instructions")
            name = opcode.name
            if name == "STOP":
                (value,) = self.stack
                return value, file.tell()
            if name in _PUSHED:
                self.stack.append(argument)
            elif name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name]())
            elif name in _FIXED_TUPLES:
                self.stack.append(tuple(self.last(_FIXED_TUPLES[name])))
            elif name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
                self.memo[len(self.memo) if argument is None else argument] = self.stack[-1]
            elif name in ("BINGET", "LONG_BINGET"):
                self.stack.append(self.memo[argument or 0])
            elif name in ("GLOBAL", "STACK_GLOBAL"):
                self.refer(str(argument) if name == "GLOBAL" else " ".join(self.last(2)))
            elif name == "BINPERSID" and self.persistent is not None:
                self.stack.append(self.persistent(*self.last(1)))
            elif name in steps:
                steps[name]()
            elif name not in _NOTHING:
                raise Refused(f"the instruction {name} at byte {position}")
        raise ValueError("no end")

    def last(self, count: int) -> list[Any]:
        """Take the last values off the stack."""
        if len(self.stack) < count:
            raise ValueError("too few values")
        taken = self.stack[-count:]
        del self.stack[-count:]
        return taken

    def marked(self) -> list[Any]:
        """Take all values since the last mark off the stack, and the mark."""
        place = len(self.stack) - 1
        while self.stack[place] is not _MARK:
            place -= 1
            if place < 0:
                raise ValueError("no mark")
        taken = self.stack[place + 1 :]
        del self.stack[place:]
        return taken

    def refer(self, name: str) -> None:
        if name in self.names:
            self.stack.append(self.names[name])
        elif name in _NAMES:
            self.stack.append(_Name(_NAMES[name]))
        else:
            raise Refused(f"a reference to {name[:80].replace(' ', '.')!r}")

    def mark(self) -> None:
        self.stack.append(_MARK)

    def close_tuple(self) -> None:
        self.stack.append(tuple(self.marked()))

    def append(self) -> None:
        (value,) = self.last(1)
        self.extend([value])

    def appends(self) -> None:
        self.extend(self.marked())

    def extend(self, values: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise ValueError("a value added to what is no list")
        self.stack[-1].extend(values)

    def set_item(self) -> None:
        self.update(self.last(2))

    def set_items(self) -> None:
        self.update(self.marked())

    def update(self, pairs: list[Any]) -> None:
        """Fill the dictionary on top of the stack. Only text, bytes and numbers are keys, which take no long time to hash."""
        if not isinstance(self.stack[-1], dict) or len(pairs) % 2:
            raise ValueError("items without a dictionary")
        for key, value in zip(pairs[::2], pairs[1::2]):
            key = key.decode("latin-1") if isinstance(key, bytes) else key
            if not isinstance(key, KEYS):
                raise Refused(f"a key that is {type(key).__name__}, not text")
            self.stack[-1][key] = value

    def reduce(self) -> None:
        """Carry out a call of one of the names; no other exists here."""
        name, arguments = self.last(2)
        if isinstance(name, Call) and isinstance(arguments, tuple):
            self.stack.append(name.function(*arguments))
            return
        if not isinstance(name, _Name) or not isinstance(arguments, tuple):
            raise Refused("a call of something unknown")
        if name.kind == "array":
            self.stack.append(PickledArray())
        elif name.kind == "dtype":
            self.stack.append(_Code(arguments[0]))
        elif name.kind == "scalar" and len(arguments) == 2:
            array = PickledArray()
            array.state = (1, (), arguments[0], False, arguments[1])
            self.stack.append(array.numbers().item())
        elif name.kind == "encode" and arguments[1:] == ("latin1",) and isinstance(arguments[0], str):
            self.encodable -= len(arguments[0])
            if self.encodable < 0:
                raise Refused("more encoded text than the file has")
            self.stack.append(arguments[0].encode("latin-1"))
        else:
            raise Refused(f"a call of {name.kind} that arrays do not need")

    def build(self) -> None:
        (state,) = self.last(1)
        if isinstance(self.stack[-1], PickledArray):
            self.stack[-1].state = state
        elif isinstance(self.stack[-1], _Code):
            if isinstance(state, tuple) and len(state) > 1:
                self.stack[-1].order = state[1]
        elif isinstance(self.stack[-1], OrderedDict):
            pass  # its attributes: PyTorch's versions of modules, which say nothing of the weights
        else:
            raise Refused("a state for something other than an array")
