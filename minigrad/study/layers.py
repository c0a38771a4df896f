"""The layers of a network, the shapes between them and where its parameters are, as the rows of a short table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor
from minigrad.errors import DTypeError
from minigrad.nn import Module, Sequential
from minigrad.ops.creation import zeros


class Row(NamedTuple):
    """A line of the table.

    Attributes:
        layer: its path and kind.
        shape: of one sample behind it; empty where the sample does not come through it as one tensor.
        parameters: how many numbers are learnt in it.
    """

    layer: str
    shape: tuple[int, ...]
    parameters: int


def describe(model: Module, shape: tuple[int, ...]) -> list[Row]:
    """What a network is made of, found by sending one sample of zeros through it.

    The rows are the modules right below the network; a ``Sequential`` of single layers gives a row for each of them, one of
    blocks is a single row. Left out is what has no parameters and leaves the shape as it is, such as an activation. The last
    row is the whole network, with parameters of its own counted too. Nothing about the network is changed.

    Args:
        model: a network that takes one float tensor (N, ...) and returns one.
        shape: of one sample, without N.

    Raises:
        DTypeError: the network returns something other than a Tensor.

    Example:
        >>> from minigrad import nn
        >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
        >>> for row in describe(net, (1, 8, 8)):
        ...     print(*row)
        0 Conv2d (4, 6, 6) 40
        2 Flatten (144,) 0
        3 Linear (10,) 1450
        Sequential (10,) 1490
    """
    paths = dict(_shown(model))
    seen: dict[Module, tuple[tuple[int, ...], tuple[int, ...]]] = {}

    def note(module: Module, args: tuple, output: Any) -> None:
        if isinstance(output, Tensor) and args and isinstance(args[0], Tensor):
            seen.setdefault(module, (tuple(args[0].shape[1:]), tuple(output.shape[1:])))

    first = next(model.parameters(), None)
    sample = zeros(1, *shape) if first is None else zeros(1, *shape, dtype=first.dtype, device=first.device)
    before = {module: (module.training, module._hooks) for module in model.modules()}
    handles = [module.register_forward_hook(note) for module in paths]
    try:
        model.eval()
        with no_grad():
            output = model(sample)
    finally:
        for handle in handles:
            handle.remove()
        for module, (training, hooks) in before.items():
            module.training, module._hooks = training, hooks  # without hooks again, it is called without looking for them
    if not isinstance(output, Tensor):
        raise DTypeError("describe", "model", "a network that returns a Tensor", f"a {type(output).__name__}")
    rows = []
    for module, path in paths.items():
        taken, given = seen.get(module, ((), ()))
        count = _count(module)
        if count or taken != given:
            rows.append(Row(f"{path} {_kind(module)}", given, count))
    return [*rows, Row(type(model).__name__, tuple(output.shape[1:]), _count(model))]


def _shown(model: Module, prefix: str = "") -> Iterator[tuple[Module, str]]:
    """The modules that have a row, with their paths."""
    for name, child in model.named_children():
        single = isinstance(child, Sequential) and all(not any(part.children()) for part in child)
        if single and len(child):
            yield from _shown(child, f"{prefix}{name}.")
        else:
            yield child, f"{prefix}{name}"


def _kind(module: Module) -> str:
    """The name of the class; of a Sequential of blocks those of its parts, ``3 BasicBlock``."""
    if not isinstance(module, Sequential):
        return type(module).__name__
    parts = Counter(type(part).__name__ for part in module)
    return ", ".join(f"{count} {name}" for name, count in parts.items()) or "Sequential"


def _count(module: Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
