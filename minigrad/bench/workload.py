"""What a training step must tell of itself, so that it can be checked, timed, and compared with a peer's.

A workload is written once, against a module ``m`` with PyTorch's names, and runs with ``minigrad`` or ``torch`` for it::

    def make(m, *, batch, width):
        rng = np.random.default_rng(0)                        # weights and inputs: from NumPy, so that they are the same in all
        layer = m.nn.Linear(width, 1)
        with m.no_grad():
            for parameter in layer.parameters():
                parameter.copy_(m.tensor(rng.normal(0, 0.1, tuple(parameter.shape)).astype(np.float32)))
        sets = [m.tensor(rng.normal(size=(batch, width)).astype(np.float32)) for _ in range(INPUT_SETS)]
        optimizer, turn = m.optim.SGD(layer.parameters(), lr=0.01), itertools.cycle(sets)

        def step():                                           # one training step on the next input, all of it done
            optimizer.zero_grad()
            loss = layer(next(turn)).square().mean()
            loss.backward()
            optimizer.step()
            return loss.item()

        return step

    def flops(*, batch, width):
        return 6 * batch * width

    WORKLOAD = Workload("line", "one linear layer, SGD", make, {"batch": 64, "width": 32}, flops)

The package of workloads has a table ``WORKLOADS`` of names to ``"module:ATTRIBUTE"``, each of which is such an object. Nothing
is imported before its first use.

What the instrument does with it: it makes the step with ``sizes | small`` for both modules and compares the losses of the first
steps; makes it anew with ``sizes``; times the two in turn; and compares the losses of all timed steps. So a step that leaves
out its update, or hands back its last loss, is found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Step = Callable[[], float]

INPUT_SETS = 4  # different inputs that a step takes in turn; what remembers its last result is found by them


@dataclass(frozen=True)
class Workload:
    """A training step to be timed.

    Attributes:
        name: what the user calls it, such as ``"resnet20"``.
        about: a line that says what it is: layers, optimiser.
        make: ``make(m, **sizes)`` gives the step for a module ``m``: a call without arguments that does ``calls`` training
            steps on the next of at least ``INPUT_SETS`` inputs, and gives the last one's loss as a Python float. Two modules
            must get the same weights and inputs: draw them with NumPy.
        sizes: what ``make`` takes by keyword, with the sizes that are timed (``{"batch": 128}``).
        flops: ``flops(**sizes)``: arithmetic operations of one call of the step, a multiplication and an addition counting two.
        bytes: ``bytes(**sizes)``: the least number of bytes that a call must read and write, or ``None`` where nobody counted.
        small: sizes for the check before timing, where they differ from ``sizes``.
        calls: training steps in one call of the step: many for a step of microseconds.
        tolerance: how far two losses may be apart, relative to their size, in the steps that are compared.
        peer_threads: numbers of threads among which the peer has its choice.
        others: a peer's name -> a ``make`` without ``m``, for libraries whose names are not PyTorch's (``"chainer"``).
    """

    name: str
    about: str
    make: Callable[..., Step]
    sizes: Mapping[str, int]
    flops: Callable[..., float]
    bytes: Callable[..., float] | None = None
    small: Mapping[str, int] = field(default_factory=dict)
    calls: int = 1
    tolerance: float = 1e-3
    peer_threads: tuple[int, ...] = (1, 2)
    others: Mapping[str, Callable[..., Step]] = field(default_factory=dict)
