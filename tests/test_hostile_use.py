"""What a user does in the middle of things: interrupts, raises, nests in circles, forks; and nonsense in the environment."""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import kernels, nn
from minigrad.core.tape import mode
from minigrad.errors import ArgumentError, DTypeError, FileFormatError, KernelError, ShapeError, StateError
from minigrad.kernels import pool2d, random
from minigrad.utils import data
from minigrad.utils.checkpoint import checkpoint

F = nn.functional


class Boom(Exception):
    """The user's own."""


class Raising(minigrad.autograd.Function):
    """Twice x, or the error that is asked for."""

    def forward(ctx, x: Any, error: BaseException, forward: bool) -> Any:
        ctx.error = error
        if forward:
            raise error
        return x * 2

    def backward(ctx, dy: Any) -> Any:
        raise ctx.error


def _state() -> tuple:
    return minigrad.is_grad_enabled(), minigrad.is_inference_mode_enabled(), mode.observers, mode.saver, mode.wanted


USER_ERRORS = [Boom("x"), KeyboardInterrupt("x"), ValueError("could not broadcast"), IndexError("x"), MemoryError("x")]


@pytest.mark.parametrize("error", USER_ERRORS, ids=repr)
@pytest.mark.parametrize("way", ["forward", "backward", "create_graph", "grad", "anomaly", "checkpoint", "hook"])
def test_an_error_of_the_user_passes_and_leaves_nothing_changed(error: BaseException, way: str) -> None:
    x = minigrad.ones(3, requires_grad=True)
    before = _state()

    def run() -> None:
        if way == "forward":
            Raising.apply(x, error, True)
        elif way == "backward":
            Raising.apply(x * 1, error, False).sum().backward()
        elif way == "create_graph":
            Raising.apply(x * 1, error, False).sum().backward(create_graph=True)
        elif way == "grad":
            minigrad.autograd.grad(Raising.apply(x * 1, error, False).sum(), x)
        elif way == "anomaly":
            with minigrad.autograd.detect_anomaly():
                Raising.apply(x * 1, error, False).sum().backward()
        elif way == "checkpoint":
            checkpoint(lambda z: Raising.apply(z * 1, error, False), x).sum().backward()
        else:

            def hook(grad: Any) -> None:
                raise error

            y = x * 2
            y.register_hook(hook)
            y.sum().backward()

    with pytest.raises(type(error)) as caught:
        run()
    assert caught.value is error
    assert _state() == before
    x.grad = None
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0, 2.0]  # type: ignore[attr-defined]


class Ends(data.Dataset):
    """Raises StopIteration, by a ``next`` without an end in mind: no end of the data."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: Any) -> Any:
        return next(iter([])) if index == 2 else index


class Stream(data.IterableDataset):
    def __iter__(self) -> Iterator[Any]:
        return iter(range(4))


@pytest.mark.parametrize(
    "loader",
    [
        lambda: data.DataLoader(Ends(), batch_size=2),
        lambda: data.DataLoader(Ends(), batch_size=None),
        lambda: data.DataLoader(Ends(), batch_size=1, num_workers=1),
        lambda: data.DataLoader(Stream(), batch_size=None, collate_fn=lambda item: next(iter([]))),
    ],
)
def test_no_data_is_lost_to_a_stop_iteration(loader: Callable[[], Any]) -> None:
    with pytest.raises(RuntimeError, match="StopIteration"):
        list(loader())


def test_a_module_cannot_hold_itself() -> None:
    outer = nn.Sequential(nn.Sequential(nn.ReLU()))
    several, named = nn.ModuleList([nn.ReLU()]), nn.ModuleDict()
    for call in (
        lambda: outer.append(outer),
        lambda: outer.__setitem__(0, outer),
        lambda: setattr(outer[0], "up", outer),
        lambda: outer[0][0].add_module("up", outer),
        lambda: several.append(several),
        lambda: named.update({"self": named}),
    ):
        with pytest.raises(ArgumentError, match="expected a module that does not hold this one, got one that does"):
            call()
    assert len(list(outer.modules())) == 3 and len(several) == 1 and not len(named)


def test_lists_without_end() -> None:
    endless: list[Any] = [1.0]
    endless.append(endless)
    deep: Any = 1.0
    for _ in range(80):
        deep = [deep]
    for nested in (endless, deep):
        with pytest.raises(ShapeError, match="tensor: data: expected at most 64 levels of sequences"):
            minigrad.tensor(nested)


def test_a_file_name_that_is_none() -> None:
    for call in (lambda: minigrad.load("\0"), lambda: minigrad.save({}, "\0")):
        with pytest.raises(FileFormatError, match="expected the name of a file"):
            call()


# ---------------------------------------------------------------------- states that do not fit leave all as it was


def _stepped(kind: type) -> Any:
    weight = minigrad.ones(2, 3, requires_grad=True)
    optimizer = kind([weight], lr=0.1)
    weight.sum().backward()
    optimizer.step()
    return optimizer


FAULTS: dict[str, Callable[[dict], Any]] = {
    "param_groups": lambda state: state.__setitem__("param_groups", "a"),
    "no list of dicts": lambda state: state.__setitem__("param_groups", [3]),
    "lr of group 0, 'fast'": lambda state: state["param_groups"][0].__setitem__("lr", "fast"),
    "betas of group 0, 0.9": lambda state: state["param_groups"][0].__setitem__("betas", 0.9),
    "group 0 with 0 parameters": lambda state: state["param_groups"][0].__setitem__("params", "a"),
    "state, which is no dict of dicts": lambda state: state.__setitem__("state", []),
    "which is no dict of dicts": lambda state: state["state"].__setitem__(0, "x"),
    "step of parameter 0, 'x', which is no number": lambda state: state["state"][0].__setitem__("step", "x"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_optimiser_refuses_a_damaged_state_whole(fault: str) -> None:
    optimizer = _stepped(minigrad.optim.Adam)
    before = repr(optimizer.state_dict())
    damaged = copy.deepcopy(optimizer.state_dict())
    FAULTS[fault](damaged)
    with pytest.raises(StateError) as caught:
        optimizer.load_state_dict(damaged)
    assert fault in str(caught.value) and repr(optimizer.state_dict()) == before


@pytest.mark.parametrize("damage", [None, {"last_epoch": "x"}, {"gamma": None}])
def test_a_schedule_refuses_a_damaged_state_whole(damage: Any) -> None:
    schedule = minigrad.optim.lr_scheduler.StepLR(_stepped(minigrad.optim.SGD), 3)
    before = schedule.state_dict()
    with pytest.raises(StateError, match="StepLR"):
        schedule.load_state_dict(damage if damage is None else {**before, **damage})
    assert schedule.state_dict() == before


# ---------------------------------------------------------------------- threads and forks


def _work(errors: list[BaseException]) -> None:
    try:
        for _ in range(5):
            weight = minigrad.ones(4, 3, 3, 3, requires_grad=True)
            F.max_pool2d(F.conv2d(minigrad.rand(2, 3, 8, 8), weight).relu(), 2).sum().backward()
            with minigrad.no_grad():
                F.dropout(weight)
            assert minigrad.is_grad_enabled() and weight.grad is not None
    except BaseException as error:  # handed to the thread that waits
        errors.append(error)


def test_threads_at_once_draw_each_number_once() -> None:
    errors: list[BaseException] = []
    drawn: list[float] = []
    minigrad.manual_seed(0)

    def draw() -> None:
        drawn.extend([minigrad.rand(1).item() for _ in range(50)])

    for task in (draw, lambda: _work(errors)):
        threads = [threading.Thread(target=task) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    minigrad.manual_seed(0)
    assert not errors and sorted(drawn) == sorted([minigrad.rand(1).item() for _ in range(200)])


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # from 3.12 on: threads of BLAS
def test_a_forked_child_goes_on() -> None:
    _work([])
    child = os.fork()
    if child == 0:
        errors: list[BaseException] = []
        _work(errors)
        os._exit(1 if errors else 0)
    assert os.waitpid(child, 0)[1] == 0


# ---------------------------------------------------------------------- the environment


def _in_a_thread(call: Callable[[], Any]) -> Any:
    """What ``call`` raises in a fresh thread, which reads the environment anew."""
    caught: list[BaseException | None] = [None]

    def run() -> None:
        try:
            call()
        except BaseException as error:
            caught[0] = error

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return caught[0]


@pytest.mark.parametrize(
    ("name", "value", "error", "text"),
    [
        ("MINIGRAD_CHECK", "maybe", KernelError, "kernels: MINIGRAD_CHECK: expected 0 or 1, got 'maybe'."),
        ("MINIGRAD_KERNELS", "conv2d", KernelError, "kernels: MINIGRAD_KERNELS: expected FAMILY=NAME"),
        ("MINIGRAD_KERNELS", "nothing=reference", KernelError, "kernels: family: expected one of conv2d"),
        ("MINIGRAD_KERNELS", "conv2d=nothing", KernelError, "kernels: conv2d: expected one of"),
        (
            "MINIGRAD_DEVICE",
            "gpu",
            ArgumentError,
            "MINIGRAD_DEVICE: type: expected 'cpu', 'cuda', 'cuda:INDEX' or 'emulated', got 'gpu'.",
        ),
        ("MINIGRAD_DEVICE", "cpu:1", ArgumentError, "MINIGRAD_DEVICE: index: expected none for 'cpu'"),
    ],
)
def test_nonsense_in_the_environment(
    name: str, value: str, error: type[Exception], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    caught = _in_a_thread(lambda: F.conv2d(minigrad.ones(1, 1, 2, 2), minigrad.ones(1, 1, 1, 1)))
    assert type(caught) is error and text in str(caught)


IMAGE = np.ones((1, 2, 5, 5), np.float32)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: kernels.use(conv2d=3).__enter__(), KernelError, "kernels: conv2d: expected one of"),
        (lambda: kernels.use(conv2d=[]).__enter__(), KernelError, "kernels: conv2d: expected one of"),
        (lambda: kernels.use(nothing="reference").__enter__(), KernelError, "kernels: family: expected one of conv2d"),
        (lambda: kernels.available([]), KernelError, "kernels: family: expected one of conv2d"),
        (lambda: kernels.find("conv2d", []), KernelError, "expected two names, such as 'conv2d' and 'cpu'"),
        (lambda: kernels.checking("no").__enter__(), DTypeError, "checking: on: expected True or False, got str."),
        (lambda: pool2d.max_forward(IMAGE, (2, 2), ceil_mode="no"), DTypeError, "ceil_mode: expected True or False, got str."),
        (
            lambda: pool2d.avg_forward(IMAGE, (2, 2), count_include_pad=1),
            DTypeError,
            "count_include_pad: expected True or False",
        ),
        (lambda: pool2d.adaptive_avg_forward(IMAGE, (10**13, 1)), ArgumentError, "output_size: expected two whole numbers"),
        (lambda: random.uniform((1, 2), 0, (3,), dtype=IMAGE), DTypeError, "random: dtype: expected float32 or float64"),
        (lambda: random.words((1, 2), 0, 2**63), ArgumentError, "random: shape: expected whole numbers, 0 or more"),
        (lambda: random.blocks_used("uniform", "a"), ArgumentError, "random: shape: expected whole numbers, 0 or more"),
        (lambda: random.blocks_used(IMAGE, 1), ArgumentError, "random: kind: expected one of"),
    ],
)
def test_kernels_refuse_nonsense(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)
