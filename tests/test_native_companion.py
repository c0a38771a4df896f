"""Processes that compile ahead: what they choose, whose claims count, and that nothing is left of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from minigrad.core.machine import Cores, Memory
from minigrad.kernels.native import ahead, claims, companion, companions, store
from minigrad.kernels.native.usual import USUAL

pytestmark = pytest.mark.native

ROOT = Path(__file__).parent.parent
GONE = 2**22 + 1  # no process has this number


@pytest.fixture
def party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[store.Store]:
    """A folder, and one companion that is said to live."""

    class Living:
        lives = True

        def tell(self, file: str) -> None:
            told.append(file)

    told: list[str] = []
    monkeypatch.setattr(companions, "_party", companions._Party())
    companions._party.begun, companions._party.folder, companions._party.word = True, tmp_path, "word"
    companions._party.companions = (Living(),)  # type: ignore[assignment]
    yield store.Store(tmp_path)


def test_every_name_of_the_table_is_a_kernel() -> None:
    there = set(ahead.jobs())
    for kind, jobs in USUAL.items():
        assert set(jobs) <= there, kind
        assert len(set(jobs)) == len(jobs), kind


def test_the_sequence_that_has_most_of_what_was_told_is_chosen() -> None:
    a, b, c, d = (ahead.Job("m", name, "float32") for name in "abcd")
    usual = [[(a, "1"), (b, "2"), (c, "3")], [(a, "1"), (d, "4")]]
    assert [file for _, file in companion.following(["1"], usual)] == ["3", "4", "2"]
    assert [file for _, file in companion.following(["1", "4"], usual)] == []
    assert [file for _, file in companion.following(["1", "2"], usual)] == ["3"]
    assert companion.following(["other"], usual) == companion.following([], usual) == []


# ---------------------------------------------------------------------- claims


def test_a_claim_holds_until_it_is_given_up(tmp_path: Path) -> None:
    assert claims.is_free(tmp_path, "f") and claims.claim(tmp_path, "f", "word")
    assert claims.holder(tmp_path, "f") == (os.getpid(), "word")
    assert not claims.is_free(tmp_path, "f") and not claims.claim(tmp_path, "f")
    claims.release(tmp_path, "f")
    assert list(tmp_path.iterdir()) == []


def test_a_dead_process_s_claim_is_taken_over(tmp_path: Path) -> None:
    claims.path_of(tmp_path, "f").write_text(f"{GONE} word")
    assert claims.claim(tmp_path, "f") and claims.holder(tmp_path, "f") == (os.getpid(), "")


def test_another_process_s_claim_is_left_alone(tmp_path: Path) -> None:
    claims.path_of(tmp_path, "f").write_text(f"{os.getppid()} word")
    claims.release(tmp_path, "f")
    assert claims.holder(tmp_path, "f") == (os.getppid(), "word")
    claims.release_all(tmp_path, "another")
    assert claims.holder(tmp_path, "f") is not None
    claims.release_all(tmp_path, "word")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_cannot_be_claimed_in(tmp_path: Path) -> None:
    assert not claims.claim(tmp_path / "absent", "f")
    claims.release(tmp_path / "absent", "f")
    claims.release_all(tmp_path / "absent", "word")


def test_a_free_kernel_is_claimed_while_it_is_made(party: store.Store) -> None:
    assert party.folder is not None
    with companions.shared(party, "f", True) as code:
        assert code is None and claims.holder(party.folder, "f") == (os.getpid(), "")
    assert list(party.folder.iterdir()) == []


def test_what_a_companion_makes_is_waited_for(party: store.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = party.folder
    assert folder is not None
    claims.path_of(folder, "f").write_text(f"{os.getppid()} word")

    def made(seconds: float) -> None:
        store.write(folder, "f.o", b"code")
        claims.path_of(folder, "f").unlink()

    monkeypatch.setattr(companions.time, "sleep", made)
    with companions.shared(party, "f", True) as code:
        assert code == b"code"


@pytest.mark.parametrize("holder", [f"{GONE} other", f"{os.getppid()} other", "no number"])
def test_nobody_else_is_waited_for(party: store.Store, monkeypatch: pytest.MonkeyPatch, holder: str) -> None:
    assert party.folder is not None
    claims.path_of(party.folder, "f").write_text(holder)
    monkeypatch.setattr(companions.time, "sleep", lambda seconds: pytest.fail("it waits"))
    with companions.shared(party, "f", True) as code:
        assert code is None


def test_a_companion_that_dies_is_not_waited_for(party: store.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert party.folder is not None
    claims.path_of(party.folder, "f").write_text(f"{os.getppid()} word")
    living = companions._party.companions[0]
    monkeypatch.setattr(companions.time, "sleep", lambda seconds: setattr(living, "lives", False))
    with companions.shared(party, "f", True) as code:
        assert code is None


def test_a_companion_that_hangs_is_not_waited_for(party: store.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert party.folder is not None
    claims.path_of(party.folder, "f").write_text(f"{os.getppid()} word")
    monkeypatch.setattr(companions, "PATIENCE", 0.02)
    with companions.shared(party, "f", True) as code:
        assert code is None


# ---------------------------------------------------------------------- whether there are any


def test_who_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MINIGRAD_COMPANIONS")
    monkeypatch.setattr(companions, "threads", lambda: 8)
    monkeypatch.setattr(companions, "cores", lambda: Cores(8, 8, None))
    monkeypatch.setattr(companions, "memory", lambda: Memory(1 << 40, 1 << 40, None))
    assert companions.count() == companions.MOST
    for name, value in {"threads": 1, "cores": Cores(1, 1, None), "memory": Memory(1 << 40, 1 << 20, None)}.items():
        with monkeypatch.context() as patched:
            patched.setattr(companions, name, lambda value=value: value)
            assert companions.count() == 0, name
    monkeypatch.setattr(sys, "executable", "/usr/bin/another")
    assert companions.count() == 0
    monkeypatch.undo()
    assert companions.count() == 0  # the tests' own environment says so


def test_a_kernel_of_the_user_s_starts_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(companions, "_party", companions._Party())
    monkeypatch.setattr(companions, "count", lambda: pytest.fail("asked"))
    with companions.shared(store.Store(tmp_path), "f", False) as code:
        assert code is None
    with companions.shared(store.Store(tmp_path, "it cannot be written"), "f", True) as code:
        assert code is None


# ---------------------------------------------------------------------- a real one

START = """
import os, time
from minigrad.core.machine import Cores, Memory
from minigrad.kernels.native import ahead, companions, programs
from minigrad.kernels.native.usual import USUAL
companions.count = lambda: 1
job = ahead.Job("minigrad.kernels.update.loops", "adam_step", "float32")
job.kernel().prepare("float32")
(companion,) = companions._party.companions
print(companion.process.pid, flush=True)
"""


def run(tmp_path: Path, rest: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MINIGRAD_CACHE": str(tmp_path)}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", START + rest], cwd=ROOT, env=environment, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


def is_gone(pid: int) -> bool:
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


def test_a_parent_that_exits_leaves_nothing_behind(tmp_path: Path) -> None:
    done = run(tmp_path, "")
    assert done.returncode == 0 and done.stderr.count("\n") == 1, done.stderr
    assert is_gone(int(done.stdout))
    assert not list((tmp_path / "kernels").glob(".making-*"))


def test_a_parent_that_is_killed_leaves_no_companion(tmp_path: Path) -> None:
    done = run(tmp_path, "os.kill(os.getpid(), 9)")
    assert done.returncode == -9 and is_gone(int(done.stdout))


def test_a_companion_makes_what_comes_later(tmp_path: Path) -> None:
    """The first of a sequence is asked for; the last is made by the companion."""
    rest = """
import warnings
warnings.simplefilter("ignore")  # Python 3.12 warns of forks beside threads
first, last = USUAL["characters"][0], USUAL["characters"][-2]
first.kernel().prepare(first.dtype)
end = time.monotonic() + 40
while not last.is_kept() and companion.lives and time.monotonic() < end:
    time.sleep(0.01)
print(last.is_kept(), programs.file_of(last.kernel(), last.dtype) in programs._loaded)
if (child := os.fork()) == 0:
    os._exit(companions._party.companions != ())
print(os.waitpid(child, 0)[1])
"""
    done = run(tmp_path, rest)
    assert done.returncode == 0, done.stderr
    pid, *rest_of = done.stdout.split()
    assert rest_of == ["True", "False", "0"] and is_gone(int(pid))
