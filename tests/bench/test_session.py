"""What the instrument makes of its contenders: rows that are judged, ratios, attempts, steps whose losses are held together."""

from __future__ import annotations

import dataclasses
import itertools
import types
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import kernels
from minigrad.bench.clock import Contender
from minigrad.bench.families.conv2d import Shape, ops_of
from minigrad.bench.op import Call
from minigrad.bench.peers import Torch, absent, load
from minigrad.bench.savings import of_call, of_step
from minigrad.bench.session import _Entrant
from minigrad.bench.workload import INPUT_SETS, Step, Workload
from minigrad.errors import ArgumentError
from minigrad.kernels.conv2d import im2col
from tests.bench.planted import MS, FakeClock, contender, peaks, registered, session, small_op


class FakePeer:
    """A peer that is minigrad's own im2col, and takes a planted time."""

    name, alike, version, module = "fake", True, "1", minigrad

    def __init__(self, clock: FakeClock, milliseconds: Callable[[int], float]) -> None:
        self.clock, self.milliseconds, self.count = clock, milliseconds, 0

    def threads(self, count: int) -> Any:
        self.count = count
        return nullcontext()

    def arrays(self, value: Any) -> list[Any]:
        return [value]

    def product(self, a: np.ndarray, b: np.ndarray) -> Any:
        return a @ b

    def forward(self, module: Any, call: Call) -> Callable[[], Any]:
        def run() -> np.ndarray:
            self.clock.time += round(self.milliseconds(self.count) * MS)
            return im2col.forward(*call.args, **call.kwargs)

        return run


def beside(milliseconds: Callable[[int], float], ours: float = 10.0, threads: int = 2, **more: Any) -> Any:
    """Rows of our kernel, which takes so long, beside a peer."""
    clock = FakeClock()

    def forward(x: np.ndarray, w: np.ndarray, bias: Any, **geometry: Any) -> np.ndarray:
        clock.time += round(ours * MS)
        return im2col.forward(x, w, bias, **geometry)

    peer = FakePeer(clock, milliseconds)
    op = small_op()
    made = session(clock, **more)
    made.settings = dataclasses.replace(made.settings, threads=threads, rounds=6)
    made.peers = [peer]
    op.peers["fake"] = peer.forward  # type: ignore[index]
    with registered("ours", forward=forward) as name:
        return made.op(op, [name])


def test_the_peer_has_the_better_of_one_and_more_threads() -> None:
    ours, theirs = beside({1: 30.0, 2: 20.0}.__getitem__)
    assert (theirs.threads, theirs.way, theirs.others) == (2, "fake, 2 threads", {"fake, 1 thread": pytest.approx(0.03)})
    assert ours.against == {"fake": pytest.approx(2.0)}
    ours, theirs = beside({1: 20.0, 2: 30.0}.__getitem__)
    assert (theirs.threads, theirs.way) == (1, "fake, 1 thread")
    assert ours.against == {"fake": pytest.approx(2.0)}
    assert not ours.refused and not theirs.refused


def test_a_peer_of_one_thread_is_not_given_two() -> None:
    _, theirs = beside({1: 20.0}.__getitem__, threads=1)
    assert (theirs.threads, theirs.others) == (1, {})


def test_below_five_milliseconds_least_times_are_compared() -> None:
    times = itertools.cycle([4.0, 4.4, 4.4])
    ours, theirs = beside(lambda count: next(times), ours=2.0)
    assert ours.against == {"fake": pytest.approx(2.0)}
    assert theirs.median == pytest.approx(4.4e-3)


def test_a_peer_that_does_not_agree_with_itself_has_no_ratio() -> None:
    calls = itertools.count()
    ours, theirs = beside(lambda count: 200.0 if next(calls) % 2 else 300.0, ours=200.0)
    assert "fake differs from its own repeat by 50 %" in theirs.refused[0]
    assert ours.refused == [f"no ratio: fake is refused ({theirs.refused[0]})"]
    assert ours.as_json()["against"] == {}


def test_a_peer_that_is_wrong_is_refused_and_ours_has_no_ratio() -> None:
    peer = FakePeer(FakeClock(tick=MS), lambda count: 1.0)
    op = small_op()
    op.peers["fake"] = lambda module, call: lambda: 2 * im2col.forward(*call.args, **call.kwargs)  # type: ignore[index]
    made = session(peer.clock)
    made.peers = [peer]
    ours, theirs = made.op(op, ["im2col"])
    assert theirs.refused[0].startswith("wrong result") and ours.refused[0].startswith("no ratio")


def test_faster_than_the_machine_can_be() -> None:
    made = session(FakeClock(tick=MS), peaks(flops=1e8))
    [row] = made.op(small_op(), ["im2col"])  # 83 thousand operations in a millisecond
    assert row.refused == [] and row.share == pytest.approx(row.flops / 1e5)
    made = session(FakeClock(tick=MS), peaks(flops=5e7))
    [row] = made.op(small_op(), ["im2col"])
    assert len(row.refused) == 1
    assert row.refused[0].startswith("faster than this machine can be: 0 GFLOP/s, and its best is 0. If it saves arithmetic")


def test_a_kernel_that_saves_arithmetic_tells_so_and_has_no_share() -> None:
    def forward(x: np.ndarray, w: np.ndarray, bias: Any, **geometry: Any) -> np.ndarray:
        return im2col.forward(x, w, bias, **geometry)

    forward.arithmetic = 0.25  # type: ignore[attr-defined]
    with registered("saves", forward=forward) as name:
        [row] = session(FakeClock(tick=MS), peaks(flops=5e7)).op(small_op(), [name])
    assert row.refused == [] and row.share is None and row.gflops is not None


def test_winograds_convolution_tells_what_it_saves() -> None:
    functions = kernels.functions_of("conv2d", "winograd")
    for shape, share in ((Shape(2, 32, 6, 32), 16 / 36), (Shape(2, 16, 6, 32), 1.0), (Shape(2, 32, 6, 32, stride=2), 1.0)):
        for op in ops_of(shape):
            call = op.draw(np.random.default_rng(0), np.dtype(np.float32))
            assert of_call(functions, op.function, call) == share
    assert of_call(kernels.functions_of("conv2d", "im2col"), op.function, call) == 1.0


def test_winograds_large_tiles_tell_what_they_save() -> None:
    functions = kernels.functions_of("conv2d", "winograd4")
    for shape, share in ((Shape(4, 32, 6, 32), 36 / 144), (Shape(4, 8, 6, 32), 1.0), (Shape(4, 32, 2, 32), 16 / 36)):
        for op in ops_of(shape):
            call = op.draw(np.random.default_rng(0), np.dtype(np.float32))
            assert of_call(functions, op.function, call) == share


def test_what_a_step_saves_is_found_by_running_it() -> None:
    x, w = minigrad.ones(1, 2, 4, 4), minigrad.ones(2, 2, 3, 3)

    def forward(x: np.ndarray, w: np.ndarray, bias: Any, **geometry: Any) -> np.ndarray:
        return im2col.forward(x, w, bias, **geometry)

    def convolve(m: Any, *, size: int) -> Step:
        return lambda: m.nn.functional.conv2d(x, w).sum().item()

    forward.arithmetic = 0.25  # type: ignore[attr-defined]
    with registered("saves", forward=forward) as name:
        choice = {"conv2d": name}
        with kernels.use(**choice):
            assert of_step(convolve(minigrad, size=1), choice) == 0.25
            assert of_step(honest(minigrad, size=1), choice) == 1.0  # which does not convolve
        with kernels.use(conv2d="im2col"):
            assert of_step(convolve(minigrad, size=1), {"conv2d": "im2col"}) == 1.0
        made = session(FakeClock(tick=MS))
        rows = made.workload(workload(convolve, tolerance=1.0), {}, [choice, {"conv2d": "im2col"}])
    assert [row.share is None for row in rows] == [True, False]


def test_what_cannot_be_trusted_is_tried_again() -> None:
    clock, log = FakeClock(), []
    lengths = iter([300.0] + [300.0, 600.0] * 3 + [300.0] * 100)
    made = session(clock, rounds=6, attempts=3)
    row = made._row("op", "shape", "ours", True, 0.0, 0.0)
    entrant = _Entrant(row, contender("ours", clock, lambda: next(lengths), log))
    made._measure([entrant], slow=1.0, inner=False)
    assert row.refused == [] and row.seconds == pytest.approx(0.3)

    lengths = itertools.chain([300.0], itertools.cycle([300.0, 600.0]))
    made.settings = dataclasses.replace(made.settings, attempts=1)
    made._measure([entrant], slow=1.0, inner=False)
    assert len(row.refused) == 1 and "repeat" in row.refused[0]


def test_what_is_wrong_is_not_tried_again() -> None:
    clock, log = FakeClock(), []
    good = contender("ours", clock, lambda: 10.0, log)
    checks = itertools.count()
    made = session(clock, attempts=3)
    row = made._row("op", "shape", "ours", True, 0.0, 0.0)
    bad = Contender("ours", good.prepare, lambda results: f"wrong result: {next(checks)}")
    made._measure([_Entrant(row, bad)], slow=1.0)
    assert row.refused == ["wrong result: 0"]


def test_a_disturbed_machine_refuses_every_row() -> None:
    made = session(FakeClock(tick=MS * 100, others=0.8))
    [row] = made.op(small_op(), ["im2col"])
    assert row.refused[0].startswith("busy machine: other programs keep 0.8 of")
    made = session(FakeClock(tick=MS))
    made.peaks.product = 1e15
    [row] = made.op(small_op(), ["im2col"])
    assert row.refused == ["slow machine: a matrix product reached 0 % of its recorded best (85 % at least)"]


def test_cold_caches_are_timed_too() -> None:
    [row] = session(FakeClock(tick=MS), cold=True).op(small_op(), ["im2col"])
    assert row.cold == pytest.approx(1e-3) and row.first is not None and row.first >= 0


# ---------------------------------------------------------------------- steps


def honest(m: Any, *, size: int) -> Step:
    """A linear layer, learning."""
    rng = np.random.default_rng(0)
    w = m.tensor(rng.normal(size=(size, 1)).astype(np.float32), requires_grad=True)
    turn = itertools.cycle([m.tensor(rng.normal(size=(8, size)).astype(np.float32)) for _ in range(INPUT_SETS)])

    def step() -> float:
        loss = (next(turn) @ w).square().mean()
        w.grad = None
        loss.backward()
        with m.no_grad():
            w.sub_(0.1 * w.grad)
        return loss.item()

    return step


def workload(make: Callable[..., Step] = honest, **more: Any) -> Workload:
    return Workload("line", "a line", make, {"size": 4}, lambda size: 96.0 * size, **more)


def cheat(make: Callable[[Step, int], float]) -> Callable[..., Step]:
    """A step that works at first, and then as it likes."""

    def made(m: Any, *, size: int) -> Step:
        step, calls = honest(m, size=size), itertools.count()
        return lambda: make(step, next(calls))

    return made


def test_a_step_is_timed_and_its_sizes_are_told() -> None:
    [row] = session(FakeClock(tick=MS)).workload(workload(), {"size": 5})
    assert (row.what, row.shape, row.who, row.refused) == ("line", "size 5", "minigrad", [])
    assert row.gflops == pytest.approx(96 * 5 / 1e-3 / 1e9)


def test_a_steps_first_call_and_its_calls_with_cold_caches_are_told() -> None:
    """Compiling, which the first step of all does, is apart from what each step takes."""
    clock, called = FakeClock(tick=MS), itertools.count()

    def compiling(m: Any, *, size: int) -> Step:
        step = honest(m, size=size)

        def slow_at_first() -> float:
            clock.time += 500 * MS * (next(called) == 0)
            return step()

        return slow_at_first

    [row] = session(clock, cold=True).workload(workload(compiling), {})
    assert row.first == pytest.approx(0.5) and row.seconds == row.cold == pytest.approx(1e-3)
    assert row.as_json()["first"] == row.first and row.as_json()["cold"] == row.cold
    [row] = session(FakeClock(tick=MS)).workload(workload(), {})
    assert row.first == pytest.approx(0.0) and row.cold is None


def test_a_peer_that_fails_is_left_out_and_told() -> None:
    def fails(*, size: int) -> Step:
        raise FileNotFoundError("no\nclang")

    made, peer = session(FakeClock(tick=MS)), FakePeer(FakeClock(), lambda count: 1.0)
    peer.alike = False
    made.peers = [peer]
    [row] = made.workload(workload(others={"fake": fails}), {})
    assert row.refused == [] and made.failed == {"fake": "line: FileNotFoundError: no clang"}


def test_a_step_beside_a_peer() -> None:
    made = session(FakeClock(tick=MS))
    made.peers = [FakePeer(FakeClock(), lambda count: 1.0)]
    ours, theirs = made.workload(workload(), {})
    assert ours.refused == theirs.refused == []
    assert ours.against == {"fake": pytest.approx(1.0)} and theirs.way == "fake, 1 thread"


def test_a_peer_with_names_of_its_own_runs_its_own_lines() -> None:
    made, peer = session(FakeClock(tick=MS)), FakePeer(FakeClock(), lambda count: 1.0)
    peer.alike = False
    made.peers = [peer]
    assert [row.who for row in made.workload(workload(), {})] == ["minigrad"]
    others = {"fake channels-last": lambda *, size: honest(minigrad, size=size)}
    _, theirs = made.workload(workload(others=others), {})
    assert theirs.way == "fake channels-last, 1 thread"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (cheat(lambda step, call: step() if call < 10 else 0.5), "always 0.5"),
        (cheat(lambda step, call: step() if call < 10 else 3.0 + call), "the loss of step 11 is 13, and "),
        (cheat(lambda step, call: step() if call < 10 else float("nan")), "a step's loss is nan"),
        (cheat(lambda step, call: step() if call < 10 else 1), "a step's loss is 1"),
    ],
    ids=["the last loss", "any loss", "no number", "no float"],
)
def test_a_step_that_cheats_is_refused(make: Callable[..., Step], words: str) -> None:
    made = session(FakeClock(tick=MS), rounds=12)
    made.peers = [FakePeer(FakeClock(), lambda count: 1.0)]
    by_us = {"fake": lambda *, size: honest(minigrad, size=size)}
    made.peers[0].alike = False  # type: ignore[attr-defined]
    ours = made.workload(workload(make, others=by_us), {})[0]
    assert words in ours.refused[0] and ours.refused[0].startswith("wrong result")


def test_a_step_that_leaves_its_update_out_is_refused_before_it_is_timed() -> None:
    def lazy(m: Any, *, size: int) -> Step:
        frozen = types.SimpleNamespace(**{**vars(minigrad), "no_grad": lambda: (_ for _ in ()).throw(AssertionError)})
        step = honest(frozen, size=size)

        def only_forward() -> float:
            try:
                return step()
            except AssertionError:  # where the update would begin
                return 1.0

        return only_forward

    made = session(FakeClock(tick=MS))
    made.peers = [FakePeer(FakeClock(), lambda count: 1.0)]
    made.peers[0].alike = False  # type: ignore[attr-defined]
    ours = made.workload(workload(lazy, others={"fake": lambda *, size: honest(minigrad, size=size)}), {})
    assert len(ours) == 1 and "at the small size" in ours[0].refused[0]


def test_without_a_peer_the_reference_kernels_are_asked() -> None:
    def convolve(m: Any, *, size: int) -> Step:
        x, w = (
            m.tensor(np.random.default_rng(0).normal(size=shape).astype(np.float32)) for shape in ((2, 3, 5, 5), (4, 3, 3, 3))
        )
        return lambda: m.nn.functional.conv2d(x, w).square().mean().item()

    def doubled(x: np.ndarray, w: np.ndarray, bias: Any, **geometry: Any) -> np.ndarray:
        return 2 * im2col.forward(x, w, bias, **geometry)

    with registered("wrong", forward=doubled) as name:
        [row] = session(FakeClock(tick=MS)).workload(workload(convolve), {}, [{"conv2d": name}])
    assert row.who == "conv2d=wrong" and "with the reference kernels, at the small size" in row.refused[0]


# ---------------------------------------------------------------------- peers


def test_a_peer_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ArgumentError, match=r"torch, got a Python without it.*minigrad-engine\[peer\]"):
        load("torch")
    with pytest.raises(ArgumentError, match="Install it: pip install mygrad"):
        load("mygrad")


def test_every_library_that_is_not_asked_for_has_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert absent(["mygrad"]) == {
        "torch": "not asked for: --against torch",
        "chainer": "its last release, 7.8.1, does not load with NumPy 2",
        "tinygrad": "it compiles with Clang, which is not here",
    }
    monkeypatch.setattr(np, "__version__", "1.26.4")
    assert absent(["mygrad", "torch", "tinygrad"]) == {"chainer": "not asked for: --against chainer"}


def test_a_peer_that_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> Any:
        raise OSError("libsomething.so: cannot open shared object file")

    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr("importlib.import_module", fail)
    with pytest.raises(ArgumentError, match=r"torch that loads, got OSError: libsomething\.so"):
        load("torch")


def test_what_a_peer_must_do() -> None:
    class Module:
        __version__, count = "2", 4

        def get_num_threads(self) -> int:
            return self.count

        def set_num_threads(self, count: int) -> None:
            self.count = count

    peer = Torch(Module())
    with peer.threads(1):
        assert peer.module.count == 1
    assert peer.module.count == 4 and peer.version == "2"
    assert peer.arrays((1, [2])) == [1, [2]] and peer.arrays(3) == [3]
