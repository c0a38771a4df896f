"""How good translations are: BLEU and chrF, which sacrebleu computes, and says how."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

from minigrad.errors import DataError, ShapeError


class Scores(NamedTuple):
    """Two figures of translations beside those of people, both from 0 to 100.

    Attributes:
        bleu: how many of their runs of 1 to 4 words are right (Papineni et al. 2002).
        chrf: the F-score of their runs of 1 to 6 letters (Popović 2015).
        signature: of each, by which others can compute the same: what was done to case and tokens, and sacrebleu's version.
    """

    bleu: float
    chrf: float
    signature: tuple[str, str]

    @property
    def words(self) -> str:
        """Both, on a line."""
        return f"BLEU {self.bleu:.2f} ({self.signature[0]}), chrF {self.chrf:.2f} ({self.signature[1]})"


def scores(translations: Sequence[str], references: Sequence[str], *, lowercase: bool = False) -> Scores:
    """BLEU and chrF of whole texts, not of tokens.

    Args:
        translations: of a network.
        references: of people, as many.
        lowercase: do not look at capital letters.

    Raises:
        ShapeError: not as many of both, or none.
        DataError: sacrebleu is not installed.

    Example:
        >>> scores(["the cat sat on the mat"], ["the cat sat on the mat"]).bleu > 99.9
        True
    """
    if len(translations) != len(references) or not references:
        expected = f"as many as translations, {len(translations):,}, and at least 1"
        raise ShapeError("scores", "references", expected, f"{len(references):,}")
    metrics = _library().metrics
    bleu, chrf = metrics.BLEU(lowercase=lowercase, effective_order=False), metrics.CHRF(lowercase=lowercase)
    figures = [metric.corpus_score(list(translations), [list(references)]).score for metric in (bleu, chrf)]
    signature = tuple(metric.get_signature().format(short=True) for metric in (bleu, chrf))
    return Scores(float(figures[0]), float(figures[1]), (signature[0], signature[1]))


def check_library() -> None:
    """See that sacrebleu is there, before anything takes long.

    Raises:
        DataError: it is not.
    """
    _library()


def _library() -> ModuleType:
    """sacrebleu, loaded when it is first needed."""
    try:
        import sacrebleu
    except ImportError as error:
        expected, remedy = "the library sacrebleu, which measures them", "Run pip install 'minigrad-engine[translate]'"
        raise DataError("translate", "translations", expected, "none", remedy) from error
    return sacrebleu
