"""How a network of ``models/seq2seq.py`` writes: the likeliest word each time, words drawn, or the best of many beginnings.

All sentences of a batch are written at once, and of each several beginnings, its lanes: one step of the network serves them
all, and what is chosen among them is chosen in arrays. The sources are read once; a sentence that is done leaves the batch.
B sentences, K lanes of each, S words of the longest source, V of the target's language, N results.
"""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import minigrad
import minigrad.nn.functional as F
from minigrad import Tensor, nn
from minigrad.errors import ArgumentError
from minigrad.models.seq2seq import BOS, EOS, PAD, STEPPING, UNKNOWN, Encoded, Seq2Seq, State

WIDEST = 1024  # beginnings that a search follows
NEVER = -math.inf  # the logarithm of no chance
Chooser = Callable[[np.ndarray, np.ndarray], np.ndarray]
LINEAR_TOPK = getattr(F, "linear_topk", None)  # PyTorch, with which this source also runs, has none


class _Kept(threading.local):
    """What this thread keeps of each network from one search to the next: its weights as kernels want them."""

    def __init__(self) -> None:
        self.of: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()

    def stepping(self, network: Any) -> Any:
        if network not in self.of:
            self.of[network] = STEPPING()
        return self.of[network]


_kept = _Kept()


class Limits(NamedTuple):
    """How long what is written may be, and which words it may have.

    Attributes:
        least: words, without the end.
        most: words, the end with them; by default twice as many as the source has, and 10.
        unknown: whether ``UNKNOWN`` may be written.
    """

    least: int = 1
    most: int | None = None
    unknown: bool = True

    def of(self, lengths: np.ndarray) -> np.ndarray:
        """The most words of each sentence."""
        return 2 * lengths + 10 if self.most is None else np.full(len(lengths), self.most)


class Penalty(NamedTuple):
    """What makes hypotheses of several lengths comparable: Wu et al. 2016, arXiv:1609.08144, equation 14.

    score = log P / ((5 + n) / 6)^length + coverage Σ_s log min(Σ_t a_ts, 1), of n words, the end with them, with a the weight
    of a source's word at each.

    Attributes:
        length: α; 0: the score is log P, which short ones have the most of.
        coverage: β; more than 0 asks for attention.
    """

    length: float = 0.0
    coverage: float = 0.0

    def divisor(self, words: Any) -> Any:
        """By what log P of so many words is divided."""
        return ((5 + words) / 6) ** self.length

    def uncovered(self, seen: np.ndarray, there: np.ndarray) -> np.ndarray:
        """What is added for sources (..., S) of which so much was seen; ``there`` says which words there are."""
        if not self.coverage:
            return np.zeros(seen.shape[:-1])
        return self.coverage * (np.log(np.clip(seen, 1e-30, 1.0)) * there).sum(-1)


USUAL, NO_PENALTY = Limits(), Penalty()


class Found(NamedTuple):
    """What was written for B sentences, N for each, the best first.

    Attributes:
        ids: int64 (B, N, T), ``PAD`` behind the end, which is not among them.
        lengths: int64 (B, N), words of each; -1 where there are fewer than N.
        log_probabilities: float64 (B, N), in nats, the end with them; the network's, whatever was forbidden or drawn from.
        scores: float64 (B, N): see ``Penalty``; -inf where there are fewer than N.
        finished: bool (B, N), false where what is written came to its longest without an end.
        looked: int64 (B, N, T), which of the source's words, its end not among them, had the most weight at each word; -1
            behind the ends. ``None`` without attention.
        alignments: (B, N, T, S), the weight of each source's word at each word; zeros behind the ends. ``None`` without
            attention, or where they were not asked for.
    """

    ids: np.ndarray
    lengths: np.ndarray
    log_probabilities: np.ndarray
    scores: np.ndarray
    finished: np.ndarray
    looked: np.ndarray | None
    alignments: np.ndarray | None


class _Writing:
    """The lanes of all sentences that are not done, step by step, and what was chosen at each step.

    Attributes:
        rows: int64 (b,), which sentences are still there.
        step: words written so far.
        sums: float64 (b, K), log P of each lane.
        seen: (b, K, S), how much of each source's word a lane has looked at.
    """

    def __init__(self, network: Seq2Seq, source: Tensor, lengths: Tensor, lanes: int, limits: Limits, aligned: bool) -> None:
        self.network, self.lanes, self.limits, self.aligned = network, lanes, limits, aligned
        self.encoded: Encoded = network.encode(source, lengths)
        self.device, self.batch, self.places = source.device, source.shape[1], len(source)
        sizes = lengths.cpu().numpy()
        self.most, self.there = limits.of(sizes), np.arange(self.places) < sizes[:, None]
        self.beyond = np.where(np.arange(self.places) < sizes[:, None] - 1, 0, NEVER)[:, None]  # the ends of sources, too
        self.rows, self.step = np.arange(self.batch), 0
        self.state: State = self.encoded.state.select(self._tensor(np.repeat(self.rows, lanes)))
        self.words = np.full((self.batch, lanes), BOS)
        self.sums, self.seen = np.zeros((self.batch, lanes)), np.zeros((self.batch, lanes, self.places))
        self.looks: np.ndarray | None = None
        self.chosen: list[tuple[np.ndarray | None, ...]] = []  # words, lanes before, looked, weights; all (B, K, ...)

    def _tensor(self, numbers: np.ndarray) -> Tensor:
        return minigrad.tensor(numbers, device=self.device)

    def features(self) -> Tensor:
        """Read the last words: what goes into the network's last layer, (b K, F)."""
        features, self.state, weights = self.network.step(self._tensor(self.words.ravel()), self.state, self.encoded)
        if weights is not None:
            self.looks = weights.cpu().numpy().reshape(len(self.rows), self.lanes, -1)
        return features

    def forbidden(self) -> list[int]:
        """The words that may not come next."""
        return [PAD, BOS, *([UNKNOWN] * (not self.limits.unknown)), *([EOS] * (self.step < self.limits.least))]

    def logits(self) -> tuple[Tensor, Tensor]:
        """Read the last words: logits (b K, V) of the next, -inf for what may not come; log Σ e^x of all of them (b K, 1)."""
        logits = self.network.head(self.features())
        # log Σ e^x by way of one word's loss: no array of the size of the logits is made for it
        ends = minigrad.full((len(logits),), EOS, device=self.device)
        whole = (F.cross_entropy(logits, ends, reduction="none") + logits[:, EOS]).unsqueeze(1)
        for word in self.forbidden():
            logits[:, word] = NEVER
        return logits, whole

    def likeliest(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Read the last words: log P, float64, and numbers of so many of the next, the likeliest first, (b, K, count) each."""
        head, shape = self.network.head, (len(self.rows), self.lanes, -1)
        if LINEAR_TOPK is not None and isinstance(head, nn.Linear):
            best = LINEAR_TOPK(self.features(), head.weight, count, linear_bias=head.bias, without=self.forbidden())
            return best.values.double().cpu().numpy().reshape(shape), best.indices.cpu().numpy().reshape(shape)
        logits, whole = self.logits()
        best = minigrad.topk(logits, count, dim=1)
        gains = best.values.double() - whole.double()
        return gains.cpu().numpy().reshape(shape), best.indices.cpu().numpy().reshape(shape)

    def choose(self, words: np.ndarray, before: np.ndarray, sums: np.ndarray) -> None:
        """Go on with these words after those lanes, (b, K) each, which then have these log P."""
        self.words, self.sums, self.step = words, sums, self.step + 1
        looked = weights = None
        if self.looks is not None:
            at = np.arange(len(self.rows))[:, None]
            self.seen = self.seen[at, before] + self.looks[at, before]
            looked = self._of_all((self.looks + self.beyond[self.rows]).argmax(2))
            weights = self._of_all(self.looks) if self.aligned else None
        self.chosen.append((self._of_all(words), self._of_all(before), looked, weights))
        self.before = before

    def _of_all(self, part: np.ndarray) -> np.ndarray:
        """What is known of the sentences that are still there, (b, ...), with zeros for the others: (B, ...)."""
        if len(part) == self.batch:
            return part
        whole = np.zeros((self.batch, *part.shape[1:]), part.dtype)
        whole[self.rows] = part
        return whole

    def scores(self, penalty: Penalty) -> np.ndarray:
        """Of each lane, were it to end here: (b, K)."""
        return self.sums / penalty.divisor(self.step) + penalty.uncovered(self.seen, self.there[self.rows][:, None])

    def at_most(self) -> np.ndarray:
        """Which sentences are as long as they may be: (b,)."""
        return self.step >= self.most[self.rows]

    def leave(self, done: np.ndarray) -> bool:
        """Let sentences (b,) go that are done, and the others' states follow their lanes; whether any is left."""
        if done.all():
            return False
        lanes = self.before + np.arange(len(self.rows))[:, None] * self.lanes
        if done.any():
            kept = np.flatnonzero(~done)
            lanes, self.encoded = lanes[kept], self.encoded.select(self._tensor(kept))
            self.rows, self.words, self.sums, self.seen = (part[kept] for part in (self.rows, self.words, self.sums, self.seen))
        if self.lanes > 1 or done.any():
            self.state = self.state.select(self._tensor(lanes.ravel()))
        return True

    def trace(self, step: np.ndarray, lane: np.ndarray, finished: np.ndarray) -> tuple[Any, ...]:
        """Words, lengths, ``looked`` and weights, as in ``Found``, of hypotheses by their last words.

        These were chosen at a step in a lane, (B, N) each; a step of -1 says that there is none.
        """
        lengths = step + 1 - finished
        shape = (*step.shape, max(int(lengths.max(initial=0)), 0))
        ids, looked, weights = np.full(shape, PAD), None, None
        if self.looks is not None:
            looked = np.full(shape, -1)
            weights = np.zeros((*shape, self.places), self.looks.dtype) if self.aligned else None
        here, at = np.arange(self.batch)[:, None], lane
        for number in range(int(step.max(initial=-1)), -1, -1):
            words, before, most, looks = self.chosen[number]
            at = np.where(number == step, lane, at)
            old = before[here, at]  # type: ignore[index]
            if number < shape[2]:
                inside = number < lengths
                ids[:, :, number] = np.where(inside, words[here, at], PAD)  # type: ignore[index]
                if most is not None and looked is not None:
                    looked[:, :, number] = np.where(inside, most[here, old], -1)
                if looks is not None and weights is not None:
                    weights[:, :, number] = looks[here, old] * inside[..., None]
            at = np.where(number <= step, old, at)
        return ids, np.where(step < 0, -1, lengths), looked, weights


def search(
    network: Seq2Seq, source: Tensor, lengths: Tensor, *, width: int = 5, results: int | None = None,
    penalty: Penalty = NO_PENALTY, limits: Limits = USUAL, aligned: bool = True,
) -> Found:  # fmt: skip
    """The best translations that a beam search finds.

    Of all beginnings that are one word longer the ``width`` likeliest are followed; those that end are put aside, the best
    ``width`` of them. A sentence is done when there are so many, and no lane, were it to end as it is, would come before the
    last of them; with a length penalty it might have become better yet. What came to its longest without an end stands behind
    all that ended. A width of 1 is ``greedy``.

    Args:
        network: in ``eval`` mode.
        source: (S, B), int64, filled up with ``PAD``.
        lengths: (B,), int64, on the CPU.
        width: K, beginnings that are followed.
        results: N, at most ``width``, which it is by default.
        penalty: by which those that ended are put in order.
        limits: of what is written.
        aligned: keep the weights of all words: of a source of S words they are some 2 S² numbers for each lane.

    Raises:
        ArgumentError: something is out of range, or a coverage penalty without attention.
        ShapeError: source and lengths that do not fit.

    Example:
        >>> network = Seq2Seq(9, 9, hidden=4, embedding=3).eval()
        >>> source, lengths = minigrad.tensor([[5, 6], [7, 3], [3, 0]]), minigrad.tensor([3, 2])
        >>> found = search(network, source, lengths, width=4, results=2)
        >>> found.ids.shape[:2], bool((found.scores[:, 0] >= found.scores[:, 1]).all())
        ((2, 2), True)
    """
    results = width if results is None else results
    _check_count("width", width, WIDEST)
    _check_count("results", results, width, "Use a larger width")
    check(network, penalty, limits)
    with minigrad.no_grad(), _kept.stepping(network):
        writing = _Writing(network, source, lengths, width, limits, aligned)
        writing.sums[:, 1:] = NEVER  # all lanes are the same beginning
        pool = _Pool(writing.batch, width)
        while True:
            gains, words = writing.likeliest(min(width, network.target_words))
            totals = (writing.sums[:, :, None] + gains).reshape(len(writing.rows), -1)
            order = np.argsort(-totals, axis=1, kind="stable")[:, :width]
            at = np.arange(len(order))[:, None]
            words = words.reshape(totals.shape)[at, order]
            writing.choose(words, order // gains.shape[2], totals[at, order])
            scores, there = writing.scores(penalty), writing.sums > NEVER
            ended = (words == EOS) & there
            pool.add(writing, scores, ended, ended)
            writing.sums[ended] = NEVER
            alive, last = there & ~ended, writing.at_most()
            pool.add(writing, scores, alive & last[:, None], np.zeros_like(ended))
            hopes = np.where(alive, writing.sums / penalty.divisor(writing.step), NEVER).max(1)
            done = ~alive.any(1) | last | (pool.full(writing.rows) & (hopes <= pool.worst(writing.rows)))
            if not writing.leave(done):
                break
        return pool.found(writing, results)


class _Pool:
    """The hypotheses of each sentence that are put aside, the best first: (B, K) of each attribute."""

    def __init__(self, batch: int, width: int) -> None:
        self.width = width
        self.scores, self.sums = (np.full((batch, width), NEVER) for _ in range(2))
        self.steps, self.lanes = np.full((batch, width), -1), np.zeros((batch, width), np.int64)
        self.finished = np.zeros((batch, width), bool)

    def add(self, writing: _Writing, scores: np.ndarray, which: np.ndarray, finished: np.ndarray) -> None:
        """Put in those lanes of the sentences that are there which are named, (b, K); the worst fall out."""
        if not which.any():
            return
        rows = writing.rows
        lanes = np.broadcast_to(np.arange(self.width), which.shape)
        new = (np.where(which, scores, NEVER), writing.sums, np.where(which, writing.step - 1, -1), lanes, finished & which)
        old = (self.scores, self.sums, self.steps, self.lanes, self.finished)
        joined = [np.concatenate((kept[rows], added), 1) for kept, added in zip(old, new)]
        order = np.lexsort((-joined[0], ~joined[4], joined[2] < 0), axis=1)[:, : self.width]
        for kept, all_ in zip(old, joined):
            kept[rows] = np.take_along_axis(all_, order, 1)

    def full(self, rows: np.ndarray) -> np.ndarray:
        return self.finished[rows].all(1)

    def worst(self, rows: np.ndarray) -> np.ndarray:
        return self.scores[rows, -1]

    def found(self, writing: _Writing, results: int) -> Found:
        scores, sums, steps, lanes, finished = (
            part[:, :results] for part in (self.scores, self.sums, self.steps, self.lanes, self.finished)
        )
        ids, lengths, looked, weights = writing.trace(steps, lanes, finished)
        return Found(ids, lengths, np.where(steps < 0, NEVER, sums), scores, finished, looked, weights)


def greedy(
    network: Seq2Seq, source: Tensor, lengths: Tensor, *, penalty: Penalty = NO_PENALTY, limits: Limits = USUAL,
    aligned: bool = True,
) -> Found:  # fmt: skip
    """Write the likeliest word each time: one result for each sentence. Arguments, errors and shapes as ``search``.

    Example:
        >>> network = Seq2Seq(9, 9, hidden=4, embedding=3).eval()
        >>> source, lengths = minigrad.tensor([[5, 6], [7, 3], [3, 0]]), minigrad.tensor([3, 2])
        >>> one, other = greedy(network, source, lengths), search(network, source, lengths, width=1)
        >>> bool((one.ids == other.ids).all())
        True
    """
    return _followed(network, source, lengths, 1, lambda logits, _: logits.argmax(1), penalty, limits, aligned)


def follow(
    network: Seq2Seq, source: Tensor, lengths: Tensor, choose: Chooser, *, results: int = 1, penalty: Penalty = NO_PENALTY,
    limits: Limits = USUAL, aligned: bool = True,
) -> Found:  # fmt: skip
    """Write on with words that are chosen, such as drawn, in each of ``results`` lanes for itself.

    Args:
        choose: gives the words (R,) for logits, float64 (R, V), of which those that may not come are -inf, and the numbers
            (b,) of the sentences whose lanes they are, all of one after those of another: R is b times ``results``.
        network, source, lengths, penalty, limits, aligned: as for ``search``.

    Returns:
        What was written, of each sentence the best score first.

    Raises:
        ArgumentError, ShapeError: as ``search``.
    """

    def chosen(logits: Tensor, rows: np.ndarray) -> np.ndarray:
        return choose(logits.double().cpu().numpy(), rows)

    return _followed(network, source, lengths, results, chosen, penalty, limits, aligned)


def _followed(
    network: Seq2Seq, source: Tensor, lengths: Tensor, results: int, choose: Callable[[Tensor, np.ndarray], Any],
    penalty: Penalty, limits: Limits, aligned: bool,
) -> Found:  # fmt: skip
    _check_count("results", results, WIDEST)
    check(network, penalty, limits)
    with minigrad.no_grad(), _kept.stepping(network):
        writing = _Writing(network, source, lengths, results, limits, aligned)
        pool = _Pool(writing.batch, results)
        open_ = np.ones((writing.batch, results), bool)
        while True:
            logits, whole = writing.logits()
            taken = choose(logits, writing.rows)
            ids = minigrad.tensor(taken, device=writing.device) if isinstance(taken, np.ndarray) else taken
            gains = logits.gather(1, ids.unsqueeze(1)).double() - whole.double()
            words = ids.cpu().numpy().reshape(len(writing.rows), -1)
            lanes = np.broadcast_to(np.arange(results), words.shape)
            sums = writing.sums + np.where(open_, gains.cpu().numpy().reshape(words.shape), 0.0)
            writing.choose(words, lanes, sums)
            ended, last = open_ & (words == EOS), writing.at_most()
            scores = writing.scores(penalty)
            pool.add(writing, scores, ended, ended)
            open_ = open_ & ~ended
            pool.add(writing, scores, open_ & last[:, None], np.zeros_like(ended))
            done = ~open_.any(1) | last
            open_ = open_[~done]
            if not writing.leave(done):
                break
        return pool.found(writing, results)


# ---------------------------------------------------------------------- what is out of range


def check(network: Seq2Seq, penalty: Penalty, limits: Limits) -> None:
    """That penalties and limits can be kept.

    Raises:
        ArgumentError: they cannot.
    """
    for name, value in zip(penalty._fields, penalty):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
            raise ArgumentError("translate", f"{name} penalty", "a number of at least 0", repr(value))
    if penalty.coverage and network.attention is None:
        remedy = "Use a coverage penalty of 0"
        raise ArgumentError(
            "translate", "coverage penalty", "0, as the network has no attention", str(penalty.coverage), remedy
        )
    for name, words in (("least", limits.least), ("most", limits.most)):
        if words is not None and (isinstance(words, bool) or not isinstance(words, (int, np.integer)) or words < 0):
            raise ArgumentError("translate", name, "words, at least 0", repr(words))
    least = max(1, limits.least)
    if limits.most is not None and limits.most < least:
        raise ArgumentError("translate", "most", f"at least {least}, as the least is {limits.least}", str(limits.most))


def _check_count(name: str, value: Any, most: int, remedy: str = "") -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 1 <= value <= most:
        raise ArgumentError("translate", name, f"1 to {most:,}", repr(value), remedy)
