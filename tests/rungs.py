"""Choices of kernels with which the tests of ops run again: ``make rungs``. Printed, one a line, for ``MINIGRAD_KERNELS``.

The first choice has the second rung of each family's ladder, the next its third, and so on to the reference; a family whose
ladder has ended runs its default again. So each implementation that runs here is chosen once; the defaults are ``make test``'s.
"""

from __future__ import annotations

from minigrad.kernels import available, default_of, families


def choices() -> list[dict[str, str]]:
    """Family -> implementation, for each run."""
    ladders = {family: [name for name in available(family, "cpu") if name != default_of(family)] for family in families()}
    return [
        {family: ladder[step] for family, ladder in ladders.items() if step < len(ladder)}
        for step in range(max(map(len, ladders.values())))
    ]


if __name__ == "__main__":
    for choice in choices():
        print(",".join(f"{family}={name}" for family, name in choice.items()))
