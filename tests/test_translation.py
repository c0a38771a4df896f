"""How a translator is judged: BLEU and chrF beside hand numbers, the loss beside a loop, the mean of checkpoints, pictures."""

from __future__ import annotations

import math
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.data.pair import Pair
from minigrad.errors import ArgumentError, DataError, ShapeError, StateError
from minigrad.models.beam import Penalty
from minigrad.models.bleu import Scores, scores
from minigrad.models.translation import Judged, judge, searching, to_measure
from minigrad.models.translator import Translation, Translator
from minigrad.show.attention import SHOWN, attention_png, attention_svg
from minigrad.train.latest import Latest
from tests.pair_files import tsv
from tests.small_translators import card, rows, two_files

# ---------------------------------------------------------------------- BLEU and chrF


def slow_chrf(made: str, right: str) -> float:
    """The formula of Popović 2015 with runs of 1 to 6 letters, recall twice as weighty as precision."""
    precisions, recalls = [], []
    for size in range(1, 7):
        runs = [
            Counter(text[i : i + size] for i in range(len(text) - size + 1))
            for text in (made.replace(" ", ""), right.replace(" ", ""))
        ]
        both = sum((runs[0] & runs[1]).values())
        if runs[0] and runs[1]:
            precisions.append(both / sum(runs[0].values()))
            recalls.append(both / sum(runs[1].values()))
    precision, recall = np.mean(precisions), np.mean(recalls)
    return float(100 * 5 * precision * recall / (4 * precision + recall))


@pytest.mark.parametrize(
    ("made", "right", "bleu"),
    [
        ("the cat sat on the mat", "the cat sat on the mat", 100.0),
        ("the cat sat on a mat", "the cat sat on the mat", 100 * (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25),
        ("the cat sat on the", "the cat sat on the mat", 100 * math.exp(1 - 6 / 5)),  # too short
        ("The cat sat on the mat.", "the cat sat on the mat.", 100 * (6 / 7 * 5 / 6 * 4 / 5 * 3 / 4) ** 0.25),
    ],
)
def test_bleu_and_chrf_by_hand(made: str, right: str, bleu: float) -> None:
    found = scores([made], [right])
    assert found.bleu == pytest.approx(bleu) and found.chrf == pytest.approx(slow_chrf(made, right))
    small = scores([made], [right], lowercase=True)
    assert small.bleu == pytest.approx(100.0 if made.lower() == right else bleu)


def test_bleu_is_of_all_sentences_together() -> None:
    found = scores(["the cat sat on a mat", "yes"], ["the cat sat on the mat", "yes"])
    assert found.bleu == pytest.approx(100 * (6 / 7 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25)
    assert re.fullmatch(r"#:1\|c:mixed\|e:no\|tok:13a\|s:exp\|v:[\d.]+", found.signature[0])
    assert re.fullmatch(r"#:1\|c:mixed\|e:yes\|nc:6\|nw:0\|s:no\|v:[\d.]+", found.signature[1])
    assert scores(["a"], ["a"], lowercase=True).signature[0].startswith("#:1|c:lc|")
    assert found.words == f"BLEU {found.bleu:.2f} ({found.signature[0]}), chrF {found.chrf:.2f} ({found.signature[1]})"


def test_scores_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    for made, right in ((["a"], []), ([], []), (["a"], ["a", "b"])):
        with pytest.raises(ShapeError, match=rf"as many as translations, {len(made)}, and at least 1, got {len(right)}"):
            scores(made, right)
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with pytest.raises(DataError, match="expected the library sacrebleu"):
        scores(["a"], ["a"])


# ---------------------------------------------------------------------- judging


def small() -> Translator:
    minigrad.manual_seed(3)
    made = card()
    return Translator(made.build().double(), made.source, made.target)


PAIRS = [Pair(*row) for row in (*rows(4), ("Mary sees a cow.", "María ve una vaca."))]


@pytest.mark.parametrize("tokens", [1, 30, 2048])
def test_the_loss_is_that_of_a_slow_loop(tokens: int) -> None:
    """One sentence after the other, one token after the other; whatever stands beside it in a batch."""
    ways = small()
    nats, count = 0.0, 0
    for pair in PAIRS:
        source = minigrad.tensor([*ways.source.encode(pair.source).tolist(), 3])[:, None]
        words = [2, *ways.target.encode(pair.target).tolist(), 3]
        for length in range(1, len(words)):
            with minigrad.no_grad():
                given = minigrad.tensor(words[:length])[:, None]
                logits = ways.network(source, minigrad.tensor([len(source)], device="cpu"), given)[-1, 0].numpy()
            nats += float(np.log(np.exp(logits).sum()) - logits[words[length]])
            count += 1
    found = judge(ways, PAIRS, tokens=tokens)
    assert found.loss == pytest.approx(nats / count, rel=1e-9)
    assert found.figures.unit == "token" and found.figures.perplexity == pytest.approx(math.exp(nats / count))
    assert [made.text for made in found.translations] == [ways.greedy([pair.source])[0].text for pair in PAIRS]
    assert found.scores == scores([made.text for made in found.translations], [pair.target for pair in PAIRS])


def test_it_is_judged_by_the_way_that_is_asked_for() -> None:
    ways = small()
    ways.network.train()
    found = judge(ways, PAIRS, translate=searching(4))
    best = [row[0].text for row in ways.search([pair.source for pair in PAIRS], width=4, penalty=Penalty(length=1.0))]
    assert [made.text for made in found.translations] == best
    assert found.loss == pytest.approx(judge(ways, PAIRS).loss)
    with pytest.raises(DataError, match="pairs: expected at least one, got none"):
        judge(ways, [])


def of_words(*counts: int) -> list[Pair]:
    return [Pair(" ".join("abcdefghijklmnop"[i % 16] for i in range(count)), f"t {count}") for count in counts]


def test_by_length() -> None:
    """Groups by the source's words; a group without any is left out; each has its own BLEU, with or without capitals."""
    given = of_words(1, 4, 5, 9, 12, 21, 40)
    words = ("ONE", "FOUR", "FIVE", "NINE", "TWELVE", "MORE", "MOST")
    made = [Translation(" ".join([word] * 4), (), (), 0.0, 0.0, True, None, ()) for word in words]
    given = [pair._replace(target=one.text.lower() if i > 2 else one.text) for i, (pair, one) in enumerate(zip(given, made))]
    whole = Judged(given, made, Scores(0, 0, ("", "")), 1.0)
    assert [row[:2] for row in whole.by_length()] == [("1 to 4", 2), ("5 to 8", 1), ("9 to 12", 2), ("21 to 40", 2)]
    small = whole._replace(lowercase=True)
    assert [round(row[2], 6) for row in whole.by_length()] == [100, 100, 0, 0]
    assert [round(row[2], 6) for row in small.by_length()] == [100, 100, 100, 100]


def config(**chosen: Any) -> dict[str, Any]:
    made = card()._replace(languages=chosen.pop("languages", ("en", "es")))
    return {"data": "nowhere", "data_digest": "", "settings": chosen, "model": made.to_config()}


def test_other_pairs_to_measure_by(tmp_path: Path) -> None:
    """In the direction of the model, whichever of two files is named first, whether files tell their language or not."""
    both = two_files(tmp_path, count=9)
    (tmp_path / "tabs").mkdir()
    (tmp_path / "tabs/a.tsv").write_text(tsv(list(rows(9))))
    there, back = config(), config(languages=("es", "en"), reverse=True)
    turned = ",".join(reversed(both.split(",")))
    for data in ([both], [turned], [str(tmp_path / "tabs")], [str(tmp_path / "tabs/a.tsv")]):
        for model, side in ((there, 0), (back, 1)):
            found, what, _ = to_measure(model, data)
            assert [pair.source for pair in found] == [row[side] for row in rows(9)] and what == data[0]
    with pytest.raises(ArgumentError, match="target: expected one of the languages en, de, got 'es'"):
        to_measure(there, [two_files(tmp_path, ("en", "de"))])
    found, _, _ = to_measure(there, [two_files(tmp_path, ("tgt", "src"), count=9)])
    assert found[0][:2] == rows(9)[0]


# ---------------------------------------------------------------------- the mean of the last checkpoints


def walk(latest: Latest, layer: nn.Module, values: list[float]) -> None:
    for value in values:
        with minigrad.no_grad():
            for parameter in layer.parameters():
                parameter.fill_(value)
        latest.update_parameters(layer)


@pytest.mark.parametrize(
    ("count", "every", "values", "mean"),
    [
        (1, 1, [1, 2, 4], 4),
        (2, 1, [1, 2, 4], 3),
        (3, 1, [1, 2, 6], 3),
        (5, 1, [1, 2, 6], 3),
        (2, 2, [1, 2, 4, 8, 16], 5),
        (2, 3, [1, 2], 2),  # none is kept yet: as it is
        (3, 2, [9, 1, 9, 2, 9, 6, 9, 10], 6),
    ],
)
def test_the_mean_is_of_the_last_few(count: int, every: int, values: list[float], mean: float) -> None:
    layer = nn.Linear(2, 1)
    latest = Latest(layer, count, every)
    walk(latest, layer, values)
    assert latest.module.weight.tolist() == [[mean, mean]] and latest.module.bias.item() == mean
    assert latest.module is latest.module and layer.bias.item() == values[-1]
    walk(latest, layer, [values[-1] + 50] * every * count)
    assert latest.module.bias.item() == values[-1] + 50


def test_what_counts_is_not_averaged_and_small_numbers_are_not_lost() -> None:
    layer = nn.BatchNorm1d(2)
    latest = Latest(layer, 3, 1)
    for value in (1.0, 1.0 + 2**-23, 1.0 + 2**-22):
        with minigrad.no_grad():
            layer.weight.fill_(value)
            layer.running_mean.fill_(value)
            layer.num_batches_tracked.fill_(int(value * 2**22))
        latest.update_parameters(layer)
    assert latest.module.weight.tolist() == [1 + 2**-23] * 2 == latest.module.running_mean.tolist()
    assert latest.module.num_batches_tracked.item() == 2**22 + 1


def test_a_state_goes_on_where_it_was_taken() -> None:
    layer, other = nn.Linear(1, 1), nn.Linear(1, 1)
    one, two = Latest(layer, 2, 2), Latest(other, 2, 2)
    walk(one, layer, [1, 2, 3])
    two.load_state_dict(one.state_dict())
    walk(one, layer, [6])
    walk(two, other, [6])
    assert one.module.bias.item() == two.module.bias.item() == 4 and two.steps == 4
    one.load_state_dict({"steps": 0, "kept": []})
    assert one.module.bias.item() == 6


def test_states_and_numbers_that_are_refused() -> None:
    layer = nn.Linear(1, 1)
    latest = Latest(layer, 2, 1)
    good = {"weight": minigrad.zeros(1, 1), "bias": minigrad.zeros(1)}
    for state, words in (
        (None, "expected steps and kept states, got NoneType"),
        ({"steps": 1}, "expected steps and kept states, got dict"),
        ({"steps": -1, "kept": []}, "expected steps, and at most 2 states, got -1 and 0"),
        ({"steps": 1, "kept": [good] * 3}, "got 1 and 3"),
        ({"steps": 1, "kept": [{"weight": good["weight"]}]}, "expected states of this module, got another's"),
        ({"steps": 1, "kept": [{**good, "bias": minigrad.zeros(2)}]}, "expected states of this module, got another's"),
        ({"steps": 1, "kept": [5]}, "expected states of this module, got another's"),
    ):  # fmt: skip
        with pytest.raises(StateError, match=words):
            latest.load_state_dict(state)  # type: ignore[arg-type]
    for name, number in (("count", 0), ("every", 0), ("count", 1.5), ("every", True)):
        with pytest.raises(ArgumentError, match=f"Latest: {name}: expected a whole number, at least 1, got {number}"):
            Latest(layer, **{"count": 1, "every": 1, name: number})


# ---------------------------------------------------------------------- the picture


def test_a_picture_shades_each_cell_by_its_weight() -> None:
    from io import BytesIO

    from PIL import Image

    weights = np.array([[1.0, 0.0], [0.25, 0.75]])
    picture = attention_svg(weights, ["good", "day"], ["guten", "<Tag>"])
    assert picture.count("<text") == 4 and "&lt;Tag&gt;" in picture and "“good day”" in picture
    image = Image.open(BytesIO(attention_png(weights, ["good", "day"], ["guten", "Tag"]))).convert("RGB")
    pixels = np.asarray(image, np.int64)
    blue = pixels[..., 2] - pixels[..., 0]
    levels = np.unique(blue[blue > 20], return_counts=True)
    shades = levels[0][levels[1] > 500]  # whole cells, not the rims of letters
    assert len(shades) == 3 and shades[2] > shades[1] > shades[0]


def test_long_sentences_are_cut_in_the_picture() -> None:
    many = SHOWN + 20
    picture = attention_svg(np.full((many, many), 1 / many), ["w"] * many, ["v"] * many)
    assert picture.count("<text") == 2 * SHOWN


@pytest.mark.parametrize(
    ("weights", "error", "words"),
    [
        ([[1.0]], ShapeError, r"expected \(1, 2\), one for each word written and each word read, got shape \(1, 1\)"),
        ([], ShapeError, r"got shape \(0,\)"),
        ([[float("nan"), 0.0]], ArgumentError, "expected finite numbers of 0 or more, got others"),
        ([[-0.1, 0.1]], ArgumentError, "expected finite numbers of 0 or more, got others"),
    ],
)
def test_pictures_that_are_refused(weights: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        attention_svg(weights, ["a", "b"], ["c"])
