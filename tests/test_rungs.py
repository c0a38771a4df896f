"""That ``make rungs`` leaves no implementation out."""

from __future__ import annotations

from collections import Counter

from minigrad.kernels import available, default_of, families
from tests.rungs import choices


def test_each_implementation_but_the_default_is_chosen_once() -> None:
    chosen = Counter(pair for choice in choices() for pair in choice.items())
    wanted = [(family, name) for family in families() for name in available(family, "cpu") if name != default_of(family)]
    assert chosen == Counter(wanted)
    assert ("conv2d", "reference") in chosen
