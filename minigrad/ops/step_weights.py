"""What many steps of one graph share: weights rearranged once for all steps, and gradients made in one product.

A decoder calls its cell once a step, and each call would rearrange the same weights for the kernel, and on the way back
multiply a few rows into a gradient of the weights' full size. Instead the steps of one graph share a :class:`Gather`, a node
that stands between the weights and the steps. It hands the weights on as they are, besides a *ticket* without elements. On the
way back a step leaves what it has, such as (da, x, h), with the walk and sends nothing but a gradient for the ticket. The node
is older than all steps, so it is reached when all of them are done, and makes the products of all their rows at once.

Gradients that steps send for the weights themselves, as they do while a backward pass is recorded or watched, add to that.

Cells begin with their first step, by a :class:`StepWeights`, which also holds a memo for the kernel, valid while the weights
are unchanged, which their version counters tell. An op that is mostly called once in a graph, such as ``Linear``, leaves a weak
reference to its node with the weight (:func:`called`); if there is a second call while that way back is still to come,
:func:`repeated` begins to gather, for all calls but the first.

All this lives as long as a graph that uses it. A new one is begun when the weights have changed, and after a way back through
the old. Steps that nothing records have no graph; they keep the memo in a :class:`Stepping`, where there is one.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from minigrad.core.device import Array, array_module
from minigrad.core.tape import Function, hang, mode
from minigrad.core.tensor import Tensor

Four = tuple[Any, Any, Any, Any]  # of weight_ih, weight_hh, bias_ih, bias_hh
Given = tuple[Any, ...]  # weights; None for one that is not there
Piece = tuple[Array, ...]  # what a step leaves, such as da, x and h
ROWS = 2048  # that are gathered into one product: more are no faster, and take memory
SMALL = 1 << 15  # elements of a piece that may always wait until the end


class Gather(Function):
    """Weights, as they are, and a ticket;  dW = Σ dyᵀ x and its like, over all steps' rows at once.

    Attributes:
        products: makes the gradients, from which of them are wanted and the parts of all pieces, joined along ``axis``.
        versions: of the weights.
        nothing: the gradient of the ticket.
        spent: a way back came here.
    """

    _materialize = False
    spent = False
    products: Callable[..., Sequence[Any]]
    axis: int
    versions: tuple[Any, ...]
    nothing: Tensor

    @staticmethod
    def over(given: Given, products: Callable[..., Sequence[Any]], axis: int = 0) -> Gather:
        """A new one, of these weights."""
        node = Gather()
        node.products, node.axis, node.versions = products, axis, _versions(given)
        node._outputs, node._meta = len(given) + 1, (None,) * (len(given) + 1)
        like = next(weight.array for weight in given if weight is not None)
        node.nothing = Tensor._wrap(array_module(like).empty(0, like.dtype))
        hang(node, *given)
        return node

    def handed_on(self, given: Given) -> tuple[Any, ...]:
        """The weights, each as an output of this node if it requires grad, and the ticket."""
        twins = []
        for nr, weight in enumerate(given):
            if self.edges[nr] is not None:
                weight = weight.detach()
                weight._adopt(self, nr)
            twins.append(weight)
        ticket = Tensor._wrap(self.nothing.array)
        ticket._adopt(self, len(given))
        return *twins, ticket

    def fits(self, given: Given) -> bool:
        """Whether calls with these weights may share this."""
        if self.spent or self.versions != _versions(given):
            return False
        for edge, weight in zip(self.edges, given):
            if edge is not None and (edge[0] is not (weight._node or weight) or edge[1] != weight.output_nr):
                return False
        return True

    @property
    def gathers(self) -> bool:
        """Whether a step that goes back now may leave its piece: not where its gradients are recorded or looked at."""
        return mode.walk is not None and not mode.grad and not mode.observers

    def leave(self, *piece: Array) -> Tensor:
        """Leave a step's piece with the walk that runs. The gradient of the ticket comes back."""
        mode.walk.left_behind.setdefault(self, []).append(piece)
        return self.nothing

    def backward(ctx, *grads: Any) -> Any:
        ctx.spent = True
        need = ctx.needs_input_grad
        sums = list(grads[:-1])
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
        while count < len(pieces) and (not count or rows + pieces[count][0].shape[node.axis] <= ROWS):
            rows += pieces[count][0].shape[node.axis]
            count += 1
        taken = pieces[:count]
        del pieces[:count]
        parts = [_joined([piece[part] for piece in taken], node.axis) for part in range(len(taken[0]))]
        del taken
        found = node.products(need, *parts)
        del parts
        if not sums:
            sums = list(found)
            continue
        for place, grad in enumerate(found):
            if grad is not None:
                sums[place] += grad
    return [[None if grad is None else Tensor._wrap(grad) for grad in sums]] if sums else []


def _joined(arrays: list[Array], axis: int) -> Array:
    return arrays[0] if len(arrays) == 1 else array_module(arrays[0]).concatenate(arrays, axis=axis)


def as_rows(x: Array) -> Array:
    """(..., D) as (rows, D)."""
    return x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def _versions(given: Given) -> tuple[Any, ...]:
    return tuple([None if each is None else (each._counter[0], each._requires_grad) for each in given])


# ---------------------------------------------------------------------- cells


class StepWeights:
    """The weights of a cell that takes many steps in one graph: see the file's docstring.

    Attributes:
        weights: what steps take in place of the weights.
        ticket: what they take besides, to tell that they gather; ``None`` where no weight requires grad.
        memo: for the kernel.
        node: where gradients are gathered; ``None`` where there are none.
    """

    __slots__ = ("__weakref__", "given", "memo", "node", "ticket", "versions", "weights")

    def __init__(self, given: Four, products: Callable[..., Four] | None) -> None:
        self.given, self.memo = given, dict[Any, Any]()
        self.versions = _versions(given)
        self.weights: Four = given
        self.node: Gather | None = None
        self.ticket: Tensor | None = None
        if products is not None and any(weight is not None and weight.requires_grad for weight in given):
            self.node = Gather.over(given, products)
            *weights, self.ticket = self.node.handed_on(given)
            self.weights = tuple(weights)

    def fits(self, given: Four) -> bool:
        """Whether steps with these weights may share this."""
        return (
            all(one is other for one, other in zip(self.given, given))
            and self.versions == _versions(given)
            and not (self.node is not None and self.node.spent)
        )

    @property
    def gathers(self) -> bool:
        """Whether a step that goes back now may leave its piece."""
        return self.node is not None and self.node.gathers

    def leave(self, da: Array, x: Array, h: Array) -> Tensor:
        """Leave a step's piece with the walk that runs. The gradient of the ticket comes back."""
        return self.node.leave(da, x, h)  # type: ignore[union-attr]


def step_weights(given: Four, products: Callable[..., Four]) -> StepWeights | None:
    """What steps with these weights share now; ``None`` where nothing is recorded or kept, or someone watches the ops.

    Args:
        given: weight_ih, weight_hh, bias_ih, bias_hh; ``None`` for a bias that is not there.
        products: makes the gradients, from which of them are wanted and da, x and h of many rows.
    """
    if mode.observers or any(each is not None and each._counter is None for each in given):
        return None
    if not mode.grad:
        return None if mode.stepping is None else mode.stepping.weights(given)
    place = given[1].__dict__
    reference = place.get("_step_weights")
    found = None if reference is None else reference()
    if found is None or not found.fits(given):
        found = StepWeights(given, products)
        place["_step_weights"] = weakref.ref(found)
    return found


class Stepping:
    """Recurrent and linear layers that are called for one step after the other, without gradients, rearrange weights once.

    A kernel wants a layer's weights in another order than they lie in. Over many steps at once that costs nothing to speak of;
    for a single step it takes longer than the step. Inside ``with stepping:`` what was rearranged is kept, until the weights
    change or the object is gone. Steps that gradients are recorded of need none of this: see ``step_weights.py``.

    One object serves one thread at a time, is entered as often as one likes, and inside another it stands in its place.

    Example:
        >>> import minigrad
        >>> layer, state, stepping = minigrad.nn.LSTM(3, 5), None, Stepping()
        >>> for _ in range(4):
        ...     with minigrad.no_grad(), stepping:
        ...         y, state = layer(minigrad.ones(1, 2, 3), state)
        >>> y.shape
        minigrad.Size([1, 2, 5])
    """

    def __init__(self) -> None:
        self._kept: dict[int, StepWeights] = {}
        self._before: list[Stepping | None] = []

    def __enter__(self) -> Stepping:
        self._before.append(mode.stepping)
        mode.stepping = self
        return self

    def __exit__(self, *_: Any) -> None:
        mode.stepping = self._before.pop()

    def weights(self, given: Four) -> StepWeights:
        """What the steps of a layer with these weights share."""
        key = id(given[1])  # which lives as long as what is kept for it
        found = self._kept.get(key)
        if found is None or not found.fits(given):
            found = self._kept[key] = StepWeights(given, None)
        return found


def kept_weights(weight: Tensor) -> dict[Any, Any] | None:
    """What a kernel may keep of a layer's weight for the steps of the ``Stepping`` that is entered; ``None`` without one.

    Nor of what is no parameter: a weight made anew for each call would be kept with all the others.
    """
    if mode.stepping is None or mode.grad or mode.observers or weight._counter is None or not weight._requires_grad:
        return None
    return mode.stepping.weights((None, weight, None, None)).memo


# ---------------------------------------------------------------------- ops that may be called once, or many times


def worth(piece: int, gradient: int) -> bool:
    """Whether pieces of so many elements are left rather than made a gradient of so many, which they should not outweigh."""
    return 2 * piece <= gradient or piece <= SMALL


def called(role: str, weight: Tensor, node: Function | None) -> None:
    """Note that ``node`` is a call with this weight, so that the next one may begin to gather."""
    if node is not None:
        weight.__dict__[role] = weakref.ref(node)


def repeated(role: str, given: Given, products: Callable[..., Sequence[Any]], axis: int = 0) -> Gather | None:
    """Where a call leaves its piece; ``None`` for the first call of a graph, and where nothing is recorded or someone watches.

    Args:
        role: a name for the part that the first of ``given``, which requires grad, plays in the op.
        given: the weights; ``None`` for one that is not there.
        products: makes the gradients, from which of them are wanted and the parts of many pieces.
        axis: along which pieces' parts are joined.
    """
    reference = given[0].__dict__.get(role)
    if reference is None or mode.observers:
        return None
    found = reference()
    if found is None or any(each is not None and each._counter is None for each in given):
        return None
    if type(found) is Gather:
        return found if found.fits(given) else None
    if found._saved is None:  # a way back has been there
        return None
    found = Gather.over(given, products, axis)
    given[0].__dict__[role] = weakref.ref(found)
    return found


__all__: list[str] = []
