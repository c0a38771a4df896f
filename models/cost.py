"""What a network costs, told before it is made or trained: parameters, multiplications, memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from math import comb
from typing import Any

import minigrad
from minigrad import Tensor, nn
from minigrad.core.machine import memory
from minigrad.errors import OutOfMemoryError
from minigrad.models.cnn import build

KNOBS = "width, hidden, image_size or batch_size, or a larger accumulate"  # settings that change what a classifier needs
NUMBER = 4  # bytes of a float32
COPIES = 4  # of each parameter in training: itself, its gradient, and what the optimiser keeps
DEGREES = {"width": 2, "hidden": 1}  # in these options the number of parameters is a polynomial of such a degree


def parameters(name: str, shape: tuple[int, int, int], classes: int, **options: Any) -> int:
    """How many parameters ``build`` would give a network, found without the memory for it.

    The number is a polynomial in the width, the hidden size and the number of classes, so that tiny networks tell it.

    Raises:
        ArgumentError: what ``build`` refuses.

    Example:
        >>> network = build("cnn", (1, 28, 28), 10, width=8, hidden=16)
        >>> parameters("cnn", (1, 28, 28), 10, width=8, hidden=16) == sum(p.numel() for p in network.parameters())
        True
        >>> parameters("resnet20", (3, 32, 32), 10, width=10**9)
        1044000000153000000010
    """
    sizes = {key: value for key, value in options.items() if key in DEGREES}
    if any(type(value) is not int or value < 1 for value in (classes, *sizes.values())):
        build(name, shape, classes, **options)  # which says what is wrong

    def tiny(classes: int, **chosen: int) -> int:
        return sum(p.numel() for p in build(name, shape, classes, **{**options, **chosen}).parameters())

    return continued(tiny, {"classes": (classes, 1), **{key: (value, DEGREES[key]) for key, value in sizes.items()}})


def continued(count: Callable[..., int], arguments: Mapping[str, tuple[int, int]]) -> int:
    """``count`` at arguments that would take much memory, of which it is a polynomial: found at small ones.

    Args:
        count: how many parameters a network has, which it makes.
        arguments: of each its value, and the polynomial's degree in it.

    Example:
        >>> continued(lambda a, b: 3 * a * a * b + 5, {"a": (10**6, 2), "b": (7, 1)})
        21000000000005
    """
    for key, (value, degree) in arguments.items():
        count = _given(count, key, value, degree)
    with minigrad.random.fork_rng():
        return count()


def _given(count: Callable[..., int], key: str, value: int, degree: int) -> Callable[..., int]:
    """``count`` with one argument given: the value of the polynomial through its values at 1, 2, ... (Newton's formula)."""

    def given(**others: int) -> int:
        row = [count(**{key: point}, **others) for point in range(1, degree + 2)]
        total = 0
        for order in range(degree + 1):
            total += row[0] * comb(value - 1, order)
            row = [after - before for before, after in pairwise(row)]
        return total

    return given


def multiplications(
    network: nn.Module, shape: tuple[int, int, int], counts: Callable[[nn.Module], bool] = lambda layer: True
) -> int:
    """How many multiplications the convolutions and linear layers of a network take for one image.

    Args:
        network: any.
        shape: (C, H, W) of the image.
        counts: which of these layers are counted; all where nothing is said.

    Example:
        >>> multiplications(nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Flatten(), nn.Linear(32, 10)), (1, 4, 4))
        608
    """

    def count(module: nn.Module, output: Tensor) -> int:
        if not isinstance(module, (nn.Conv2d, nn.Linear)) or not counts(module):
            return 0
        return module.weight.numel() * (output.shape[2] * output.shape[3] if output.ndim == 4 else 1)

    return _over_layers(network, shape, count)


def activations(network: nn.Module, shape: tuple[int, int, int]) -> int:
    """How many numbers the layers of a network compute for one image, all of which training keeps for the way back.

    Example:
        >>> activations(nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Flatten(), nn.Linear(32, 10)), (1, 4, 4))
        42
    """
    passed_on = (nn.Flatten, nn.Identity, nn.Dropout)
    return _over_layers(network, shape, lambda module, output: 0 if isinstance(module, passed_on) else output.numel())


def _over_layers(network: nn.Module, shape: tuple[int, int, int], count: Callable[[nn.Module, Tensor], int]) -> int:
    """The sum over the layers of a network, for one image."""
    counts: list[int] = []
    layers = [module for module in network.modules() if not any(module.children())]
    handles = [
        layer.register_forward_hook(lambda module, inputs, output: counts.append(count(module, output))) for layer in layers
    ]
    was = network.training
    try:
        with minigrad.no_grad():
            network.eval()(minigrad.zeros(1, *shape))
    finally:
        network.train(was)
        for handle in handles:
            handle.remove()
    return sum(counts)


def check_memory(numbers: int, what: str, task: str = "classify", knobs: str = KNOBS) -> None:
    """Refuse what needs more memory than this process may have: most systems would end the process, or stand still.

    Args:
        numbers: how many float32 are needed at once, at least.
        what: what needs them.
        task: the word of the task.
        knobs: the settings that change it, as they stand behind "Try smaller ones of".

    Raises:
        OutOfMemoryError: it has not so much.
    """
    try:
        machine = memory()
    except (OSError, ValueError):  # the system does not say
        return
    there = machine.total if machine.limit is None else min(machine.total, machine.limit)
    needed = numbers * NUMBER
    if needed > there:
        remedy = f"Try smaller ones of {knobs} (--set KEY=VALUE)"
        expected = f"what fits into the {there / 1e9:.1f} GB of memory that this process may have"
        raise OutOfMemoryError(task, what, expected, f"{needed / 1e9:,.1f} GB at least", remedy)
