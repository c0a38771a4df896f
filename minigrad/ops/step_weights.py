"""The weights of a cell that takes many steps in one graph: rearranged once for all steps, their gradients made in one product.

A decoder calls its cell once a step, and each call would rearrange the same weights for the kernel, and on the way back
multiply a few rows into a gradient of the weights' full size. Instead the steps of one graph share a :class:`StepWeights`,
which holds

- a memo for the kernel, valid while the weights are unchanged, which their version counters tell;
- a node that stands between the weights and the steps. It hands the weights on as they are, besides a *ticket* without
  elements.
  On the way back a step leaves what it has, (da, x, h), with the walk and sends nothing but a gradient for the ticket. The node
  is older than all steps, so it is reached when all of them are done, and makes the products of all their rows at once.

Gradients that steps send for the weights themselves, as they do while a backward pass is recorded or watched, add to that.

It lives as long as a graph that uses it. A new one is begun when the weights have changed, and after a way back through the
old.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function, hang, mode
from minigrad.core.tensor import Tensor

Four = tuple[Any, Any, Any, Any]  # of weight_ih, weight_hh, bias_ih, bias_hh
Piece = tuple[Array, Array, Array]  # da, x and h of one step
ROWS = 2048  # that are gathered into one product: more are no faster, and take memory


class Gather(Function):
    """Weights, as they are, and a ticket;  dW_ih = Σ daᵀ x, dW_hh = Σ daᵀ h, db = Σ da, over all steps' rows at once."""

    spent = False
    products: Callable[[Sequence[bool], Array, Array, Any], Four]

    def backward(ctx, *grads: Any) -> Any:
        ctx.spent = True
        need = ctx.needs_input_grad
        sums = list(grads[:4])
        for found in gathered(ctx, mode.walk.left_behind.pop(ctx, []), need):
            for place, grad in enumerate(found):
                if grad is not None:
                    sums[place] = grad if sums[place] is None else sums[place] + grad
        return tuple(sums)


def gathered(node: Gather, pieces: list[Piece], need: Sequence[bool]) -> Any:
    """The gradients of all pieces, some thousand rows at a time; the pieces are let go of as they are used."""
    pieces.reverse()  # as the steps were taken: memory in the order in which it was filled
    sums: list[Any] = []
    while pieces:
        rows, count = 0, 0
        while count < len(pieces) and (not count or rows + len(pieces[count][0]) <= ROWS):
            rows += len(pieces[count][0])
            count += 1
        taken = pieces[:count]
        del pieces[:count]
        da, x, h = (_joined([piece[part] for piece in taken]) for part in range(3))
        del taken
        found = node.products(need, da, x, h)
        if not sums:
            sums = list(found)
            continue
        for place, grad in enumerate(found):
            if grad is not None:
                sums[place] += grad
    return [[None if grad is None else Tensor._wrap(grad) for grad in sums]] if sums else []


def _joined(arrays: list[Array]) -> Array:
    return arrays[0] if len(arrays) == 1 else array_module(arrays[0]).concatenate(arrays)


class StepWeights:
    """See the file's docstring.

    Attributes:
        weights: what steps take in place of the weights.
        ticket: what they take besides, to tell that they gather; ``None`` where no weight requires grad.
        memo: for the kernel.
        node: where gradients are gathered.
        nothing: the gradient of the ticket.
    """

    __slots__ = ("__weakref__", "given", "memo", "node", "nothing", "ticket", "versions", "weights")

    def __init__(self, given: Four, products: Callable[..., Four]) -> None:
        self.given, self.memo = given, dict[Any, Any]()
        self.versions = _versions(given)
        self.weights: Four = given
        self.node: Gather | None = None
        self.ticket: Tensor | None = None
        self.nothing: Tensor | None = None
        if any(weight is not None and weight.requires_grad for weight in given):
            node = Gather()
            node.products, node._materialize, node._outputs, node._meta = products, False, 5, (None,) * 5
            hang(node, *given)
            self.node = node
            self.weights = tuple([_through(node, nr, weight) for nr, weight in enumerate(given)])  # type: ignore[assignment]
            like = given[1].array
            self.ticket = Tensor._wrap(array_module(like).empty(0, like.dtype))
            self.ticket._adopt(node, 4)
            self.nothing = Tensor._wrap(self.ticket.array)

    def fits(self, given: Four) -> bool:
        """Whether steps with these weights may share this."""
        return (
            all(one is other for one, other in zip(self.given, given))
            and self.versions == _versions(given)
            and not (self.node is not None and self.node.spent)
        )

    @property
    def gathers(self) -> bool:
        """Whether a step that goes back now may leave its piece: not where its gradients are recorded or looked at."""
        return self.node is not None and mode.walk is not None and not mode.grad and not mode.observers

    def leave(self, da: Array, x: Array, h: Array) -> Tensor:
        """Leave a step's piece with the walk that runs. The gradient of the ticket comes back."""
        mode.walk.left_behind.setdefault(self.node, []).append((da, x, h))
        return self.nothing  # type: ignore[return-value]


def _through(node: Gather, nr: int, weight: Tensor | None) -> Tensor | None:
    """The same weight, from the node."""
    if weight is None or not weight.requires_grad:
        return weight
    twin = weight.detach()
    twin._adopt(node, nr)
    return twin


def _versions(given: Four) -> tuple[Any, ...]:
    return tuple([None if each is None else (each._counter[0], each._requires_grad) for each in given])


def step_weights(given: Four, products: Callable[..., Four]) -> StepWeights | None:
    """What steps with these weights share now; ``None`` where nothing is recorded, or someone watches the ops.

    Args:
        given: weight_ih, weight_hh, bias_ih, bias_hh; ``None`` for a bias that is not there.
        products: makes the gradients, from which of them are wanted and da, x and h of many rows.
    """
    if not mode.grad or mode.observers or any(each is not None and each._counter is None for each in given):
        return None
    place = given[1].__dict__
    reference = place.get("_step_weights")
    found = None if reference is None else reference()
    if found is None or not found.fits(given):
        found = StepWeights(given, products)
        place["_step_weights"] = weakref.ref(found)
    return found


__all__: list[str] = []
