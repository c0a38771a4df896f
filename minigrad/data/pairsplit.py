"""Which sentence pairs are held out: whole families, so that no sentence of either language is on two sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from minigrad.data.holdout import rank
from minigrad.data.pair import Pair, same_key
from minigrad.data.words import counted
from minigrad.errors import DataError

SHARE = 0.1  # of the pairs that are held out where nothing is said,
MOST = 2_000  # but no more than these
_PARTS = ("train", "validation", "test")


def families(pairs: Sequence[Pair]) -> np.ndarray:
    """The family of each pair, int64 (N,): pairs that share a source or a target belong together, and so do theirs.

    They are the connected components of a graph whose nodes are the sentences and whose edges are the pairs. Sentences that
    differ in case, blanks and marks only are the same.

    Example:
        >>> families([Pair("Go.", "Va !"), Pair("Hi.", "Salut."), Pair("go", "Marche."), Pair("Walk.", "marche")]).tolist()
        [0, 1, 0, 0]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    sources: dict[str, int] = {}
    targets: dict[str, int] = {}
    rows = np.array([sources.setdefault(same_key(pair.source), len(sources)) for pair in pairs], np.int64)
    columns = np.array([targets.setdefault(same_key(pair.target), len(targets)) for pair in pairs], np.int64)
    size = len(sources) + len(targets)
    edges = coo_array((np.ones(len(pairs), np.int8), (rows, columns + len(sources))), shape=(size, size))
    label = connected_components(edges, directed=False)[1]
    return label[rows].astype(np.int64) if len(pairs) else rows


def held_out_pairs(pairs: Sequence[Pair], share: float | None, seed: int, where: str) -> np.ndarray:
    """Which pairs are held out, bool (N,): about a share of them, in whole families, by a hash of seed and sentences.

    Neither the order of the pairs nor their direction changes the choice. A family that is larger than the share stays to learn
    from.

    Args:
        pairs: all of them.
        share: by default a tenth, but no more than 2,000 pairs.
        seed: of the choice.
        where: what an error calls the data.

    Raises:
        DataError: all pairs are of one family, so that none can be held out.

    Example:
        >>> pairs = [Pair(str(i), f"no. {i // 2}") for i in range(40)]
        >>> out = held_out_pairs(pairs, 0.2, 0, "numbers")
        >>> out.sum(), (out[::2] == out[1::2]).all()
        (np.int64(8), np.True_)
    """
    family = families(pairs)
    sizes = np.bincount(family) if len(family) else np.zeros(0, np.int64)
    if len(sizes) < 2:
        expected = "at least two pairs that have no sentence in common, one of them to choose by"
        got = f"{counted(len(pairs), 'pair')}{' that all hang together by shared sentences' if len(pairs) > 1 else ''}"
        raise DataError("data", where, expected, got, "Give more pairs, or parts of your own: train.tsv and val.tsv")
    first: dict[int, bytes] = {}
    for number, pair in zip(family.tolist(), pairs, strict=True):
        place = rank(seed, "\t".join(sorted(pair[:2])))
        if number not in first or place < first[number]:
            first[number] = place
    wanted = min(len(pairs) * SHARE, MOST) if share is None else len(pairs) * share
    wanted = max(wanted, int(sizes.min()))
    chosen, taken = np.zeros(len(sizes), bool), 0
    for number in sorted(first, key=first.__getitem__):
        if taken + sizes[number] <= wanted and taken + sizes[number] < len(pairs):
            chosen[number] = True
            taken += int(sizes[number])
    return chosen[family]


def parts_by_group(pairs: Sequence[Pair], part_of: Mapping[str, str]) -> list[str]:
    """The part of each pair where whole files are held out: a family of which all pairs lie in files of one part is of that.

    What other files have too is learned from, so that no sentence is on two sides.

    Args:
        pairs: all of them, as often as they come.
        part_of: the part of each ``pair.file``.

    Example:
        >>> pairs = [Pair("Go.", "Va !", "a"), Pair("go", "Va", "b"), Pair("Hi.", "Salut.", "b")]
        >>> parts_by_group(pairs, {"a": "train", "b": "test"})
        ['train', 'train', 'test']
    """
    family = families(pairs)
    number = np.array([_PARTS.index(part_of[pair.file]) for pair in pairs], np.int64)
    count = int(family.max(initial=-1)) + 1
    least, most = np.full(count, len(_PARTS)), np.full(count, -1)
    np.minimum.at(least, family, number)
    np.maximum.at(most, family, number)
    return [_PARTS[part] for part in np.where(least == most, least, 0)[family].tolist()]


def shared(pairs: Sequence[Pair], learned: Sequence[Pair]) -> np.ndarray:
    """Which pairs have a source or a target that others have too, bool (N, 2).

    Example:
        >>> shared([Pair("go", "Bouge !"), Pair("Hi.", "Salut.")], [Pair("Go.", "Va !")]).tolist()
        [[True, False], [False, False]]
    """
    sources, targets = {same_key(pair.source) for pair in learned}, {same_key(pair.target) for pair in learned}
    found = [(same_key(pair.source) in sources, same_key(pair.target) in targets) for pair in pairs]
    return np.array(found, bool).reshape(-1, 2)


__all__ = ["families", "held_out_pairs", "parts_by_group", "shared"]
