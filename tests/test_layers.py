"""The shape of the code base: who may import whom, what may stand in a file, and what ``import minigrad`` costs.

Each rule is a function from sources to a list of faults. It is tested twice: the code base has none, and a planted
fault is found.
"""

from __future__ import annotations

import ast
import functools
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {
    "minigrad": "minigrad",
    "kernels": "minigrad.kernels",
    "models": "minigrad.models",
    "benchmarks": "minigrad.benchmarks",
}

# Units from the bottom to the top. A unit is a file of core/ or a folder or file of minigrad/; it imports its own layer and
# those below. `minigrad`, `autograd`, `cuda`, `linalg` and `utils` are the public face: names of what stands below them.
LAYERS = (
    ("errors", "core.machine"),
    ("emulator",),
    ("core.device", "core.random"),
    ("kernels",),
    (
        *(
            "core",
            "core.dtypes",
            "core.hints",
            "core.large",
            "core.modes",
            "core.printing",
            "core.refusals",
            "core.shortage",
            "core.sums",
            "core.tape",
        ),
        *("core.tensor", "core.walk", "core.anomaly", "core.autograd", "ops"),
    ),
    ("nn", "optim"),
    ("data", "interop", "study"),
    ("minigrad", "autograd", "cuda", "linalg", "utils"),
    ("show",),
    ("train",),
    ("models",),
    ("bench",),
    ("benchmarks",),
    ("cli", "__main__"),
)
RANK = {unit: rank for rank, layer in enumerate(LAYERS) for unit in layer}
MAY_KNOW_EACH_OTHER = {"core.tensor", "ops"}
KERNELS_MAY_IMPORT = {"minigrad.errors", "minigrad.core.device", "minigrad.core.machine", "minigrad.emulator.cupy.raw"}
HEAVY = ("numba", "llvmlite", "scipy", "matplotlib", "PIL", "rich", "typer", "torch", "safetensors", "cupy", "pip")
IMPORT_BUDGET = 0.3  # seconds beyond `import numpy`,
NUMPY_IMPORT = 0.1  # where that takes no longer than this; a slower or busy machine has in proportion

Sources = dict[str, str]  # module name -> source; packages by the name of the package


@functools.cache
def code_base() -> Sources:
    sources = {}
    for folder, package in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            name = ".".join([package, *(parts[:-1] if parts[-1] == "__init__" else parts)])
            sources[name] = path.read_text(encoding="utf-8")
    return sources


@functools.lru_cache(maxsize=1000)
def nodes(source: str) -> list[ast.AST]:
    """The nodes of a file that a rule asks for: imports, calls and assertions."""
    asked = (ast.Import, ast.ImportFrom, ast.Call, ast.Assert)
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, asked)]


def imports(name: str, sources: Sources) -> Iterator[tuple[int, str]]:
    """Line and module of each import of a file, those inside functions and ``import_module("...")`` included."""
    is_package = any(other.startswith(f"{name}.") for other in sources)
    for node in nodes(sources[name]):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = name.split(".")[: None if is_package and node.level == 1 else -(node.level - is_package)]
                base = ".".join([*parents, base] if base else parents)
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield node.lineno, inner if inner in sources else base
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield node.lineno, node.args[0].value


def unit(module: str) -> str:
    """The unit of a module: ``minigrad.core.tape`` -> ``core.tape``, ``minigrad.nn.init`` -> ``nn``."""
    parts = module.split(".")
    if len(parts) == 1:
        return parts[0]
    return ".".join(parts[1:3]) if parts[1] == "core" else parts[1]


def inner_imports(sources: Sources) -> Iterator[tuple[str, int, str]]:
    """File, line and module of each import of minigrad's own."""
    for name in sources:
        for line, module in imports(name, sources):
            if module.split(".")[0] == "minigrad":
                yield name, line, module


def upward_imports(sources: Sources) -> list[str]:
    faults = [f"{name}: {unit(name)!r} has no place in LAYERS" for name in sources if unit(name) not in RANK]
    for name, line, module in inner_imports(sources):
        if unit(module) not in RANK:
            faults.append(f"{name}:{line} imports {module}, which has no place in LAYERS")
        elif unit(name) in RANK and RANK[unit(module)] > RANK[unit(name)]:
            faults.append(f"{name}:{line} imports {module}, which stands above it")
    return faults


def circles(sources: Sources) -> list[str]:
    """Units that reach each other, other than the pair that may."""
    edges: dict[str, set[str]] = {}
    for name, _, module in inner_imports(sources):
        edges.setdefault(unit(name), set()).add(unit(module))

    def reached(start: str) -> set[str]:
        seen, todo = set(), [start]
        while todo:
            for following in edges.get(todo.pop(), ()):
                if following not in seen:
                    seen.add(following)
                    todo.append(following)
        return seen

    reach = {start: reached(start) for start in edges}
    return [
        f"{one} and {other} import each other"
        for one in edges
        for other in sorted(reach[one])
        if one < other and one in reach.get(other, ()) and not {one, other} <= MAY_KNOW_EACH_OTHER
    ]


def kernels_that_know_the_engine(sources: Sources) -> list[str]:
    """Kernels import errors, the device module, the files beside the families, and their own family."""
    families = {name.split(".")[2] for name in sources if re.match(r"minigrad\.kernels\.\w+\.", name)} - {"native", "cuda"}
    faults = []
    for name, line, module in inner_imports(sources):
        if unit(name) != "kernels" or module in KERNELS_MAY_IMPORT:
            continue
        asked = [*module.split("."), "", ""][2]
        if unit(module) != "kernels" or (asked in families and asked != [*name.split("."), "", ""][2]):
            faults.append(f"{name}:{line} imports {module}")
    return faults


def cupy_elsewhere(sources: Sources) -> list[str]:
    return [
        f"{name}:{line} imports {module}; only core/device.py does"
        for name in sources
        if name != "minigrad.core.device"
        for line, module in imports(name, sources)
        if module.split(".")[0] in ("cupy", "cupyx")
    ]


def bare_names(sources: Sources) -> list[str]:
    """``import kernels`` works in a checkout only; the installed name is ``minigrad.kernels``."""
    return [
        f"{name}:{line} imports {module}, which an installed minigrad does not have"
        for name in sources
        for line, module in imports(name, sources)
        if module.split(".")[0] in ("kernels", "models", "tests", "benchmarks")
    ]


def assertions(sources: Sources) -> list[str]:
    return [
        f"{name}:{node.lineno} has an assert; users need an exception of minigrad.errors"
        for name, source in sources.items()
        for node in nodes(source)
        if isinstance(node, ast.Assert)
    ]


# The words are put together here, so that this file does not contain them.
HOSTS = [rf"\b{name}\.{end}\b" for name, end in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "(?:org|com)"))]
HOSTS += [rf"\b{name}\.{end}\b" for name, end in ((r"deb\.debian", "org"), ("anaconda", "org"))]
PATHS = [rf"(?<![\w.*$)}}]){path}/" for path in ("/" + "work", "/" + "root", "/" + "home", "/" + "opt", "/" + "Users")]
PATHS += [r"\.pyenv/" + "versions", r"\.\./" + "shared"]
LOCAL = re.compile("|".join(HOSTS + PATHS))
TABLE = "minigrad/data/catalogue.py"  # has the addresses at which data sets are published, a registry's among them


def local_names(texts: Sources) -> list[str]:
    """Names of one machine's folders or of package registries' hosts, but for the addresses in the table of data sets."""
    return [
        f"{name}:{number} names {found[0]!r}"
        for name, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        if (found := LOCAL.search(line)) and not (name == TABLE and line.strip().startswith("(Upstream("))
    ]


def repository() -> Sources:
    """Every text file of the repository, or of the source distribution where there is no git."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=False
    )
    if listed.returncode == 0:
        names = [name for name in listed.stdout.decode().split("\0") if name]
    else:
        left_out = re.compile(r"(^|/)(\.\w+|build|dist|runs|__pycache__|[^/]*\.egg-info)/")
        names = [name for path in ROOT.rglob("*") if not left_out.search(f"{(name := path.relative_to(ROOT).as_posix())}")]
    texts = {}
    for name in names:
        if (ROOT / name).is_file():
            content = (ROOT / name).read_bytes()
            if b"\0" not in content:
                texts[name] = content.decode("utf-8")
    return texts


@pytest.mark.parametrize(
    "rule",
    [upward_imports, circles, kernels_that_know_the_engine, cupy_elsewhere, bare_names, assertions],
    ids=lambda r: r.__name__,
)
def test_the_code_base_keeps_the_rule(rule: Callable[[Sources], list[str]]) -> None:
    sources = code_base()
    assert {"minigrad", "minigrad.errors", "minigrad.kernels", "minigrad.models"} <= sources.keys()
    assert rule(sources) == []


def test_nothing_names_this_machine_or_a_registry() -> None:
    texts = repository()
    assert {"README.md", "setup.py", "tests/test_layers.py", ".ci/run"} <= texts.keys()
    assert local_names(texts) == []


@pytest.mark.parametrize(
    ("rule", "name", "source", "fault"),
    [
        (upward_imports, "minigrad.ops.shape", "import minigrad.nn", "imports minigrad.nn, which stands above"),
        (upward_imports, "minigrad.ops.shape", "def f():\n    from minigrad.nn import functional", "minigrad.ops.shape:2"),
        (upward_imports, "minigrad.nn.layers", "from minigrad import data", "imports minigrad.data"),
        (upward_imports, "minigrad.nn.layers", "from ..data import load", "imports minigrad.data"),
        (upward_imports, "minigrad.nn.layers", "import minigrad", "imports minigrad, which stands above"),
        (upward_imports, "minigrad.nn.layers", "import importlib\nimportlib.import_module('minigrad.train')", "minigrad.train"),
        (upward_imports, "minigrad.core.device", "from minigrad.core import tape", "imports minigrad.core.tape"),
        (upward_imports, "minigrad.magic", "", "'magic' has no place"),
        (circles, "minigrad.nn.layers", "from minigrad import optim", "nn and optim import each other"),
        (circles, "minigrad.core.tape", "from minigrad.core import tensor", "core.tape and core.tensor import each other"),
        (kernels_that_know_the_engine, "minigrad.kernels.conv2d.fast", "from minigrad.core import tensor", "core.tensor"),
        (kernels_that_know_the_engine, "minigrad.kernels.conv2d.fast", "import minigrad", "imports minigrad"),
        (kernels_that_know_the_engine, "minigrad.kernels.conv2d.fast", "from ..pool2d import reference", "kernels.pool2d"),
        (cupy_elsewhere, "minigrad.kernels.conv2d.gpu", "def f():\n    import cupy as cp", "minigrad.kernels.conv2d.gpu:2"),
        (cupy_elsewhere, "minigrad.ops.shape", "from cupyx.scipy import special", "imports cupyx.scipy"),
        (bare_names, "minigrad.models.digits", "from kernels.conv2d import fast", "imports kernels.conv2d"),
        (assertions, "minigrad.nn.layers", "def f(x):\n    assert x > 0", "minigrad.nn.layers:2 has an assert"),
    ],
)
def test_a_planted_fault_is_found(rule: Callable[[Sources], list[str]], name: str, source: str, fault: str) -> None:
    sound = {
        "minigrad": "from minigrad.core.tensor import Tensor",
        "minigrad.core.device": "import cupy\nfrom minigrad.errors import DeviceError",
        "minigrad.core.tape": "from minigrad.core.device import device",
        "minigrad.core.tensor": "from minigrad.core import tape\ndef f():\n    from minigrad import ops",
        "minigrad.data": "",
        "minigrad.errors": "",
        "minigrad.kernels": "from .registry import use",
        "minigrad.kernels.conv2d": "from minigrad.core.device import array_module\nfrom minigrad.kernels.registry import find",
        "minigrad.kernels.conv2d.fast": "from . import reference\nfrom ..layout import empty",
        "minigrad.kernels.conv2d.reference": "from minigrad.errors import KernelError",
        "minigrad.kernels.layout": "",
        "minigrad.kernels.pool2d": "",
        "minigrad.kernels.pool2d.reference": "",
        "minigrad.kernels.registry": "",
        "minigrad.models": "import minigrad",
        "minigrad.nn": "from minigrad import ops",
        "minigrad.nn.functional": "from minigrad.kernels import conv2d",
        "minigrad.ops": "from minigrad.core.tensor import Tensor",
        "minigrad.optim": "import minigrad.nn",
    }
    assert rule(sound) == []
    faults = rule({**sound, name: f"{sound.get(name, '')}\n{source}".lstrip()})
    assert any(fault in found for found in faults), faults


@pytest.mark.parametrize(
    "text",
    [
        "see https://" + "pypi" + ".org/simple",
        "files." + "pythonhosted" + ".org",
        "open('/" + "work/main/x')",
        "#!/" + "root/bin/python",
        "/" + "home/me/data",
        "np.load('../" + "shared/data.npz')",
        "~/.pyenv/" + "versions/3.13.0",
    ],
)
def test_a_planted_name_is_found(text: str) -> None:
    assert len(local_names({"a.txt": f"fine\n{text}\n"})) == 1


@pytest.mark.parametrize(
    "text", ["the framework/network", "~/.cache/minigrad", "a/root/b", "$HOME/work", "/usr/share/datasets"]
)
def test_other_names_are_left_alone(text: str) -> None:
    assert local_names({"a.txt": text}) == []


def test_a_registry_is_named_as_an_address_of_data_alone() -> None:
    line = '    (Upstream("https://registry.' + "npmjs" + '.org/set.tgz"),),'
    assert local_names({TABLE: line}) == [] != local_names({"minigrad/data/sources.py": line})
    assert len(local_names({TABLE: line.replace("Upstream", "Wheel")})) == 1


def test_import_loads_nothing_heavy(tmp_path: Path) -> None:
    code = f"import sys, minigrad; print([name for name in {HEAVY} if name in sys.modules])"
    assert run(code, tmp_path) == "[]"
    assert run(code.replace("minigrad", "matplotlib", 1), tmp_path) != "[]"  # the test sees what it looks for


def test_import_is_quick(tmp_path: Path) -> None:
    code = (
        "import time; start = time.perf_counter(); import numpy; there = time.perf_counter(); import minigrad;"
        "print(there - start, time.perf_counter() - there)"
    )
    runs = []
    for _ in range(8):  # the best of several: other processes can only slow it down, and then they slow NumPy down too
        numpy_seconds, ours = map(float, run(code, tmp_path).split())
        runs.append(ours / max(1.0, numpy_seconds / NUMPY_IMPORT))
        if runs[-1] < IMPORT_BUDGET:
            break
    assert min(runs) < IMPORT_BUDGET


def run(code: str, folder: Path) -> str:
    """What a fresh interpreter prints, away from the checkout. Bytecode is kept between calls, as where it is installed."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_an_uninstalled_checkout_says_what_to_do() -> None:
    code = "import minigrad"  # without site-packages (-S), so that only the folder itself can be found
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "run pip install -e . in the checkout" in done.stderr
