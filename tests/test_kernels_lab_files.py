"""Kernels from a file of one's own: loaded, chosen, checked and trained with; and ``minigrad kernels list | show | check``."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from minigrad import kernels
from minigrad.errors import KernelError
from minigrad.kernels import choice, conv2d, own_files, registry
from minigrad.kernels.catalogue import family, first_sentence
from tests import readme
from tests.shape_images import SMALL, Commands, run, setting_words, shapes
from tests.test_cli_data import on_terminal

MINE = next(
    block.code for block in readme.blocks(readme.README.read_text(encoding="utf-8")) if "kernels.register(" in block.code
)
OFF = """
from minigrad import kernels

def forward(x, w, bias, **geometry):
    y = kernels.functions_of("conv2d", "im2col").forward(x, w, bias, **geometry)
    y[-1:, 0, 0, 0] += 0.01
    return y

print("a word of its own")
kernels.register("conv2d", "slightly_off", forward=forward)
"""
LAST = "kernels.register('conv2d', 'second', forward=forward)\n"


@pytest.fixture
def minigrad(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(MINE, encoding="utf-8")
    Path("off.py").write_text(OFF)
    return Commands(capsys)


@pytest.fixture(autouse=True)
def unloaded() -> Iterator[None]:
    """No file stays loaded behind a test."""
    yield
    for path in own_files.loaded_files():
        kernels.unload_file(path)


# ---------------------------------------------------------------------- loading


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "own.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_run_once(tmp_path: Path) -> None:
    (tmp_path / "beside_it.py").write_text("NAME = 'from beside'")
    path = written(
        tmp_path,
        "from beside_it import NAME\nfrom minigrad import kernels\nfrom minigrad.kernels import conv2d\n"
        "with open(__file__ + '.count', 'a') as file: file.write('x')\n"
        "assert __name__ != '__main__'\n"
        "import numpy as np\n"
        "conv2d.forward(np.ones((1, 1, 2, 2)), np.ones((1, 1, 1, 1)))\n"
        "kernels.register('conv2d', NAME, forward=print)\nkernels.register('pool2d', NAME, max_gather=print)\n",
    )
    before = list(sys.path)
    assert kernels.load_file(path) == kernels.load_file(str(path)) == (("conv2d", "from beside"), ("pool2d", "from beside"))
    assert (tmp_path / "own.py.count").read_text() == "x" and sys.path == before
    assert "from beside" in kernels.available("pool2d")
    kernels.unload_file(path)
    assert "from beside" not in kernels.available("pool2d")
    assert kernels.load_file(path) and (tmp_path / "own.py.count").read_text() == "xx"
    del sys.modules["beside_it"]


START = "from minigrad import kernels\nkernels.register('conv2d', 'first', forward=print)\n"
BAD_FILES = [
    ("kernels.register(", "own.py, line 1: expected a file that runs to its end, got SyntaxError: '(' was never closed"),
    (START + "x = 1 / 0\n", "own.py, line 3: expected a file that runs to its end, got ZeroDivisionError: division by zero."),
    (
        START + "def f():\n    raise ValueError\n\nf()\n",
        "own.py, line 4: expected a file that runs to its end, got ValueError.",
    ),
    (
        START + "import sys\nsys.exit('enough')\n",
        "own.py, line 4: expected a file that runs to its end, got SystemExit: enough.",
    ),
    (
        START + "import no_such_module\n",
        "line 3: expected a file that runs to its end, got ModuleNotFoundError: No module named",
    ),
    (
        START + "kernels.register('conv2d', 'first', forward=print)\n",
        "own.py, line 3: name: expected one that conv2d does not have",
    ),
    ("x = 1\n", "own.py: expected a call of minigrad.kernels.register at its top level, or a CudaKernel, got neither."),
    ("if __name__ == '__main__':\n    import no_such_module\n", "expected a call of minigrad.kernels.register"),
    ("\0", "own.py: expected a file that runs to its end, got SyntaxError: source code string cannot contain null bytes"),
]


@pytest.mark.parametrize(("text", "words"), BAD_FILES)
def test_a_file_that_fails_is_told_with_the_line(text: str, words: str, tmp_path: Path) -> None:
    path, modules = written(tmp_path, text), set(sys.modules)
    for _ in range(2):  # nothing is left behind that would hinder, or hide, the second attempt
        with pytest.raises(KernelError) as caught:
            kernels.load_file(path)
        assert str(tmp_path) in str(caught.value) and words in str(caught.value)
    assert not any(registry.registered.values()) and own_files.loaded_files() == []
    assert "kernels_of_own" not in set(sys.modules) - modules


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match=r"none.py: expected a Python file that registers kernels, got No such file"):
        kernels.load_file(tmp_path / "none.py")
    with pytest.raises(KernelError, match="expected a Python file that registers kernels, got Is a directory"):
        kernels.load_file(tmp_path)
    with pytest.raises(KernelError, match=r"expected a file that was loaded \(none\), got"):
        kernels.unload_file(tmp_path / "none.py")


def test_an_interrupt_goes_through(tmp_path: Path) -> None:
    path = written(tmp_path, START + "raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        kernels.load_file(path)
    assert not any(registry.registered.values())


# ---------------------------------------------------------------------- choosing


def test_wished_chooses_and_forgets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIGRAD_KERNELS", "pool2d=reference")
    monkeypatch.setattr(choice._choice, "names", None)
    path = written(tmp_path, OFF)
    assert kernels.selected("pool2d") == "reference"
    with kernels.wished(f"{path}, random=reference"):
        assert (kernels.selected("conv2d"), kernels.selected("random")) == ("slightly_off", "reference")
        assert kernels.selected("pool2d") == kernels.default_of("pool2d")
        assert os.environ["MINIGRAD_KERNELS"].endswith("random=reference")
    assert os.environ["MINIGRAD_KERNELS"] == "pool2d=reference" and kernels.selected("pool2d") == "reference"
    assert "slightly_off" not in kernels.available("conv2d")
    monkeypatch.setattr(choice._choice, "names", {})


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ("own.py", "expected which to use, as in FILE.py,conv2d=second, got files that register slightly_off and second"),
        ("none.py", "none.py: expected a Python file that registers kernels"),
        ("conv2d", "MINIGRAD_KERNELS: expected FAMILY=NAME or FILE.py, or several with commas between"),
        ("conv2d=fast", "conv2d: expected one of "),
        ("conv3d=fast", "family: expected one of conv2d, pool2d"),
    ],
)
def test_wishes_that_are_refused(wish: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, OFF + LAST)
    with pytest.raises(KernelError) as caught, kernels.wished(wish):
        pass
    assert words in str(caught.value)
    assert "MINIGRAD_KERNELS" not in os.environ and own_files.loaded_files() == []


def test_one_of_two_is_chosen_by_name(tmp_path: Path) -> None:
    path = written(tmp_path, OFF + LAST)
    with kernels.wished(f"{path},conv2d=second"):
        assert kernels.selected("conv2d") == "second"


def test_the_environment_loads_a_file_for_any_program(tmp_path: Path) -> None:
    path = written(tmp_path, OFF)
    code = (
        "import threading, numpy as np\n"
        "from minigrad.kernels import conv2d\n"
        "def look(): print(conv2d.forward(np.ones((1, 1, 1, 1)), np.ones((1, 1, 1, 1))).item())\n"
        "thread = threading.Thread(target=look)\n"
        "thread.start()\n"
        "thread.join()\n"
        "look()\n"
    )
    environment = {**os.environ, "MINIGRAD_KERNELS": str(path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("a word of its own\n1.01\n1.01\n", 0), done.stderr


# ---------------------------------------------------------------------- checking


def test_check_of_the_readmes_file(minigrad: Commands) -> None:
    assert 15 <= len(MINE.splitlines()) <= 20
    code, out, err = minigrad("kernels", "check", "mine.py")
    assert code == 0 and "error" not in err
    assert out.startswith("taps of conv2d: ") and "\n  strides " in out and "FAILED" not in out
    assert "taps" not in kernels.available("conv2d")


@pytest.mark.usefixtures("few_cases")
def test_check_that_finds_a_fault(minigrad: Commands) -> None:
    code, out, err = minigrad("kernels", "check", "off.py")
    assert code == 1
    assert "slightly_off of conv2d: " in out and "FAILED: forward" in out
    told = " ".join(err.split())
    assert "error: values: forward of slightly_off: 3x3: input (2, 3, 5, 6), weight (4, 3, 3, 3), bias, float32" in told
    assert "at index (1, 0, 0, 0): expected" in told and "off by 0.01; 1 of 96 values differ." in told


@pytest.mark.usefixtures("few_cases")
def test_check_json(minigrad: Commands) -> None:
    code, out, err = minigrad("kernels", "check", "off.py", "--json")
    (report,) = json.loads(out)
    assert (code, err) == (1, "a word of its own\n")
    assert (report["family"], report["name"], report["ok"]) == ("conv2d", "slightly_off", False)
    assert {"check", "function", "case", "words"} == report["failures"][0].keys()
    assert report["runs"]["strides"] > 0 and report["checks"].keys() >= report["runs"].keys()


@pytest.mark.usefixtures("few_cases")
def test_check_by_name(minigrad: Commands) -> None:
    code, out, _ = minigrad("kernels", "check", "random=vectorised", "random=numpy", "random=numpy")
    assert code == 0
    assert out.endswith("2 implementations, none with a fault.\n") and "reference of random" not in out
    code, out, _ = minigrad("kernels", "check", "off.py", "random", "conv2d=slightly_off", "--json")
    assert (code, [report["name"] for report in json.loads(out)][-2:]) == (1, ["reference", "slightly_off"])


def test_check_says_what_does_not_run_here(minigrad: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    table = {"tuned": kernels.Implementation("minigrad.kernels.none", needs=("no_such_package",)), **registry.TABLE["random"]}
    monkeypatch.setitem(registry.TABLE, "random", table)
    code, out, _ = minigrad("kernels", "check", "random")
    assert code == 0
    assert "tuned of random: not checked, since it needs no_such_package, which this Python does not have." in out
    told = minigrad.refused("kernels", "check", "random=tuned")
    assert "random=tuned: expected one that runs here, got it needs no_such_package" in told
    code, out, _ = minigrad("kernels", "list")
    assert code == 0 and "  tuned does not run here: it needs no_such_package, which this Python does not have." in out
    assert "It does not run here: it needs no_such_package" in minigrad("kernels", "show", "random/tuned").out


REFUSED = [
    (["none.py"], "kernels: none.py: expected a Python file that registers kernels, got No such file or directory."),
    (["conv3d"], "kernels check: FAMILY: expected one of conv2d, pool2d"),
    (["conv2d=fast"], "kernels check: FAMILY=NAME: expected one of conv2d="),
    (
        ["bad.py"],
        "kernels: bad.py, line 2: expected a file that runs to its end, got NameError: name 'register' is not defined.",
    ),
]


@pytest.mark.parametrize(("words", "told"), REFUSED)
def test_check_refused(words: list[str], told: str, minigrad: Commands) -> None:
    Path("bad.py").write_text("\nregister('conv2d')\n")
    assert told in minigrad.refused("kernels", "check", *words)


@pytest.mark.parametrize("width", [40, 80])
def test_check_on_a_terminal(width: int, minigrad: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out = on_terminal(width, ["kernels", "check", "random=numpy"], monkeypatch)
    assert code == 0 and max(map(len, out.splitlines())) <= width
    assert "repeats" in out


# ---------------------------------------------------------------------- what there is


def test_list(minigrad: Commands) -> None:
    code, out, err = minigrad("kernels", "list")
    assert (code, err) == (0, "")
    for name in kernels.families():
        assert f"{name}: " in out
        assert all(f"  {each} " in out for each in kernels.implementations(name))
    found = json.loads(minigrad("kernels", "list", "--json").out)
    assert [each["family"] for each in found] == kernels.families()
    for each in found:
        defaults = [entry["name"] for entry in each["implementations"] if entry["default"]]
        assert defaults == [kernels.default_of(each["family"])]
        for entry in each["implementations"]:
            assert entry["summary"] and Path(entry["file"]).is_file() and entry["functions"], entry


def test_list_with_a_file_of_ones_own(minigrad: Commands) -> None:
    found = json.loads(minigrad("kernels", "list", "--json", "--kernels", "mine.py,random=reference").out)
    (own,) = [entry for each in found for entry in each["implementations"] if entry["name"] == "taps"]
    assert own["chosen"] and not own["default"] and own["file"] == os.path.abspath("mine.py")
    assert own["summary"].startswith("Convolution by taps") and own["functions"] == [
        "forward(x, w, bias, *, stride, padding, dilation, groups)"
    ]
    chosen = [entry["name"] for each in found for entry in each["implementations"] if entry["chosen"]]
    assert "reference" in chosen and len(chosen) == len(found)
    assert "  taps " not in minigrad("kernels", "list").out


def test_show(minigrad: Commands) -> None:
    code, out, _ = minigrad("kernels", "show", "conv2d")
    assert code == 0
    assert "grad_weight(x, dy, kernel_size, *, stride=(1, 1), padding=NO_PADDING" in out
    assert "      forward      y[n,f,i,j]" in out and "``" not in out and ":func:" not in out
    order = [out.index(f"\n{name} of conv2d: ") for name in reversed(list(registry.TABLE["conv2d"]))]
    assert order == sorted(order), "the ladder goes from the reference up"
    one = minigrad("kernels", "show", "conv2d/im2col").out
    assert "im2col of conv2d: yes, device any, " in one and "reference of conv2d" not in one
    found = json.loads(minigrad("kernels", "show", "conv2d/im2col", "--json").out)
    assert [entry["name"] for entry in found["implementations"]] == ["im2col"] and "Σ" in found["contract"]
    assert "FAMILY/NAME: expected one of conv2d/" in minigrad.refused("kernels", "show", "conv2d/fast")
    assert "family: expected one of conv2d" in minigrad.refused("kernels", "show", "conv3d")


@pytest.mark.parametrize("width", [40, 80])
def test_show_on_a_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for words in (["kernels", "list"], ["kernels", "show", "pool2d"]):
        code, out = on_terminal(width, words, monkeypatch)
        assert code == 0
        wide = [line for line in out.splitlines() if len(line) > width]
        assert all(re.fullmatch(r"\s*/\S+\.(py|cu:)", line) for line in wide), wide  # a path is to be copied: it stays whole


def test_every_rung_says_why_it_is_what_it_is() -> None:
    for name in kernels.families():
        for entry in family(name).entries:
            assert len(entry.summary) > 10, entry
            others = [f"``{other}" for other in kernels.implementations(name) if other != entry.name]
            words = ["faster than", "The reference looks", *others]
            assert entry.name == "reference" or any(each in entry.text for each in words), (
                f"{name}/{entry.name} does not say why it is faster than another rung"
            )


def test_first_sentences() -> None:
    assert first_sentence("By Cho et al. 2014, in x.py. More.\n\nAnd more.") == "By Cho et al. 2014, in x.py"


# ---------------------------------------------------------------------- training


def test_training_with_a_kernel_of_ones_own(minigrad: Commands, tmp_path: Path) -> None:
    words = ["train", "classify", "--data", shapes(tmp_path / "shapes", 6, mixed=False, side=8), *setting_words(SMALL)]
    code, out, _ = minigrad(*words, "--out", "run", "--kernels", "mine.py")
    assert re.search(r"^kernels: conv2d=taps;", out, re.MULTILINE), out
    assert code == 0 and "Finished" in out
    assert minigrad("eval", "run", "--kernels", "mine.py,pool2d=reference").code == 0
    assert "none.py: expected a Python file" in minigrad.refused(*words, "--out", "other", "--kernels", "none.py")
    assert not Path("other").exists() and conv2d.forward(np.ones((1, 1, 1, 1)), np.ones((1, 1, 1, 1))).item() == 1


def test_a_checked_training_stops_at_a_wrong_kernel(minigrad: Commands, tmp_path: Path) -> None:
    words = ["train", "classify", "--data", shapes(tmp_path / "shapes", 6, mixed=False, side=8)]
    words += setting_words({**SMALL, "epochs": 1})
    assert run(*words, "--out", "right", MINIGRAD_CHECK="1").returncode == 0
    done = run(*words, "--out", "wrong", "--kernels", "off.py", MINIGRAD_CHECK="1")
    told = " ".join(done.stderr.split())
    assert done.returncode == 2 and "Traceback" not in told
    assert "error: slightly_off of conv2d: forward at index (" in told and "off by 0.01; 1 of" in told
    assert run(*words, "--out", "unnoticed", MINIGRAD_KERNELS="off.py", MINIGRAD_CHECK="0").returncode == 0
