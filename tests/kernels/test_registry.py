"""Registry and choice: what is chosen, registration, what is refused, and the check beside the reference."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from minigrad import kernels
from minigrad.core.device import quiet
from minigrad.errors import DeviceError, KernelError
from minigrad.kernels import choice, conv2d, pool2d, registry, trial
from minigrad.kernels.comparison import checked, is_array, leaves, outcome
from minigrad.kernels.registry import TABLE, Implementation

X = np.arange(2 * 4 * 6 * 6, dtype=np.float64).reshape(2, 4, 6, 6) / 100
W = np.arange(4 * 4 * 3 * 3, dtype=np.float64).reshape(4, 4, 3, 3) / 50 - 1
Y = X[:, :, :4, :4]
DEFAULT, OTHER = list(TABLE["conv2d"])[:2]
FUNCTIONS = [(family, function) for family in TABLE for function in registry.contract_of(family).FUNCTIONS]


def call(family: str, function: str, name: str) -> tuple[Any, Any]:
    """Arguments for an implementation's function: those of its first case that gives it anything to do."""
    contract, reference = kernels.contract_of(family), kernels.functions_of(family, "reference")
    for case in trial.cases_of(family).cases():
        if case.function == function:
            args, kwargs = trial.call_of(family, "reference", case)
            with quiet():
                given = outcome(contract, function, getattr(reference, function)(*args, **kwargs), (args, kwargs))
            if any(getattr(each, "size", 1) for _, each in leaves(given)):
                return trial.call_of(family, name, case)
    raise LookupError(f"{family}.{function} has no case")


@pytest.fixture(autouse=True)
def nothing_leaks() -> Iterator[None]:
    before = choice._names(), choice._choice.check
    yield
    assert (choice._choice.names, choice._choice.check) == before
    assert not any(registry.registered.values())


def module_of(family: str) -> str:
    return kernels.find(family).__name__.rsplit(".", 1)[1]


def spoil(results: list[Any]) -> None:
    """One value changed in the first array: a float by a thousandth, a whole number by 1."""
    first = next(each for _, each in leaves(results) if is_array(each) and each.size)
    at = np.unravel_index(first.size // 2, first.shape)
    if first.dtype.kind == "f":
        first[at] = first[at] * 1.001 + 1e-3
    else:
        first[at] = not first[at] if first.dtype == bool else first[at] + 1


@pytest.mark.parametrize("family", TABLE)
def test_table_is_sound(family: str) -> None:
    assert list(TABLE[family])[-1] == "reference", "the default comes first, the reference last"
    for device_type in ("cpu", "cuda"):
        assert any(one.runs_on(device_type) for one in TABLE[family].values())
    for name in kernels.available(family, "cpu"):
        with kernels.use(**{family: name}):
            functions = kernels.find(family)
        assert all(callable(getattr(functions, each)) for each in registry.contract_of(family).FUNCTIONS)


def test_nothing_is_imported_before_its_use() -> None:
    code = (
        "import sys, minigrad.kernels\n"
        "loaded = [name for name in sys.modules if name.startswith('minigrad.kernels.') and name.count('.') > 2]\n"
        "assert 'numba' not in sys.modules and 'cupy' not in sys.modules\n"
        "assert not any(name.rsplit('.', 1)[1] in ('im2col', 'reference', 'vectorised') for name in loaded), loaded"
    )
    run(code)


def test_use_nests_and_restores() -> None:
    pooling = module_of("pool2d")
    assert module_of("conv2d") == DEFAULT
    with kernels.use(conv2d="reference"):
        assert (module_of("conv2d"), module_of("pool2d")) == ("reference", pooling)
        with kernels.use(conv2d=OTHER, pool2d="reference"):
            assert (module_of("conv2d"), module_of("pool2d")) == (OTHER, "reference")
        assert (module_of("conv2d"), module_of("pool2d")) == ("reference", pooling)
    assert module_of("conv2d") == DEFAULT


def test_use_restores_after_an_exception() -> None:
    with pytest.raises(ZeroDivisionError), kernels.use(conv2d="reference"), kernels.checking():
        raise ZeroDivisionError
    assert module_of("conv2d") == DEFAULT


def test_use_is_of_one_thread() -> None:
    seen: list[str] = []
    with kernels.use(conv2d="reference"):
        thread = threading.Thread(target=lambda: seen.append(module_of("conv2d")))
        thread.start()
        thread.join()
    assert seen == [DEFAULT]


def test_use_chooses_what_runs() -> None:
    with kernels.use(conv2d="reference"):
        a = conv2d.forward(X, W)
    np.testing.assert_allclose(a, conv2d.forward(X, W), rtol=1e-12)


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The code in a fresh Python, which must end well."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_environment_chooses_and_checks() -> None:
    code = (
        "import threading\n"
        "from minigrad import kernels\n"
        "def look(): assert kernels.find('conv2d').__name__.endswith('.reference'), kernels.find('conv2d')\n"
        "look()\n"
        "seen = []\n"
        "thread = threading.Thread(target=lambda: seen.append(kernels.find('pool2d').__name__))\n"
        "thread.start()\n"
        "thread.join()\n"
        "assert seen == ['vectorised of pool2d, checked'], seen\n"
        "with kernels.use(conv2d='im2col'): assert kernels.find('conv2d').__name__ == 'im2col of conv2d, checked'\n"
    )
    run(code, MINIGRAD_KERNELS=" conv2d = reference, pool2d=vectorised,", MINIGRAD_CHECK="1")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("conv2d", "FAMILY=NAME"),
        ("conv2d=", "FAMILY=NAME"),
        ("conv3d=reference", "one of conv2d, pool2d"),
        ("conv2d=fast", f"one of {DEFAULT}, {OTHER}"),
    ],
)
def test_environment_refused(text: str, words: str) -> None:
    code = (
        "from minigrad import errors, kernels\n"
        "try: kernels.find('conv2d')\n"
        f"except errors.KernelError as error: assert {words!r} in str(error), error\n"
        "else: raise SystemExit('nothing was refused')"
    )
    run(code, MINIGRAD_KERNELS=text)


def unknown_family() -> None:
    kernels.available("conv3d")


def unknown_name() -> None:
    with kernels.use(conv2d="fast"):
        pass


def of_the_cpu_only() -> None:
    with kernels.use(conv2d="reference"):
        kernels.find("conv2d", "cuda")


REFUSED = [
    (unknown_family, ["family", "one of conv2d, pool2d", "'conv3d'"]),
    (unknown_name, ["conv2d", f"one of {DEFAULT}, {OTHER}", "'fast'"]),
    (
        of_the_cpu_only,
        ["'reference', which does not: it takes arrays on cpu, and these are on cuda", "runs here (im2col, vectorised)"],
    ),
    (lambda: kernels.register("conv3d", "mine", forward=abs), ["'conv3d'"]),
    (lambda: kernels.register("conv2d", "mine", backward=abs), ["forward, grad_input, grad_weight", "backward"]),
    (lambda: kernels.register("conv2d", "mine"), ["some of forward, grad_input, grad_weight", "none"]),
    (lambda: kernels.register("conv2d", "im2col", forward=abs), ["'im2col'", "Unregister it first"]),
    (lambda: kernels.register("conv2d", "mine", base="fast", forward=abs), [f"one of {DEFAULT}, {OTHER}", "'fast'"]),
    (lambda: kernels.register("conv2d", "mine", device="tpu", forward=abs), ["device", "'cpu', 'cuda' or 'any'", "'tpu'"]),
    (lambda: kernels.unregister("conv2d", "im2col"), ["one registered for conv2d (none)", "'im2col'"]),
]


@pytest.mark.parametrize(("call", "words"), REFUSED)
def test_refused(call: Any, words: list[str]) -> None:
    with pytest.raises(KernelError) as caught:
        call()
    assert all(word in str(caught.value) for word in words), caught.value


def test_not_available_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TABLE["conv2d"], "tuned", Implementation("minigrad.kernels.none", needs=("no_such_package",)))
    with pytest.raises(KernelError, match=rf"one that runs here \({DEFAULT}, {OTHER}, .*'tuned'.*needs no_such_package"):
        unused = kernels.use(conv2d="tuned")
        unused.__enter__()
    assert "tuned" in kernels.implementations("conv2d") and "tuned" not in kernels.available("conv2d")
    assert kernels.reason_not_available("conv2d", "tuned") and not kernels.reason_not_available("conv2d", "im2col")


def test_gpu_kernel_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_gpu(where: Any) -> Any:
        raise DeviceError("device", "cuda", "a GPU", "no CuPy in this Python")

    monkeypatch.setattr(registry, "module_for", no_gpu)
    monkeypatch.setattr(choice, "emulates", lambda: False)
    monkeypatch.setitem(TABLE["conv2d"], "gpu", Implementation("minigrad.kernels.none", "cuda"))
    with pytest.raises(KernelError, match="'gpu', which does not: it runs on a GPU, and no CuPy in this Python was found"):
        kernels.use(conv2d="gpu").__enter__()


def test_default_is_the_first_for_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kernels.find("conv2d", "emulated").__name__.endswith(".gpu")
    assert kernels.find("matmul", "cuda").__name__.endswith(".vectorised")
    monkeypatch.setitem(TABLE, "conv2d", {"reference": TABLE["conv2d"]["reference"]})
    monkeypatch.setattr(choice, "prepared", {})
    assert kernels.find("conv2d").__name__.endswith(".reference")
    with pytest.raises(KernelError, match="an implementation for cuda"):
        kernels.find("conv2d", "cuda")


@pytest.mark.parametrize("base", [None, "reference"])
def test_registered_functions_run_over_their_base(base: str | None) -> None:
    called = []

    def forward(x: Any, w: Any, bias: Any, **geometry: Any) -> Any:
        called.append(sorted(geometry))
        with kernels.use(conv2d="im2col"):
            return conv2d.forward(x, w, bias, **geometry)

    kernels.register("conv2d", "mine", forward=forward, base=base)
    try:
        with kernels.use(conv2d="mine"):
            np.testing.assert_array_equal(conv2d.forward(X, W), conv2d.forward(X, W))
            expected = kernels.implementations("conv2d")[base or DEFAULT].module
            assert kernels.find("conv2d").grad_weight.__module__ == expected
        assert called == [["dilation", "groups", "padding", "stride"]] * 2
    finally:
        kernels.unregister("conv2d", "mine")
    with pytest.raises(KernelError, match="'mine'"):
        kernels.use(conv2d="mine").__enter__()


@pytest.mark.parametrize(("family", "function"), FUNCTIONS)
def test_check_finds_a_planted_error(family: str, function: str) -> None:
    contract, default = kernels.contract_of(family), kernels.default_of(family)
    right = getattr(kernels.functions_of(family, default), function)

    def wrong(*args: Any, **kwargs: Any) -> Any:
        returned = right(*args, **kwargs)
        if not is_array(returned) and not isinstance(returned, tuple) and returned is not None:
            return returned * 1.001
        spoil(outcome(contract, function, returned, (args, kwargs)))
        return returned

    kernels.register(family, "wrong", **{function: wrong})
    try:
        with kernels.use(**{family: "wrong"}), quiet():
            args, kwargs = call(family, function, default)
            getattr(kernels.find(family), function)(*args, **kwargs)  # unnoticed without the check
            args, kwargs = call(family, function, default)
            with kernels.checking(), pytest.raises(KernelError) as caught:
                getattr(kernels.find(family), function)(*args, **kwargs)
        text = str(caught.value)
        assert text.startswith(f"wrong of {family}: {function}"), text
        assert "as the reference gives" in text and "off by" in text and "at index (" in text and "1 of " in text, text
    finally:
        kernels.unregister(family, "wrong")


@pytest.mark.parametrize(("family", "function"), FUNCTIONS)
def test_check_passes_what_is_right(family: str, function: str) -> None:
    for name in kernels.available(family, "cpu"):
        args, kwargs = call(family, function, name)
        with kernels.use(**{family: name}), kernels.checking(), quiet():
            getattr(kernels.find(family), function)(*args, **kwargs)


BAD_KERNELS = [
    ("writes", lambda x, w, bias, **_: x.__imul__(2), ["a changed argument 0"]),
    ("dtype", lambda x, w, bias, **_: np.zeros((2, 4, 4, 4), np.float32), ["of float64, as the reference", "of float32"]),
    ("shape", lambda x, w, bias, **_: np.zeros((2, 4, 4, 5)), ["shape (2, 4, 4, 4)", "(2, 4, 4, 5)"]),
    (
        "nan",
        lambda x, w, bias, **_: np.full((2, 4, 4, 4), np.nan),
        ["at index (0, 0, 0, 0)", "nan", "128 of 128 values differ"],
    ),
]


@pytest.mark.parametrize(("name", "forward", "words"), BAD_KERNELS, ids=[row[0] for row in BAD_KERNELS])
def test_check_finds(name: str, forward: Any, words: list[str]) -> None:
    kernels.register("conv2d", name, forward=forward)
    try:
        with kernels.use(conv2d=name), kernels.checking(), pytest.raises(KernelError) as caught:
            conv2d.forward(X.copy(), W)
        assert all(word in str(caught.value) for word in words), caught.value
    finally:
        kernels.unregister("conv2d", name)


def test_check_takes_nan_and_infinity_as_they_are() -> None:
    x = X.copy()
    x[0, 0, 0, 0], x[1, 2, 3, 3], x[1, 3, 5, 5] = np.nan, np.inf, -np.inf
    with kernels.checking():
        assert np.isnan(conv2d.forward(x, W)).any()
        assert np.isnan(pool2d.avg_forward(x, (2, 2))).any()
        assert np.isnan(pool2d.max_forward(x, (2, 2))[0]).any()


def test_check_bound_holds_where_sums_cancel() -> None:
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((2, 16, 9, 9)) * 10.0 ** rng.integers(-4, 5, (2, 16, 9, 9))).astype(np.float32)
    w = rng.standard_normal((8, 16, 3, 3)).astype(np.float32)
    with kernels.checking():
        y = conv2d.forward(x, w, padding=((1, 1), (1, 1)))
        conv2d.grad_input(y, w, (9, 9), padding=((1, 1), (1, 1)))
        conv2d.grad_weight(x, y, (3, 3), padding=((1, 1), (1, 1)))


def test_checking_can_be_switched_off_inside() -> None:
    with kernels.checking(), kernels.checking(False):
        assert module_of("conv2d") == DEFAULT


IMAGES = np.random.default_rng(5).standard_normal((2, 16, 9, 10)).astype(np.float32)
WINDOWS = np.random.default_rng(6).standard_normal((16, 16, 3, 3)).astype(np.float32)
AROUND = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}


@pytest.mark.parametrize("name", kernels.available("conv2d", "cpu"))
def test_check_runs_what_runs_without_it(name: str) -> None:
    """Also functions that do two things at once, beside the reference's two."""
    with kernels.use(conv2d=name):
        plain = kernels.find("conv2d")
        there = [each for each in (*conv2d.OPTIONAL, *conv2d.QUESTIONS) if hasattr(plain, each)]
        with kernels.checking():
            assert [each for each in there if not hasattr(kernels.find("conv2d"), each)] == []
            y = conv2d.forward(IMAGES, WINDOWS, None, **AROUND, activation="relu")
            dx = conv2d.grad_input(y, WINDOWS, (9, 10), **AROUND, c_order=True)
        assert y.min() == 0 and dx.flags.c_contiguous
        np.testing.assert_array_equal(y, conv2d.forward(IMAGES, WINDOWS, None, **AROUND, activation="relu"))


@pytest.mark.parametrize("function", conv2d.OPTIONAL)
def test_check_finds_what_is_wrong_with_two_things_at_once(function: str) -> None:
    right: Any = kernels.find("conv2d")
    wrong = SimpleNamespace(**{function: lambda *args, **given: getattr(right, function)(*args, **given) - 0.01})
    run = checked("conv2d", "own", function, wrong, kernels.functions_of("conv2d", "reference"), conv2d)
    with pytest.raises(KernelError, match=f"own of conv2d: {function} at index"):
        run(IMAGES, WINDOWS, (9, 10) if function == "grad_input_in_c_order" else None, **AROUND)


def test_what_an_implementation_may_have_besides_is_registered_too() -> None:
    base: Any = kernels.functions_of("conv2d", DEFAULT)
    kernels.register("conv2d", "mine", base=DEFAULT, forward=base.forward, reads_c_order=lambda *sizes, **given: True)
    try:
        mine = kernels.functions_of("conv2d", "mine")
        assert mine.reads_c_order() and mine.grad_input_in_c_order is base.grad_input_in_c_order
        assert not hasattr(mine, "forward_relu")  # the base's is not of this forward
        with kernels.use(conv2d="mine"):
            assert conv2d.reads_c_order((1, 1, 2, 2), (1, 1, 1, 1), "cpu", **AROUND)
            y = conv2d.forward(IMAGES, WINDOWS, None, **AROUND, activation="relu")
        np.testing.assert_allclose(y, np.maximum(base.forward(IMAGES, WINDOWS, None, **AROUND), 0))
    finally:
        kernels.unregister("conv2d", "mine")
    kernels.register("conv2d", "mine", base=DEFAULT, forward=base.forward, forward_relu=base.forward_relu)
    try:
        assert kernels.functions_of("conv2d", "mine").forward_relu is base.forward_relu
    finally:
        kernels.unregister("conv2d", "mine")
