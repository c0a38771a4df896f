"""What ``minigrad doctor`` looks at: each look gives findings, and one that fails is a finding itself."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from minigrad.cli.checkup_kernels import compiled, emulator, families
from minigrad.cli.finding import NOTE, OK, PROBLEM, Finding, Found
from minigrad.errors import DeviceError, MinigradError

OWN_SETTINGS = ("MINIGRAD_DEVICE", "MINIGRAD_KERNELS", "MINIGRAD_CHECK", "MINIGRAD_CACHE", "MINIGRAD_THREADS",
                "MINIGRAD_KEEP_MEMORY", "MINIGRAD_COMPANIONS")  # fmt: skip
THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
                   "VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS")  # fmt: skip
LITTLE_MEMORY = 1_000_000_000  # bytes
LITTLE_SPACE = 500_000_000


def examine() -> list[Finding]:
    """All findings. What cannot be told is a finding too: no look at the machine stops the others.

    Example:
        >>> sorted({finding.topic for finding in examine()})
        ['data', 'device', 'kernels', 'libraries', 'machine', 'minigrad', 'settings', 'terminal']
    """
    return [finding for topic, name, look in LOOKS for finding in _safely(topic, name, look)]


def _safely(topic: str, name: str, look: Callable[[], Found]) -> Found:
    """The findings of one look; if it fails, that it did."""
    try:
        yield from look()
    except MinigradError as error:
        yield Finding(topic, name, f"{error.argument}: expected {error.expected}, got {error.got}", PROBLEM, error.remedy)
    except Exception as error:
        yield Finding(topic, name, f"could not be told ({type(error).__name__}: {error})", NOTE)


# ---------------------------------------------------------------------- minigrad itself


def _minigrad() -> Found:
    import minigrad

    yield Finding("minigrad", "version", minigrad.__version__)
    folder = Path(minigrad.__file__ or "").parent
    yield Finding("minigrad", "imported from", str(folder))
    yield from _owners(folder, minigrad.__version__)


def _owners(folder: Path, version: str) -> Found:
    """Whether what is imported is what is installed, and whether anyone else installs under the name."""
    from minigrad.cli.ownership import NAME, OURS, owners

    found = owners()
    ours = [owner for owner in found if owner.name == OURS]
    for owner in found:
        if owner.name != OURS:
            mend = f"pip uninstall {owner.name}, then install {OURS} again: the other one has written into the same folder"
            yield Finding("minigrad", "another owner", f"{owner.name} {owner.version} in {owner.place}", PROBLEM, mend)
    if not ours:
        yield Finding("minigrad", "installed as", f"nothing: no distribution {OURS} is on the path", NOTE,
                      "Run pip install -e . in the checkout")  # fmt: skip
        return
    first = ours[0]
    how = "linked to its checkout" if first.editable else "copied"
    yield Finding("minigrad", "installed as", f"{first.name} {first.version} in {first.place}, {how}")
    for other in ours[1:]:
        yield Finding("minigrad", "installed twice", f"{other.name} {other.version} in {other.place}", NOTE,
                      f"pip uninstall {OURS}, until none is left, and install it once")  # fmt: skip
    if first.package is not None and first.package.resolve() != folder.resolve():
        here = folder.parent.resolve() == Path.cwd().resolve()
        mend = "Start Python in another folder" if here else f"See where the path leads to {folder}: PYTHONPATH, or a .pth file"
        what = f"{folder} hides {first.package}, which is installed"
        yield Finding("minigrad", NAME, what, PROBLEM, f"{mend}; to use that one, run pip install -e {folder.parent}")
    if first.version != version:
        yield Finding("minigrad", "versions", f"installed as {first.version}, and the code says {version}", NOTE,
                      "Run pip install -e . again")  # fmt: skip


# ---------------------------------------------------------------------- machine


def _python() -> Found:
    build = f"{platform.python_implementation()} {platform.python_version()}"
    where = "a virtual environment" if sys.prefix != sys.base_prefix else "no virtual environment"
    yield Finding("machine", "Python", f"{build} at {sys.executable} ({where})")
    yield Finding("machine", "system", platform.platform())


def _processor() -> Found:
    from minigrad.core.machine import processor

    name, features = processor()
    yield Finding(
        "machine", "processor", f"{name} ({platform.machine()}; {', '.join(features) or 'no vector instructions known'})"
    )


def _cores() -> Found:
    from minigrad.core.machine import cores

    found = cores()
    text = f"{found.usable} of {found.present} for this process"
    if found.quota is not None and found.quota < found.allowed:
        text += f": {found.allowed} to run on, and a control group that pays for {found.quota:g}"
    yield Finding("machine", "cores", text)


def _memory() -> Found:
    from minigrad.cli.terminal import byte_size
    from minigrad.core.machine import memory

    found = memory()
    parts = [byte_size(found.total)]
    if found.available is not None:
        parts.append(f"{byte_size(found.available)} free")
    if found.limit is not None:
        parts.append(f"this process's control group may have {byte_size(found.limit)}")
    least = min(one for one in (found.total, found.available, found.limit) if one is not None)
    if least < LITTLE_MEMORY:
        yield Finding("machine", "memory", ", ".join(parts), NOTE, "Use small batches, or end other programs")
    else:
        yield Finding("machine", "memory", ", ".join(parts))


# ---------------------------------------------------------------------- libraries


def _blas() -> Found:
    import numpy  # noqa: F401 - threadpoolctl tells what is loaded
    from threadpoolctl import threadpool_info

    from minigrad.kernels.native import threads as budget

    usable = budget()  # BLAS has been told it now, if it had to be
    found = [pool for pool in threadpool_info() if pool.get("user_api") == "blas"]
    if not found:
        yield Finding("libraries", "BLAS", "none that threadpoolctl knows: matrix products may be slow", NOTE,
                      "A NumPy from pip brings OpenBLAS")  # fmt: skip
    for pool in found:
        built = f" for {pool['architecture']}" if pool.get("architecture") else ""
        threads = pool["num_threads"]
        text = f"{pool['internal_api']} {pool['version'] or 'of an unknown version'}{built}, {threads} threads"
        if threads > usable:
            yield Finding("libraries", "BLAS", text, NOTE, f"Set {pool['internal_api'].upper()}_NUM_THREADS={usable}")
        else:
            yield Finding("libraries", "BLAS", text)


def _libraries() -> Found:
    """The libraries that minigrad is built on, by their metadata: none is imported."""
    from minigrad.cli.ownership import OURS

    extras: dict[str, list[tuple[str, str]]] = {}
    for line in importlib.metadata.requires(OURS) or []:
        requirement, _, marker = (part.strip() for part in line.partition(";"))
        named = re.search(r"extra\s*==\s*[\"']([^\"']+)", marker)
        extras.setdefault(named[1] if named else "", []).append((re.split(r"[^\w.-]", requirement)[0], requirement))
    for name, requirement in extras.pop("", []):
        fits, version = _fits(requirement, _version(name))
        if fits:
            yield Finding("libraries", name, version)
        else:
            yield Finding("libraries", name, version, PROBLEM, f'pip install "{requirement}"')
    yield Finding("libraries", "llvmlite", _version("llvmlite") or "not installed")
    for extra, needs in extras.items():
        have = {name: _fits(requirement, _version(name)) for name, requirement in needs}
        told = ", ".join(f"{name} {version}" for name, (_, version) in have.items())
        if all(fits for fits, _ in have.values()):
            yield Finding("libraries", f"[{extra}]", told)
        else:
            missing = ", ".join(name for name, (fits, _) in have.items() if not fits)
            yield Finding("libraries", f"[{extra}]", f'without {missing}: pip install "{OURS}[{extra}]" adds it')


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _fits(requirement: str, version: str | None) -> tuple[bool, str]:
    """Whether a version meets a requirement, and the words for it."""
    if version is None:
        return False, "not installed"
    wanted = re.search(r"(>=|==)\s*([\d.]+)", requirement)
    if wanted is None:
        return True, version
    have, least = ([int(part) for part in re.findall(r"\d+", text)] for text in (version.split("+")[0], wanted[2]))
    size = max(len(have), len(least))
    have, least = (parts + [0] * (size - len(parts)) for parts in (have, least))
    if have == least or (have > least and wanted[1] == ">="):
        return True, version
    return False, f"{version}, and {wanted[1]} {wanted[2]} is needed"


# ---------------------------------------------------------------------- device, settings


def _device() -> Found:
    from minigrad.core.device import device, get_default_device, module_for

    chosen = get_default_device()
    try:
        module_for(chosen)
        yield Finding("device", "default", str(chosen))
    except DeviceError as error:
        yield Finding(
            "device", "default", f"{chosen}, and {error.got} was found", PROBLEM, f"{error.remedy}; or unset MINIGRAD_DEVICE"
        )
    try:
        runtime = module_for(device("cuda")).cuda.runtime
    except DeviceError as error:
        driver = _has_driver()
        yield Finding("device", "GPU", f"not used: {error.got}", NOTE if driver else OK, error.remedy if driver else "")
        return
    from minigrad.cli.terminal import byte_size

    for index in range(runtime.getDeviceCount()):
        described = runtime.getDeviceProperties(index)
        name = described["name"]
        text = f"{name.decode() if isinstance(name, bytes) else name}, {byte_size(described['totalGlobalMem'])}"
        yield Finding("device", f"cuda:{index}", text)


def _has_driver() -> bool:
    """Whether the machine has NVIDIA's driver, as far as its files tell."""
    return shutil.which("nvidia-smi") is not None or Path("/proc/driver/nvidia/version").exists()


def _settings() -> Found:
    """The environment variables that change what minigrad does."""
    given = {name: value for name, value in sorted(os.environ.items()) if name.startswith("MINIGRAD_")}
    given |= {name: os.environ[name] for name in THREAD_SETTINGS if name in os.environ}
    for name, value in given.items():
        if name.endswith("_THREADS") and not (value.strip().isdigit() and int(value) > 0):
            yield Finding("settings", name, repr(value), PROBLEM, "Set it to a number of threads, or unset it")
        elif name.startswith("MINIGRAD_") and name not in OWN_SETTINGS:
            known = ", ".join(OWN_SETTINGS)
            yield Finding("settings", name, f"{value}: not a name that minigrad reads", NOTE, f"There are {known}")
        elif name == "MINIGRAD_CHECK" and value == "1":
            yield Finding("settings", name, "1: every kernel runs beside its slow reference", NOTE, "Unset it for speed")
        else:
            yield Finding("settings", name, value)
    if not given:
        yield Finding("settings", "environment", "no variable of minigrad's, and none for threads")


# ---------------------------------------------------------------------- data


def _cache() -> Found:
    from minigrad.cli.terminal import byte_size
    from minigrad.data.sources import cache_folder

    folder = cache_folder()
    mend = "Mend its permissions, or set MINIGRAD_CACHE to a folder that can be written"
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    refusal = _refusal(there)
    if refusal:
        yield Finding("data", "cache", f"{folder}: {refusal}", PROBLEM, mend)
        return
    if there != folder:
        yield Finding("data", "cache", f"{folder}: to be made when it is needed")
    else:
        held = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        yield Finding("data", "cache", f"{folder}: {byte_size(held)}, can be written")
    free = shutil.disk_usage(there).free
    if free < LITTLE_SPACE:
        yield Finding("data", "disk", f"{byte_size(free)} free for {folder}", NOTE, "Free some space, or set MINIGRAD_CACHE")


def _refusal(folder: Path) -> str:
    """Why a file cannot be made in a folder, found by making one; or ``""``."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return f"cannot be written ({error.strerror or error})"


def _data_sets() -> Found:
    from minigrad.cli.terminal import byte_size
    from minigrad.data.sources import overview

    missing = []
    for data in overview():
        if data.state == "absent":
            missing.append(data.name)
            yield Finding("data", data.name, f"not here: {byte_size(data.to_fetch)} to fetch (minigrad data get {data.name})")
        else:
            yield Finding("data", data.name, f"here: {data.path}")
    needs = f"needed once for {', '.join(missing)}, else not" if missing else "not needed"
    yield Finding("data", "network", needs)


# ---------------------------------------------------------------------- terminal


def _terminal() -> Found:
    from minigrad.cli.terminal import room
    from minigrad.show.text import open_console, unicode_fits

    console = open_console()
    width = room(console)
    parts = ["not a terminal" if width is None else f"{width} columns", console.encoding]
    parts.append(f"{console.color_system} colours" if console.color_system and not console.no_color else "no colours")
    text = f"standard output: {', '.join(parts)}"
    if unicode_fits(console):
        yield Finding("terminal", "output", text)
    else:
        yield Finding(
            "terminal", "output", text, NOTE, "Letters that it lacks are written as escapes; set PYTHONIOENCODING=utf-8"
        )


LOOKS: tuple[tuple[str, str, Callable[[], Found]], ...] = (
    ("minigrad", "name", _minigrad),
    ("machine", "Python", _python),
    ("machine", "processor", _processor),
    ("machine", "cores", _cores),
    ("machine", "memory", _memory),
    ("libraries", "BLAS", _blas),
    ("libraries", "versions", _libraries),
    ("device", "device", _device),
    ("settings", "environment", _settings),
    ("kernels", "families", families),
    ("kernels", "compiled", compiled),
    ("kernels", "emulator", emulator),
    ("data", "cache", _cache),
    ("data", "sets", _data_sets),
    ("terminal", "output", _terminal),
)
