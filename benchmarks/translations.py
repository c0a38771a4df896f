"""Translators side by side on the same sentences: greedy and by beam search, with intervals of what sets them apart.

    python -m minigrad.benchmarks.translations with without [--data en-es] [--beam 5] [--samples 1000] [--lowercase] [--json]

Each model translates the test part of its data, or of others, in both ways. Beside the BLEU of each stands how far it is from
that of the first model's greedy translations, with the 95 % interval of the paired bootstrap (Koehn 2004, "Statistical
Significance Tests for Machine Translation Evaluation"): the sentences are drawn anew with repetition, the same for all, as
often as ``--samples`` says. A second table has the BLEU of sources of like lengths.

Exit code: 0, or 2 for an error.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from minigrad.errors import ArgumentError, MinigradError
from minigrad.models.translation import Judged, greedily, judge, searching, to_measure
from minigrad.models.translator import Translator
from minigrad.show.progress import track
from minigrad.train import Track
from minigrad.train.trained import Trained

SEED = 0
INSIDE = (2.5, 97.5)  # percent: where an interval begins and ends


class Counts(NamedTuple):
    """Of each sentence what BLEU is made of: matched and all n-grams (N, 4), tokens written, and of the reference, (N,)."""

    matched: np.ndarray
    all: np.ndarray
    written: np.ndarray
    reference: np.ndarray

    @classmethod
    def of(cls, translations: Sequence[str], references: Sequence[str], *, lowercase: bool = False) -> Counts:
        """Those of translations beside references; ``lowercase``: without a look at capital letters."""
        from sacrebleu.metrics import BLEU

        metric = BLEU(lowercase=lowercase, effective_order=True)
        found = [metric.sentence_score(made, [right]) for made, right in zip(translations, references, strict=True)]
        parts = ([one.counts for one in found], [one.totals for one in found])
        lengths = ([one.sys_len for one in found], [one.ref_len for one in found])
        return cls(*(np.array(part, np.int64) for part in (*parts, *lengths)))

    def bleu(self, times: np.ndarray) -> float:
        """BLEU of all sentences together, each as many times as ``times`` (N,) says."""
        from sacrebleu.metrics import BLEU

        matched, all, written, reference = (times @ part for part in self)
        return float(BLEU.compute_bleu(matched.tolist(), all.tolist(), int(written), int(reference), smooth_method="exp").score)


def drawn(count: int, samples: int, seed: int = SEED) -> np.ndarray:
    """How often each of ``count`` sentences is drawn, (samples, count).

    Example:
        >>> drawn(5, 2).sum(1).tolist()
        [5, 5]
    """
    return np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=samples)


def intervals(systems: Mapping[str, Counts], samples: int) -> dict[str, dict[str, Any]]:
    """BLEU of each system, and its distance from the first one's with the interval of the paired bootstrap.

    Example:
        >>> one = Counts(np.array([[9, 8, 7, 6]] * 4), np.array([[9, 8, 7, 6]] * 4), np.array([9] * 4), np.array([9] * 4))
        >>> intervals({"a": one, "b": one}, 10)["b"]["apart"]
        (0.0, 0.0, 0.0)
    """
    first = next(iter(systems.values()))
    count = len(first.written)
    times = drawn(count, samples)
    once = np.ones(count, np.int64)
    base, drawn_base = first.bleu(once), np.array([first.bleu(row) for row in times])
    found = {}
    for name, system in systems.items():
        scores = drawn_base if system is first else np.array([system.bleu(row) for row in times])
        low, high = np.percentile(scores - drawn_base, INSIDE)
        least, most = np.percentile(scores, INSIDE)
        bleu = system.bleu(once)
        found[name] = {
            "bleu": bleu,
            "interval": (float(least), float(most)),
            "apart": (bleu - base, float(low), float(high)),
        }
    return found


def _named(name: str) -> Track:
    return lambda batches: track(batches, describe=name, unit="batches")


def compare(
    models: Sequence[str], data: Sequence[str] | None, beam: int, samples: int, *, lowercase: bool = False
) -> dict[str, Any]:
    """All models, both ways.

    Raises:
        ArgumentError: numbers out of range, or models whose own data are not the same.
        MinigradError: what reading models and data raises.
    """
    for option, value, least in (("--beam", beam, 2), ("--samples", samples, 1)):
        if value < least:
            raise ArgumentError("benchmarks.translations", option, f"at least {least}", str(value))
    judged: dict[str, Judged] = {}
    sentences: list[str] | None = None
    for model in models:
        translator = Translator.load(model)
        pairs, _, _ = to_measure(Trained.open(model).config("translate"), data)
        here = [pair.source for pair in pairs]
        if sentences not in (None, here):
            remedy = "Name the sentences for all by --data"
            raise ArgumentError("benchmarks.translations", "models", "models of the same data", "of others", remedy)
        sentences = here
        ways = {"greedy": greedily, f"beam {beam}": searching(beam)}
        for way, translate in ways.items():
            name = f"{model}, {way}"
            judged[name] = judge(translator, pairs, translate=translate, track=_named(name), lowercase=lowercase)
    counts = {
        name: Counts.of([made.text for made in one.translations], [pair.target for pair in one.pairs], lowercase=lowercase)
        for name, one in judged.items()
    }
    lengths = {name: one.by_length() for name, one in judged.items()}
    signature = next(iter(judged.values())).scores.signature[0]
    return {"signature": signature, "systems": intervals(counts, samples), "lengths": lengths}


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the arguments, compare and tell; the exit code."""
    about = (__doc__ or "").split("\n\n")[0]
    parser = argparse.ArgumentParser(prog="python -m minigrad.benchmarks.translations", description=about)
    parser.add_argument("models", nargs="+", metavar="MODEL", help="run folders, or names of shipped translators")
    parser.add_argument("--data", action="append", metavar="NAME|PATH", help="other sentences than the models' own test part")
    parser.add_argument("--beam", type=int, default=5)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--lowercase", action="store_true", help="do not look at capital letters")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    try:
        found = compare(chosen.models, chosen.data, chosen.beam, chosen.samples, lowercase=chosen.lowercase)
    except MinigradError as error:
        parser.error(str(error))
    if chosen.json:
        print(json.dumps(found, indent=1))
        return 0
    wide = max(map(len, found["systems"]))
    print(f"{'':{wide}}   BLEU   95 %           from the first, 95 %     ({found['signature']})")
    for name, row in found["systems"].items():
        (least, most), (apart, low, high) = row["interval"], row["apart"]
        print(f"{name:{wide}}  {row['bleu']:5.2f}   {least:5.2f} to {most:5.2f}   {apart:+5.2f}   {low:+5.2f} to {high:+5.2f}")
    groups = [words for words, *_ in next(iter(found["lengths"].values()))]
    print(f"\n{'words of the source':{wide}}" + "".join(f"{words:>10}" for words in groups))
    for name, rows in found["lengths"].items():
        print(f"{name:{wide}}" + "".join(f"{bleu:10.2f}" for _, _, bleu in rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
