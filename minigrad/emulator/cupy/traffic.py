"""What a program for a GPU should know of: copies between host and device, and waits, counted and with where they came from."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FrameType

TO_DEVICE, TO_HOST, WAIT = "copy to the device", "copy to the host", "wait for the device"


@dataclass(frozen=True)
class Passage:
    """One copy or wait, and the lines that caused it.

    Attributes:
        kind: ``"copy to the device"``, ``"copy to the host"`` or ``"wait for the device"``.
        call: what was called of CuPy, ``"__float__"`` say.
        place: the line that called it, with its function.
        op: the op that ran, by the name of its class, or ``""``.
        caller: the line outside minigrad from which all began, or ``""``.
    """

    kind: str
    call: str
    place: str
    op: str
    caller: str

    def __str__(self) -> str:
        op = f", in {self.op}" if self.op else ""
        caller = f", called at {self.caller}" if self.caller else ""
        return f"{self.kind}: {self.call} at {self.place}{op}{caller}"


@dataclass
class Counters:
    """How often something happened that a program for a GPU should know of.

    Attributes:
        to_device: copies from the host to a device.
        to_host: copies from a device to the host, of which each waits for the device.
        synchronisations: waits of the host for a device, those for copies included.
        calls: functions of CuPy that compute.
        launches: kernels of CUDA C++ that were run.
        passages: the copies and waits one by one; only of those inside ``counted()``.
    """

    to_device: int = 0
    to_host: int = 0
    synchronisations: int = 0
    calls: int = 0
    launches: int = 0
    passages: list[Passage] = field(default_factory=list)

    def told(self) -> str:
        """The copies and waits with the lines that caused them, the same ones once, as a text."""
        return "\n".join(f"{count} x {each}" for each, count in Counter(self.passages).items()) or "no copy and no wait"


counters = Counters()  # from the beginning of the process
_NUMBERS = ("to_device", "to_host", "synchronisations", "calls", "launches")
_listening: list[list[Passage]] = []
_lock = threading.Lock()


@contextlib.contextmanager
def counted() -> Iterator[Counters]:
    """What is counted inside a ``with`` block, of all threads; the numbers stand when it has ended.

    Example:
        >>> from minigrad.emulator import cupy
        >>> with counted() as seen:
        ...     x = float(cupy.ones(3).sum())
        >>> seen.to_host, seen.to_device
        (1, 0)
        >>> seen.passages[0].kind
        'copy to the host'
    """
    before, seen = {name: getattr(counters, name) for name in _NUMBERS}, Counters()
    _listening.append(seen.passages)
    try:
        yield seen
    finally:
        _listening[:] = [each for each in _listening if each is not seen.passages]
        for name, number in before.items():
            setattr(seen, name, getattr(counters, name) - number)


def sent() -> None:
    """Count a copy to the device."""
    with _lock:
        counters.to_device += 1
    _note(TO_DEVICE)


def waited(copied: bool = True) -> None:
    """Count a wait for the device, for a copy to the host if ``copied``."""
    with _lock:
        counters.synchronisations += 1
        counters.to_host += copied
    _note(TO_HOST if copied else WAIT)


def _note(kind: str) -> None:
    """Find out who asked, if anyone wants to know."""
    if not _listening:
        return
    call, place, op, caller = "", "", "", ""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if not place and _among(module, "minigrad.emulator"):
            named = frame.f_locals.get("name")  # of a function made from NumPy's
            call = named if isinstance(named, str) else frame.f_code.co_name
        elif not place and module != "minigrad.core.device":  # which moves what others ask it to
            place = _line(frame)
        if not op and frame.f_code.co_name in ("forward", "backward"):
            op = type(frame.f_locals.get("ctx")).__name__ if "ctx" in frame.f_locals else ""
        if place and not _among(module, "minigrad") and not _among(module, "contextlib"):
            caller = _line(frame)
            break
        frame = frame.f_back
    passage = Passage(kind, call, place, op, "" if caller == place else caller)
    for heard in _listening:
        heard.append(passage)


def _among(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def _line(frame: FrameType) -> str:
    name = "/".join(frame.f_code.co_filename.replace("\\", "/").split("/")[-2:])
    return f"{name}:{frame.f_lineno} ({frame.f_code.co_name})"
