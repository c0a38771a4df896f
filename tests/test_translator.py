"""``models/translator.py``: texts to translations, by a network that was told what to write, and by one that was not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.data.subwords import Subwords
from minigrad.data.wordtokens import Words
from minigrad.errors import ArgumentError, DTypeError
from minigrad.models.beam import Limits, Penalty
from minigrad.models.seq2seq import Seq2Seq
from minigrad.models.translator import Translation, Translator, copied
from tests.planted_translator import Letters, Planted, planted


def random(**words: Any) -> Translator:
    minigrad.manual_seed(2)
    net = Seq2Seq(20, 30, hidden=6, embedding=4).double()
    with minigrad.no_grad():
        for parameter in net.parameters():
            parameter.copy_(minigrad.randn(*parameter.shape, dtype=minigrad.float64))
        net.head.bias[3] += 3
    return Translator(net, Letters(False), Letters(True), **words)


def texts(found: list[list[Translation]]) -> list[list[str]]:
    return [[each.text for each in row] for row in found]


def test_a_text_is_translated() -> None:
    ways = planted()
    assert [each.text for each in ways.greedy(["a b c", "d"])] == ["C B A", "D"]
    ((best,),) = ways.search(["a b c"], width=3)
    assert best.text == "C B A" and best.tokens == ("C", "B", "A") and best.source == ("a", "b", "c")
    assert best.finished and best.copied == () and best.log_probability == pytest.approx(0, abs=1e-12)
    assert best.score == best.log_probability


def test_an_unknown_word_is_copied_from_where_the_network_looked() -> None:
    """The translation is the other way round: only the alignment tells which of the two unknown words stands where."""
    ways = planted()
    (made,) = ways.greedy(["Zaragoza b Yvonne d"])
    assert made.text == "D Yvonne B Zaragoza" and made.copied == ((1, 2), (3, 0))
    assert made.alignment is not None and made.alignment.shape == (4, 5)
    np.testing.assert_allclose(made.alignment.sum(1), 1.0)
    assert made.alignment.argmax(1).tolist() == [3, 2, 1, 0]
    ((best, *_),) = ways.search(["Zaragoza b Yvonne d"], width=4)
    assert best.text == made.text and best.copied == made.copied
    (plain,) = ways.greedy(["Zaragoza b"], copy=False)
    assert plain.text == "B <unk>" and plain.copied == ()


def test_where_it_looked_is_told_in_whole_words() -> None:
    """By hand: a source's word has the sum of its tokens' weights, a written word the mean over its tokens; the end stays."""
    subwords = Subwords.learn(["on and off", "off and on"] * 9, size=16)
    ways = Translator(Planted(len(subwords), 5), subwords, Words(["light"], case="mark"))  # type: ignore[arg-type]
    weights = np.array([[0.1, 0.2, 0.3, 0.4], [0.5, 0.1, 0.0, 0.4], [0.0, 0.0, 1.0, 0.0]])
    made = Translation("Light!", ("⇧", "light", "￭!"), ("▁o", "n", "▁and"), 0.0, 0.0, True, weights, ())
    look = ways.look(made)
    assert look is not None and look.source == ("on", "and") and look.words == ("Light", "!")
    np.testing.assert_allclose(look.weights, [[0.45, 0.15, 0.4], [0.0, 1.0, 0.0]])
    nothing = ways.look(made._replace(tokens=(), alignment=weights[:0]))
    assert nothing is not None and nothing.words == () and nothing.weights.shape == (0, 3)
    assert ways.look(made._replace(alignment=None)) is None


def test_a_network_that_has_learned_where_to_look_copies_what_stands_there() -> None:
    """300 steps on sentences that are to be turned round, a sixth of their words unknown; then on some that it has not seen."""
    rng = np.random.default_rng(0)
    minigrad.manual_seed(0)
    net = Seq2Seq(20, 20, hidden=48, embedding=24, attention="bahdanau")
    optimizer = minigrad.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(300):
        lengths = rng.integers(2, 6, 24)
        source, target = np.zeros((lengths.max() + 1, 24), np.int64), np.zeros((lengths.max() + 2, 24), np.int64)
        for row, size in enumerate(lengths.tolist()):
            words = np.where(rng.random(size) < 1 / 6, 1, rng.integers(4, 20, size))
            source[: size + 1, row], target[: size + 2, row] = [*words, 3], [2, *words[::-1], 3]
        loss = net.loss(minigrad.tensor(source), minigrad.tensor(lengths + 1, device="cpu"), minigrad.tensor(target))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    ways = Translator(net, Letters(False), Letters(False))
    given = ["Zaragoza b c Yvonne", "d Xaver f g", "h Wilma", "i j Ulm k a", "b Ulm c Theo"]
    for way in (ways.greedy(given), [row[0] for row in ways.search(given, width=3)]):
        assert [each.text for each in way] == [" ".join(reversed(text.split())) for text in given]


def test_only_what_is_unknown_is_copied() -> None:
    assert copied(np.array([5, 1]), np.array([0, 2])) == [(1, 2)]
    assert copied(np.array([5]), np.array([0])) == [] == copied(np.array([1]), None)


def test_copies_ask_for_no_alignment() -> None:
    """Of every way; what is not kept is not there, and nothing else changes."""
    ways = planted()
    for way in (ways.greedy, lambda texts, **words: [best for best, *_ in ways.search(texts, width=3, **words)],
                lambda texts, **words: [best for best, *_ in ways.sample(texts, seed=1, **words)]):  # fmt: skip
        (whole,), (made,) = way(["Zaragoza b Yvonne d"]), way(["Zaragoza b Yvonne d"], alignment=False)
        assert whole.alignment is not None and made == whole._replace(alignment=None) and made.copied == ((1, 2), (3, 0))
        assert ways.look(made) is None


def test_texts_of_all_lengths_come_back_in_their_order() -> None:
    """In batches of any size, those without a word among them: no text changes another's translation."""
    given = ["b", "", "a b c d e", "p", "  ", "c d", "a a a"]
    wanted = ["B", "", "E D C B A", "P", "", "D C", "A A A"]
    for tokens in (1, 8, 8192):
        ways = Translator(Planted(), Letters(False), Letters(True), tokens=tokens)  # type: ignore[arg-type]
        assert [each.text for each in ways.greedy(given)] == wanted
        assert [row[0].text for row in ways.search(given, width=2)] == wanted
    assert planted().greedy([]) == [] == planted().search([])
    (nothing,) = planted().greedy([""])
    assert nothing == Translation("", (), (), 0.0, 0.0, True, None, ())


def test_batches_of_any_size_are_sentences_alone() -> None:
    given = ["a b c d e f", "c", "b b", "d e f g", "h a"]
    options: dict[str, Any] = {"width": 4, "results": 3, "penalty": Penalty(0.6, 0.1)}
    together = random().search(given, **options)
    few = random(tokens=40).search(given, **options)
    for row, others, text in zip(together, few, given, strict=True):
        (alone,) = random().search([text], **options)
        assert [each.text for each in row] == [each.text for each in alone] == [each.text for each in others]
        for one, other in zip(row, alone, strict=True):
            assert one.score == pytest.approx(other.score, rel=1e-9)
            np.testing.assert_allclose(one.alignment, other.alignment, rtol=1e-7, atol=1e-12)
        assert len(row) == 3 == len({each.text for each in row})


def test_progress_tells_what_is_done() -> None:
    seen: list[tuple[int, int]] = []
    ways = Translator(Planted(), Letters(False), Letters(True), tokens=4)  # type: ignore[arg-type]
    ways.greedy(["a b", "", "c"], progress=lambda *each: seen.append(each))
    assert seen == [(2, 3), (3, 3)]


def test_what_is_drawn_is_of_the_seed() -> None:
    ways = random()
    one, again, other = (ways.sample(["a b c", "d"], results=4, temperature=1.5, seed=seed) for seed in (1, 1, 2))
    assert texts(one) == texts(again) != texts(other)
    assert [len(row) for row in one] == [4, 4]
    for row in one:
        assert [each.score for each in row] == sorted((each.score for each in row), reverse=True)


def test_what_is_drawn_for_a_text_is_its_own() -> None:
    """Whatever stands beside it, in whatever order, and in batches of any size; and more results begin with the fewer."""
    given = ["a b c", "d", "e f g h a b", "b", "a b c"]
    options: dict[str, Any] = {"results": 3, "temperature": 1.5, "seed": 4}
    together = random().sample(given, **options)
    assert texts(together)[0] == texts(together)[4]
    alone = [random().sample([text], **options)[0] for text in given]
    turned = random(tokens=1).sample(given[::-1], **options)[::-1]
    assert texts(together) == texts(alone) == texts(turned)
    assert together[0][0].score == pytest.approx(alone[0][0].score, rel=1e-9)
    single = random().sample(given, **{**options, "results": 1})
    assert all(one.text in [each.text for each in row] for (one,), row in zip(single, together, strict=True))


def test_a_temperature_of_nothing_draws_the_likeliest() -> None:
    ways = random()
    (drawn,), (best,) = ways.sample(["a b c"], temperature=0), ways.greedy(["a b c"])
    assert drawn[0].text == best.text and drawn[0].log_probability == pytest.approx(best.log_probability)
    (first,) = ways.sample(["a b c"], top_k=1, seed=3)
    assert first[0].text == best.text


def test_what_is_drawn_is_as_often_as_it_is_likely() -> None:
    """The first word of 1,000 translations, beside the network's own chances."""
    ways = random()
    (rows,) = ways.sample(["a b"], results=1000, seed=5, limits=Limits(least=0, most=1), copy=False)
    net = ways.network
    source = minigrad.tensor([[4], [5], [3]])
    with minigrad.no_grad():
        logits = net(source, minigrad.tensor([3], device="cpu"), minigrad.tensor([[2]]))[0, 0].numpy().copy()
    logits[[0, 2]] = -np.inf
    chances = np.exp(logits - logits.max())
    chances /= chances.sum()
    ends = sum(not row.tokens for row in rows) / len(rows)
    assert ends == pytest.approx(chances[3], abs=0.06)
    likeliest = int(np.argmax(np.where(np.arange(30) == 3, 0, chances)))
    share = sum(row.tokens == (Letters(True).symbols[likeliest],) for row in rows)
    assert share / len(rows) == pytest.approx(chances[likeliest], abs=0.06)


def test_no_word_is_copied_without_attention() -> None:
    minigrad.manual_seed(0)
    ways = Translator(Seq2Seq(20, 30, hidden=4, embedding=3, attention="none"), Letters(False), Letters(True))
    (made,) = ways.greedy(["a Zaragoza"])
    assert made.alignment is None and made.copied == ()


def test_refusals() -> None:
    with pytest.raises(ArgumentError, match="translate: target: expected 30 tokens, as the network has, got 20"):
        Translator(Planted(), Letters(False), Letters(False))  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="Translator: tokens: expected at least 1, got 0"):
        Translator(Planted(), Letters(False), Letters(True), tokens=0)  # type: ignore[arg-type]
    ways = planted()
    with pytest.raises(DTypeError, match=r"translate: texts: expected a list of texts, got str\. Put a single one into a list"):
        ways.greedy("a b c")
    with pytest.raises(DTypeError, match="texts: expected a list of texts, got a list with int"):
        ways.search(["a", 3])  # type: ignore[list-item]
    with pytest.raises(ArgumentError, match=r"results: expected 1 to 5, got 7\. Use a larger width"):
        ways.search(["a"], results=7)
    with pytest.raises(ArgumentError, match=r"results: expected 1 to 1,024, got 2000\."):
        ways.sample(["a"], results=2000)
    with pytest.raises(ArgumentError, match="temperature"):
        ways.sample(["a"], temperature=-1)
