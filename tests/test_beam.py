"""How a network writes, in ``models/beam.py``: beside loops that do one thing at a time, and beside all there is to write."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.benchmarks.source import model_source, run_source
from minigrad.errors import ArgumentError, ShapeError
from minigrad.models.beam import Found, Limits, Penalty, follow, greedy, search
from minigrad.models.seq2seq import BOS, EOS, PAD, UNKNOWN, Seq2Seq
from tests.planted_translator import Planted

SOURCE, TARGET = 9, 7
LENGTHS = np.array([3, 6, 2, 5])
VARIANTS: dict[str, dict[str, Any]] = {
    "general": {},
    "none": {"attention": "none"},
    "fed": {"feeding": True, "attention": "normed"},
    "deep gru": {"cell": "gru", "layers": 2, "residual": True, "tied": "target"},
}
SEEDS = {"general": 8, "none": 2, "fed": 2, "deep gru": 8}
PENALTY = Penalty(length=0.6, coverage=0.2)


def make(variant: str = "general") -> Seq2Seq:
    """A network that comes to ends, and whose logits are so far from each other that the best is no matter of rounding."""
    minigrad.manual_seed(SEEDS[variant])
    net = Seq2Seq(SOURCE, TARGET, **{"hidden": 6, "embedding": 6, **VARIANTS[variant]}).double().eval()
    with minigrad.no_grad():
        for parameter in net.parameters():
            parameter.copy_(minigrad.randn(*parameter.shape, dtype=minigrad.float64))
    return net


def sources(padding: int = 0, m: Any = minigrad) -> list[Any]:
    source = np.random.default_rng(0).integers(4, SOURCE, (LENGTHS.max() + padding, len(LENGTHS)))
    source[LENGTHS - 1, range(len(LENGTHS))] = EOS
    source[np.arange(len(source))[:, None] >= LENGTHS] = PAD
    return [m.tensor(source), m.tensor(LENGTHS, device="cpu")]


def alone(place: int) -> list[Any]:
    source, lengths = sources()
    return [source[: LENGTHS[place], place : place + 1], lengths[place : place + 1]]


def log_probability(net: Any, place: int, ids: Any, finished: bool = True) -> float:
    """Of a translation, as the loss has it."""
    target = minigrad.tensor([[BOS], *[[int(id)] for id in ids], *([[EOS]] * finished)])
    with minigrad.no_grad():
        return -net.loss(*alone(place), target, reduction="sum").item()


def same(one: Found, other: Found, places: Any = slice(None)) -> None:
    """The same hypotheses, whatever was padded to how many words."""
    ours = (one.lengths[places], one.finished[places])
    for mine, theirs in zip(ours, (other.lengths, other.finished), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_allclose(one.scores[places], other.scores, rtol=1e-9)
    np.testing.assert_allclose(one.log_probabilities[places], other.log_probabilities, rtol=1e-9)
    words = min(one.ids.shape[2], other.ids.shape[2])
    assert (one.ids[places][..., words:] == PAD).all() and (other.ids[..., words:] == PAD).all()
    np.testing.assert_array_equal(one.ids[places][..., :words], other.ids[..., :words])
    if other.looked is not None:
        assert one.looked is not None
        np.testing.assert_array_equal(one.looked[places][..., :words], other.looked[..., :words])
    if other.alignments is not None:
        assert one.alignments is not None
        seen = min(one.alignments.shape[3], other.alignments.shape[3])
        ours, theirs = one.alignments[places][:, :, :words, :seen], other.alignments[:, :, :words, :seen]
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-12)


# ---------------------------------------------------------------------- beside loops


def by_loop(net: Any, place: int, most: int) -> tuple[list[int], bool]:
    """The likeliest word each time, of one sentence, all of it read anew for each word."""
    written = [BOS]
    while len(written) <= most:
        with minigrad.no_grad():
            logits = net(*alone(place), minigrad.tensor(written).unsqueeze(1))[-1, 0].numpy().copy()
        logits[[PAD, BOS]] = -np.inf
        if len(written) == 1:
            logits[EOS] = -np.inf
        written.append(int(logits.argmax()))
        if written[-1] == EOS:
            return written[1:-1], True
    return written[1:], False


@pytest.mark.parametrize("variant", VARIANTS)
def test_greedy_is_the_likeliest_word_each_time(variant: str) -> None:
    net = make(variant)
    found = greedy(net, *sources())
    for place, length in enumerate(LENGTHS.tolist()):
        words, finished = by_loop(net, place, 2 * length + 10)
        assert found.ids[place, 0, : found.lengths[place, 0]].tolist() == words
        assert found.finished[place, 0] == finished
        assert found.log_probabilities[place, 0] == pytest.approx(log_probability(net, place, words, finished), rel=1e-9)
    assert found.finished.any() and len(set(found.lengths[:, 0].tolist())) > 2


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_beam_of_one_is_greedy(variant: str) -> None:
    net = make(variant)
    same(search(net, *sources(), width=1), greedy(net, *sources()))


@pytest.mark.parametrize("width", [1, 4])
@pytest.mark.parametrize("variant", VARIANTS)
def test_sentences_together_are_sentences_alone(variant: str, width: int) -> None:
    net = make(variant)
    penalty = Penalty(length=0.6) if variant == "none" else PENALTY
    together = search(net, *sources(), width=width, penalty=penalty)
    for place in range(len(LENGTHS)):
        same(together, search(net, *alone(place), width=width, penalty=penalty), slice(place, place + 1))
    same(search(net, *sources(padding=4), width=width, penalty=penalty), together)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_a_beam_of_all_finds_the_best_of_all(alpha: float) -> None:
    """Of a network that writes at most two words and an end: every translation there is, beside a beam that drops none."""
    net, words = make(), [word for word in range(TARGET) if word not in (PAD, BOS, EOS)]
    limits, penalty = Limits(most=3), Penalty(length=alpha)
    found = search(net, *sources(), width=30, results=5, penalty=penalty, limits=limits)
    for place in range(len(LENGTHS)):
        every = []
        for count in (1, 2):
            for ids in itertools.product(words, repeat=count):
                chance = log_probability(net, place, ids)
                every.append((chance / ((5 + count + 1) / 6) ** alpha, chance, list(ids)))
        every.sort(key=lambda one: -one[0])
        for number, (score, chance, ids) in enumerate(every[:5]):
            assert found.ids[place, number, : found.lengths[place, number]].tolist() == ids
            assert found.scores[place, number] == pytest.approx(score, rel=1e-9)
            assert found.log_probabilities[place, number] == pytest.approx(chance, rel=1e-9)
    assert found.finished.all()


# ---------------------------------------------------------------------- what holds of any


@pytest.mark.parametrize("variant", VARIANTS)
def test_results_are_in_order_and_different(variant: str) -> None:
    net = make(variant)
    penalty = Penalty(length=0.6) if variant == "none" else PENALTY
    found = search(net, *sources(), width=6, penalty=penalty)
    for place in range(len(LENGTHS)):
        there = [found.ids[place, n, :size].tolist() for n, size in enumerate(found.lengths[place]) if size >= 0]
        assert len({tuple(ids) for ids in there}) == len(there) > 1
        ended = found.scores[place][found.finished[place]]
        assert (np.diff(ended) <= 0).all() and len(ended)
        assert (np.diff(found.finished[place].astype(int)) <= 0).all()  # those without an end stand behind
        for number, ids in enumerate(there):
            finished = bool(found.finished[place, number])
            chance = log_probability(net, place, ids, finished)
            assert found.log_probabilities[place, number] == pytest.approx(chance, rel=1e-9)
    assert ((found.ids == PAD) == (np.arange(found.ids.shape[2]) >= found.lengths[..., None])).all()
    assert not np.isin(found.ids, (BOS, EOS)).any()


def test_alignments_are_those_of_the_words() -> None:
    net = make("fed")
    found = search(net, *sources(), width=4)
    assert found.alignments is not None
    for place, length in enumerate(LENGTHS.tolist()):
        for number, size in enumerate(found.lengths[place].tolist()):
            looks = found.alignments[place, number]
            np.testing.assert_allclose(looks[:size].sum(1), 1.0, rtol=1e-12)
            assert (looks[size:] == 0).all() and (looks[:, length:] == 0).all()
            encoded = net.encode(*alone(place))
            words = minigrad.tensor([BOS, *found.ids[place, number, : size - 1].tolist()]).unsqueeze(1)
            weights = net.decode(words, encoded.state, encoded)[2]
            np.testing.assert_allclose(looks[:size, :length], weights[:, 0].detach().numpy(), rtol=1e-9)
            assert found.looked is not None
            most = looks[:size, : length - 1].argmax(1)  # the end of the source is no word
            assert found.looked[place, number].tolist() == [*most.tolist(), *[-1] * (len(looks) - size)]


@pytest.mark.parametrize("way", [greedy, search])
def test_alignments_that_are_not_asked_for_are_not_kept(way: Any) -> None:
    net = make("fed")
    whole, found = way(net, *sources()), way(net, *sources(), aligned=False)
    assert (
        found.alignments is None and found.looked.tolist() == whole.looked.tolist() and found.ids.tolist() == whole.ids.tolist()
    )


def test_without_attention_there_are_no_alignments() -> None:
    found = search(make("none"), *sources(), width=2)
    assert found.alignments is None and found.looked is None


def test_penalties_are_the_papers() -> None:
    """Equation 14 of arXiv:1609.08144, from the alignments of what was found; the end's own look counts too."""
    net = make()
    found = search(net, *sources(), width=3, penalty=Penalty(length=0.7, coverage=0.4))
    for place, length in enumerate(LENGTHS.tolist()):
        for number, size in enumerate(found.lengths[place].tolist()):
            finished = bool(found.finished[place, number])
            encoded = net.encode(*alone(place))
            words = minigrad.tensor([BOS, *found.ids[place, number, : size - 1 + finished].tolist()]).unsqueeze(1)
            seen = net.decode(words, encoded.state, encoded)[2].detach().numpy()[:, 0].sum(0)
            score = found.log_probabilities[place, number] / ((5 + size + finished) / 6) ** 0.7
            score += 0.4 * sum(np.log(min(seen[s], 1.0)) for s in range(length))
            assert found.scores[place, number] == pytest.approx(score, rel=1e-9)


def test_a_length_penalty_makes_them_longer() -> None:
    net = make()
    short, long = (search(net, *sources(), width=8, penalty=Penalty(length=alpha)) for alpha in (0.0, 2.0))
    assert long.lengths[:, 0].sum() > short.lengths[:, 0].sum()


def test_limits_are_kept() -> None:
    net = make()
    for most in (1, 2, 5):
        for found in (
            search(net, *sources(), width=3, limits=Limits(0, most)),
            greedy(net, *sources(), limits=Limits(0, most)),
        ):
            assert (found.lengths <= most).all()
            assert (found.lengths[~found.finished] == most).all() or not (~found.finished).any()
    assert (search(net, *sources(), width=4, limits=Limits(4, 9)).lengths >= 4).all()
    with minigrad.no_grad():
        net.head.bias[UNKNOWN] += 9
    assert (search(net, *sources(), width=4).ids == UNKNOWN).any()
    assert not (search(net, *sources(), width=4, limits=Limits(unknown=False)).ids == UNKNOWN).any()


def test_what_does_not_end_is_given_as_it_is() -> None:
    found = search(Planted(end=False), *sources(), width=2, results=1)  # type: ignore[arg-type]
    assert found.lengths[:, 0].tolist() == (2 * LENGTHS + 10).tolist() and not found.finished.any()
    assert np.isfinite(found.log_probabilities).all()


def test_there_are_no_more_results_than_there_are_translations() -> None:
    """Of one word there are four: the others are not there."""
    few = search(make(), *sources(), width=6, limits=Limits(most=1))
    assert few.lengths.tolist() == [[1, 1, 1, 1, -1, -1]] * 4
    assert np.isneginf(few.scores[:, 4:]).all() and np.isneginf(few.log_probabilities[:, 4:]).all()


# ---------------------------------------------------------------------- what is chosen


def test_lanes_that_choose_for_themselves() -> None:
    """The likeliest and the second at the first word, then the likeliest: in one go, and by loops."""
    net = make()
    first = True

    def choose(logits: np.ndarray, rows: np.ndarray) -> np.ndarray:
        nonlocal first
        assert len(logits) == 2 * len(rows) and set(rows.tolist()) <= set(range(len(LENGTHS)))
        order = np.argsort(-logits, axis=1, kind="stable")
        chosen = np.where(first & (np.arange(len(logits)) % 2 == 1), order[:, 1], order[:, 0])
        first = False
        return chosen

    found = follow(net, *sources(), choose, results=2)
    best = greedy(net, *sources())
    for place in range(len(LENGTHS)):
        rows = [found.ids[place, n, : found.lengths[place, n]].tolist() for n in range(2)]
        assert best.ids[place, 0, : best.lengths[place, 0]].tolist() in rows and rows[0] != rows[1]
        for number, ids in enumerate(rows):
            chance = log_probability(net, place, ids, bool(found.finished[place, number]))
            assert found.log_probabilities[place, number] == pytest.approx(chance, rel=1e-9)
        assert found.scores[place, 0] >= found.scores[place, 1]


def test_the_sources_are_read_once() -> None:
    net, calls = make(), []
    read = net.encode
    net.encode = lambda *given: calls.append(1) or read(*given)
    search(net, *sources(), width=5)
    assert len(calls) == 1


# ---------------------------------------------------------------------- refusals

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"width": 0}, r"translate: width: expected 1 to 1,024, got 0\."),
    ({"width": 2.5}, r"translate: width: expected 1 to 1,024, got 2\.5\."),
    ({"width": 5000}, r"translate: width: expected 1 to 1,024, got 5000\."),
    ({"width": 3, "results": 4}, r"translate: results: expected 1 to 3, got 4\. Use a larger width\."),
    ({"penalty": Penalty(length=-1)}, r"translate: length penalty: expected a number of at least 0, got -1\."),
    ({"penalty": Penalty(coverage=float("nan"))}, r"translate: coverage penalty: expected a number of at least 0, got nan\."),
    ({"limits": Limits(least=-1)}, r"translate: least: expected words, at least 0, got -1\."),
    ({"limits": Limits(most=0.5)}, r"translate: most: expected words, at least 0, got 0\.5\."),  # type: ignore[arg-type]
    ({"limits": Limits(least=0, most=0)}, r"translate: most: expected at least 1, as the least is 0, got 0\."),
    ({"limits": Limits(least=5, most=3)}, r"translate: most: expected at least 5, as the least is 5, got 3\."),
]


@pytest.mark.parametrize(("words", "text"), WRONG, ids=[row[1][11:30] for row in WRONG])
def test_refusals_say_what_to_do(words: dict[str, Any], text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        search(make(), *sources(), **words)


def test_coverage_asks_for_attention() -> None:
    with pytest.raises(ArgumentError, match=r"coverage penalty: expected 0, as the network has no attention, got 0\.2"):
        greedy(make("none"), *sources(), penalty=PENALTY)
    with pytest.raises(ShapeError, match="lengths"):
        search(make(), sources()[0], minigrad.tensor([3], device="cpu"))


# ---------------------------------------------------------------------- PyTorch's


@pytest.mark.peer
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_same_source_finds_the_same_with_pytorch(variant: str) -> None:
    import torch

    names = run_source(model_source("beam"), "torch")
    ours = make(variant)
    theirs = names["Seq2Seq"](SOURCE, TARGET, **{"hidden": 6, "embedding": 6, **VARIANTS[variant]}).double().eval()
    theirs.load_state_dict({key: torch.tensor(tensor.numpy()) for key, tensor in ours.state_dict().items()})
    penalty = Penalty(length=0.6) if variant == "none" else PENALTY
    same(
        search(ours, *sources(), penalty=penalty),
        names["search"](theirs, *sources(m=torch), penalty=names["Penalty"](*penalty)),
    )
    same(greedy(ours, *sources()), names["greedy"](theirs, *sources(m=torch)))
