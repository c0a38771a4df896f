"""``minigrad doctor``: what it says of sound machines and broken ones, and that it never fails itself."""

from __future__ import annotations

import importlib.metadata
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import threadpoolctl
from rich.cells import cell_len
from rich.console import Console

import minigrad
from minigrad.cli import checkup, main, ownership
from minigrad.cli.checkup import NOTE, OK, PROBLEM, Finding, examine
from minigrad.cli.doctor import report
from minigrad.core import device, machine
from minigrad.emulator import compiler
from minigrad.errors import DataError, DeviceError
from minigrad.kernels import registry
from minigrad.kernels.native import thread_count


@pytest.fixture(autouse=True)
def sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with nothing wrong, as far as the environment goes."""
    for name in [name for name in os.environ if name.startswith("MINIGRAD_")] + list(checkup.THREAD_SETTINGS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MINIGRAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(threadpoolctl, "threadpool_info", lambda: [BLAS])


BLAS = {"user_api": "blas", "internal_api": "openblas", "version": "0.3.30", "architecture": "Haswell", "num_threads": 1}


def named(topic: str, name: str) -> Finding:
    """The one finding of that name; only its topic is looked at."""
    looks = [look for look in checkup.LOOKS if look[0] == topic]
    (found,) = [finding for look in looks for finding in checkup._safely(*look) if finding.name == name]
    return found


def distribution(folder: Path, name: str | None, files: dict[str, str], version: str = "1.0") -> None:
    """An installed distribution, as pip leaves it."""
    info = folder / f"{(name or 'broken').replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    if name is not None:
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    for file, content in files.items():
        (info / file).write_text(content, encoding="utf-8")


# ---------------------------------------------------------------------- the command


def test_a_sound_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert [finding for finding in examine() if finding.state == PROBLEM] == []
    assert main(["doctor"]) == 0
    written = capsys.readouterr()
    assert written.out.startswith("minigrad\n") and "no problems.\n" in written.out and written.err == ""


def test_json_and_the_exit_code(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["doctor", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["problems"] == 0
    assert {"topic", "name", "value", "state", "mend"} == set(told["findings"][0])
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert main(["doctor", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["problems"] == 1
    (wrong,) = [finding for finding in told["findings"] if finding["state"] == PROBLEM]
    assert wrong["name"] == "OMP_NUM_THREADS" and wrong["mend"].startswith("Set it to a number")


def test_the_help_names_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--help"]) == 0
    assert "Exit code 1 when there is a problem" in " ".join(capsys.readouterr().out.split())


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; from minigrad.cli.checkup import examine; examine();"
        "print([name for name in ('numba', 'scipy', 'matplotlib', 'PIL', 'torch', 'safetensors') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_finding_says_pip_install_minigrad(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "_version", lambda name: None)
    monkeypatch.setattr(ownership, "owners", list)
    for finding in examine():
        for text in (finding.value, finding.mend):
            assert "pip install minigrad" not in text.replace('"', "").replace("minigrad-engine", "ours"), finding


# ---------------------------------------------------------------------- looks that fail


def test_a_look_that_fails_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Iterator[Finding]:
        yield Finding("machine", "first", "fine")
        raise ZeroDivisionError("by nothing")

    def refused() -> Iterator[Finding]:
        raise DataError("data", "cache", "a home folder", "none", "Set MINIGRAD_CACHE")
        yield

    monkeypatch.setattr(checkup, "LOOKS", (("machine", "one", broken), ("data", "two", refused)))
    assert examine() == [
        Finding("machine", "first", "fine"),
        Finding("machine", "one", "could not be told (ZeroDivisionError: by nothing)", NOTE),
        Finding("data", "two", "cache: expected a home folder, got none", PROBLEM, "Set MINIGRAD_CACHE"),
    ]


# ---------------------------------------------------------------------- who owns the name


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("minigrad", {}),
        ("Minigrad", {"RECORD": ""}),
        ("other-grad", {"top_level.txt": "othergrad\nminigrad\n"}),
        ("other-grad", {"RECORD": "othergrad.py,,\nminigrad/__init__.py,sha256=x,1\n"}),
        ("other-grad", {"RECORD": "minigrad.py,sha256=x,1\n"}),
    ],
)
def test_a_stranger_beside_ours(name: str, files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distribution(tmp_path / "site", name, files)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    found = named("minigrad", "another owner")
    assert found.state == PROBLEM
    assert found.value == f"{name.lower()} 1.0 in {tmp_path / 'site'}"
    assert found.mend.startswith(f"pip uninstall {name.lower()}, then install minigrad-engine again")


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("minigradient", {"top_level.txt": "minigradient\n", "RECORD": "minigradient/__init__.py,,\nx/minigrad/y.py,,\n"}),
        (None, {"RECORD": "minigrad/__init__.py,,\n"}),
        (None, {}),
    ],
)
def test_others_are_left_alone(
    name: str | None, files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distribution(tmp_path, name, files)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert [finding for finding in examine() if finding.name == "another owner"] == []


def test_ours_installed_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distribution(tmp_path, "minigrad-engine", {"RECORD": "minigrad/__init__.py,,\n"}, "0.0.1")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert named("minigrad", "installed as").value.startswith(f"minigrad-engine 0.0.1 in {tmp_path}, copied")
    assert named("minigrad", "installed twice").state == NOTE
    assert named("minigrad", "versions").value == f"installed as 0.0.1, and the code says {minigrad.__version__}"
    hidden = named("minigrad", "minigrad")
    assert hidden.state == PROBLEM and hidden.value.endswith(f"hides {tmp_path / 'minigrad'}, which is installed")


def test_a_checkout_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minigrad, "__file__", str(tmp_path / "minigrad" / "__init__.py"))
    assert named("minigrad", "minigrad").mend.startswith("See where the path leads to")
    monkeypatch.chdir(tmp_path)
    found = named("minigrad", "minigrad")
    assert found.state == PROBLEM and found.value.startswith(f"{tmp_path / 'minigrad'} hides ")
    assert found.mend == f"Start Python in another folder; to use that one, run pip install -e {tmp_path}"


def test_no_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "owners", list)
    assert named("minigrad", "installed as").state == NOTE


@pytest.mark.parametrize(
    ("origin", "editable"),
    [
        ('{"url": "file:///some/check%20out", "dir_info": {"editable": true}}', True),
        ('{"url": "file:///some/check%20out", "dir_info": {}}', False),
        ("{", False),
    ],
)
def test_where_an_installation_puts_the_package(origin: str, editable: bool, tmp_path: Path) -> None:
    distribution(tmp_path, "minigrad-engine", {"RECORD": "x,,\n", "direct_url.json": origin})
    (found,) = ownership.owners(importlib.metadata.distributions(path=[str(tmp_path)]))
    assert found.editable is editable
    assert found.package == (Path("/some/check out/minigrad") if editable else tmp_path / "minigrad")


def test_what_a_build_leaves_is_no_installation(tmp_path: Path) -> None:
    info = tmp_path / "minigrad_engine.egg-info"
    info.mkdir()
    (info / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: minigrad-engine\nVersion: 1.0\n", encoding="utf-8")
    (info / "top_level.txt").write_text("minigrad\n", encoding="utf-8")
    assert ownership.owners(importlib.metadata.distributions(path=[str(tmp_path)])) == []


# ---------------------------------------------------------------------- the machine


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "max 100000\n"}, None),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "150000 100000\n"}, 1.5),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "50000 100000\n",
          "sys/fs/cgroup/a/cpu.max": "150000 100000\n"}, 0.5),
        ({"proc/self/cgroup": "0::/host/path\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2.0),
        ({"proc/self/cgroup": "4:memory:/x\n1:cpu:/x\n", "sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "300000\n",
          "sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000\n"}, 3.0),
        ({"proc/self/cgroup": "1:cpu:/x\n", "sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "-1\n",
          "sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000\n"}, None),
        ({"proc/self/cgroup": "nonsense", "sys/fs/cgroup/cpu.max": "a b c"}, None),
    ],
)  # fmt: skip
def test_the_cores_that_a_control_group_pays_for(files: dict[str, str], quota: float | None, tmp_path: Path) -> None:
    found = machine.cores(tree(tmp_path, files))
    assert found.quota == quota
    assert 1 <= found.usable <= found.allowed <= found.present
    assert quota is None or found.usable <= max(1, -(-quota // 1))


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({}, None),
        ({"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "1048576\n"}, 1048576),
        ({"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "max\n"}, None),
        ({"proc/self/cgroup": "4:memory:/a\n", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "9223372036854771712\n"}, None),
        ({"proc/self/cgroup": "4:memory:/a\n", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "2097152\n"}, 2097152),
    ],
)
def test_the_memory_that_a_control_group_may_have(files: dict[str, str], limit: int | None, tmp_path: Path) -> None:
    tree(tmp_path, {**files, "proc/meminfo": "MemTotal:    4000000 kB\nMemAvailable: 3000000 kB\n"})
    assert machine.memory(tmp_path) == (4_096_000_000, 3_072_000_000, limit)


@pytest.mark.parametrize(
    ("described", "name", "features"),
    [
        ("model name\t: Fast Chip\nflags\t\t: fpu avx avx2 fma avx512f\n", "Fast Chip", ["AVX", "AVX2", "FMA", "AVX-512"]),
        ("Model\t\t: Raspberry Pi 5\nFeatures\t: fp asimd\n", "Raspberry Pi 5", ["NEON"]),
    ],
)
def test_the_processor(described: str, name: str, features: list[str], tmp_path: Path) -> None:
    assert machine.processor(tree(tmp_path, {"proc/cpuinfo": described})) == (name, features)


def test_a_processor_that_the_system_does_not_describe(tmp_path: Path) -> None:
    name, features = machine.processor(tmp_path)
    assert name and features  # from Python and NumPy


def test_a_quota_below_the_cores_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: machine.Cores(64, 32, 1.5))
    found = named("machine", "cores")
    assert found.state == OK
    assert found.value == "2 of 64 for this process: 32 to run on, and a control group that pays for 1.5"


def test_little_memory_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory", lambda: machine.Memory(16_000_000_000, 8_000_000_000, 500_000_000))
    found = named("machine", "memory")
    assert found.state == NOTE
    assert found.value == "16.0 GB, 8.0 GB free, this process's control group may have 500.0 MB"


# ---------------------------------------------------------------------- libraries


def test_blas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert named("libraries", "BLAS") == Finding("libraries", "BLAS", "openblas 0.3.30 for Haswell, 1 threads")
    monkeypatch.setattr(threadpoolctl, "threadpool_info", lambda: [{"user_api": "openmp"}])
    assert named("libraries", "BLAS").state == NOTE and named("libraries", "BLAS").value.startswith(
        "none that threadpoolctl knows"
    )
    many = {"user_api": "blas", "internal_api": "mkl", "version": None, "num_threads": 512}
    monkeypatch.setattr(threadpoolctl, "threadpool_info", lambda: [many])
    found = named("libraries", "BLAS")
    assert found.state == NOTE and found.value == "mkl of an unknown version, 512 threads"
    assert found.mend.startswith("Set MKL_NUM_THREADS=")


REQUIRES = ["numpy>=2.1", "rich>=13.9", 'h5py>=3.12; extra == "hdf5"', 'torch==2.13.0; extra == "peer"']


@pytest.mark.parametrize(
    ("name", "version", "finding"),
    [
        ("numpy", "2.4.6", ("2.4.6", OK, "")),
        ("numpy", "2.1", ("2.1", OK, "")),
        ("numpy", "2.10.0rc1", ("2.10.0rc1", OK, "")),
        ("numpy", "1.26.4", ("1.26.4, and >= 2.1 is needed", PROBLEM, 'pip install "numpy>=2.1"')),
        ("numpy", None, ("not installed", PROBLEM, 'pip install "numpy>=2.1"')),
        ("[hdf5]", "3.12.1", ("h5py 3.12.1", OK, "")),
        ("[hdf5]", "3.2", ('without h5py: pip install "minigrad-engine[hdf5]" adds it', OK, "")),
        ("[hdf5]", None, ('without h5py: pip install "minigrad-engine[hdf5]" adds it', OK, "")),
        ("[peer]", "2.13.0+cpu", ("torch 2.13.0+cpu", OK, "")),
        ("[peer]", "2.14.0", ('without torch: pip install "minigrad-engine[peer]" adds it', OK, "")),
    ],
)
def test_libraries(name: str, version: str | None, finding: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: REQUIRES)
    monkeypatch.setattr(checkup, "_version", lambda _: version)
    assert named("libraries", name) == Finding("libraries", name, *finding)


# ---------------------------------------------------------------------- device, settings, kernels


@pytest.mark.parametrize(
    ("variable", "value", "name", "state"),
    [
        ("MINIGRAD_DEVICE", "cpu", "default", OK),
        ("MINIGRAD_DEVICE", "gpu", "device", PROBLEM),
        ("MINIGRAD_DEVICE", "gpu", "MINIGRAD_DEVICE", OK),
        ("MINIGRAD_KERNELS", "conv2d=fast", "families", PROBLEM),
        ("MINIGRAD_KERNELS", "conv2d", "families", PROBLEM),
        ("MINIGRAD_CHECK", "1", "MINIGRAD_CHECK", NOTE),
        ("MINIGRAD_THREDS", "2", "MINIGRAD_THREDS", NOTE),
        ("MINIGRAD_THREADS", "two", "MINIGRAD_THREADS", PROBLEM),
        ("OPENBLAS_NUM_THREADS", "2", "OPENBLAS_NUM_THREADS", OK),
        ("OPENBLAS_NUM_THREADS", "0", "OPENBLAS_NUM_THREADS", PROBLEM),
    ],
)
def test_settings(variable: str, value: str, name: str, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with ThreadPoolExecutor(1) as thread:  # which reads the variables anew
        (found,) = [finding for finding in thread.submit(examine).result() if finding.name == name]
    assert found.state == state, found
    assert bool(found.mend) == (state != OK) or name in ("families", "device")


def test_compiled_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with thread_count(3):
        assert named("kernels", "threads").value == "3, of kernels and BLAS together"
    with thread_count(1):
        assert named("kernels", "threads").value == "1"
    kept = named("kernels", "compiled")
    assert (kept.state, kept.value) == (OK, f"0 kept in {tmp_path / 'cache' / 'kernels'}, 0 bytes")
    assert re.fullmatch(r"(AVX-512|AVX2|SSE|NEON) \(.+\), tiles of \d+ x \d+ float32", named("kernels", "compiled for").value)
    assert named("kernels", "memory").value.startswith("kept from step to step")
    monkeypatch.setenv("MINIGRAD_KEEP_MEMORY", "0")
    assert named("kernels", "memory").value == "left to the system: MINIGRAD_KEEP_MEMORY=0"


def test_a_folder_for_compiled_kernels_that_others_can_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    monkeypatch.setenv("MINIGRAD_CACHE", str(tmp_path / "open"))
    found = named("kernels", "compiled")
    assert found.state == NOTE
    assert found.value == f"each process compiles its kernels anew: {tmp_path / 'open'} can be written by other users"
    assert found.mend == "Set MINIGRAD_CACHE to a folder that only you can write"


def test_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_gpu(where: Any) -> Any:
        raise DeviceError("device", "cuda", "a GPU", "none")

    monkeypatch.setattr(registry, "module_for", no_gpu)
    there = "winograd4 (used), winograd, cpu, cuda (not here: no GPU), tf32 (not here: no GPU), im2col, vectorised, reference"
    assert named("kernels", "conv2d").value == there


def test_the_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    """With g++ its version; without, what is lost and what to do; nothing to do where it could not help."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(compiler.shutil, "which", lambda name: "/usr/bin/g++")
    monkeypatch.setattr(compiler, "version_of", lambda path: "13.2.0")
    assert named("kernels", "emulator") == Finding(
        "kernels", "emulator", "g++ 13.2.0: CUDA kernels run on the CPU, without a GPU"
    )
    lost = "CUDA kernels cannot be run, checked and traced on the CPU"
    monkeypatch.setattr(compiler, "version_of", lambda path: "9.4.0")
    found = named("kernels", "emulator")
    assert found.value == f"9.4.0: {lost}" and found.state == NOTE and "newer" in found.mend
    monkeypatch.setattr(compiler.shutil, "which", lambda name: None)
    found = named("kernels", "emulator")
    assert found.value == f"no g++ on the PATH: {lost}" and found.state == NOTE and "apt install g++" in found.mend
    monkeypatch.setattr(sys, "platform", "darwin")
    found = named("kernels", "emulator")
    assert found.value.endswith(f": {lost}") and found.state == OK and not found.mend


def test_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def module_for(where: device.device) -> Any:
        if where.type == "cuda":
            raise DeviceError("device", "cuda", "a GPU", "no CuPy in this Python", "Install it: 'minigrad-engine[cuda12]'")

    monkeypatch.setattr(device, "module_for", module_for)
    monkeypatch.setattr(checkup, "_has_driver", lambda: False)
    assert named("device", "GPU") == Finding("device", "GPU", "not used: no CuPy in this Python")
    monkeypatch.setattr(checkup, "_has_driver", lambda: True)
    assert named("device", "GPU").state == NOTE and "minigrad-engine[cuda12]" in named("device", "GPU").mend
    monkeypatch.setenv("MINIGRAD_DEVICE", "cuda:1")
    found = named("device", "default")
    assert found.state == PROBLEM and found.value == "cuda:1, and no CuPy in this Python was found"


def test_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = SimpleNamespace(
        getDeviceCount=lambda: 1, getDeviceProperties=lambda index: {"name": b"Fast GPU", "totalGlobalMem": 80_000_000_000}
    )
    monkeypatch.setattr(device, "module_for", lambda where: SimpleNamespace(cuda=SimpleNamespace(runtime=runtime)))
    assert named("device", "cuda:0") == Finding("device", "cuda:0", "Fast GPU, 80.0 GB")


# ---------------------------------------------------------------------- data


def test_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert named("data", "cache").value == f"{tmp_path / 'cache'}: to be made when it is needed"
    assert not (tmp_path / "cache").exists()
    tree(tmp_path, {"cache/x/y": "12345"})
    assert named("data", "cache").value == f"{tmp_path / 'cache'}: 5 bytes, can be written"

    def refuse(**options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    found = named("data", "cache")
    assert found.state == PROBLEM and found.value == f"{tmp_path / 'cache'}: cannot be written (Permission denied)"
    assert "MINIGRAD_CACHE" in found.mend


def test_a_file_where_the_cache_should_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, {"file": ""})
    monkeypatch.setenv("MINIGRAD_CACHE", str(tmp_path / "file" / "cache"))
    assert named("data", "cache").state == PROBLEM and "Not a directory" in named("data", "cache").value


def test_a_disk_that_is_nearly_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "LITTLE_SPACE", 10**18)
    assert named("data", "disk").state == NOTE


def test_data_sets_and_the_network(tmp_path: Path) -> None:
    assert named("data", "cifar10").value.endswith("to fetch (minigrad data get cifar10)")
    assert "cifar10" in named("data", "network").value


# ---------------------------------------------------------------------- how it looks

FOUND = [
    Finding("machine", "memory", "1.0 GB of a kind that needs quite a lot of words to be described"),
    Finding("machine", "a name of some length", "ok", NOTE, "Do something about it, and do it soon."),
    Finding("data", "größe\x1b[2J", "bad", PROBLEM, "Mend it"),
]


@pytest.mark.parametrize("width", [200, 80, 40, 20])
def test_the_report_fits(width: int) -> None:
    file = io.TextIOWrapper(io.BytesIO(), "utf-8")
    console = Console(file=file, width=width, force_interactive=True, _environ={})
    lines = report(FOUND, console).split("\n")
    assert max(map(cell_len, lines)) <= max(width, 25)  # a name is never cut
    text = " ".join(" ".join(lines).split())
    assert "! a name of some length ok → Do something about it, and do it soon." in text
    assert text.endswith("✗ größe�[2J bad → Mend it. 1 note, 1 problem.")


def test_the_report_in_ascii_and_through_a_pipe() -> None:
    file = io.TextIOWrapper(io.BytesIO(), "ascii")
    lines = report(FOUND, Console(file=file, width=40)).split("\n")
    "".join(lines).encode("ascii")
    assert lines[1] == f"  {'memory':21}  {FOUND[0].value}"
    assert lines[3] == " " * 25 + "-> Do something about it, and do it soon."
    assert lines[-1] == "1 note, 1 problem."


def test_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", file)
    assert named("terminal", "output").state == NOTE
    assert named("terminal", "output").value == "standard output: not a terminal, ascii, no colours"
