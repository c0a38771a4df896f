"""Real kernels where toy ones were tried before: in forked and spawned processes, in threads of Python's, under Ctrl-C.

What ``test_native_pool.py`` holds for small kernels is held here for convolutions, recurrences and products of a training.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
import minigrad.nn.functional as F
from minigrad import nn
from minigrad.kernels.native import set_threads, store, threads
from minigrad.kernels.native.patience import finished_first

pytestmark = pytest.mark.native

ROOT = Path(__file__).parent.parent
PATIENCE = 60  # seconds: what takes longer hangs


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = threads()
    set_threads(2)
    yield
    set_threads(before)


# ---------------------------------------------------------------------- what is computed


def digest(*arrays: np.ndarray) -> str:
    return hashlib.sha256(b"".join(np.ascontiguousarray(each).tobytes() for each in arrays)).hexdigest()


def passes() -> str:
    """A convolution and an LSTM, forward and backward, large enough for two threads: their numbers' digest."""
    random = np.random.default_rng(7)

    def numbers(*shape: int) -> mg.Tensor:
        return mg.tensor(random.standard_normal(shape).astype(np.float32), requires_grad=True)

    x, w = numbers(8, 16, 24, 24), numbers(32, 16, 3, 3)
    y = F.conv2d(x, w, padding=1)
    y.square().sum().backward()
    lstm = nn.LSTM(24, 32)
    for parameter in lstm.parameters():
        parameter.data.numpy()[...] = random.standard_normal(parameter.shape) / 6
    steps = numbers(20, 16, 24)
    out, _ = lstm(steps)
    out.square().sum().backward()
    gradients = [each.grad for each in (x, w, steps, *lstm.parameters())]
    return digest(*(each.detach().numpy() for each in (y, out, *gradients) if each is not None))


class Small(nn.Module):
    """A convolutional network and an LSTM in one, so that both are trained."""

    def __init__(self) -> None:
        super().__init__()
        self.images = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 16, 3), nn.ReLU(),
            nn.Flatten(), nn.Linear(16 * 6 * 6, 10),
        )  # fmt: skip
        self.rows = nn.LSTM(48, 64)
        self.last = nn.Linear(64, 10)

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        rows, _ = self.rows(x.permute(2, 0, 1, 3).reshape(16, len(x), 48))
        return self.images(x) + self.last(rows[-1])


def made(seed: int) -> tuple[Small, mg.Tensor, mg.Tensor]:
    """A network and what it is trained on. The generator is one for all threads: one thread makes them."""
    mg.manual_seed(seed)
    return Small(), mg.randn(16, 3, 16, 16), mg.randint(0, 10, (16,))


def trained(model: Small, x: mg.Tensor, labels: mg.Tensor) -> str:
    """The digest of all weights after ten steps."""
    optimizer = mg.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(10):
        optimizer.zero_grad()
        F.cross_entropy(model(x), labels).backward()
        optimizer.step()
    return digest(*(each.numpy() for each in model.state_dict().values()))


# ---------------------------------------------------------------------- processes


def status_of(child: int) -> int:
    """How a forked child ended; one that hangs is killed."""
    end = time.monotonic() + PATIENCE
    while (found := os.waitpid(child, os.WNOHANG))[0] == 0:
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise AssertionError("the child hangs")
        time.sleep(0.01)
    return os.waitstatus_to_exitcode(found[1])


def test_a_forked_child_convolves_and_recurs_as_its_parent_did() -> None:
    expected = passes()
    for _ in range(2):
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if passes() == expected else 3)
            finally:
                os._exit(4)
        assert status_of(child) == 0
        assert passes() == expected


def test_a_child_of_a_forked_child_trains() -> None:
    expected = trained(*made(1))
    child = os.fork()
    if child == 0:
        try:
            inner = os.fork()
            if inner == 0:
                os._exit(0 if trained(*made(1)) == expected else 3)
            os._exit(status_of(inner) or (0 if trained(*made(1)) == expected else 5))
        finally:
            os._exit(4)
    assert status_of(child) == 0
    assert trained(*made(1)) == expected


def in_process(count: int) -> tuple[str, str]:
    set_threads(count)
    return passes(), trained(*made(2))


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_of_multiprocessing_compute_the_same_bits(method: str) -> None:
    expected = in_process(2)
    with multiprocessing.get_context(method).Pool(2) as workers:
        assert workers.map_async(in_process, [2, 2, 2]).get(PATIENCE) == [expected] * 3
    assert in_process(2) == expected


# ---------------------------------------------------------------------- threads


@pytest.mark.parametrize("count", [1, 2, 3])
def test_two_threads_train_at_once_as_each_would_alone(count: int) -> None:
    set_threads(count)
    expected = [trained(*made(seed)) for seed in (3, 4)]
    ready, found = [made(seed) for seed in (3, 4)], ["", ""]
    together = threading.Barrier(2)

    def train(index: int) -> None:
        together.wait()
        found[index] = trained(*ready[index])

    running = [threading.Thread(target=train, args=(index,), daemon=True) for index in range(2)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(PATIENCE)
    assert found == expected


SIZES = [1, 3, 8, 17, 32, 65, 96, 130]


def product(size: int) -> str:
    random = np.random.default_rng(size)
    a, b = (random.standard_normal((size, size)).astype(np.float32) for _ in range(2))
    return digest((mg.tensor(a) @ mg.tensor(b)).numpy())


def convolution(size: int) -> str:
    random = np.random.default_rng(size)
    x = mg.tensor(random.standard_normal((2, 1 + size % 7, size, size)).astype(np.float32), requires_grad=True)
    w = mg.tensor(random.standard_normal((1 + size % 33, 1 + size % 7, 3, 3)).astype(np.float32), requires_grad=True)
    y = F.conv2d(x, w, padding=1)
    y.sum().backward()
    assert x.grad is not None and w.grad is not None
    return digest(y.detach().numpy(), x.grad.numpy(), w.grad.numpy())


@pytest.mark.parametrize("work", [product, convolution])
def test_eight_workers_call_kernels_of_all_sizes(work: Callable[[int], str]) -> None:
    expected = {size: work(size) for size in SIZES}
    with ThreadPoolExecutor(8) as workers:
        found = list(workers.map(work, SIZES * 12, timeout=PATIENCE))
    assert found == [expected[size] for size in SIZES * 12]


# ---------------------------------------------------------------------- Ctrl-C

INTERRUPTED = {
    "in kernels": """
        begin()
        while True:
            passes()
    """,
    "in kernels, and caught": """
        expected = passes()
        begin()
        try:
            while True:
                passes()
        except KeyboardInterrupt:
            print("same" if passes() == expected and passes() == expected else "other", flush=True)
    """,
}
PROGRAM = """
import sys
from minigrad.kernels.native import set_threads
from tests.test_native_real import *
set_threads(2)

def begin():
    print("begun", flush=True)

passes()
"""


def interrupted(program: str, after: float, **environment: str) -> tuple[int, str, str]:
    """How a program ends that is told to stop so long after it said "begun", and what it says."""
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, env={**os.environ, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "begun\n"
        time.sleep(after)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all processes of the program
        output, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    return process.returncode, output, errors


def about_threads(errors: str) -> list[str]:
    """What Python or the pool's threads say of anything but the one interruption."""
    words = ("Exception in thread", "Exception ignored", "Fatal", "Segmentation", "minigrad helper")
    return [line for line in errors.splitlines() if any(word in line for word in words)]


@pytest.mark.parametrize("name", INTERRUPTED)
def test_control_c_while_kernels_run(name: str) -> None:
    for after in (0.0, 0.03, 0.1):
        code, output, errors = interrupted(PROGRAM + textwrap.dedent(INTERRUPTED[name]), after)
        assert about_threads(errors) == []
        if "caught" in name:
            assert (code, output) == (0, "same\n"), errors
        else:
            assert code == -signal.SIGINT, errors  # Python ends so where nobody catches it
            assert errors.count("Traceback") == 1 and errors.endswith("KeyboardInterrupt\n")


COMPILING = """
from tests.test_native_real import *
from minigrad.kernels.native import set_threads
set_threads(2)
print("begun", flush=True)
try:
    while True:
        product(130)
except KeyboardInterrupt:
    print("stopped", flush=True)
    print(product(130), flush=True)
"""


# While Numba is imported, at its end, and while kernels are made.
@pytest.mark.parametrize(("after", "companions"), [(0.05, "0"), (0.4, "0"), (0.8, ""), (2.5, "0")])
def test_control_c_while_kernels_are_compiled(tmp_path: Path, after: float, companions: str) -> None:
    """The process can go on, and what was kept can be read: by it, and by the next one."""
    places = {"MINIGRAD_CACHE": str(tmp_path), "MINIGRAD_COMPANIONS": companions}
    code, output, errors = interrupted(COMPILING, after, **places)
    assert (code, output) == (0, f"stopped\n{product(130)}\n"), errors
    assert about_threads(errors) == []
    files = list((tmp_path / "kernels").glob("*.o"))
    assert len(files) > 1 and all(store.read(file.parent, file.name) for file in files)
    assert companions == "" or not list((tmp_path / "kernels").glob(".making-*"))


# ---------------------------------------------------------------------- what is finished first


def test_a_second_control_c_is_heard_at_once() -> None:
    heard = []
    with pytest.raises(KeyboardInterrupt), finished_first():
        signal.raise_signal(signal.SIGINT)
        heard.append(1)
        signal.raise_signal(signal.SIGINT)
        heard.append(2)
    assert heard == [1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_beside_a_control_c_is_not_lost() -> None:
    with pytest.raises(KeyboardInterrupt) as raised, finished_first():
        signal.raise_signal(signal.SIGINT)
        raise ValueError("mine")
    assert isinstance(raised.value.__context__, ValueError)


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL])
def test_who_does_not_hear_control_c_is_left_alone(handler: signal.Handlers) -> None:
    before = signal.signal(signal.SIGINT, handler)
    try:
        with finished_first():
            assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_change_no_handler() -> None:
    found: list[object] = []

    def look() -> None:
        with finished_first():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGINT)]
