"""A writer beside slow definitions: reading in pieces, drawing, the beam against every text there is, and surprise."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.data.characters import Characters
from minigrad.errors import ArgumentError, DataError, RunError
from minigrad.models import writer as module
from minigrad.models.sampling import log_softmax
from minigrad.models.writer import Writer
from tests.shape_images import COLOUR, made_run
from tests.text_models import SYMBOLS, card, cycling, text_run, writer

CELLS = ("lstm", "gru", "rnn")
BYTES = Characters(kind="bytes")


def log_shares(model: Writer, text: str) -> np.ndarray:
    """Of every character after each of a text's, with the whole text in one call of the network."""
    tokens = minigrad.tensor(model.vocabulary.encode(text)[:, None])
    with minigrad.no_grad():
        return log_softmax(model.network(tokens)[0].numpy()[:, 0])


def log_probability(model: Writer, prime: str, text: str) -> float:
    """Of a text after a prime."""
    shares = log_shares(model, prime + text)
    ids = model.vocabulary.encode(text)
    return float(shares[len(prime) - 1 : -1][np.arange(len(ids)), ids].sum())


# ---------------------------------------------------------------------- reading


@pytest.mark.parametrize("cell", CELLS)
def test_a_prime_in_pieces_is_the_prime(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, text = writer(cell=cell, layer_norm=True), "A bad cab. (Add)\n"
    whole = model.read(text)
    assert log_softmax(whole.logits[0]) == pytest.approx(log_shares(model, text)[-1], abs=1e-12)
    monkeypatch.setattr(module, "CHUNK", 3)
    seen: list[tuple[int, int]] = []
    for place in (model.read(text, progress=lambda *now: seen.append(now)), model.read(text[5:], model.read(text[:5]))):
        assert place.logits == pytest.approx(whole.logits, abs=1e-10)
    assert seen == [(3, 17), (6, 17), (9, 17), (12, 17), (15, 17), (17, 17)]


def test_without_a_prime_a_line_begins() -> None:
    model = writer()
    assert "".join(model.stream(seed=4, length=30)) == "".join(model.stream("\n", seed=4, length=30))
    assert model.read("", model.read("ab")).logits.tolist() == model.read("ab").logits.tolist()


def test_where_no_line_ends_any_character_begins() -> None:
    model = writer("abcd")
    assert model.read("").state is None
    firsts = {next(model.stream(seed=seed)) for seed in range(40)}
    assert firsts == set("abcd")


def test_characters_that_it_does_not_know() -> None:
    model = writer(SYMBOLS + "\ufffd")
    with pytest.raises(DataError, match="prime: characters: expected the 18 characters that the vocabulary has, got 1 other"):
        model.stream("aXb")
    assert model.read("aXb", unknown="skip").logits.tolist() == model.read("ab").logits.tolist()
    assert model.read("aXb", unknown="fold").logits.tolist() == model.read("a\ufffdb").logits.tolist()
    with pytest.raises(ArgumentError, match="expected a vocabulary with a place for characters that it does not know"):
        writer().read("aXb", unknown="fold")


# ---------------------------------------------------------------------- writing


def test_it_writes_what_it_knows() -> None:
    model = cycling("abc")
    assert "".join(model.stream("ab", length=7)) == "cabcabc"
    assert "".join(model.stream("c", length=4, temperature=0)) == "abca"


@pytest.mark.parametrize("cell", CELLS)
def test_steps_are_those_of_the_whole_text(cell: str) -> None:
    """What was drawn, read again at one go, has the surprise that the steps gave it."""
    model = writer(cell=cell)
    stream = model.stream("ab", seed=1, length=25, temperature=1.5)
    text = "".join(stream)
    assert stream.nats == pytest.approx(-log_probability(model, "ab", text), abs=1e-9)
    assert (len(text), stream.count, stream.ended) == (25, 25, "length")


def test_draws_follow_the_shares() -> None:
    model = writer()
    shares = np.exp(log_softmax(model.read("ab").logits[0]))
    drawn = [next(model.stream("ab", seed=seed)) for seed in range(150)]
    counts = np.array([drawn.count(symbol) for symbol in model.vocabulary.symbols])
    assert ((counts - 150 * shares) ** 2 / (150 * shares * (1 - shares) + 1)).max() < 9  # three deviations


def test_the_seed_decides() -> None:
    model = writer()
    first = model.stream("a", length=20)
    text = "".join(first)
    assert "".join(model.stream("a", length=20, seed=first.seed)) == text
    assert len({"".join(model.stream("a", length=20, seed=seed)) for seed in range(4)}) == 4


def test_streams_at_the_same_time_do_not_mix() -> None:
    model = writer()
    alone = ["".join(model.stream("a", seed=seed, length=12)) for seed in (1, 2)]
    both = zip(*(model.stream("a", seed=seed, length=12) for seed in (1, 2)))
    assert ["".join(text) for text in zip(*both)] == alone


def test_nothing_is_left_switched_between_two_characters() -> None:
    stream = writer().stream("a", length=3)
    next(stream)
    assert minigrad.is_grad_enabled()


def test_temperature_top_k_and_top_p_bound_what_comes() -> None:
    model = writer()
    likeliest = "".join(model.stream("a", length=20, temperature=0))
    assert "".join(model.stream("a", length=20, top_k=1, seed=3)) == likeliest
    assert "".join(model.stream("a", length=20, top_p=1e-6, seed=5)) == likeliest


def test_it_stops_after_a_text() -> None:
    stream = cycling("abcd").stream("a", until="da", length=99)
    assert "".join(stream) == "bcda"
    assert stream.ended == "until"
    assert next(stream, None) is None
    stream = cycling("abcd").stream("da", until="da", length=3)  # of the prime nothing counts
    assert ("".join(stream), stream.ended) == ("bcd", "length")


def test_no_length_at_all() -> None:
    stream = writer().stream("a", length=0)
    assert ("".join(stream), stream.ended) == ("", "length")
    endless = writer().stream("a")
    assert len("".join(itertools.islice(endless, 99))) == 99 and endless.ended == ""


def test_a_place_is_gone_on_from() -> None:
    model = writer()
    whole = "".join(model.stream("ab", length=20, temperature=0))
    stream = model.stream("ab", length=8, temperature=0)
    first = "".join(stream)
    assert first + "".join(model.stream(place=stream.here(), length=12, temperature=0)) == whole
    assert model.read(whole[8:], stream.here()).logits == pytest.approx(model.read("ab" + whole).logits, abs=1e-9)


def test_the_character_of_rare_ones_is_never_written() -> None:
    model = writer(Characters("ab\ufffd"), sharp=0.0)  # all are equally likely
    assert set("".join(model.stream("a", length=60, seed=0))) == {"a", "b"}
    assert {text.text for text in model.beam("a", width=9, length=2)} == {"aa", "ab", "ba", "bb"}
    assert model.score("a\ufffdb").nats[1:] == pytest.approx([math.log(3)] * 2)


def test_bytes_are_shown_as_whole_characters() -> None:
    model = writer(BYTES, sharp=0.0, hidden=2, layers=1)
    items = list(model.stream("é", length=50, seed=2))
    stream = model.stream("é", length=50, seed=2)
    assert "".join(stream) == "".join(items) and stream.count == 50
    assert "\ufffd" in "".join(items) and "" in items  # bytes drawn evenly are no text
    assert model.stream("a", until="é", length=1)._ending == [195, 169]


# ---------------------------------------------------------------------- the beam


@pytest.mark.parametrize("cell", CELLS)
def test_a_beam_as_wide_as_all_texts_finds_the_likeliest(cell: str) -> None:
    model = writer("abc", cell=cell, seed=5)
    texts = ["".join(text) for text in itertools.product("abc", repeat=4)]
    exact = sorted(((log_probability(model, "ab", text), text) for text in texts), reverse=True)[:6]
    found = model.beam("ab", width=81, length=4)
    assert [one.text for one in found[:6]] == [text for _, text in exact]
    assert [one.log_probability for one in found[:6]] == pytest.approx([total for total, _ in exact], abs=1e-9)
    assert math.fsum(math.exp(one.log_probability) for one in found) == pytest.approx(1)


def test_a_beam_of_one_is_greedy() -> None:
    model = writer()
    (found,) = model.beam("a", width=1, length=15)
    assert found.text == "".join(model.stream("a", length=15, temperature=0))
    assert found.log_probability == pytest.approx(log_probability(model, "a", found.text), abs=1e-9)


def test_complete_texts_compete_with_longer_ones() -> None:
    """All texts up to three letters that end in ``c`` or have all three: the likeliest, by going through them."""
    model = writer("abc", seed=5)
    texts = [*("".join(t) for n in (1, 2, 3) for t in itertools.product("abc", repeat=n))]
    texts = [t for t in texts if ("c" not in t[:-1]) and (t.endswith("c") or len(t) == 3)]
    exact = sorted(((log_probability(model, "a", text), text) for text in texts), reverse=True)
    found = model.beam("a", width=27, length=3, until="c")
    assert [(one.text) for one in found] == [text for _, text in exact]
    assert "".join(one.text for one in cycling("abcd").beam("a", width=1, length=50, until="da")) == "bcda"


def test_a_beam_without_a_prime_and_from_a_place() -> None:
    model = writer("abcd")
    assert {one.text for one in model.beam(width=4, length=1)} == set("abcd")
    model = writer()
    one, other = model.beam("b", place=model.read("a"), width=3, length=5), model.beam("ab", width=3, length=5)
    assert [found.text for found in one] == [found.text for found in other]


# ---------------------------------------------------------------------- judging


@pytest.mark.parametrize("size", [2, 3, 4, 7, 8, 9])
def test_surprise_in_pieces_is_that_of_the_whole(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 4)
    model, text = writer(), "A bad cab"[:size]
    found = model.score(text)
    shares = log_shares(model, text)
    assert math.isnan(found.nats[0])
    assert found.nats[1:] == pytest.approx(-shares[:-1][np.arange(size - 1), found.ids[1:]], abs=1e-10)
    assert found.figures().perplexity == pytest.approx(math.exp(found.nats[1:].mean())) == model.perplexity(text)
    assert found.figures().bits == pytest.approx(found.mean / math.log(2))


def test_perplexity_of_no_knowledge_is_the_number_of_characters() -> None:
    assert writer("abcd", sharp=0.0).perplexity("abcdabcd") == pytest.approx(4)
    assert cycling("abc").perplexity("abcabc") == pytest.approx(1)


@pytest.mark.emulated
@pytest.mark.parametrize("cell", CELLS)
def test_a_seed_writes_the_same_on_every_device(cell: str) -> None:
    texts = []
    for device in ("cpu", "emulated"):
        minigrad.manual_seed(0)
        made = card(cell=cell)
        texts.append("".join(Writer(made, made.build().to(device)).stream("ab", length=60, seed=3, temperature=0.9)))
    assert len(texts[0]) == 60 and texts[0] == texts[1]


# ---------------------------------------------------------------------- what is refused, and where it comes from


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda model: model.stream(length=-1), "write: length: expected at least 0, got -1"),
        (lambda model: model.stream(temperature=-1), "write: temperature: expected a number of at least 0"),
        (lambda model: model.stream(until=""), "write: until: expected a text, got none of any length"),
        (lambda model: model.stream(until="aZ"), "characters that the model writes, got 'aZ', of which it never writes 'Z'"),
        (lambda model: model.stream(until="\ufffd"), "of which it never writes '\ufffd'"),
        (lambda model: model.beam(until="Z"), "of which it never writes 'Z'"),
        (lambda model: model.beam(width=0), "write: width: expected 1 to 4,096 continuations, got 0"),
        (lambda model: model.beam(width=5000), "got 5000"),
        (lambda model: model.beam(length=0), "write: length: expected at least 1, got 0"),
        (lambda model: model.score("a"), "score: text: expected at least two characters"),
        (lambda model: model.score(""), "score: text: expected at least two characters"),
    ],
)  # fmt: skip
def test_what_is_refused(call: Any, text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        call(writer("ab\ufffd"))
    assert text in str(caught.value)


def test_a_run_is_loaded(tmp_path: Path) -> None:
    run = text_run(tmp_path / "run")
    model = Writer.load(str(run))
    assert model.card == card() and not model.network.training
    minigrad.manual_seed(0)
    assert model.score("abba").mean == pytest.approx(Writer(card(), card().build()).score("abba").mean)


def test_another_task_and_a_vocabulary_of_another_size(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="expected a model of the task text, got one of the task classify"):
        Writer.load(str(made_run(tmp_path / "classify", COLOUR)))
    run = text_run(tmp_path / "run")
    config = (run / "config.json").read_text()
    (run / "config.json").write_text(config.replace("abcdeA", "abcdefA"))
    with pytest.raises(RunError, match=r"expected weights and a config\.json of one network"):
        Writer.load(str(run))
