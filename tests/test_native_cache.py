"""Machine code that is kept: what it is found by, where it is trusted, and what is said where it cannot be made or kept."""

from __future__ import annotations

import errno
import importlib.metadata
import io
import itertools
import math
import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from minigrad.errors import KernelError
from minigrad.kernels.native import Doubles, Ints, Real, helper, kernel, maths, programs, real, share, store, target
from minigrad.kernels.native.identity import Identity
from minigrad.kernels.native.language import Helper, Kernel
from tests.small_disk import small_disk

pytestmark = pytest.mark.native

ROOT = Path(__file__).parent.parent
NUMBERS = itertools.count(1000)  # a kernel that no other test has made


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of its own, empty."""
    monkeypatch.setenv("MINIGRAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(programs, "_said", True)
    yield tmp_path / "cache" / "kernels"
    store._examined.cache_clear()


def adder(number: int) -> Any:
    """Kernels of one name that differ in a number which they find around them."""

    @kernel
    def add(x: Ints, count: int, part: int, parts: int) -> None:
        start, stop = share(count, part, parts)
        for i in range(start, stop):
            x[i] += number

    return add


def result(add: Any) -> int:
    x = np.zeros(3, np.int64)
    add(x, 3)
    assert x[0] == x[1] == x[2]
    return int(x[0])


def again(add: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[int, bool]:
    """The kernel's result in what stands for another process, and whether it was compiled there."""
    made = []
    whole = programs._whole
    with monkeypatch.context() as patched:
        patched.setattr(programs, "_loaded", {})
        patched.setattr(programs, "_linked", lambda code, symbol: programs_linked(code, symbol))
        patched.setattr(programs, "_whole", lambda *args: made.append(args) or whole(*args))
        patched.setattr(add, "_programs", {})
        return result(add), bool(made)


def programs_linked(code: bytes, symbol: str) -> int:
    """Load a symbol that this process has once more, by an engine of its own."""
    llvm = programs._ready()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), programs.machine(target.target()))
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _engines.append(engine)
    return engine.get_function_address(symbol)


_engines: list[Any] = []  # what they loaded is called as long as the tests run


def python(program: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=ROOT, env={**os.environ, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


# ---------------------------------------------------------------------- what it is found by


def test_a_kernel_is_compiled_once_and_read_afterwards(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add = adder(101)
    assert result(add) == 101
    (file,) = cache.iterdir()
    assert file.stat().st_mode & 0o077 == 0
    assert again(add, monkeypatch) == (101, False)


def test_kernels_that_differ_in_a_number_are_two(cache: Path) -> None:
    one, other = adder(102), adder(103)
    assert (result(one), result(other)) == (102, 103)
    assert len(list(cache.iterdir())) == 2


def test_functions_of_one_name_and_file_name_are_two(cache: Path) -> None:
    outcomes = []
    for number in (104, 105):
        names: dict[str, Any] = {"__name__": "mine", "kernel": kernel, "Ints": Ints}
        text = "def f(x: Ints, count: int, part: int, parts: int):\n    for i in range(count):\n        x[i] = "
        exec(compile(f"{text}{number}\n", "mine.py", "exec"), names)
        outcomes.append(result(kernel(names["f"])))
    assert outcomes == [104, 105]


def identity(text: str, **names: Any) -> str:
    """What is told of a kernel ``f`` that is written so."""
    known = {"__name__": "mine", "helper": helper, "real": real, "np": np, "maths": maths, **names}
    exec(textwrap.dedent(text), known)
    function = known["f"]
    return Identity("f", function.function if isinstance(function, Helper | Kernel) else function).text


PLAIN = """
@helper
def g(x, y=2):
    return x + y + LIMIT

def f(x):
    return g(x) * 3.0
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [("3.0", "3"), ("3.0", "-3.0"), ("x + y", "x - y"), ("y=2", "y=3"), ("LIMIT", "OTHER"), ("g(x) *", "g(x) +"),
     ("def f(x)", "def f(z, x)"), ("g(x) * 3.0", "(lambda a: g(a))(x) * 3.0"), ("g(x)", "g(x) + real(1.0)")],
)  # fmt: skip
def test_what_the_body_or_a_helper_does_counts(old: str, new: str) -> None:
    assert identity(PLAIN.replace(old, new), LIMIT=5, OTHER=5) != identity(PLAIN, LIMIT=5, OTHER=5)


@pytest.mark.parametrize(
    ("one", "other"),
    [(5, 6), (5, 5.0), (5, True), (0.0, -0.0), (np.float32(1), np.float64(1)), ((1, 2), (2, 1)), (np.arange(3), np.arange(4)),
     (np.zeros(2), np.zeros((2, 1))), (np.float32, np.float64), (None, ()), ("a", b"a"), (abs, min), (np.exp, np.log)],
)  # fmt: skip
def test_what_a_global_stands_for_counts(one: Any, other: Any) -> None:
    assert identity(PLAIN, LIMIT=one) != identity(PLAIN, LIMIT=other)


def test_a_module_s_number_counts() -> None:
    text = "def f(x):\n    return x + constants.LIMIT"
    constants = type(sys)("constants")
    outcomes = set()
    for number in (1, 2):
        constants.LIMIT = number  # type: ignore[attr-defined]
        outcomes.add(identity(text, constants=constants))
    assert len(outcomes) == 2


def test_comments_and_lines_do_not_count() -> None:
    moved = PLAIN.replace("def f(x):", "# a remark\n\n\ndef f(x):  # another")
    assert identity(moved, LIMIT=5) == identity(PLAIN, LIMIT=5)


def test_a_helper_may_call_itself() -> None:
    text = "@helper\ndef f(x):\n    return x if x < 1 else f(x - 1)"
    assert identity(text) == identity(text) != identity(text.replace("- 1", "- 2"))


@pytest.mark.parametrize(
    ("value", "words"),
    [([1], "a list"), ({}, "a dict"), (object(), "an? object"), (lambda x: x, "a function. Make it a @helper"),
     (adder(1), "add: expected a @helper: kernels are called from Python, got a @kernel")],
)  # fmt: skip
def test_what_cannot_become_machine_code_is_refused(value: Any, words: str) -> None:
    with pytest.raises(KernelError, match=words):
        identity("def f(x):\n    return g(x)", g=value)


def test_a_helper_under_a_module_s_name_is_refused() -> None:
    with pytest.raises(KernelError, match=r"maths\.exp: .* Write: from minigrad\.kernels\.native\.maths import exp"):
        identity("def f(x):\n    return maths.exp(x)")


def test_a_helper_in_a_closure_is_compiled_with_its_meaning(cache: Path) -> None:
    def applied(function: Any) -> Any:
        @kernel
        def apply(x: Real, y: Real, part: int, parts: int) -> None:
            y[0] = function(x[0])

        return apply

    @helper
    def double(x):
        return x + x

    @helper
    def half(x):
        return x * real(0.5)

    x, y = np.full(1, 3.0, np.float32), np.zeros(1, np.float32)
    outcomes = []
    for function in (double, half):
        applied(function)(x, y)
        outcomes.append(float(y[0]))
    assert outcomes == [6.0, 1.5]


def test_the_processor_the_compiler_and_its_sources_count(monkeypatch: pytest.MonkeyPatch) -> None:
    def symbol() -> str:
        return programs._symbol("mine", "f", "float32", "text")

    symbols = [symbol()]
    here = target.target()
    for other in (here._replace(cpu="haswell"), here._replace(features="+avx2"), here._replace(rows=here.rows + 1)):
        with monkeypatch.context() as patched:
            patched.setattr(programs, "target", lambda other=other: other)
            symbols.append(symbol())
    for name, change in (("_versions", ("1", "2")), ("_sources", "edited")):
        with monkeypatch.context() as patched:
            patched.setattr(programs, name, lambda change=change: change)
            symbols.append(symbol())
    assert len(set(symbols)) == 6
    assert symbol() == symbols[0]


def test_sources_that_changed_meanwhile_are_not_what_is_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_read_sources", lambda: "edited")
    assert result(adder(106)) == 106
    assert list(cache.iterdir()) == []


def test_code_for_another_processor_is_another(cache: Path) -> None:
    program = """
        import numpy as np
        from tests.test_native_cache import adder, result
        from minigrad.kernels.native.target import target
        print(target().kind, result(adder(107)))
    """
    outcomes = [python(program, NUMBA_CPU_NAME=name).communicate() for name in ("haswell", "x86-64")]
    assert [output for output, _ in outcomes] == ["AVX2 107\n", "SSE 107\n"], outcomes
    assert len(list(cache.iterdir())) == 2


# ---------------------------------------------------------------------- damage


@pytest.mark.parametrize(
    "damage",
    [lambda code: code[: len(code) // 2], lambda code: b"", lambda code: code[:-1] + b"?", lambda code: b"other" + code,
     lambda code: code[:20] + b"?" + code[21:]],
    ids=["half", "empty", "last byte", "other format", "digest"],
)  # fmt: skip
def test_a_damaged_file_is_made_anew(cache: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[bytes], bytes]) -> None:
    number = next(NUMBERS)
    add = adder(number)
    assert result(add) == number
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert again(add, monkeypatch) == (number, True)
    assert len(list(cache.iterdir())) == 1
    assert again(add, monkeypatch) == (number, False)


def test_a_folder_in_a_file_s_place_is_not_read(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add = adder(109)
    assert result(add) == 109
    (file,) = cache.iterdir()
    file.unlink()
    file.mkdir()
    assert again(add, monkeypatch) == (109, True)


def test_a_file_under_another_s_name_is_not_loaded(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is whole, but what it has is not what would be called."""
    adders = [adder(number) for number in (next(NUMBERS), next(NUMBERS))]
    numbers = [result(add) for add in adders]
    one, other = cache.iterdir()
    whole = one.read_bytes(), other.read_bytes()
    one.write_bytes(whole[1])
    other.write_bytes(whole[0])
    assert [again(add, monkeypatch) for add in adders] == [(number, True) for number in numbers]
    assert [again(add, monkeypatch) for add in adders] == [(number, False) for number in numbers]


@pytest.mark.parametrize("put", [os.mkfifo, lambda path: os.symlink("/dev/zero", path), lambda path: os.symlink(path, path)])
def test_what_is_no_file_is_neither_waited_for_nor_read(
    cache: Path, monkeypatch: pytest.MonkeyPatch, put: Callable[[Path], None]
) -> None:
    number = next(NUMBERS)
    add = adder(number)
    assert result(add) == number
    (file,) = cache.iterdir()
    file.unlink()
    put(file)
    assert again(add, monkeypatch) == (number, True)
    assert again(add, monkeypatch) == (number, False)  # the file has taken its place


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EDQUOT, errno.EIO])
def test_what_the_system_does_not_let_be_written_is_compiled(cache: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(store.tempfile, "mkstemp", refuse)
    mine = next(NUMBERS)
    assert result(adder(mine)) == mine
    assert list(cache.iterdir()) == []


def test_a_folder_that_goes_while_a_process_runs_is_only_missed(cache: Path) -> None:
    numbers = [next(NUMBERS) for _ in range(2)]
    assert result(adder(numbers[0])) == numbers[0]
    shutil.rmtree(cache)
    assert result(adder(numbers[1])) == numbers[1]


def test_a_full_disk_only_means_that_the_next_process_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with small_disk(tmp_path / "disk", 16) as there:
        folder = tmp_path / "disk" / "kernels"
        folder.mkdir(mode=0o700)
        monkeypatch.setenv("MINIGRAD_CACHE", str(tmp_path / "disk"))
        monkeypatch.setattr(programs, "_said", True)
        if there:
            (folder / "rest").write_bytes(bytes(16 * 1024))
        else:

            def full(*args: Any, **kwargs: Any) -> None:
                raise OSError(28, "No space left on device")

            monkeypatch.setattr(store.os, "replace", full)
        assert result(adder(110)) == 110
        assert [path.name for path in folder.iterdir() if path.name != "rest"] == []
    store._examined.cache_clear()


def test_what_was_not_used_for_a_season_is_thrown_away(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.mkdir(parents=True, mode=0o700)
    ages = {"old.o": store.SEASON + 60, "fresh.o": store.SEASON - 60, ".making-dead": 7200, ".making-now": 0}
    for name, age in ages.items():
        (cache / name).write_bytes(b"")
        os.utime(cache / name, (time.time() - age,) * 2)
    assert result(adder(111)) == 111
    assert {"fresh.o", ".making-now"} < {path.name for path in cache.iterdir()}
    assert len(list(cache.iterdir())) == 3
    (file,) = (path for path in cache.iterdir() if "add" in path.name)
    os.utime(file, (time.time() - store.SEASON / 2,) * 2)
    store.read(cache, file.name)
    assert time.time() - file.stat().st_mtime < 60  # it is in use


def test_two_processes_compile_at_once(cache: Path) -> None:
    program = "from tests.test_native_cache import adder, result; print(result(adder(112)))"
    running = [python(program) for _ in range(3)]
    assert [process.communicate()[0] for process in running] == ["112\n"] * 3
    assert len(list(cache.iterdir())) == 1


def test_a_fork_while_another_thread_compiles(cache: Path) -> None:
    """The child has no thread that would go on compiling: the fork waits until that is done, and then the child can compile."""
    program = """
        import os, threading
        from tests.test_native_cache import adder, result
        result(adder(130))
        thread = threading.Thread(target=lambda: [result(adder(number)) for number in range(131, 150)])
        thread.start()
        for number in range(150, 155):
            if (child := os.fork()) == 0:
                os._exit(0 if result(adder(number)) == number else 1)
            print(os.waitpid(child, 0)[1], thread.is_alive())
        thread.join()
    """
    process = python(program, PYTHONWARNINGS="ignore")  # Python 3.12 warns of forks beside threads
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0 and output.startswith("0 True\n"), errors
    assert output.count("0 ") == 5, output


# ---------------------------------------------------------------------- trust


def kept_in(folder: Path, number: int) -> tuple[int, store.Store, int]:
    """What a kernel gives with a folder, how it is judged, and how many files are in it afterwards."""
    store._examined.cache_clear()
    outcome = result(adder(number))
    return outcome, store.store(), len(list(folder.iterdir())) if folder.exists() else 0


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_folder_that_others_can_write_is_not_used(cache: Path, mode: int) -> None:
    cache.mkdir(parents=True)
    cache.chmod(mode)
    outcome, judged, files = kept_in(cache, 113)
    assert (outcome, files, judged.folder) == (113, 0, None)
    assert judged.trouble == f"{cache} can be written by other users"
    assert judged.remedy == "Set MINIGRAD_CACHE to a folder that only you can write"


def test_a_folder_in_one_that_all_can_write_is_not_used_unless_it_is_sticky(cache: Path) -> None:
    cache.parent.mkdir()
    cache.parent.chmod(0o777)
    _, judged, files = kept_in(cache, 114)
    assert (judged.folder, judged.trouble, files) == (None, f"{cache.parent} can be written by other users", 0)
    cache.parent.chmod(0o1777)
    _, judged, files = kept_in(cache, 114)
    assert (judged.folder, judged.trouble) == (cache, "")


def test_a_folder_of_another_user_is_not_used(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.mkdir(parents=True, mode=0o700)
    monkeypatch.setattr(store.os, "getuid", lambda: 12345)
    monkeypatch.setattr(store, "SYSTEM", 54321)
    _, judged, files = kept_in(cache, 115)
    assert (judged.folder, files) == (None, 0)
    assert judged.trouble == f"{cache} belongs to another user"


def test_a_file_of_another_user_is_not_read(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert result(adder(116)) == 116
    (file,) = cache.iterdir()
    assert store.read(cache, file.name)
    monkeypatch.setattr(store.os, "getuid", lambda: 12345)
    monkeypatch.setattr(store, "SYSTEM", 54321)
    assert store.read(cache, file.name) is None


def test_a_folder_that_cannot_be_written_is_read(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add = adder(117)
    assert result(add) == 117
    monkeypatch.setattr(store.os, "access", lambda path, mode: False)
    outcome, judged, files = kept_in(cache, 118)
    assert (outcome, files, judged.folder) == (118, 1, cache)
    assert judged.trouble == f"{cache} cannot be written"
    assert again(add, monkeypatch) == (117, False)


def test_a_folder_that_cannot_be_made_is_told(cache: Path) -> None:
    cache.parent.write_text("a file")
    _, judged, _ = kept_in(cache, 119)
    assert judged.folder is None
    assert judged.trouble.startswith(f"{cache} cannot be made (")


def test_no_home_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(store, "cache_folder", homeless)
    assert store.store().trouble == "there is no folder for caches (Could not determine home directory.)"


# ---------------------------------------------------------------------- what is said


def said(monkeypatch: pytest.MonkeyPatch, *numbers: int) -> str:
    stream = io.StringIO()
    monkeypatch.setattr(programs, "_said", False)
    monkeypatch.setattr(sys, "stderr", stream)
    for number in numbers:
        assert result(adder(number)) == number
    return stream.getvalue()


def test_the_first_kernel_says_that_it_is_compiled_and_where_it_is_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = f"minigrad: compiling kernels for this processor (once: kept in {cache})\n"
    assert said(monkeypatch, 120, 121) == words
    assert said(monkeypatch, 120) == ""


def test_what_is_not_kept_is_said_to_be_so(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    words = f"(not kept: {cache} can be written by other users; see minigrad doctor)\n"
    assert said(monkeypatch, 122) == f"minigrad: compiling kernels for this processor {words}"


def test_a_program_without_standard_error_says_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_said", False)
    monkeypatch.setattr(sys, "stderr", None)
    assert result(adder(123)) == 123


def test_an_absent_numba_is_told(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "minigrad.kernels.native.compiler", None)
    with pytest.raises(KernelError, match=r"compiler: expected Numba, got none .*pip install numba, or choose other kernels"):
        result(adder(124))

    def nothing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", nothing)
    programs._versions.cache_clear()
    with pytest.raises(KernelError, match=r"compiler: expected Numba, got none .*pip install numba, or choose other kernels"):
        result(adder(125))
    monkeypatch.undo()
    programs._versions.cache_clear()


def test_a_numba_without_what_is_used_of_it_is_told_apart(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(ModuleType):
        def __getattr__(self, name: str) -> Any:
            raise ImportError(f"cannot import name {name!r} from 'numba.core'")

    monkeypatch.setitem(sys.modules, "minigrad.kernels.native.compiler", Other("minigrad.kernels.native.compiler"))
    with pytest.raises(
        KernelError, match=r"expected Numba 0\.62 or later, .*, got another \(cannot import .*pip install numba=="
    ):
        result(adder(126))


def test_a_numba_that_is_switched_off_is_told() -> None:
    program = """
        from minigrad.errors import KernelError
        from tests.test_native_cache import adder, result
        try:
            result(adder(126))
        except KernelError as error:
            print(error)
    """
    output, errors = python(program, NUMBA_DISABLE_JIT="1", MINIGRAD_CACHE="").communicate()
    expected = "add: NUMBA_DISABLE_JIT: expected unset: these functions run only when compiled, got 1."
    assert output == f"{expected} Unset it, or choose other kernels.\n", errors


def test_a_body_that_numba_refuses_is_told(cache: Path) -> None:
    @kernel
    def wrong(x: Ints, part: int, parts: int) -> None:
        x[0] = "text"

    with pytest.raises(KernelError, match=r"(?s)wrong: function: expected one that Numba compiles, got .*text"):
        wrong(np.zeros(1, np.int64))
    assert result(adder(127)) == 127  # and the next one is compiled


def test_a_body_that_needs_numba_at_run_time_is_told(cache: Path) -> None:
    """Another process would not have Numba's functions: loading the code would end it."""

    @kernel
    def split(x: Doubles, part: int, parts: int) -> None:
        x[0], exponent = math.frexp(x[0])
        x[1] = exponent

    with pytest.raises(KernelError, match=r"split\w*: numba\w+: expected functions of the C library, got one of Numba's own"):
        split(np.ones(2))

    @kernel
    def sine(x: Doubles, part: int, parts: int) -> None:
        x[0] = math.sin(x[0])

    x = np.ones(1)
    sine(x)
    assert x[0] == math.sin(1)
