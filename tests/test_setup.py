"""What ``make`` does before anything is installed: choose a Python, make the environment, or say what to install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / ".ci" / "venv"
SHIM = "echo 'no such version' >&2; exit 127"  # a version manager's stand-in that finds nothing to run
OLD = 'case "$*" in *version_info*) exit 1;; esac'
INCOMPLETE = f'case "$*" in *ensurepip*) exit 1;; esac; exec {sys.executable} "$@"'
FIT = 'case "$*" in -V) echo Python 3.11.9;; "-m venv"*) echo "made by ${0##*/}:" "$@";; esac'


def choose(folder: Path, pythons: dict[str, str], **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the script where only these Pythons exist."""
    for name, body in pythons.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    environment = {"PATH": str(folder), **variables}
    return subprocess.run(
        ["/bin/sh", str(SCRIPT), str(folder / "env")], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("pythons", "chosen"),
    [
        ({"python3": FIT, "python3.13": FIT}, "python3"),
        ({"python3": SHIM, "python3.13": SHIM, "python3.12": FIT}, "python3.12"),
        ({"python3": OLD, "python3.11": FIT}, "python3.11"),
        ({"python3": INCOMPLETE, "python3.13": FIT}, "python3.13"),
    ],
    ids=["first", "stand-ins", "old", "incomplete"],
)
def test_the_first_fit_python_is_taken(pythons: dict[str, str], chosen: str, tmp_path: Path) -> None:
    done = choose(tmp_path, pythons)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"made by {chosen}: -m venv --clear {tmp_path}/env"


def test_a_python_may_be_named(tmp_path: Path) -> None:
    done = choose(tmp_path, {"python3": FIT, "mine": FIT}, PYTHON="mine")
    assert done.stdout.splitlines()[-1].startswith("made by mine:")


def test_an_environment_that_runs_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "env" / "bin").mkdir(parents=True)
    (tmp_path / "env" / "bin" / "python").symlink_to("/bin/true")
    done = choose(tmp_path, {"python3": FIT})
    assert (done.returncode, done.stdout) == (0, "")


def test_without_venv_the_package_is_named(tmp_path: Path) -> None:
    done = choose(tmp_path, {"python3": SHIM, "python3.11": INCOMPLETE})
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert done.returncode == 1
    assert "python3.11 cannot make virtual environments" in done.stderr
    assert f"apt-get install python{version}-venv" in done.stderr


def test_without_python_all_that_was_tried_is_named(tmp_path: Path) -> None:
    done = choose(tmp_path, {"python3": OLD})
    assert done.returncode == 1
    assert "No Python 3.11 or newer runs here (tried: python3 python3.13 python3.12 python3.11)" in done.stderr
