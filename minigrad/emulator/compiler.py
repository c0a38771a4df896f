"""g++: where it is, what it is called with, and the cache of what it made.

The runtime (``runtime/*.cpp``) and, for each mode, its headers are compiled once; a program then takes a fraction of a second.
All of it is kept under names that are digests of everything that it was made from: the text, the runtime, g++'s version, the
processor. Files are written whole or not at all, and carry a digest of what they hold: one that is damaged is made anew.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from minigrad.core.machine import cache_folder
from minigrad.errors import KernelError

RUNTIME = Path(__file__).parent / "runtime"
COMMON = (
    *(
        "-std=c++17",
        "-fPIC",
        "-fno-exceptions",
        "-fno-rtti",
        "-fvisibility=hidden",
        "-fcf-protection=none",
        "-U_FORTIFY_SOURCE",
    ),
    # Else statics of a template's functions would be shared by all programs that use the template with the same arguments.
    "-fno-gnu-unique",
)
PROGRAM = (
    *COMMON,
    *(
        "-g1",
        "-gdwarf-4",
        "-fno-strict-aliasing",
        "-fno-threadsafe-statics",
        "-fno-math-errno",
        "-fno-trapping-math",
    ),
    *("-fno-plt", "-w"),  # a program for another compiler: its warnings are not these
)
FLAGS = {
    "fast": ("-O2", "-march=native"),
    # Each access calls the runtime: as for the thread sanitizer, whose library is not used. What has 16 bytes stays one access.
    "observed": (
        *("-O1", "-march=native", "-fno-tree-vectorize", "-fno-tree-slp-vectorize", "-fno-tree-sra", "-fsanitize=thread"),
        *("--param", "tsan-instrument-func-entry-exit=0", "--param", "tsan-distinguish-volatile=1", "-DEMULATOR_OBSERVED=1"),
    ),
}
LINKED = {"fast": (), "observed": ("-nodefaultlibs", "-lm", "-lc", "-lgcc")}  # else the sanitizer's library would be, too
OLDEST = 11  # g++ that tells volatile accesses apart
SEASON = 90 * 24 * 3600  # seconds after which what nobody used is thrown away
_MAGIC = b"minigrad emulator 1\n"
_lock = threading.RLock()  # held while something is compiled: one compilation of each at a time in a process


def folder() -> Path:
    """Where compiled programs are kept: ``emulator`` in the cache; one of this process alone if others may write there."""
    with contextlib.suppress(OSError, RuntimeError):
        place = cache_folder().absolute() / "emulator"
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = place.stat()
        others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if found.st_uid == os.getuid() and not others and os.access(place, os.W_OK | os.X_OK):
            _sweep(place)
            return place
    return _own_folder()


@functools.cache
def _own_folder() -> Path:
    place = Path(tempfile.mkdtemp(prefix="minigrad-emulator-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return place


@functools.cache
def _sweep(place: Path) -> None:
    """Once a process: throw away what nobody used for a season, and what killed processes left."""
    now = time.time()
    for path in place.iterdir():
        with contextlib.suppress(OSError):
            if now - path.stat().st_mtime > (3600 if path.name.startswith(".making-") else SEASON):
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()


def compiler() -> str:
    """The path of g++.

    Raises:
        KernelError: it is missing or older than ``OLDEST``, or the system is not Linux.
    """
    if sys.platform != "linux":
        raise KernelError("emulator", "system", "Linux", platform.system() or sys.platform,
                          "Run it on Linux, in a virtual machine or a container")  # fmt: skip
    found = shutil.which("g++")
    if found is None:
        raise KernelError("emulator", "g++", "the GNU C++ compiler on the PATH", "none",
                          "Install it: apt install g++ (Debian, Ubuntu), dnf install gcc-c++ (Fedora)")  # fmt: skip
    version = version_of(found)
    if not version.partition(".")[0].isdigit() or int(version.partition(".")[0]) < OLDEST:
        raise KernelError("emulator", "g++", f"version {OLDEST} or newer", version or "one that does not tell its version",
                          "Install a newer one, and put it first on the PATH")  # fmt: skip
    return found


@functools.cache
def version_of(path: str) -> str:
    """The version of a g++, as it tells it."""
    done = subprocess.run([path, "-dumpfullversion"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


@functools.cache
def _identity(path: str) -> str:
    """What the result of a compilation depends on besides text and flags."""
    with contextlib.suppress(OSError):
        described = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        features = re.findall(r"^(?:flags|Features|model name)\s*:.*$", described, re.MULTILINE)
        return "\n".join([version_of(path), platform.machine(), *features[:2]])
    return version_of(path) + platform.machine()


@functools.cache
def _runtime_texts() -> tuple[tuple[str, str], ...]:
    return tuple((path.name, path.read_text(encoding="utf-8")) for path in sorted(RUNTIME.glob("*.*")))


def digest(*parts: object) -> str:
    """A name for what is made from these parts, the runtime's texts, this compiler and this processor."""
    everything = repr((parts, _runtime_texts(), _identity(compiler())))
    return hashlib.sha256(everything.encode()).hexdigest()[:32]


def runtime_library() -> Path:
    """The runtime, compiled."""
    texts = [f'#include "{RUNTIME / name}"' for name, _ in _runtime_texts() if name.endswith(".cpp")]
    flags = (*COMMON, "-O2", "-pthread")
    name = f"libminigrad-emulator-{digest('runtime', flags)}.so"
    command = [*flags, "-shared", f"-Wl,-soname,{name}", "-I", str(RUNTIME)]
    return _kept(name, "\n".join(texts), command, "the emulator's runtime")


def program_library(text: str, mode: str, where: str, contract: bool = True) -> Path:
    """A program, compiled for a mode of ``FLAGS``, in which a product and a sum may (``contract``) be rounded as one.

    Raises:
        CompileError: what g++ says of it.
    """
    flags = (*PROGRAM, f"-ffp-contract={'fast' if contract else 'off'}", *FLAGS[mode])
    runtime = runtime_library()
    name = f"program-{digest('program', text, flags, LINKED[mode])}.so"
    command = [*flags, "-shared", "-I", str(_headers(flags)), "-I", str(RUNTIME)]
    return _kept(name, text, command, where, [str(runtime), *LINKED[mode]])


def _headers(flags: Sequence[str]) -> Path:
    """A folder with the emulator's headers in the form in which g++ reads them quickest."""
    place = folder() / f"headers-{digest('headers', flags)}"
    with _alone(place.name):
        if not (place / "cuda.hpp.gch").exists():
            making = Path(tempfile.mkdtemp(dir=folder(), prefix=".making-"))
            _run(
                [*flags, "-x", "c++-header", str(RUNTIME / "cuda.hpp"), "-o", str(making / "cuda.hpp.gch")],
                "the emulator's headers",
            )
            with contextlib.suppress(OSError):  # another process was first
                os.rename(making, place)
            shutil.rmtree(making, ignore_errors=True)
    with contextlib.suppress(OSError):
        os.utime(place)
    return place


@contextlib.contextmanager
def _alone(name: str) -> Iterator[None]:
    """Hold back other threads and processes that want to compile the same: they then find it done."""
    import fcntl  # which Windows has not: there, this module loads and says what it needs

    with _lock, contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):  # a file system without locks
            file = held.enter_context(open(folder() / f".lock-{hashlib.sha256(name.encode()).hexdigest()[0]}", "a"))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


class CompileError(Exception):
    """What g++ said, in full."""


def _run(arguments: Sequence[str], what: str, cwd: Path | None = None) -> None:
    done = subprocess.run([compiler(), *arguments], capture_output=True, text=True, errors="replace", check=False, cwd=cwd,
                          env={**os.environ, "LC_ALL": "C"}, stdin=subprocess.DEVNULL)  # fmt: skip
    if done.returncode:
        raise CompileError(done.stderr.strip() or f"g++ ended with exit code {done.returncode} at {what}")


def _kept(name: str, text: str, command: Sequence[str], what: str, libraries: Sequence[str] = ()) -> Path:
    path = folder() / name
    with _alone(name):
        if not _whole(path):
            making = Path(tempfile.mkdtemp(dir=folder(), prefix=".making-"))
            try:
                (making / "text.cpp").write_text(text, encoding="utf-8")
                here = f"-ffile-prefix-map={making}=."
                _run([*command, here, "text.cpp", "-o", "made.so", *libraries], what, making)
                content = (making / "made.so").read_bytes()
                (making / "made.so").write_bytes(content + _seal(name, content))
                os.replace(making / "made.so", path)
            finally:
                shutil.rmtree(making, ignore_errors=True)
    return path


def _seal(name: str, content: bytes) -> bytes:
    return _MAGIC + hashlib.sha256(name.encode() + b"\0" + content).digest()


def _whole(path: Path) -> bool:
    try:
        content = path.read_bytes()
        if time.time() - path.stat().st_mtime > SEASON / 10:
            os.utime(path)  # it is in use
    except OSError:
        return False
    size = len(_MAGIC) + hashlib.sha256().digest_size
    return content[-size:] == _seal(path.name, content[:-size])
