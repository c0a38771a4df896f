"""The stream: known answers, equality of the implementations, and whether the numbers are distributed as they should be."""

from __future__ import annotations

from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from scipy import special, stats

from minigrad import kernels
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.kernels import random
from minigrad.kernels.random import reference, vectorised

IMPLEMENTATIONS = kernels.available("random", "cpu")
each_implementation = pytest.mark.parametrize("name", IMPLEMENTATIONS)
TOP = (1 << 64) - 1
N = 200_000  # of the tests of distribution, whose bounds hold with probability above 0.999

# Known answers of the authors' library, Random123, for Philox4x64-10: counter, key, the block's words (lowest first).
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B)),
    ((TOP,) * 4, (TOP, TOP), (0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0)),
    (
        (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89),
        (0x452821E638D01377, 0xBE5466CF34E90C6C),
        (0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6),
    ),
]


@each_implementation
@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_known_answers(name: str, counter: tuple[int, ...], key: tuple[int, int], words: tuple[int, ...]) -> None:
    block = sum(word << (64 * place) for place, word in enumerate(counter))
    with kernels.use(random=name):
        assert tuple(random.words(key, block, 4).tolist()) == words


@each_implementation
@pytest.mark.parametrize("block", [0, 1, 5, TOP - 1, TOP, (1 << 128) - 2, (1 << 192) - 1, (1 << 256) - 1])
@pytest.mark.parametrize("key", [(0, 0), (1, 0), (0, 1), (TOP, 12345)])
def test_words_beside_numpy(name: str, key: tuple[int, int], block: int) -> None:
    peer = np.random.Philox(key=np.array(key, np.uint64), counter=(block - 1) % (1 << 256))  # it counts before it makes a block
    with kernels.use(random=name):
        words = random.words(key, block, 30)
    assert words.dtype == np.uint64
    np.testing.assert_array_equal(words, peer.random_raw(30))


@each_implementation
def test_known_answers_at_many_places(name: str) -> None:
    with kernels.use(random=name):
        drawn = random.words_at((0, 0), np.array([9, 0, TOP, 0], np.uint64), 4)
        assert drawn.dtype == np.uint64 and drawn.shape == (4, 4) and drawn.flags.c_contiguous
        assert tuple(drawn[1].tolist()) == tuple(drawn[3].tolist()) == KNOWN[0][2]


@hypothesis.given(
    st.tuples(st.integers(0, TOP), st.integers(0, TOP)),
    st.lists(st.one_of(st.integers(0, TOP), st.integers(TOP - 3, TOP)), max_size=6),
    st.integers(0, 17),
)
@hypothesis.settings(max_examples=60, deadline=None, derandomize=True)
def test_words_at_are_the_words_at_each_place(key: tuple[int, int], blocks: list[int], n: int) -> None:
    places = np.array(blocks, np.uint64)
    for name in IMPLEMENTATIONS:
        with kernels.use(random=name):
            drawn = random.words_at(key, places, n)
            assert drawn.shape == (len(blocks), n) and drawn.dtype == np.uint64 and drawn.flags.c_contiguous
            for row, block in zip(drawn, blocks):
                np.testing.assert_array_equal(row, random.words(key, block, n))


DRAWS: dict[str, Any] = {
    "words": lambda key, block, n: random.words(key, block, n),
    "uniform32": lambda key, block, n: random.uniform(key, block, (n,)),
    "uniform64": lambda key, block, n: random.uniform(key, block, (n,), np.float64),
    "normal32": lambda key, block, n: random.normal(key, block, (n,)),
    "normal64": lambda key, block, n: random.normal(key, block, (n,), np.float64),
    "integers": lambda key, block, n: random.integers(key, block, (n,), -7, 1000),
    "permutation": lambda key, block, n: random.permutation(key, block, n),
}
DTYPES = [np.uint64, np.float32, np.float64, np.float32, np.float64, np.int64, np.int64]
each_draw = pytest.mark.parametrize("draw", DRAWS)


@each_draw
@hypothesis.given(st.tuples(st.integers(0, TOP), st.integers(0, TOP)), st.integers(0, (1 << 256) - 1), st.integers(0, 50))
@hypothesis.settings(max_examples=60, deadline=None, derandomize=True)
def test_implementations_agree(draw: str, key: tuple[int, int], block: int, n: int) -> None:
    with kernels.use(random="reference"):
        want = DRAWS[draw](key, block, n)
    assert want.shape == (n,) and want.dtype == DTYPES[list(DRAWS).index(draw)]
    for name in IMPLEMENTATIONS:
        with kernels.use(random=name):
            got = DRAWS[draw](key, block, n)
        assert got.dtype == want.dtype and got.flags.c_contiguous
        np.testing.assert_array_equal(got, want)


@each_implementation
@pytest.mark.parametrize("draw", [name for name in DRAWS if name != "permutation"])
def test_blocks_used_lead_on_without_a_gap(draw: str, name: str) -> None:
    kind, dtype = draw.rstrip("3264"), np.float64 if draw.endswith("64") else np.float32
    with kernels.use(random=name):
        for n in (1, 3, 4, 5, 8, 9, 16):
            used = random.blocks_used(kind, n, dtype)
            whole = DRAWS[draw]((3, 4), 10, 60)
            full = used * (8 if draw.endswith("32") else 4)
            np.testing.assert_array_equal(DRAWS[draw]((3, 4), 10, n), whole[:n])
            np.testing.assert_array_equal(DRAWS[draw]((3, 4), 10 + used, 20), whole[full : full + 20])
            assert n <= full < n + (8 if draw.endswith("32") else 4)


@each_implementation
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3, 4), (3, 0, 2)])
def test_shapes(name: str, shape: tuple[int, ...]) -> None:
    with kernels.use(random=name):
        for drawn in (
            random.uniform((1, 2), 3, shape),
            random.normal((1, 2), 3, shape, "float64"),
            random.integers((1, 2), 3, shape, 0, 5),
        ):
            assert drawn.shape == shape and drawn.flags.c_contiguous
        np.testing.assert_array_equal(
            random.uniform((1, 2), 3, shape).ravel(), random.uniform((1, 2), 3, (np.prod(shape, dtype=int),))
        )


@each_implementation
def test_recorded_numbers(name: str) -> None:
    """Worked out from the known words of key (0, 0), block 0."""
    low, high = 0xCA36314C, 0x16554D9E
    with kernels.use(random=name):
        u32, u64 = random.uniform((0, 0), 0, (2,)), random.uniform((0, 0), 0, (1,), np.float64)
        assert u32.tolist() == [(low >> 8) / 2**24, (high >> 8) / 2**24]
        assert u64.tolist() == [(0x16554D9ECA36314C >> 11) / 2**53]
        z32, z64 = random.normal((0, 0), 0, (2,)), random.normal((0, 0), 0, (1,), np.float64)
        want = special.ndtri([(low + 0.5) / 2**32, (high + 0.5) / 2**32])
        np.testing.assert_array_max_ulp(z32, want.astype(np.float32), 1)
        assert z64[0] == pytest.approx(special.ndtri(((0x16554D9ECA36314C >> 11) + 0.5) / 2**53), rel=4e-15)
        assert random.integers((0, 0), 0, (2,), 10, 17).tolist() == [10 + word % 7 for word in KNOWN[0][2][:2]]
        assert random.permutation((0, 0), 0, 4).tolist() == np.argsort(np.array(KNOWN[0][2], np.uint64)).tolist()


@pytest.mark.parametrize(("dtype", "bits"), [(np.float32, 24), (np.float64, 53)])
def test_uniform_is_uniform(dtype: Any, bits: int) -> None:
    u = random.uniform((1, 2), 0, (N,), dtype).astype(np.float64)
    assert u.min() >= 0 and u.max() < 1
    np.testing.assert_array_equal(u * 2.0**bits, np.floor(u * 2.0**bits))
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(u[:-1], u[1:])[0, 1]) < 3.5 / N**0.5
    counts = np.bincount((u * 256).astype(int), minlength=256)
    assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normal_is_normal(dtype: Any) -> None:
    z = random.normal((1, 2), 0, (N,), dtype).astype(np.float64)
    assert stats.kstest(z, "norm").pvalue > 1e-3
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((z**power).mean() - moment) < 3.5 * (variance / N) ** 0.5
    beyond = np.count_nonzero(np.abs(z) > 3)
    expected = 2 * N * special.ndtr(-3)
    assert abs(beyond - expected) < 3.5 * expected**0.5


@pytest.mark.parametrize("bits", [32, 53])
def test_quantile_over_its_whole_range(bits: int) -> None:
    ends = np.concatenate(
        [np.arange(300), 2 ** np.arange(bits - 1), np.linspace(0, 2 ** (bits - 1) - 1, 3000).astype(np.int64)]
    )
    k = np.unique(ends.astype(np.int64))
    x, mirrored = vectorised._quantile(k, bits, np), vectorised._quantile((1 << bits) - 1 - k, bits, np)
    np.testing.assert_array_equal(x, -mirrored)
    assert (np.diff(x) > 0).all() and np.isfinite(x).all() and -8.4 < x[0] < (-6.3 if bits == 32 else -8.2)
    np.testing.assert_allclose(x, special.ndtri((k + 0.5) * 2.0**-bits), rtol=4e-15)
    slow = np.array([reference._quantile(int(each), bits) for each in k])
    np.testing.assert_array_equal(x, slow)


@each_implementation
def test_integers_cover_their_range_evenly(name: str) -> None:
    with kernels.use(random=name):
        drawn = random.integers((5, 6), 0, (7000,), -3, 4)
    assert (drawn.min(), drawn.max()) == (-3, 3) and stats.chisquare(np.bincount(drawn + 3)).pvalue > 1e-3


@each_implementation
@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (-(1 << 63), 0), (0, 1 << 63), (-(1 << 62), 1 << 62), ((1 << 63) - 2, 1 << 63)]
)
def test_integers_at_the_ends_of_int64(name: str, low: int, high: int) -> None:
    with kernels.use(random=name):
        drawn = random.integers((5, 6), 7, (20,), low, high).tolist()
        assert drawn == [low + word % (high - low) for word in random.words((5, 6), 7, 20).tolist()]


@each_implementation
def test_permutations_are_permutations_and_all_come(name: str) -> None:
    with kernels.use(random=name):
        assert sorted(random.permutation((1, 1), 0, 1000).tolist()) == list(range(1000))
        seen = [tuple(random.permutation((1, 1), block, 3).tolist()) for block in range(1200)]
    counts = [seen.count(each) for each in sorted(set(seen))]
    assert len(counts) == 6 and stats.chisquare(counts).pvalue > 1e-3


def test_streams_of_other_keys_are_other_streams() -> None:
    drawn = [random.uniform(key, 0, (20_000,), np.float64) for key in ((0, 0), (1, 0), (0, 1), (2, 0))]
    for i, one in enumerate(drawn):
        for other in drawn[:i]:
            assert abs(np.corrcoef(one, other)[0, 1]) < 3.5 / 20_000**0.5


REFUSED = [
    (lambda: random.words((0, 1 << 64), 0, 1), ArgumentError, ["key", "0 to 2**64 - 1"]),
    (lambda: random.words(7, 0, 1), ArgumentError, ["key", "two whole numbers", "7"]),
    (lambda: random.words((0, 0), -1, 1), ArgumentError, ["block", "-1"]),
    (lambda: random.words((0, 0), 1 << 256, 1), ArgumentError, ["block", "2**256 - 1"]),
    (lambda: random.words((0, 0), 0.5, 1), ArgumentError, ["block", "0.5"]),
    (lambda: random.words((0, 0), 0, -1), ArgumentError, ["shape", "0 or more", "-1"]),
    (lambda: random.words_at((0, 0), [1, 2], 1), DTypeError, ["blocks"]),
    (lambda: random.words_at((0, 0), np.array([1]), 1), DTypeError, ["blocks", "uint64", "int64"]),
    (lambda: random.words_at((0, 0), np.zeros((2, 2), np.uint64), 1), ShapeError, ["blocks", "one dimension", "(2, 2)"]),
    (lambda: random.words_at((0, -1), np.zeros(2, np.uint64), 1), ArgumentError, ["key"]),
    (lambda: random.words_at((0, 0), np.zeros(2, np.uint64), -1), ArgumentError, ["shape", "-1"]),
    (lambda: random.blocks_used("words_at", 5), ArgumentError, ["kind", "'words_at'"]),
    (lambda: random.uniform((0, 0), 0, 5), ArgumentError, ["shape", "5"]),
    (lambda: random.uniform((0, 0), 0, (5,), np.float16), DTypeError, ["float32 or float64", "float16"]),
    (lambda: random.normal((0, 0), 0, (5,), np.int64), DTypeError, ["float32 or float64", "int64"]),
    (lambda: random.integers((0, 0), 0, (5,), 3, 3), ArgumentError, ["low < high", "3, 3"]),
    (lambda: random.integers((0, 0), 0, (5,), 0, (1 << 63) + 1), ArgumentError, ["at most 2**63 apart"]),
    (lambda: random.integers((0, 0), 0, (5,), 0, 1.5), ArgumentError, ["whole numbers", "1.5"]),
    (lambda: random.blocks_used("poisson", 5), ArgumentError, ["kind", "uniform", "'poisson'"]),
]


@pytest.mark.parametrize(("call", "error", "words"), REFUSED)
def test_refused(call: Any, error: type[Exception], words: list[str]) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith("random: ") and all(word in str(caught.value) for word in words), caught.value
