"""Whether two networks have run apart: what is seen of it, what is said, and what is counted, beside slow loops."""

from __future__ import annotations

import itertools
import math
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from minigrad.models.gan_watch import ALIKE, FEW_KINDS, GRACE, HARDLY_ANY, MARGIN, MEMORY, SURE, WORSE, Watch, kinds, spread

GOOD = {"frechet": 20.0, "diversity": 0.9}


def watch(steps: int = GRACE, real: float = 0.7, made: float = 0.3, best: float | None = 20.0) -> Watch:
    """One that has seen so many steps, all the same."""
    found = Watch()
    for _ in range(steps):
        found.see(real, made)
    found.best = best
    return found


CASES: list[tuple[dict[str, Any], dict[str, float], float, str]] = [
    ({}, GOOD, 0, ""),
    ({}, {"diversity": ALIKE}, 0, ""),
    ({}, {"diversity": ALIKE - 0.001}, 0, "collapse: what the generator makes is nearly all alike, 0.35 times as diverse"),
    ({"steps": GRACE - 1}, {"diversity": 0.0, "kinds": 1.0, "frechet": 1e9}, 10, ""),
    ({}, {"frechet": 21.0, "kinds": 1 + FEW_KINDS * 9}, 10, ""),
    ({}, {"kinds": 3.9}, 10, ""),  # and yet it gets no worse
    ({}, {"frechet": 9.0, "kinds": 1 + HARDLY_ANY * 9}, 10, ""),
    ({}, {"frechet": 9.0, "kinds": 1.9}, 10, "collapse: what the generator makes is of few kinds, as if of 1.9 classes, "),
    ({}, {"frechet": 20.1, "kinds": 3.9}, 10, "collapse: what the generator makes is of few kinds, as if of 3.9 classes, "),
    ({}, {"frechet": 21.0, "kinds": 1.0}, 0, ""),  # of a judge that knows no classes
    ({}, {"frechet": 21.0, "kinds": 1.0}, 2, "collapse: what the generator makes is of few kinds, as if of 1.0 classes, "),
    ({}, {"frechet": 21.0, "kinds": 1.5}, 2, ""),
    ({}, {"frechet": 21.0, "kinds": 1.4}, 1.7, ""),  # the data are nearly of one kind
    ({}, {"frechet": 20 * WORSE}, 0, ""),
    ({}, {"frechet": 20 * WORSE + 0.1}, 0, "divergence: the Fréchet distance is 80.1, after 20 at best"),
    ({"best": None}, {"frechet": 1e9, "diversity": 0.0, "kinds": 1.0}, 10, ""),
    ({"real": 1.0, "made": 0.0}, {"frechet": 20 * MARGIN}, 0, ""),
    ({"real": 1.0, "made": 0.0}, {"frechet": 26.0}, 0, "divergence: the discriminator has won (D(x) 1.000, D(G(z)) 0.000)"),
    ({"real": 1.0, "made": 0.0}, {"frechet": 19.0}, 0, ""),  # and yet it gets better
    ({"real": 1 - 2 * SURE, "made": 0.0}, {"frechet": 26.0}, 0, ""),
    ({"real": 1.0, "made": 2 * SURE}, {"frechet": 26.0}, 0, ""),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "measured", "classes", "words"), CASES, ids=str)
def test_what_is_wrong(seen: dict[str, Any], measured: dict[str, float], classes: float, words: str) -> None:
    """What is wrong is told, kept as the reason, and never the best; what is not may be."""
    found = watch(**seen)
    best = found.best
    told = found.wrong({**GOOD, **measured}, classes)
    assert told.startswith(words) and bool(told) == bool(words) and found.reason == told
    frechet = measured.get("frechet", GOOD["frechet"])
    assert found.best == (best if words else min(frechet, math.inf if best is None else best))


def test_what_was_seen_is_forgotten_by_and_by() -> None:
    found, real, made = Watch(), 0.5, 0.5
    for number, chance in enumerate(np.random.default_rng(0).random((200, 2)), 1):
        found.see(*chance)
        real, made = MEMORY * real + (1 - MEMORY) * chance[0], MEMORY * made + (1 - MEMORY) * chance[1]
        assert found.steps == number and (found.real, found.made) == pytest.approx((real, made))


def test_a_state_goes_round_and_the_reason_of_a_rollback_stays() -> None:
    """What was right when the state was written has no reason; the one that led back to it is kept."""
    found = watch(best=None)
    found.wrong(GOOD)
    state = found.state_dict()
    assert set(state) == {"steps", "real", "made", "best", "reason"}
    reason = found.wrong({**GOOD, "frechet": 1e3})
    found.see(0.1, 0.2)
    found.load_state_dict(state)
    assert reason and found.state_dict() == {**state, "reason": reason}
    again = Watch()
    again.load_state_dict(found.state_dict())
    assert vars(again) == vars(found)
    fresh = Watch()
    fresh.load_state_dict(Watch().state_dict())
    assert vars(fresh) == vars(Watch())


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 7), st.sampled_from([1, 3]), st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_how_far_images_lie_apart(count: int, channels: int, height: int, width: int, seed: int) -> None:
    images = np.random.default_rng(seed).integers(0, 256, (count, channels, height, width)).astype(np.uint8)
    images[-1] = images[0]
    far = []
    for one, other in itertools.combinations(images.astype(int).tolist(), 2):
        pairs = list(zip(np.ravel(one).tolist(), np.ravel(other).tolist()))
        far.append(math.sqrt(sum((a - b) ** 2 for a, b in pairs) / len(pairs)) / 255)
    assert spread(images) == pytest.approx(sum(far) / len(far), abs=1e-6)


def test_the_ends_of_the_scale() -> None:
    assert spread(np.full((5, 3, 9, 9), 77, np.uint8)) < 1e-6
    assert spread(np.array([0, 255], np.uint8).reshape(2, 1, 1, 1)) == 1.0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.integers(6, 9))
def test_among_how_many_kinds(answers: list[int], classes: int) -> None:
    """At least one, at most those that there are; as many as there are where all are as frequent."""
    found = kinds(np.array(answers), classes)
    entropy = -sum(answers.count(kind) / len(answers) * math.log(answers.count(kind) / len(answers)) for kind in set(answers))
    assert found == pytest.approx(math.exp(entropy)) and 1 <= found + 1e-9 <= len(set(answers)) + 1e-6
    assert kinds(np.arange(classes).repeat(3), classes) == pytest.approx(classes)
