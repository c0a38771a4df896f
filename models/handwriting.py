"""Handwriting: recurrent layers that say where the pen goes next, told by a window over a text what is to be written.

    minigrad train handwriting --data hershey

Graves 2013, arXiv:1308.0850, sections 4 and 5, without peepholes; and, beside the paper's outputs, the chance that nothing
follows a lift of the pen: a hand that has only its window to go by stops before the last dot, or after a stroke too much.
The first layer learns at each point what the window shows,
which follows from the point before: it goes step by step. The second and third know their whole input when the first is
done, and run at once. Sequences are T B: time, then the rows of a batch; a text has U letters out of A; H hidden units, K bells
of the window, M distributions of the mixture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import minigrad
import minigrad.nn.functional as F
from minigrad import Tensor, nn
from minigrad.errors import ArgumentError, ShapeError
from minigrad.nn.checks import check_counts, check_probability
from minigrad.nn.utils.rnn import PackedSequence, pack_padded_sequence

OUTPUT_LIMIT, LAYER_LIMIT = 100.0, 10.0  # of derivatives of a sequence's nats, as in the paper: of outputs, of LSTM layers
START = (0.0, 0.0, 1.0)  # what comes before the first point: the pen stands still, lifted


class State(NamedTuple):
    """What goes on from point to point.

    Attributes:
        first, second, third: h and c of each layer, (B, H).
        shown: what the window showed last, (B, A).
        kappa: the places of its bells, (B, K).
    """

    first: tuple[Tensor, Tensor]
    second: tuple[Tensor, Tensor]
    third: tuple[Tensor, Tensor]
    shown: Tensor
    kappa: Tensor


class HandwritingLSTM(nn.Module):
    """Three LSTM layers, each of which sees the point, the window and the layer below; a linear layer on all three.

    Args:
        letters: A.
        hidden: H.
        windows: K.
        mixtures: M.
        pace: letters for a point, with which the window begins: what data have, or it would first have to learn to read slowly.
        dropout: share of each layer's outputs that is zeroed in training on the way up (Zaremba et al. 2014, arXiv:1409.2329).

    Shapes: points (T, B, 3): two offsets, and 1 where the pen is lifted after this point; text (B, U, A), one-hot letters, and
    zeros behind the end of a shorter one; outputs (T, B, 1 + 6 M + 1) of the point after each, as ``F.bivariate_mixture_nll``
    takes them, and last the logit of the chance that nothing follows if the pen is lifted after it: see ``nats``.

    Raises:
        ArgumentError, DTypeError: an argument out of range.
        ShapeError: when called, points or text of other shapes.

    Example:
        >>> net = HandwritingLSTM(5, hidden=8, windows=2, mixtures=3)
        >>> text = net.letters(minigrad.tensor([[0, 3], [4, 0]]), minigrad.tensor([2, 1]))
        >>> outputs, state, weights = net(minigrad.zeros(7, 2, 3), text)
        >>> outputs.shape, weights.shape, text.sum().item()
        (minigrad.Size([7, 2, 20]), minigrad.Size([7, 2, 2]), 3.0)
    """

    def __init__(
        self,
        letters: int,
        *,
        hidden: int = 256,
        windows: int = 10,
        mixtures: int = 20,
        pace: float = 0.05,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_counts("HandwritingLSTM", 1, letters=letters, hidden=hidden, windows=windows, mixtures=mixtures)
        check_probability("HandwritingLSTM", dropout, "dropout")
        if not 0 < pace <= 1:
            raise ArgumentError("HandwritingLSTM", "pace", "letters for a point, above 0 and at most 1", repr(pace))
        self.alphabet, self.windows, self.mixtures = letters, windows, mixtures
        self.first = nn.LSTMCell(3 + letters, hidden)
        self.window = nn.Linear(hidden, 3 * windows)
        self.second, self.third = (nn.LSTM(3 + letters + hidden, hidden) for _ in range(2))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(3 * hidden, 1 + 6 * mixtures + 1)
        bias: Any = self.window.bias
        with minigrad.no_grad():
            bias[:windows] -= math.log(windows)  # one letter's weight in all
            bias[2 * windows :] += math.log(pace)

    def letters(self, numbers: Tensor, lengths: Tensor | None = None) -> Tensor:
        """One-hot letters (B, U, A) of texts.

        Args:
            numbers: int64 (B, U), which letter each is.
            lengths: int64 (B,), how many letters each text has: behind them are zeros, which the window does not see.

        Raises:
            IndexingError: a number below 0, or beyond the last letter's.
        """
        found = F.one_hot(numbers, self.alphabet).to(self.head.weight)
        if lengths is None:
            return found
        there = minigrad.arange(numbers.shape[1], device=numbers.device) < lengths.unsqueeze(1)
        return found * there.unsqueeze(2).to(found)

    def forward(self, points: Tensor, text: Tensor, state: State | None = None) -> tuple[Tensor, State, Tensor]:
        """The outputs after each point, the state after the last, and the weight of each letter at each point (T, B, U)."""
        if points.ndim != 3 or points.shape[2] != 3 or not points.shape[0]:
            raise ShapeError("HandwritingLSTM", "points", "shape (T, B, 3), T at least 1", f"shape {tuple(points.shape)}")
        steps, batch, _ = points.shape
        self._check_text(text, batch)
        rows, state, weights = self._run(points.reshape(-1, 3), [batch] * steps, text, state, 0.0)
        return rows.reshape(steps, batch, -1), state, minigrad.stack(weights)

    def packed(self, points: Tensor, lengths: Tensor, text: Tensor, share: float = 0.0) -> tuple[Tensor, Tensor]:
        """The outputs before each point of sequences of several lengths, and these points; nothing is computed behind an end.

        Args:
            points: (T, B, 3), filled up behind the end of a shorter sequence.
            lengths: (B,), int64: how many points each has.
            text: (B, U, A).
            share: the factor of a point's nats in the loss. Their derivatives are clipped as in the paper, to 100 where they
                enter the outputs, to 10 where they enter a layer's; both times this. 0: not clipped.

        Returns:
            Outputs (R, 1 + 6 M + 1) and points (R, 4) of R points in all, those that come first in their sequences first; the
            fourth number is 1 at the last point of a sequence.
        """
        if points.ndim != 3 or points.shape[2] != 3:
            raise ShapeError("HandwritingLSTM", "points", "shape (T, B, 3)", f"shape {tuple(points.shape)}")
        self._check_text(text, points.shape[1])
        start = minigrad.tensor(START, dtype=points.dtype, device=points.device).expand(1, points.shape[1], 3)
        known, sizes, order, _ = pack_padded_sequence(minigrad.cat((start, points[:-1])), lengths, enforce_sorted=False)
        number = minigrad.arange(points.shape[0], device=lengths.device).unsqueeze(1)
        last = (number == lengths - 1).to(points).unsqueeze(2)
        target = pack_padded_sequence(minigrad.cat((points, last), 2), lengths, enforce_sorted=False).data
        return self._run(known, sizes.tolist(), text if order is None else text[order], None, share)[0], target

    def _run(
        self, rows: Tensor, sizes: Sequence[int], text: Tensor, state: State | None, share: float
    ) -> tuple[Tensor, State, list[Tensor]]:
        """Rows of a packed batch, the longest sequences first, through all layers."""
        state = self._start(text, rows) if state is None else state
        (h, c), shown, kappa = state.first, state.shown, state.kappa
        hidden, seen, weights = [], [], []
        for point in rows.split(list(sizes)):
            count = point.shape[0]
            if count < h.shape[0]:  # sequences that have ended
                h, c, shown, kappa, text = (part[:count] for part in (h, c, shown, kappa, text))
            h, c = self.first(minigrad.cat((point, shown), 1), (h, c))
            h = clipped(h, LAYER_LIMIT * share)
            shown, kappa, phi = F.soft_window(self.window(h), kappa, text)
            hidden.append(h)
            seen.append(shown)
            weights.append(phi)
        outer, one = minigrad.cat((rows, minigrad.cat(seen)), 1), minigrad.cat(hidden)
        batch_sizes = minigrad.tensor(sizes, dtype=minigrad.int64, device="cpu")
        two, second = self._layer(self.second, outer, one, batch_sizes, state.second, share)
        three, third = self._layer(self.third, outer, two, batch_sizes, state.third, share)
        outputs = self.head(self.dropout(minigrad.cat((one, two, three), 1)))
        return clipped(outputs, OUTPUT_LIMIT * share), State((h, c), second, third, shown, kappa), weights

    def _layer(
        self, layer: nn.LSTM, outer: Tensor, below: Tensor, sizes: Tensor, state: tuple[Tensor, Tensor], share: float
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        known = PackedSequence(minigrad.cat((outer, self.dropout(below)), 1), sizes)
        (rows, *_), (h, c) = layer(known, tuple([part.unsqueeze(0) for part in state]))
        return clipped(rows, LAYER_LIMIT * share), (h.squeeze(0), c.squeeze(0))

    def _start(self, text: Tensor, rows: Tensor) -> State:
        batch, _, letters = text.shape
        h, shown, kappa = (rows.new_zeros((batch, size)) for size in (self.first.hidden_size, letters, self.windows))
        return State((h, h), (h, h), (h, h), shown, kappa)

    def _check_text(self, text: Tensor, batch: int) -> None:
        if text.ndim != 3 or text.shape[0] != batch or text.shape[2] != self.alphabet:
            expected = f"shape ({batch}, U, {self.alphabet}), as the points and the alphabet have it"
            raise ShapeError("HandwritingLSTM", "text", expected, f"shape {tuple(text.shape)}", "Make it by letters()")


def nats(outputs: Tensor, target: Tensor, floor: float) -> tuple[Tensor, Tensor]:
    """How unlikely points are, in nats of all together: the strokes, as in the paper; and which lift of the pen is the last.

    Args:
        outputs: (R, 1 + 6 M + 1), of ``HandwritingLSTM``.
        target: (R, 4): two offsets, 1 where the pen is lifted, 1 where nothing follows.
        floor: see ``F.bivariate_mixture_nll``.

    Example:
        >>> one, other = nats(minigrad.zeros(2, 8), minigrad.tensor([[0.0, 0, 1, 0], [0, 0, 1, 1]]), -6.0)
        >>> round(one.item(), 4), round(other.item(), 4)  # 2 (log 2π + log 2), 2 log 2
        (5.062, 1.3863)
    """
    strokes = F.bivariate_mixture_nll(outputs[:, :-1], target[:, :3], floor=floor, reduction="sum")
    lifted, last = target[:, 2], target[:, 3]
    return strokes, F.binary_cross_entropy_with_logits(outputs[:, -1], last, weight=lifted, reduction="sum")


def clipped(x: Tensor, limit: float) -> Tensor:
    """``x``, whose gradient is cut to at most ``limit`` in size on its way back; 0: it goes as it comes.

    Example:
        >>> x = minigrad.ones(2, requires_grad=True)
        >>> (clipped(x * 1, 2.0) * minigrad.tensor([1.0, 5.0])).sum().backward()
        >>> x.grad
        tensor([1., 2.])
    """
    if limit and x.requires_grad:
        x.register_hook(lambda grad: grad.clamp(-limit, limit))
    return x


def parameters(letters: int, *, hidden: int, windows: int, mixtures: int, pace: float = 0.05, dropout: float = 0.0) -> int:
    """How many parameters a ``HandwritingLSTM`` of these arguments has, found without the memory for it.

    Example:
        >>> options = {"hidden": 8, "windows": 2, "mixtures": 3}
        >>> parameters(5, **options) == sum(p.numel() for p in HandwritingLSTM(5, **options).parameters())
        True
    """
    outer = 3 + letters
    layers = 4 * hidden * ((outer + hidden + 2) + 2 * (outer + 2 * hidden + 2))
    return layers + 3 * windows * (hidden + 1) + (2 + 6 * mixtures) * (3 * hidden + 1)
