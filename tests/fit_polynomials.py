"""Makes the polynomials of minigrad/kernels/native/maths.py: ``python tests/fit_polynomials.py`` prints them.

Each goes through its function's values at the Chebyshev nodes of its interval (Newton's divided differences, expanded into
powers), all in decimal numbers of 70 digits. Its error is a small multiple of that of the best polynomial of its degree
(Trefethen, "Approximation Theory and Approximation Practice", 2013, chapters 4 and 15). Coefficients are rounded to float64 at
the end; a float32 kernel rounds them once more.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal as D
from decimal import localcontext

DIGITS = 70


def _pi() -> D:
    """Machin's formula."""

    def arctan_of_one_by(n: int) -> D:
        total = term = D(1) / n
        k = 1
        while abs(term) > D(10) ** -DIGITS:
            k, term = k + 2, -term / (n * n)
            total += term / k
        return total

    return 16 * arctan_of_one_by(5) - 4 * arctan_of_one_by(239)


def _cosine(angle: D) -> D:
    total = term = D(1)
    k = 0
    while abs(term) > D(10) ** -DIGITS:
        k += 2
        term *= -angle * angle / (k * (k - 1))
        total += term
    return total


def through_nodes(function: Callable[[D], D], low: D, high: D, degree: int) -> list[D]:
    """The coefficients, constant first, of the polynomial through the function's values at the Chebyshev nodes."""
    turn = _pi() / (2 * (degree + 1))
    nodes = [(low + high) / 2 + (high - low) / 2 * _cosine(turn * (2 * i + 1)) for i in range(degree + 1)]
    differences = [function(x) for x in nodes]
    for order in range(1, degree + 1):
        for i in range(degree, order - 1, -1):
            differences[i] = (differences[i] - differences[i - 1]) / (nodes[i] - nodes[i - order])
    powers = [differences[degree]]
    for i in range(degree - 1, -1, -1):  # powers · (x - node) + difference
        powers = [D(0), *powers]
        for k in range(len(powers) - 1):
            powers[k] -= nodes[i] * powers[k + 1]
        powers[0] += differences[i]
    return powers


def erf(x: D) -> D:
    """2/√π · exp(-x²) · Σ (2x²)ᵏ x / (1·3·…·(2k + 1)): all terms have one sign."""
    total = term = x
    k = 0
    while abs(term) > D(10) ** -DIGITS * abs(total):
        k += 1
        term *= 2 * x * x / (2 * k + 1)
        total += term
    return 2 / _pi().sqrt() * (-x * x).exp() * total


def _exp_rest(r: D) -> D:
    return (r.exp() - 1 - r) / (r * r) if abs(r) > D(10) ** -20 else D(1) / 2


def _log_rest(w: D) -> D:
    s = w.sqrt()
    return (((1 + s) / (1 - s)).ln() - 2 * s) / (s * w)


def _erf_near(w: D) -> D:
    return erf(w.sqrt()) / w.sqrt()


def _erf_far(t: D) -> D:
    x = 2 / t - 2
    return (1 - erf(x)) * (x * x).exp() / t


def fits() -> dict[str, tuple[float, ...]]:
    """The polynomials by the names that they have in ``maths.py``."""
    with localcontext() as context:
        context.prec = DIGITS
        half = D(2).ln() / 2 * D("1.0001")  # a little more, as n = nearest(x / ln 2) is rounded
        quotient = (D(2).sqrt() - 1) / (D(2).sqrt() + 1)
        square = quotient * quotient * D("1.001")
        made = {
            "EXP_SINGLE": through_nodes(_exp_rest, -half, half, 4),
            "EXP_DOUBLE": through_nodes(_exp_rest, -half, half, 9),
            "LOG_SINGLE": through_nodes(_log_rest, D(0), square, 2),
            "LOG_DOUBLE": through_nodes(_log_rest, D(0), square, 6),
            "SOFT_SINGLE": through_nodes(_log_rest, D(0), D(1) / 9 * D("1.0001"), 4),
            "SOFT_DOUBLE": through_nodes(_log_rest, D(0), D(1) / 9 * D("1.0001"), 9),
            "ERF_NEAR_SINGLE": through_nodes(_erf_near, D(0), D(1), 6),
            "ERF_NEAR_DOUBLE": through_nodes(_erf_near, D(0), D(1), 11),
            "ERF_FAR_SINGLE": through_nodes(_erf_far, D(2) / 6, D(2) / 3, 6),
            "ERF_FAR_DOUBLE": through_nodes(_erf_far, D(2) / 8, D(2) / 3, 15),
        }
        return {name: tuple(map(float, powers)) for name, powers in made.items()}


def two_parts_of_ln2(binary_places: int) -> tuple[float, float]:
    """ln 2 rounded to so many binary places, and what is left."""
    with localcontext() as context:
        context.prec = DIGITS
        first = round(D(2).ln() * 2**binary_places) / 2**binary_places
        return first, float(D(2).ln() - D(first))


if __name__ == "__main__":
    for name, powers in fits().items():
        print(f"{name} = {powers}")
    print(f"LN2_SINGLE = {two_parts_of_ln2(15)}\nLN2_DOUBLE = {two_parts_of_ln2(42)}")
