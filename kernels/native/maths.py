"""exp, exp_below, expm1, log, softplus, sigmoid, tanh, erf for kernels: sums and products, no branches, as vector code needs.

| function | off by less than | at its ends |
|---|---|---|
| ``exp(x)`` | 1.25 ulp | 0 at -inf; inf on overflow; results below the least normal number are rounded once, as all others |
| ``exp_below(x)`` | 1.25 ulp | the same for x not above 0 |
| ``expm1(x)`` | 2.5 ulp | -1 at -inf; x itself near 0, and -0 at -0; inf on overflow |
| ``log(x)`` | 1.25 ulp | -inf at ±0, inf at inf, nan below 0; subnormal x as all others |
| ``softplus(x)`` | 2.5 ulp | 0 and inf at ∓inf; no digit is lost where it is small |
| ``sigmoid(x)`` | 2.75 ulp | 0 and 1 at ∓inf; no digit is lost where it is small |
| ``tanh(x)`` | 2.75 ulp | ±1 at ±inf; x itself near 0, and -0 at -0 |
| ``erf(x)`` | 1.5 ulp | ±1 at ±inf; -0 at -0; subnormal x to 1 unit of the least number |

in float32 and float64 alike; nan gives nan. ``tests/test_native_maths.py`` holds the bounds.

The argument is brought into a short interval first (Cody and Waite, "Software Manual for the Elementary Functions", 1980;
Muller, "Elementary Functions", 2016, chapter 11): x = n·ln 2 + r with n whole and |r| ≤ ½ ln 2, so that exp(x) = 2ⁿ·exp(r); and
x = 2ⁿ·m with √½ ≤ m < √2, so that log(x) = n·ln 2 + log(m). n·ln 2 is taken away in two pieces, the first of which is short
enough for n times it to be exact. What is left to polynomials:

    (exp(r) - 1 - r) / r²                                           |r| ≤ ½ ln 2
    (log((1 + s) / (1 - s)) - 2s) / s³, as a function of s²         |s| ≤ (√2 - 1) / (√2 + 1); softplus: 1/3
    erf(x) / x, as a function of x²                                 |x| ≤ 1
    erfc(x)·exp(x²) / t, as a function of t = 2 / (2 + x)           1 ≤ x ≤ 4 (float64: 6)

They go through the functions' values at the Chebyshev nodes of the interval, found with 70 digits (``tests/fit_polynomials.py``
makes them again). The last step of each function adds the polynomial to a larger number that is exact, so that rounding within
the polynomial hardly counts.

Kernels may let the compiler reorder sums (``reassociate=True``): sums whose order matters here are ``fma``, which it leaves
alone. Powers of 2 and whole numbers come from the bits of real numbers, as AVX2 converts no int64.
"""

from __future__ import annotations

import numpy as np

from minigrad.kernels.native.language import bits, choose, fma, from_bits, helper, is_single, nearest, real, whole

# Each polynomial from its constant on.
EXP_SINGLE: tuple[float, ...] = (0.5, 0.16666576989698775, 0.041666554617204574, 0.008363179052722578, 0.0013926183587713494)
EXP_DOUBLE: tuple[float, ...] = (
    *(0.5000000000000001, 0.16666666666666669, 0.04166666666662413, 0.008333333333330062, 0.0013888888917213717),
    *(0.00019841269863053618, 2.4801521295954376e-05, 2.7557268459997064e-06, 2.7620088445409746e-07, 2.510038549551032e-08),
)  # fmt: skip
LOG_SINGLE: tuple[float, ...] = (0.6666668509542907, 0.39988757716604845, 0.29580985929974424)
LOG_DOUBLE: tuple[float, ...] = (
    *(0.666666666666667, 0.3999999999989889, 0.28571428626253836, 0.22222211089379496),
    *(0.1818289243253687, 0.15331611722055008, 0.14617807153417325),
)  # fmt: skip
SOFT_SINGLE: tuple[float, ...] = (
    0.6666666732087151,
    0.39999706206824964,
    0.28592364795197617,
    0.21706460997195692,
    0.23224921771214582,
)
SOFT_DOUBLE: tuple[float, ...] = (
    *(0.6666666666666666, 0.40000000000014596, 0.2857142856710506, 0.22222222717801782, 0.18181789417326447),
    *(0.15385570592912243, 0.13314135550881162, 0.12001155182857778, 0.08800317650868773, 0.16164938169471338),
)  # fmt: skip
ERF_NEAR_SINGLE: tuple[float, ...] = (
    *(1.1283791658483509, -0.37612626666720334, 0.11283594715160218, -0.026854212010626412),
    *(0.005189087423433974, -0.000801686428716587, 7.875875062685488e-05),
)  # fmt: skip
ERF_NEAR_DOUBLE: tuple[float, ...] = (
    *(1.1283791670955126, -0.37612638903183543, 0.11283791670945006, -0.02686617064323777, 0.0052239776071164225),
    *(-0.0008548325975389692, 0.00012055294904839707, -1.492473690741966e-05, 1.6447424703317362e-06),
    *(-1.6208483801871705e-07, 1.3720064546777686e-08, -7.795898827002142e-10),
)  # fmt: skip
ERF_FAR_SINGLE: tuple[float, ...] = (
    *(0.2826198897552001, 0.2741515744783606, 0.29761269233675386, -0.00014390887071982124),
    *(0.4365275881125512, -0.38576763126857616, 0.0948963437690366),
)  # fmt: skip
ERF_FAR_DOUBLE: tuple[float, ...] = (
    *(0.2820948414804199, 0.28209266493257634, 0.24687531483980396, 0.17578778705379788, 0.08818021782515024),
    *(-0.03198241317905368, 0.07278932050587929, -0.5208109056870461, 1.2983565076798687, -2.7375569435915414),
    *(4.556121310767579, -5.298248035241545, 4.136920121612634, -2.0899830246704654, 0.6233716894185624),
    *(-0.08400962105764165,),
)  # fmt: skip
PER_LN2 = 1.4426950408889634
# ln 2 in two: n times the first is exact for each n that is an exponent of the dtype.
LN2_SINGLE: tuple[float, ...] = (0.693145751953125, 1.4286068203094173e-06)
LN2_DOUBLE: tuple[float, ...] = (0.6931471805598903, 5.497923018708371e-14)
# Where the lowest bits are ones, twos, fours; and the bias of exponents.
SHIFTER_SINGLE, SHIFTER_DOUBLE = 1.5 * 2.0**23 + 127.0, 1.5 * 2.0**52 + 1023.0


@helper
def _horner4(x, start, c3, c2, c1, c0):
    """start·x⁴ + c3·x³ + c2·x² + c1·x + c0."""
    return fma(fma(fma(fma(start, x, real(c3)), x, real(c2)), x, real(c1)), x, real(c0))


@helper
def _power(n):
    """2ⁿ of a whole number n among the dtype's exponents."""
    return _power_in(n + real(SHIFTER_SINGLE if is_single else SHIFTER_DOUBLE))


@helper
def _power_in(t):
    """2ⁿ of the whole number n that stands in the lowest bits of t, with the exponents' bias: from there it is moved."""
    if is_single:
        moved = whole(bits(t) << 23)
    else:
        moved = whole(bits(t) << 52)
    return from_bits(moved)


@helper
def _reduced(x, lift):
    """n, 2 to the power n + lift, and exp(r) - 1, with x = n·ln 2 + r and |r| ≤ ½ ln 2.

    Added to 1.5·2²³ (float64: 1.5·2⁵²) and the bias, a number is rounded to a whole one, which stands in the lowest bits.
    """
    shifter = real((SHIFTER_SINGLE if is_single else SHIFTER_DOUBLE) + lift)
    t = fma(x, real(PER_LN2), shifter)
    n = fma(real(1.0), t, -shifter)
    if is_single:
        r = fma(n, real(-LN2_SINGLE[1]), fma(n, real(-LN2_SINGLE[0]), x))
        c = EXP_SINGLE
        q = _horner4(r, real(c[4]), c[3], c[2], c[1], c[0])
    else:
        r = fma(n, real(-LN2_DOUBLE[1]), fma(n, real(-LN2_DOUBLE[0]), x))
        c = EXP_DOUBLE
        q = fma(_horner4(r, real(c[9]), c[8], c[7], c[6], c[5]), r, real(c[4]))
        q = _horner4(r, q, c[3], c[2], c[1], c[0])
    return n, _power_in(t), fma(r * r, q, r)


@helper
def exp(x):
    """e to the power x."""
    # Beyond these ends the result is inf or 0. A comparison with nan is false, so that nan passes.
    lowest, highest = (-104.0, 89.0) if is_single else (-746.0, 710.0)
    x = choose(x < real(lowest), real(lowest), x)
    x = choose(x > real(highest), real(highest), x)
    n, _, grown = _reduced(x, 0.0)
    # 2ⁿ in two factors, as n reaches beyond the exponents. The first product only rounds the sum; the second may underflow.
    half = nearest(n * real(0.5))
    power = _power(half)
    return fma(grown, power, power) * _power(n - half)


@helper
def exp_below(x):
    """e to the power x, which is not above 0 (60 at most: beyond, the result is wrong): half as much work as ``exp``."""
    # The power is made 2³² (2⁶⁴) times too large, so that it is a normal number; the last product may underflow.
    lowest, lift, back = (-104.0, 32.0, 2.0**-32) if is_single else (-746.0, 64.0, 2.0**-64)
    x = choose(x < real(lowest), real(lowest), x)
    _, power, grown = _reduced(x, lift)
    return fma(grown, power, power) * real(back)


@helper
def expm1(x):
    """exp(x) - 1, with all digits where x is small."""
    lowest, highest = (-30.0, 89.0) if is_single else (-60.0, 710.0)
    y = choose(x < real(lowest), real(lowest), x)
    y = choose(y > real(highest), real(highest), y)
    n, _, grown = _reduced(y, 0.0)
    half = nearest(n * real(0.5))
    power, rest = _power(half), n - half
    # (exp(r)·2^half - 2^-rest)·2^rest
    value = fma(grown, power, power - _power(-rest)) * _power(rest)
    return choose(x == real(0.0), x, value)


@helper
def log(x):
    """The natural logarithm of x."""
    least, mantissa, bias = (1.1754943508222875e-38, 23, 127) if is_single else (2.2250738585072014e-308, 52, 1023)
    scale = mantissa + 2
    small = x < real(least)
    scaled = choose(small, x * real(1 << scale), x)
    # n is the biased exponent of x where √½ is the least mantissa; made a real number in the lowest bits of 2²³ or 2⁵².
    one, power = bits(real(1.0)), real(1 << mantissa)
    n = ((bits(scaled) + (one - bits(real(0.7071067811865476)))) >> mantissa) & (2 * bias + 1)
    m = from_bits(whole(bits(scaled) - (n << mantissa) + one))
    excess = real((1 << mantissa) + bias)
    turns = from_bits(whole(n | bits(power))) - choose(small, excess + real(scale), excess)
    # With s = f / (2 + f): log(1 + f) = 2s + s³·P(s²), and 2s = f - s·f = f - (f²/2 - s·f²/2), where f is exact.
    f = m - real(1.0)
    half = real(0.5) * f
    s = f / (f + real(2.0))
    w = s * s
    if is_single:
        c = LOG_SINGLE
        p = fma(fma(real(c[2]), w, real(c[1])), w, real(c[0]))
        high, low = real(LN2_SINGLE[0]), real(LN2_SINGLE[1])
    else:
        c = LOG_DOUBLE
        p = fma(fma(real(c[6]), w, real(c[5])), w, real(c[4]))
        p = _horner4(w, p, c[3], c[2], c[1], c[0])
        high, low = real(LN2_DOUBLE[0]), real(LN2_DOUBLE[1])
    rest = fma(s, fma(w, p, half * f), turns * low)
    value = fma(turns, high, f + fma(-half, f, rest))
    value = choose(x == real(0.0), real(-np.inf), value)
    value = choose(x < real(np.inf), value, x)  # inf and nan are their own logarithms
    return choose(x < real(0.0), real(np.nan), value)


@helper
def softplus(x):
    """log(1 + exp(x)) = max(x, 0) + log(1 + e) with e = exp(-|x|)."""
    e = exp_below(-abs(x))
    # As in log: log(1 + e) = e - s·(e - s²·P(s²)), with s = e / (2 + e).
    s = e / (e + real(2.0))
    w = s * s
    if is_single:
        c = SOFT_SINGLE
        p = _horner4(w, real(c[4]), c[3], c[2], c[1], c[0])
    else:
        c = SOFT_DOUBLE
        p = fma(_horner4(w, real(c[9]), c[8], c[7], c[6], c[5]), w, real(c[4]))
        p = _horner4(w, p, c[3], c[2], c[1], c[0])
    rest = fma(-s, fma(-w, p, e), e)
    return choose(x > real(0.0), x + rest, rest)


@helper
def sigmoid(x):
    """1 / (1 + exp(-x))."""
    e = exp_below(-abs(x))
    return choose(x < real(0.0), e, real(1.0)) / (e + real(1.0))


@helper
def _signed(value, x):
    """|value| with the sign of x."""
    least = whole(-0x80000000) if is_single else whole(-0x8000000000000000)
    return from_bits(whole(bits(abs(value)) | (bits(x) & least)))


@helper
def tanh(x):
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x)), from exp(-2|x|) - 1, so that small x keep their digits."""
    y = real(-2.0) * abs(x)
    y = choose(y < real(-50.0), real(-50.0), y)  # the result is 1 long before
    _, power, grown = _reduced(y, 0.0)
    fallen = fma(grown, power, power - real(1.0))
    return _signed(fallen / (fallen + real(2.0)), x)


@helper
def erf(x):
    """2/√π times the integral of exp(-t²) from 0 to x."""
    a = abs(x)
    far = real(4.0) if is_single else real(6.0)  # from there on it is 1
    a = choose(a > far, far, a)
    w = a * a
    t = real(2.0) / (a + real(2.0))
    if is_single:
        c, d = ERF_NEAR_SINGLE, ERF_FAR_SINGLE
        near = fma(fma(real(c[6]), w, real(c[5])), w, real(c[4]))
        rest = fma(fma(real(d[6]), t, real(d[5])), t, real(d[4]))
    else:
        c, d = ERF_NEAR_DOUBLE, ERF_FAR_DOUBLE
        near = fma(fma(fma(real(c[11]), w, real(c[10])), w, real(c[9])), w, real(c[8]))
        near = _horner4(w, near, c[7], c[6], c[5], c[4])
        rest = fma(fma(fma(real(d[15]), t, real(d[14])), t, real(d[13])), t, real(d[12]))
        rest = _horner4(t, _horner4(t, rest, d[11], d[10], d[9], d[8]), d[7], d[6], d[5], d[4])
    near = _horner4(w, near, c[3], c[2], c[1], c[0] - 1.0)
    rest = _horner4(t, rest, d[3], d[2], d[1], d[0])
    value = choose(a < real(1.0), fma(a, near, a), fma(-(t * rest), exp_below(-w), real(1.0)))
    return _signed(value, x)
