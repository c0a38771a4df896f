"""What is shipped: the wheel takes one name and has every package; the source distribution is whole."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {
    "minigrad": "minigrad",
    "kernels": "minigrad/kernels",
    "models": "minigrad/models",
    "benchmarks": "minigrad/benchmarks",
}
SHIPPED = {".py", ".cu", ".cuh", ".h", ".hpp", ".cpp", ".safetensors", ".json", ".html", ".css", ".js", ".typed"}
LEFT_OUT = shutil.ignore_patterns(
    ".*cache", ".git", ".hypothesis", ".venv*", "__pycache__", "build", "dist", "runs", "*.egg-info"
)


def checkout_files(root: Path) -> set[str]:
    """What the wheel should hold, by the names that it gives them."""
    return {
        f"{package}/{path.relative_to(root / folder).as_posix()}"
        for folder, package in FOLDERS.items()
        for path in (root / folder).rglob("*")
        if path.is_file() and path.suffix in SHIPPED
    }


def faults(wheel: Path, root: Path) -> list[str]:
    """What is wrong with a wheel built from the checkout ``root``."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    tops = {name.split("/")[0] for name in names}
    found = [f"takes the name {top}" for top in sorted(tops) if top != "minigrad" and not top.endswith(".dist-info")]
    code = {name for name in names if not name.split("/")[0].endswith(".dist-info")}
    wanted = checkout_files(root)
    found += [f"lacks {name}" for name in sorted(wanted - code)]
    found += [f"has {name}, which the checkout has not" for name in sorted(code - wanted)]
    if not any(name.endswith(".dist-info/licenses/LICENSE") for name in names):
        found.append("lacks the licence")
    return found


def build(root: Path, kind: str, out: Path) -> Path:
    """Build ``wheel`` or ``sdist`` of ``root`` with the setuptools of this environment: no network."""
    code = f"from setuptools import build_meta; print(build_meta.build_{kind}({str(out)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, since a build writes beside the sources; with a planted sub-package of each kind, data included."""
    copy = tmp_path_factory.mktemp("package") / "checkout"
    shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
    for folder in ("kernels/planted/inner", "models/planted", "minigrad/planted"):
        (copy / folder).mkdir(parents=True)
        for parent in (copy / folder, (copy / folder).parent):
            (parent / "__init__.py").touch()
    for name in ("kernels/planted/k.cu", "kernels/planted/k.cuh", "minigrad/planted/e.hpp", "minigrad/planted/e.cpp"):
        (copy / name).write_text("// planted\n")
    (copy / "minigrad/planted/page.html").write_text("<p>planted</p>\n")
    pretrained = copy / "models/pretrained"
    pretrained.mkdir(exist_ok=True)
    for name in ("planted.safetensors", "planted.json"):
        (pretrained / name).write_text("{}")
    return copy


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(checkout, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def unpacked(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, unpacked."""
    out = tmp_path_factory.mktemp("sdist")
    with tarfile.open(build(checkout, "sdist", out)) as archive:
        archive.extractall(out, filter="data")
    (folder,) = (path for path in out.iterdir() if path.is_dir())
    return folder


def test_the_wheel_is_minigrad_whole_and_nothing_else(checkout: Path, wheel: Path) -> None:
    assert "minigrad/kernels/planted/inner/__init__.py" in checkout_files(checkout)
    assert "minigrad/models/pretrained/planted.safetensors" in checkout_files(checkout)
    assert faults(wheel, checkout) == []


def test_a_fault_in_a_wheel_is_found(checkout: Path, wheel: Path, tmp_path: Path) -> None:
    poor = tmp_path / wheel.name
    with zipfile.ZipFile(wheel) as whole, zipfile.ZipFile(poor, "w") as archive:
        for name in whole.namelist():
            if name != "minigrad/kernels/planted/k.cu" and not name.endswith("LICENSE"):
                archive.writestr(name, whole.read(name))
        archive.writestr("kernels/__init__.py", "")
    found = faults(poor, checkout)
    assert "takes the name kernels" in found
    assert "lacks minigrad/kernels/planted/k.cu" in found
    assert "lacks the licence" in found


def test_the_wheel_names_itself_and_its_version(wheel: Path) -> None:
    tree = ast.parse((ROOT / "minigrad" / "__init__.py").read_text(encoding="utf-8"))
    version = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__version__"
    )
    assert wheel.name == f"minigrad_engine-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"minigrad_engine-{version}.dist-info/METADATA").decode()
    assert "\nLicense-Expression: MIT\n" in metadata
    assert "\nRequires-Python: >=3.11\n" in metadata


def test_the_source_distribution_is_whole(checkout: Path, unpacked: Path, tmp_path: Path) -> None:
    here = {path.relative_to(checkout).as_posix() for path in checkout.rglob("*") if path.is_file()}
    there = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()}
    made = {name for name in here if name.startswith(("build/", "minigrad_engine.egg-info/"))}
    assert sorted(here - made - there) == []
    assert faults(build(unpacked, "wheel", tmp_path), unpacked) == []
    assert checkout_files(unpacked) == checkout_files(checkout)


if __name__ == "__main__":
    problems = faults(Path(sys.argv[1]), ROOT)
    print("\n".join(problems) or f"{sys.argv[1]} is minigrad whole and nothing else")
    sys.exit(bool(problems))
