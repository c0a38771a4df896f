"""Words and subwords: texts come back from their tokens, and a vocabulary that is not the model's is refused."""

from __future__ import annotations

import builtins
import copy
import json
import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
import sentencepiece
from hypothesis import example, given, settings
from hypothesis import strategies as st

from minigrad.data import Pair, PairData, Subwords, Tokens, Words, learn_tokens, wordtokens
from minigrad.data.pair import cleaned
from minigrad.data.tokens import of_config, unknown_rate
from minigrad.data.wordtokens import join, split, word_counts
from minigrad.errors import ArgumentError, DataError, IndexingError, RunError

SENTENCES = [f"Turn {way} the {what}." for way in ("on", "off") for what in ("light", "heating", "lights", "fan")] * 4


@pytest.fixture(scope="module")
def subwords() -> Subwords:
    return Subwords.learn(SENTENCES, size=30)


# ---------------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Turn on the light.", "Turn on the light ￭."),
        ("Don't!", "Don ￭'￭ t ￭!"),
        ("¿Qué? (a)", "¿￭ Qué ￭? (￭ a ￭)"),
        ('say "hi there"', 'say "￭ hi there ￭"'),
        ("l'été, 3.5 km; 1,000.", "l ￭'￭ été ￭, 3.5 km ￭; 1,000 ￭."),
        ("v2.1b x_y a-b", "v2 ￭.￭ 1b x_y a ￭-￭ b"),
        ("wait... no - yes", "wait ￭... no - yes"),
        ('("x")', '( ￭"￭ x ￭" ￭)'),
        ("c'est « bon »", "c ￭'￭ est « bon »"),
        ("日本語 のAB!", "日 本 語 の ￭AB ￭!"),
        ("हिन्दी में", "हिन्दी में"),
        ("a😀b", "a ￭😀￭ b"),
        ("", ""),
    ],
)
def test_words_by_hand(text: str, tokens: str) -> None:
    assert split(text) == tokens.split()
    assert join(tokens.split()) == text.replace("語 の", "語の")


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs", "Co", "Cn")), max_size=30), st.sampled_from(["keep", "mark"]))
@example("DON'T Stop, iPhone's A b STRASSE ß ẞ ŉ ǅ İI", "mark")
@example("￭a ￭ ⇧ x ⇪", "mark")
@example("1.2.3 1..2 a.b_c__d", "keep")
def test_texts_come_back(text: str, case: str) -> None:
    text = cleaned(text)
    expected = text.translate(str.maketrans("￭⇧⇪", "■↑⤒"))
    back = join(split(text, case))
    alone = any(character > "\u3000" for character in text)  # where no blanks are written
    assert back == expected or (alone and back.replace(" ", "") == expected.replace(" ", ""))


def test_case_that_is_marked_or_dropped() -> None:
    assert split("Turn ON the iPhone, A", "mark") == ["⇧", "turn", "⇪", "on", "the", "iPhone", "￭,", "⇧", "a"]
    assert split("Turn ON", "lower") == ["turn", "on"]


def test_words_that_are_learned() -> None:
    words = Words.learn(["b a", "a b c"])
    assert (
        words.symbols[4:] == ("a", "b")
        and words.encode("c a").tolist() == [1, 4]
        and words.decode([2, 4, 1, 3, 5]) == "a <unk>"
    )
    assert Words.learn(["b a", "a b c"], size=6, min_count=1).symbols[4:] == ("a", "b")
    assert Words.learn(["B a", "A b"], case="lower").symbols[4:] == ("a", "b")
    assert unknown_rate(words, ["a b c", "d"]) == 0.5 and unknown_rate(words, []) == 0.0


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: Words.learn(["a", "a"]), DataError, "different words that come 2 times or more, got 'a' of 1"),
        (lambda: Words.learn(["a", "b"]), DataError, r"got none of 2 words\. Give more pairs, or keep rare words"),
        (lambda: Words.learn([], min_count=1), DataError, r"got none of 0 words\. Give more pairs\.$"),
        (lambda: Words.learn(SENTENCES, size=5), ArgumentError, "size"),
        (lambda: Words.learn(SENTENCES, min_count=0), ArgumentError, "min_count"),
        (lambda: Words.learn(SENTENCES, case="upper"), ArgumentError, "expected one of keep, mark, lower, got 'upper'"),
        (lambda: Words(["a"], case="upper"), ArgumentError, "expected one of keep, mark, lower"),
        (lambda: Words([]), ArgumentError, "words without blanks, at least one, got none"),
        (lambda: Words(["a b"]), ArgumentError, "got 'a b'"),
        (lambda: Words(["a", "a"]), ArgumentError, "expected each word once, got 'a' twice"),
        (lambda: Subwords.learn(["aaa"]), DataError, "expected sentences of at least two different characters, got 'a'"),
        (lambda: Subwords.learn([]), DataError, "got none"),
        (lambda: Subwords.learn(SENTENCES, size=6), DataError, r"expected room for 20 subwords, .* got 6\. Ask for 20 or more"),
        (lambda: Subwords.learn(SENTENCES, size=5), ArgumentError, "size"),
        (lambda: Subwords.learn(SENTENCES, model="x"), ArgumentError, "expected one of unigram, bpe, got 'x'"),
        (lambda: Subwords(b"nothing"), ArgumentError, "expected a model of sentencepiece, got 7 bytes that are none"),
        (lambda: Subwords("text"), ArgumentError, "expected a model of sentencepiece"),  # type: ignore[arg-type]
        (lambda: of_config({"kind": "letters"}, "config.json"), RunError, r"config\.json: expected the vocabulary .*'letters'"),
        (lambda: of_config(None, "config.json"), RunError, "another \\(kind None\\)"),
        (lambda: Words(["a"]).decode([9]), IndexingError, "expected numbers from 0 to 4, got 9"),
        (lambda: Words(["a"]).decode([0.5]), IndexingError, "got an array of float64"),
        (lambda: Tokens().split("a"), NotImplementedError, "Tokens has no split"),
    ],
)  # fmt: skip
def test_what_is_refused(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()


# ---------------------------------------------------------------------- of sentence pairs


PAIRS = [Pair(f"{text} {i % 7}", f"Schalte {i % 5} {text[8:]}") for i, text in enumerate(SENTENCES)]
TEXTS = [cleaned(text) for pair in PAIRS for text in pair[:2]]
DATA = PairData(PAIRS, [Pair("Turn on Mars", "Mars an")], [Pair("off", "the")], ("en", ""), (), "", ())


@pytest.mark.parametrize(
    ("options", "sizes", "lines"),
    [
        ({}, (20, 16), ["words of en: 16 of 16, those that come 2 times or more; unknown: 0.0% to train on, 33.3% of"]),
        (
            {"size": 8, "min_count": 1},
            (8, 8),
            ["words of en: 4 of 16, the most frequent; unknown: 41.7% to train on, 66.7% of"],
        ),
        ({"size": 8, "joint": True}, (8, 0), ["words of en and target: 4 of 17, the most frequent, those that come 2"]),
        ({"case": "lower"}, (20, 16), ["words of en: 16 of 16", "words of target: 12 of 12"]),
        ({"kind": "subwords", "size": 30}, (30, 0), ["subwords of en and target: 26, 4.50 to a word; unknown: 0.0% to train"]),
        ({"kind": "subwords", "size": 28, "joint": False}, (28, 25), ["subwords of en: 24, ", "subwords of target: 21, "]),
    ],
)
def test_vocabularies_of_pairs(options: dict[str, Any], sizes: tuple[int, int], lines: list[str]) -> None:
    found = learn_tokens(DATA, **options)
    same = not sizes[1]  # one vocabulary for both
    assert (len(found.source), len(found.target)) == (sizes[0], sizes[1] or sizes[0])
    assert (found.source is found.target) == same and len(found.policy) == 2 - same
    for line, begin in zip(found.policy, lines, strict=False):
        assert line.startswith(begin) and "% of validation" in line


@pytest.mark.parametrize("kind", ["words", "subwords"])
@pytest.mark.parametrize("joint", [False, True])
def test_sentences_to_train_on_are_split_once(kind: str, joint: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """To count the words and the unknown, and not again for each line about them, which says what the slow way would."""
    seen: Counter[str] = Counter()
    owner, name = (wordtokens, "_runs") if kind == "words" else (Subwords, "split")
    real = getattr(owner, name)

    def noted(*args: Any) -> Any:
        seen.update(arg for arg in args if arg in TEXTS)
        return real(*args)

    monkeypatch.setattr(owner, name, noted)
    found = learn_tokens(DATA, kind, joint=joint)
    monkeypatch.undo()
    assert seen == Counter(TEXTS)
    for tokens, line, sides in zip(
        (found.source, found.target), found.policy, ((0, 1),) if joint else ((0,), (1,)), strict=False
    ):
        rate = unknown_rate(tokens, [pair[side] for side in sides for pair in PAIRS])
        assert f"unknown: {rate:.1%} to train on, " in line


@pytest.mark.parametrize("case", ["keep", "mark", "lower"])
def test_words_are_counted_as_they_are_split(case: str) -> None:
    texts = [*SENTENCES, "DON'T  Stop", "iPhone's ￭ ⇧ caf\u00e9\u200b", ""]
    assert word_counts(texts, case) == Counter(word for text in texts for word in split(cleaned(text), case))


def test_vocabularies_of_pairs_that_are_refused() -> None:
    with pytest.raises(ArgumentError, match="expected one of words, subwords, got 'letters'"):
        learn_tokens(DATA, "letters")
    for options in ({"min_count": 2}, {"case": "mark"}):
        with pytest.raises(ArgumentError, match="expected none with subwords"):
            learn_tokens(DATA, "subwords", **options)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="data: en: expected at least two different words"):
        learn_tokens(DATA._replace(train=[Pair("a", "b"), Pair("a", "c")]))
    assert len(learn_tokens(DATA, "subwords").source) < 200


# ---------------------------------------------------------------------- subwords, and both


def test_subwords(subwords: Subwords) -> None:
    assert 20 <= len(subwords) <= 30 and subwords.symbols[:4] == ("<pad>", "<unk>", "<s>", "</s>")
    for sentence in ["Turn on the light.", "the  fans"]:
        assert subwords.decode(subwords.encode(sentence)) == " ".join(sentence.split())
        assert subwords.join(subwords.split(sentence)) == " ".join(sentence.split())
    assert 1 in subwords.encode("Zürich").tolist() and unknown_rate(subwords, ["Turn on"]) == 0.0
    assert Subwords.learn(SENTENCES, size=30).model == subwords.model
    for kind in ("unigram", "bpe"):
        large = Subwords.learn(SENTENCES, 30_000, kind)
        assert len(large) < 200 and large.decode(large.encode("Turn on")) == "Turn on"


@pytest.mark.parametrize("kind", ["words", "subwords"])
def test_a_vocabulary_comes_back_from_its_config(kind: str, subwords: Subwords) -> None:
    tokens: Tokens = subwords if kind == "subwords" else Words.learn(SENTENCES, case="mark")
    config = json.loads(json.dumps(tokens.to_config()))
    again = of_config(config, "config.json")
    assert again == tokens and hash(again) == hash(tokens) and again.digest == tokens.digest and repr(again) == repr(tokens)
    assert type(again) is type(tokens) and again.encode(SENTENCES[0]).tolist() == tokens.encode(SENTENCES[0]).tolist()
    assert tokens != Words(["a"]) and tokens.digest != Words(["a"]).digest
    tokens.check_same(again, "model")
    for spoilt in ({"more": 1}, {"model": "!"} if kind == "subwords" else {"words": ["a", "a"]}, {"sha256": "0", "case": "x"}):
        with pytest.raises(RunError, match=r"translate: config\.json: expected the vocabulary of the model"):
            of_config({**copy.deepcopy(config), **spoilt}, "config.json")
    with pytest.raises(RunError, match=f"model: expected {len(tokens)} {kind}, got 5 words. Use the vocabulary"):
        tokens.check_same(Words(["a"]), "model")


def test_a_vocabulary_of_as_many_others_is_told() -> None:
    with pytest.raises(RunError, match="expected 6 words, of which number 4 is 'a', got as many, of which number 4 is 'b'"):
        Words(["a", "b"]).check_same(Words(["b", "a"]), "model")
    with pytest.raises(RunError, match="got as many others"):
        Words(["a", "b"]).check_same(Words(["a", "b"], case="lower"), "model")


def test_sentences_that_the_library_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def train(**options: Any) -> None:
        raise RuntimeError("too\n few")

    monkeypatch.setattr(sentencepiece.SentencePieceTrainer, "train", train)
    with pytest.raises(DataError, match=r"expected sentences from which 40 subwords can be learned, got others \(too few\)"):
        Subwords.learn(SENTENCES, size=40)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch, subwords: Subwords) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "sentencepiece":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    config = subwords.to_config()
    monkeypatch.setattr(builtins, "__import__", without)
    for call, instead in (
        (lambda: Subwords.learn(SENTENCES), ", or use words"),
        (lambda: of_config(config, "config.json"), ""),
    ):
        with pytest.raises(DataError, match=rf"got none\. Run pip install 'minigrad-engine\[translate\]'{instead}\.$"):
            call()


def test_numbers_of_any_kind_are_decoded() -> None:
    words = Words(["a", "b"])
    draw = random.Random(0)
    ids = [draw.choice((4, 5)) for _ in range(9)]
    said = " ".join("ab"[i - 4] for i in ids)
    for some in (ids, np.array(ids, np.uint8), iter(ids), np.array([*ids, 3, 4])):
        assert words.decode(some) == said
    assert words.decode([]) == "" and words.tokens([2, 0, 5]) == ["b"]
