"""Generators and what is drawn from them: known words, distributions, states, threads, and every form of the calls."""

from __future__ import annotations

import copy
import math
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import minigrad
from minigrad.core.random import DEFAULT_SEED, default_generator
from minigrad.errors import ArgumentError, DTypeError, MinigradError, ShapeError, StateError
from minigrad.ops import draws

COUNT = 100_000
RECORDED: dict[str, list] = {
    "rand": [0.9007596233153624, 0.7774632149675491, 0.9645182340773455],
    "randn": [1.2858920077392249, 0.7636538155676029, 1.8057107549069036],
    "randint": [70, 42, 91, 25, 92, 55, 20, 22],
    "randperm": [3, 5, 7, 6, 1, 4, 0, 2],
    "replacement": [3, 3, 3, 1, 3, 1, 2, 2],
    "multinomial": [3, 1, 2, 0],
    "bernoulli": [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0],
}


def seeded(seed: int = 0) -> minigrad.Generator:
    return minigrad.Generator().manual_seed(seed)


def philox(seed: int, words: int) -> np.ndarray:
    """The words of a seed by NumPy's own Philox, which counts up before it makes a block."""
    return np.random.Philox(key=seed % 2**64, counter=2**256 - 1).random_raw(words)


# ---------------------------------------------------------------------- words


@pytest.mark.parametrize("seed", [0, 1, 2**63, 2**64 - 1, -1, -(2**63)])
def test_the_key_is_the_seed(seed: int) -> None:
    words = philox(seed, 4)
    assert minigrad.rand(4, dtype="float64", generator=seeded(seed)).tolist() == [(int(w) >> 11) * 2.0**-53 for w in words]
    halves = [half for word in words for half in (int(word) & 0xFFFFFFFF, int(word) >> 32)]
    assert minigrad.rand(8, generator=seeded(seed)).tolist() == [(half >> 8) * 2.0**-24 for half in halves]
    assert minigrad.randint(-5, 1000, (4,), generator=seeded(seed)).tolist() == [int(w) % 1005 - 5 for w in words]
    assert minigrad.randperm(4, generator=seeded(seed)).tolist() == np.argsort(words, kind="stable").tolist()


def test_recorded_numbers() -> None:
    """A change of any of these breaks every seed that anybody wrote down."""
    assert minigrad.rand(3, generator=seeded(7), dtype="float64").tolist() == RECORDED["rand"]
    assert minigrad.randn(3, generator=seeded(7), dtype="float64").tolist() == pytest.approx(RECORDED["randn"], abs=1e-14)
    assert minigrad.randint(100, (8,), generator=seeded(7)).tolist() == RECORDED["randint"]
    assert minigrad.randperm(8, generator=seeded(7)).tolist() == RECORDED["randperm"]
    weights = minigrad.tensor([0.1, 0.2, 0.3, 0.4])
    assert minigrad.multinomial(weights, 8, True, generator=seeded(7)).tolist() == RECORDED["replacement"]
    assert minigrad.multinomial(weights, 4, generator=seeded(7)).tolist() == RECORDED["multinomial"]
    assert minigrad.bernoulli(minigrad.full((8,), 0.5), generator=seeded(7)).tolist() == RECORDED["bernoulli"]


def test_draws_follow_each_other_in_whole_blocks() -> None:
    g = seeded(3)
    first, second = minigrad.rand(5, generator=g, dtype="float64"), minigrad.rand(2, generator=g, dtype="float64")
    words = [(int(w) >> 11) * 2.0**-53 for w in philox(3, 12)]
    assert first.tolist() == words[:5] and second.tolist() == words[8:10]


def test_layout_plays_no_part() -> None:
    turned = minigrad.from_numpy(np.zeros((3, 2), np.float32)).t()
    minigrad.manual_seed(5)
    turned.uniform_()
    minigrad.manual_seed(5)
    assert turned.tolist() == minigrad.rand(2, 3).tolist()


# ---------------------------------------------------------------------- distributions


def same(drawn: minigrad.Tensor, distribution: Any) -> bool:
    """Whether a sample may come from a distribution (Kolmogorov and Smirnov). The seed is fixed: the answer does not vary."""
    return stats.kstest(drawn.double().numpy().reshape(-1), distribution.cdf).pvalue > 1e-3


def test_the_check_of_distributions_finds_faults() -> None:
    assert not same(minigrad.rand(COUNT) ** 1.05, stats.uniform())
    assert not same(minigrad.randn(COUNT) * 1.05, stats.norm())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_distributions(dtype: str) -> None:
    assert same(minigrad.rand(COUNT, dtype=dtype), stats.uniform())
    assert same(minigrad.randn(COUNT, dtype=dtype), stats.norm())
    empty = minigrad.zeros(COUNT, dtype=dtype)
    assert same(empty.uniform_(-3, 2), stats.uniform(-3, 5))
    assert same(empty.normal_(1, 4), stats.norm(1, 4))
    assert same(empty.exponential_(2.5), stats.expon(scale=1 / 2.5))
    assert same(minigrad.normal(2.0, 0.5, (COUNT,), dtype=dtype), stats.norm(2, 0.5))


def test_moments_and_independence() -> None:
    x = minigrad.randn(200, 200, dtype="float64").numpy()
    size = x.size
    assert abs(x.mean()) < 4 / math.sqrt(size)
    assert abs(x.var() - 1) < 4 * math.sqrt(2 / size)
    assert abs((x**3).mean()) < 4 * math.sqrt(15 / size)
    assert abs((x**4).mean() - 3) < 4 * math.sqrt(96 / size)
    assert abs((x[:, 1:] * x[:, :-1]).mean()) < 4 / math.sqrt(size)
    assert abs((x[1:] * x[:-1]).mean()) < 4 / math.sqrt(size)
    other = minigrad.randn(200, 200, dtype="float64", generator=seeded(1)).numpy()
    assert abs((x * other).mean()) < 4 / math.sqrt(size)


def test_half_precision() -> None:
    x = minigrad.rand(COUNT, dtype=minigrad.float16).numpy()
    assert x.dtype == np.float16 and x.max() < 1 and x.min() >= 0
    assert abs(x.astype(np.float64).mean() - 0.5) < 0.01
    assert minigrad.randn(4, dtype=minigrad.float16).dtype == minigrad.float16


def test_integers_are_even() -> None:
    for low, high in ((0, 7), (-3, 4)):
        counts = np.bincount(minigrad.randint(low, high, (COUNT,)).numpy() - low)
        assert len(counts) == high - low
        assert stats.chisquare(counts).pvalue > 1e-3


def test_permutations_are_even() -> None:
    counts: dict[tuple, int] = {}
    for _ in range(2400):
        order = tuple(minigrad.randperm(4).tolist())
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 24 and stats.chisquare(list(counts.values())).pvalue > 1e-3


def test_bernoulli_has_the_probabilities_asked_for() -> None:
    p = minigrad.tensor([0.0, 0.1, 0.5, 0.9, 1.0])
    share = minigrad.bernoulli(p.expand(COUNT, 5)).mean(0).numpy()
    assert share[0] == 0 and share[4] == 1
    assert np.abs(share - p.numpy()).max() < 4 * 0.5 / math.sqrt(COUNT)
    assert abs(draws.keep_mask("dropout", (COUNT,), 0.3, np).mean() - 0.3) < 4 * 0.5 / math.sqrt(COUNT)


@pytest.mark.parametrize("p", [0, 0.0, 1e-9, 2.0**-24, 0.3, 0.5, 1 / 3, 1 - 2.0**-24, 1 - 2.0**-30, 1.0, 1, True])
@pytest.mark.parametrize("shape", [(), (0,), (7,), (101, 33)])
def test_a_mask_is_a_comparison_of_uniforms(p: float, shape: tuple[int, ...]) -> None:
    a, b = seeded(2), seeded(2)
    mask = draws.keep_mask("dropout", shape, p, np, a)
    assert mask.dtype == bool and mask.shape == shape
    assert np.array_equal(mask, minigrad.rand(shape, generator=b).numpy() < p)
    assert np.array_equal(a.get_state(), b.get_state())


@pytest.mark.parametrize("replacement", [True, False])
def test_multinomial_has_the_weights_asked_for(replacement: bool) -> None:
    weights = np.array([[1.0, 0.0, 2.0, 5.0], [0.0, 3.0, 3.0, 0.0]])
    drawn = minigrad.multinomial(minigrad.tensor(weights).repeat(6000, 1), 2, replacement).numpy().reshape(6000, 2, 2)
    for row in range(2):
        chance = weights[row] / weights[row].sum()
        first, second = drawn[:, row, 0], drawn[:, row, 1]
        used = chance > 0
        for seen, law in ((first, chance), (second, chance if replacement else _second(chance))):
            counts = np.bincount(seen, minlength=4)
            assert not counts[~used].any()
            assert stats.chisquare(counts[used], law[used] * 6000).pvalue > 1e-3
        assert replacement or (first != second).all()


def _second(chance: np.ndarray) -> np.ndarray:
    """Where the second of two lies, drawn without replacement."""
    return np.array([sum(chance[i] * chance[j] / (1 - chance[i]) for i in range(4) if i != j and chance[i]) for j in range(4)])


def test_multinomial_never_takes_a_weight_of_0() -> None:
    weights = minigrad.tensor([0.0, 1e-30, 0.0, 1e30, 0.0])
    assert set(minigrad.multinomial(weights, 1000, True).tolist()) <= {1, 3}
    assert set(minigrad.multinomial(weights, 2).tolist()) == {1, 3}


def test_uniform_stays_below_its_end() -> None:
    x = minigrad.zeros(COUNT).uniform_(1.0, 1.0 + 2**-22)  # four float32 numbers: rounding would give the fifth
    assert set(((x.double() - 1) * 2**23).tolist()) == {0.0, 1.0}
    x = minigrad.zeros(COUNT, dtype=minigrad.float16).uniform_(0.0, 3.0)
    assert x.max().item() < 3
    assert minigrad.zeros(3).uniform_(2.0, 2.0).tolist() == [2, 2, 2]


# ---------------------------------------------------------------------- forms of the calls


def test_sizes_are_written_as_one_likes() -> None:
    for function in (minigrad.rand, minigrad.randn):
        assert function(2, 3).shape == function((2, 3)).shape == function([2, 3]).shape == function(size=(2, 3)).shape == (2, 3)
        assert function(minigrad.Size([2])).shape == (2,)
        assert function().shape == function(()).shape == () and function(0, 3).shape == (0, 3)
        assert function(2).dtype == minigrad.float32
        made = function(2, dtype=minigrad.float64, device="cpu", requires_grad=True)
        assert made.requires_grad and made.is_leaf and made.dtype == minigrad.float64


def test_forms_of_randint() -> None:
    calls: list[Callable[[], minigrad.Tensor]] = [
        lambda: minigrad.randint(9, (5,)),
        lambda: minigrad.randint(0, 9, (5,)),
        lambda: minigrad.randint(9, size=(5,)),
        lambda: minigrad.randint(0, 9, size=[5]),
        lambda: minigrad.randint(0, high=9, size=(5,)),
        lambda: minigrad.randint(low=0, high=9, size=(5,)),
        lambda: minigrad.randint(high=9, size=(5,)),
    ]
    answers = []
    for call in calls:
        minigrad.manual_seed(3)
        answers.append(call())
    assert all(answer.tolist() == answers[0].tolist() for answer in answers)
    assert answers[0].dtype == minigrad.int64
    assert minigrad.randint(2, (3,), dtype=minigrad.float32).dtype == minigrad.float32
    assert minigrad.randint(250, 256, (50,), dtype=minigrad.uint8).numpy().max() == 255
    assert minigrad.randint(2, (50,), dtype=minigrad.bool).numpy().any()


def test_likes_have_the_shape_and_dtype() -> None:
    x = minigrad.zeros(2, 3, dtype=minigrad.float64)
    for made in (minigrad.rand_like(x), minigrad.randn_like(x), minigrad.randint_like(x, 5), minigrad.randint_like(x, 2, 5)):
        assert made.shape == (2, 3) and made.dtype == minigrad.float64
    assert minigrad.randint_like(x, 4, 5).tolist() == [[4] * 3] * 2
    assert minigrad.rand_like(x, dtype=minigrad.float32, requires_grad=True).requires_grad


def test_forms_of_normal() -> None:
    mean, std = minigrad.tensor([[1.0], [2.0]]), minigrad.tensor([0.0, 0.0, 0.0])
    assert minigrad.normal(mean, std).tolist() == [[1, 1, 1], [2, 2, 2]]
    assert minigrad.normal(mean, 0.0).tolist() == [[1], [2]]
    assert minigrad.normal(mean=3.0, std=std).tolist() == [3, 3, 3]
    assert minigrad.normal(mean.double(), std).dtype == minigrad.float64
    assert minigrad.normal(0, 1, size=(2, 2)).shape == (2, 2)
    g = seeded(1)
    drawn = minigrad.normal(minigrad.full((500,), 10.0), minigrad.full((500,), 2.0), generator=g)
    assert drawn.tolist() == (minigrad.randn(500, generator=seeded(1)) * 2 + 10).tolist()


def test_bernoulli_is_outside_the_graph() -> None:
    p = minigrad.full((3,), 0.5).requires_grad_()
    assert not minigrad.bernoulli(p).requires_grad
    assert minigrad.bernoulli(p, 1.0).tolist() == p.bernoulli(1).tolist() == [1, 1, 1]
    assert minigrad.zeros(3, dtype=minigrad.int64).bernoulli(1.0).dtype == minigrad.int64


def test_fills_in_place() -> None:
    x = minigrad.zeros(4, dtype=minigrad.int32)
    assert x.random_(2, 5) is x and set(x.tolist()) <= {2, 3, 4}
    assert minigrad.zeros(500).random_().max().item() > 2**23
    assert minigrad.zeros(50, dtype=minigrad.bool).bernoulli_(0.5).numpy().any()
    chance = minigrad.tensor([0.0, 1.0])
    assert minigrad.zeros(3, 2).bernoulli_(chance).tolist() == [[0, 1]] * 3


# ---------------------------------------------------------------------- generators


def test_generator_is_pytorchs() -> None:
    g = minigrad.Generator(device="cpu")
    assert g.initial_seed() == DEFAULT_SEED == 67280421310721
    assert g.device == "cpu"
    assert g.manual_seed(5) is g and g.initial_seed() == 5
    assert g.manual_seed(-2).initial_seed() == 2**64 - 2
    seeds = {g.seed() for _ in range(3)}
    assert len(seeds) == 3 and g.initial_seed() in seeds and max(seeds) < 2**53


def test_the_default_generator() -> None:
    assert minigrad.manual_seed(11) is default_generator and minigrad.initial_seed() == 11
    state = minigrad.get_rng_state()
    first = minigrad.rand(3).tolist()
    minigrad.set_rng_state(state)
    assert minigrad.rand(3).tolist() == first == minigrad.rand(3, generator=seeded(11)).tolist()
    assert minigrad.seed() == minigrad.initial_seed()


def test_fork_rng() -> None:
    for enabled in (True, False):
        minigrad.manual_seed(0)
        with pytest.raises(KeyError), minigrad.random.fork_rng(enabled=enabled):
            inside = minigrad.rand(2).tolist()
            raise KeyError
        assert (minigrad.rand(2).tolist() == inside) is enabled


@pytest.mark.parametrize(
    "keep",
    [
        lambda g, path: seeded(9).set_state(g.get_state()),
        lambda g, path: seeded(9).set_state(minigrad.tensor(g.get_state())),
        lambda g, path: seeded(9).set_state(g.get_state().tobytes()),
        lambda g, path: g.clone_state(),
        lambda g, path: copy.deepcopy(g),
        lambda g, path: pickle.loads(pickle.dumps(g)),
        lambda g, path: _through_a_file(g, path),
    ],
    ids=["array", "tensor", "bytes", "clone", "deepcopy", "pickle", "file"],
)
def test_a_state_goes_on_where_it_was(keep: Callable[[Any, Path], minigrad.Generator], tmp_path: Path) -> None:
    g = seeded(42)
    minigrad.randn(13, generator=g)
    twin = keep(g, tmp_path)
    for _ in range(2):
        assert minigrad.randn(5, generator=g).tolist() == minigrad.randn(5, generator=twin).tolist()
        assert minigrad.randperm(5, generator=g).tolist() == minigrad.randperm(5, generator=twin).tolist()
    assert twin.initial_seed() == 42


def _through_a_file(g: minigrad.Generator, path: Path) -> minigrad.Generator:
    minigrad.save({"generator": g.get_state()}, path / "state")
    return seeded(9).set_state(minigrad.load(path / "state")["generator"])


def test_a_state_is_a_copy() -> None:
    g = seeded(1)
    state = g.get_state()
    minigrad.rand(3, generator=g)
    assert not np.array_equal(state, g.get_state())
    state[:] = 0
    assert g.initial_seed() == 1


def test_threads_never_get_the_same_numbers() -> None:
    draws, threads = 60, 8
    g = seeded(0)
    expected = {tuple(minigrad.rand(8, generator=g).tolist()) for _ in range(draws * threads)}
    minigrad.manual_seed(0)
    found: list[tuple] = []

    def work() -> None:
        found.extend([tuple(minigrad.rand(8).tolist()) for _ in range(draws)])

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == len(expected) == draws * threads and set(found) == expected


# ---------------------------------------------------------------------- errors

REFUSALS: list[tuple[Callable[[Any], Any], type[MinigradError], str]] = [
    (lambda m: m.manual_seed(1.5), DTypeError, "manual_seed: seed: expected an integer, got 1.5"),
    (lambda m: m.manual_seed(True), DTypeError, "got True"),
    (lambda m: m.manual_seed(2**64), ArgumentError, "from -2**63 to 2**64 - 1"),
    (lambda m: m.manual_seed(-(2**63) - 1), ArgumentError, "-9223372036854775809"),
    (lambda m: m.Generator("tpu"), ArgumentError, "'cpu', 'cuda'"),
    (lambda m: m.set_rng_state(m.zeros(24)), StateError, "24 numbers of dtype uint8"),
    (lambda m: m.set_rng_state(m.zeros(23, dtype=m.uint8)), StateError, "got 23 of them"),
    (lambda m: m.set_rng_state(m.zeros(24, dtype=m.uint8)), StateError, "do not begin as one does"),
    (lambda m: m.set_rng_state("x" * 24), StateError, "got str"),
    (lambda m: m.set_rng_state(None), StateError, "got NoneType"),
    (lambda m: m.rand(2, generator=np.random.default_rng()), DTypeError, "rand: generator: expected a minigrad.Generator"),
    (lambda m: m.rand(-1), ShapeError, "rand: size"),
    (lambda m: m.rand("2"), DTypeError, "rand: size: expected integers"),
    (lambda m: m.rand(2, dtype=m.int64), DTypeError, "rand: dtype: expected float16, float32 or float64, got int64"),
    (lambda m: m.randn_like(m.zeros(2, dtype=m.int64)), DTypeError, "randn_like: dtype"),
    (lambda m: m.rand_like([1.0]), DTypeError, "rand_like: input: expected a Tensor, got list"),
    (lambda m: m.randint(5), ArgumentError, "(high, size) or (low, high, size), the size as a sequence, got (5)"),
    (lambda m: m.randint((2,)), ArgumentError, "got ((2,))"),
    (lambda m: m.randint(1, 2, 3, (2,)), ArgumentError, "randint: arguments"),
    (lambda m: m.randint(1, 2, (2,), size=(2,)), ArgumentError, "randint: arguments"),
    (lambda m: m.randint(5, 5, (2,)), ArgumentError, "low below high, got 5, 5"),
    (lambda m: m.randint(0.5, 5, (2,)), DTypeError, "integers, got 0.5, 5"),
    (lambda m: m.randint(0, 257, (2,), dtype=m.uint8), ArgumentError, "from 0 to 255 of uint8"),
    (lambda m: m.randint(-(2**63), 2**63, (2,)), ArgumentError, "at most 2**63 of them"),
    (lambda m: m.randint(0, 2**30, (2,), dtype=m.float32), ArgumentError, "of float32"),
    (lambda m: m.randperm(-1), ArgumentError, "0 or more"),
    (lambda m: m.randperm(2.0), DTypeError, "an integer, got 2.0"),
    (lambda m: m.randperm(300, dtype=m.uint8), ArgumentError, "at most 256"),
    (lambda m: m.bernoulli(m.tensor([0.5, 1.5])), ArgumentError, "probabilities from 0 to 1, got numbers from 0.5 to 1.5"),
    (lambda m: m.bernoulli(m.tensor([float("nan")])), ArgumentError, "probabilities"),
    (lambda m: m.bernoulli(m.tensor([0, 1])), DTypeError, "bernoulli: dtype"),
    (lambda m: m.bernoulli(m.zeros(2), 2.0), ArgumentError, "a probability from 0 to 1, got 2.0"),
    (lambda m: m.zeros(2).bernoulli_(m.zeros(3)), ShapeError, "broadcasts to (2,)"),
    (lambda m: m.multinomial(m.ones(2, 2, 2), 1), ShapeError, "(categories,) or (rows, categories)"),
    (lambda m: m.multinomial(m.ones(2).long(), 1), DTypeError, "multinomial: dtype"),
    (lambda m: m.multinomial(m.ones(2), 0), ArgumentError, "1 or more"),
    (lambda m: m.multinomial(m.ones(2), 1.0), DTypeError, "num_samples: expected an integer"),
    (lambda m: m.multinomial(-m.ones(2), 1), ArgumentError, "one that is negative, infinite or NaN"),
    (lambda m: m.multinomial(m.tensor([1.0, float("inf")]), 1), ArgumentError, "one that is negative, infinite or NaN"),
    (lambda m: m.multinomial(m.zeros(2, 2), 1, True), ArgumentError, "a row of zeros"),
    (lambda m: m.multinomial(m.tensor([1.0, 0.0]), 2), ArgumentError, "Pass replacement=True"),
    (lambda m: m.normal(0.0, -1.0, (2,)), ArgumentError, "std: expected 0 or more, got -1.0"),
    (lambda m: m.normal(m.zeros(2), -1.0), ArgumentError, "std: expected 0 or more"),
    (lambda m: m.normal(0.0, m.tensor([-1.0])), ArgumentError, "std: expected 0 or more"),
    (lambda m: m.normal(0.0, 1.0), ArgumentError, "size: expected the sizes"),
    (lambda m: m.normal(m.zeros(2), m.ones(2), (2,)), ArgumentError, "none beside a Tensor"),
    (lambda m: m.normal(m.zeros(2), m.ones(3)), ShapeError, "(2,) and (3,)"),
    (lambda m: m.normal(m.zeros(2).long(), 1.0), DTypeError, "normal: dtype"),
    (lambda m: m.zeros(2).uniform_(2, 1), ArgumentError, "the first not above the second, got 2.0, 1.0"),
    (lambda m: m.zeros(2).uniform_(0, float("inf")), ArgumentError, "finite"),
    (lambda m: m.zeros(2).exponential_(0), ArgumentError, "lambd: expected above 0"),
]


@pytest.mark.parametrize(("call", "error", "words"), REFUSALS, ids=[row[2] for row in REFUSALS])
def test_refusal_says_what_to_do(call: Callable[[Any], Any], error: type[MinigradError], words: str) -> None:
    with pytest.raises(error) as caught:
        call(minigrad)
    assert words in str(caught.value)


# ---------------------------------------------------------------------- PyTorch beside

FORMS: dict[str, Callable[[Any], Any]] = {
    "rand": lambda m: m.rand(2, 3),
    "rand/one sequence": lambda m: m.rand((2, 3), dtype=m.float64),
    "rand/named size": lambda m: m.rand(size=(2,)),
    "rand/nothing": lambda m: m.rand(()),
    "randn/empty": lambda m: m.randn(0, 3),
    "randn/half": lambda m: m.randn(3, dtype=m.float16),
    "randint": lambda m: m.randint(5, (2, 2)),
    "randint/low": lambda m: m.randint(2, 5, (2, 2)),
    "randint/named": lambda m: m.randint(low=2, high=5, size=(2,)),
    "randint/high named": lambda m: m.randint(high=5, size=(2,)),
    "randint/float": lambda m: m.randint(5, (2,), dtype=m.float32),
    "randint/bytes": lambda m: m.randint(0, 256, (9,), dtype=m.uint8),
    "randint/bool": lambda m: m.randint(0, 2, (9,), dtype=m.bool),
    "randperm": lambda m: m.randperm(7),
    "randperm/0": lambda m: m.randperm(0),
    "randperm/float": lambda m: m.randperm(7, dtype=m.float32),
    "rand_like": lambda m: m.rand_like(m.zeros(2, 3, dtype=m.float64)),
    "randn_like": lambda m: m.randn_like(m.zeros(2, 3), dtype=m.float64),
    "randint_like": lambda m: m.randint_like(m.zeros(2, 3), 5),
    "randint_like/low": lambda m: m.randint_like(m.zeros(2, dtype=m.int32), 2, 5),
    "bernoulli": lambda m: m.bernoulli(m.full((3,), 0.5)),
    "bernoulli/p": lambda m: m.bernoulli(m.zeros(3, dtype=m.int64), 0.5),
    "bernoulli/method": lambda m: m.full((3,), 0.5, dtype=m.float64).bernoulli(),
    "multinomial": lambda m: m.multinomial(m.ones(5), 3),
    "multinomial/rows": lambda m: m.multinomial(m.ones(2, 5, dtype=m.float64), 3),
    "multinomial/replacement": lambda m: m.multinomial(m.ones(2, 5), 9, True),
    "multinomial/method": lambda m: m.ones(5).multinomial(num_samples=3, replacement=True),
    "normal/tensors": lambda m: m.normal(m.zeros(2, 1), m.ones(3)),
    "normal/one tensor": lambda m: m.normal(m.zeros(2, 1, dtype=m.float64), 2.0),
    "normal/std alone": lambda m: m.normal(mean=0.5, std=m.ones(3)),
    "normal/mean alone": lambda m: m.normal(m.zeros(3)),
    "normal/numbers": lambda m: m.normal(0.0, 1.0, (2, 3)),
    "normal_": lambda m: m.zeros(3).normal_(mean=1, std=2),
    "uniform_": lambda m: m.zeros(3, dtype=m.float64).uniform_(-1, 1),
    "exponential_": lambda m: m.zeros(3).exponential_(),
    "random_": lambda m: m.zeros(3, dtype=m.uint8).random_(),
    "random_/to": lambda m: m.zeros(3).random_(10),
    "random_/from": lambda m: m.zeros(3, dtype=m.int32).random_(-5, 10),
    "bernoulli_": lambda m: m.zeros(3).bernoulli_(),
    "bernoulli_/p": lambda m: m.zeros(3, dtype=m.bool).bernoulli_(m.full((3,), 0.5)),
}


@pytest.mark.peer
@pytest.mark.parametrize("name", list(FORMS))
def test_each_form_gives_pytorchs_shape_dtype_and_range(name: str) -> None:
    import torch

    ours, theirs = FORMS[name](minigrad), FORMS[name](torch)
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert str(ours.dtype) == str(theirs.dtype).removeprefix("torch.")


@pytest.mark.peer
def test_distributions_are_pytorchs() -> None:
    import torch

    torch.manual_seed(0)
    calls: list[Callable[[Any], Any]] = [
        lambda m: m.rand(COUNT),
        lambda m: m.randn(COUNT),
        lambda m: m.zeros(COUNT).exponential_(3.0),
        lambda m: m.normal(m.zeros(COUNT), 2.0),
        lambda m: m.randint(-3, 9, (COUNT,)).double(),
        lambda m: m.multinomial(m.tensor([0.1, 0.2, 0.7]), COUNT, True).double(),
    ]
    for call in calls:
        assert stats.ks_2samp(call(minigrad).numpy(), call(torch).numpy()).pvalue > 1e-3


@pytest.mark.peer
def test_seeds_are_pytorchs() -> None:
    import torch

    for seed in (0, 5, -1, -7, 2**63, 2**64 - 1, -(2**63)):
        ours, theirs = minigrad.Generator().manual_seed(seed), torch.Generator().manual_seed(seed)
        assert ours.initial_seed() == theirs.initial_seed()
    assert minigrad.Generator().initial_seed() == torch.Generator().initial_seed()
