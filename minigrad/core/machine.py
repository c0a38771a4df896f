"""What the machine has and what of it this process may use: processor, cores, memory. Nothing here is ever slow."""

from __future__ import annotations

import math
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path("/")
# Names in Linux's /proc/cpuinfo of the instructions that kernels care for.
FEATURES = {
    "avx": "AVX", "avx2": "AVX2", "fma": "FMA", "f16c": "F16C", "avx512f": "AVX-512", "avx512_bf16": "AVX-512 BF16",
    "avx512_vnni": "AVX-512 VNNI", "amx_tile": "AMX", "asimd": "NEON", "sve": "SVE", "asimdhp": "FP16",
}  # fmt: skip


class Cores(NamedTuple):
    """Logical processors: of the machine, of this process's affinity, and what its control group pays for (or ``None``)."""

    present: int
    allowed: int
    quota: float | None

    @property
    def usable(self) -> int:
        """How many threads can run at once."""
        return self.allowed if self.quota is None else max(1, min(self.allowed, math.ceil(self.quota)))


class Memory(NamedTuple):
    """Bytes: of the machine, free for new programs, and the limit of this process's control group (or ``None``)."""

    total: int
    available: int | None
    limit: int | None


def processor(root: Path = ROOT) -> tuple[str, list[str]]:
    """The processor's name and the instruction sets it has, of those that matter here.

    Example:
        >>> name, features = processor()
        >>> bool(name)
        True
    """
    described = _read(root / "proc/cpuinfo") or ""
    name = _found(r"^(?:model name|Model|cpu model)\s*:\s*(.+)$", described)
    flags = set((_found(r"^(?:flags|Features)\s*:\s*(.+)$", described) or "").split())
    if not name and sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        name = subprocess.run(command, capture_output=True, text=True, check=False, timeout=5).stdout.strip()
    found = [word for flag, word in FEATURES.items() if flag in flags]
    return name or platform.processor() or platform.machine(), found or _known_to_numpy()


def cores(root: Path = ROOT) -> Cores:
    """How many logical processors there are, and how many this process may use.

    Example:
        >>> 1 <= cores().usable <= cores().present
        True
    """
    present = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if sys.platform == "linux" else present
    quotas = []
    for folder in _groups(root, "cpu"):
        limit = (_read(folder / "cpu.max") or "").split()
        if not limit:
            limit = [_read(folder / "cpu.cfs_quota_us") or "", _read(folder / "cpu.cfs_period_us") or ""]
        if len(limit) == 2 and limit[0].strip().isdigit() and int(limit[1] or 0) > 0:
            quotas.append(int(limit[0]) / int(limit[1]))
    return Cores(present, allowed, min(quotas, default=None))


def memory(root: Path = ROOT) -> Memory:
    """How much memory there is, and how much this process may have.

    Raises:
        OSError: the system does not say.

    Example:
        >>> memory().total > 2**20
        True
    """
    described = _read(root / "proc/meminfo") or ""
    total = _found(r"^MemTotal:\s*(\d+) kB", described)
    available = _found(r"^MemAvailable:\s*(\d+) kB", described)
    if total is None:
        if not hasattr(os, "sysconf"):
            raise OSError("the system does not say")
        return Memory(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), None, None)
    limits = []
    for folder in _groups(root, "memory"):
        text = (_read(folder / "memory.max") or _read(folder / "memory.limit_in_bytes") or "").strip()
        if text.isdigit() and int(text) < int(total) * 1024:  # without a limit, the older system shows a huge number
            limits.append(int(text))
    return Memory(int(total) * 1024, int(available) * 1024 if available else None, min(limits, default=None))


def cache_folder() -> Path:
    """Where what can be made or fetched again is kept: ``MINIGRAD_CACHE``, else ``minigrad`` in the user's cache folder.

    Raises:
        RuntimeError: the platform names no home folder.

    Example:
        >>> cache_folder().is_absolute() or "MINIGRAD_CACHE" in os.environ
        True
    """
    chosen = os.environ.get("MINIGRAD_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "minigrad" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "minigrad"
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".cache") / "minigrad"  # the standard: ignore a relative one


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's control group and of those around it, of both versions of Linux's control groups."""
    for line in (_read(root / "proc/self/cgroup") or "").splitlines():
        _, names, path = [*line.split(":", 2), "", ""][:3]
        if names and controller not in names.split(","):
            continue
        top = root / "sys/fs/cgroup" / (names and controller)
        folder = top / path.strip("/")
        # Inside a container the path may be that of the host, and the container's own group is what is mounted at the top.
        yield from dict.fromkeys([folder, *[one for one in folder.parents if one.is_relative_to(top)], top])


def _known_to_numpy() -> list[str]:
    """The instruction sets that NumPy was built for and found here."""
    import numpy as np

    known = np.show_config(mode="dicts")
    extensions = known.get("SIMD Extensions", {}) if isinstance(known, dict) else {}
    return [*extensions.get("baseline", []), *extensions.get("found", [])]


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _found(pattern: str, text: str) -> str | None:
    match = re.search(pattern, text, re.MULTILINE)
    return match[1].strip() if match else None
