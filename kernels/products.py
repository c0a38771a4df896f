"""Products of matrices on the micro-kernel, for the family ``matmul`` and for all that multiplies on its way.

B is packed into panels of so many columns as the micro-kernel makes, A into strips of so many rows, a block of each at a time:
so the micro-kernel reads gapless memory, a panel stays in the first-level cache for all strips, and the strips stay in the
second (Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008). A side that is used only a few times
is read where it lies. Each thread has rectangles of C, in whole tiles, cut so that the least is packed twice, and packs for
itself: none waits for another.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from minigrad.core.device import Array
from minigrad.kernels import product_loops as loops
from minigrad.kernels.native import parts_for
from minigrad.kernels.native.target import target

PANEL = 1 << 15  # bytes of a panel at a time, which stay in the first-level cache for the most part: 512 terms with AVX2
BLOCK_OF_A = 1 << 17  # bytes: a quarter of the second-level cache, or less
BLOCK_OF_B = 1 << 20  # bytes: a part of the third
COLUMNS = 1024  # of a rectangle, at most
FEW_STRIPS = 2  # for so many B is not packed,
FEW_PANELS = 4  # and for so many A is not


def product(a: Array, b: Array, bias: Array | None = None, *, relu: bool = False) -> Array:
    """A B of the contract of ``matmul``.

    Example:
        >>> product(np.ones((2, 3)), np.ones((3, 2)))
        array([[3., 3.],
               [3., 3.]])
    """
    lead = a.shape[:-2] if b.ndim == 2 else np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    c = np.empty((*lead, a.shape[-2], b.shape[-1]), a.dtype)
    product_into(a, b, c, bias, relu=relu)
    return c


def product_into(a: Array, b: Array, out: Array, bias: Array | None = None, *, relu: bool = False) -> None:
    """A B of the contract of ``matmul``, into ``out``.

    Example:
        >>> out = np.empty((2, 2))
        >>> product_into(np.ones((2, 3)), np.ones((3, 2)), out, np.ones(2)); out
        array([[4., 4.],
               [4., 4.]])
    """
    if not out.size or not a.size:
        out[...] = 0 if bias is None else np.maximum(bias, 0) if relu else bias
        return
    if out.strides[-1] != out.itemsize:
        out[...] = product(a, b, bias, relu=relu)
        return
    if a.ndim > 2 and b.ndim == 2 and out.flags.c_contiguous:
        a, out = a.reshape(-1, a.shape[-1]), out.reshape(-1, out.shape[-1])
    (m, k), n = a.shape[-2:], b.shape[-1]
    parts = parts_for(out.size * k // 8)
    plan, room, zeros = _plan(
        (*out.shape[:-2], m, k, n), a.shape[:-2], b.shape[:-2], a.strides, b.strides, out.strides, out.dtype, parts
    )
    bias = zeros if bias is None else np.ascontiguousarray(bias)
    loops.multiply(a, b, bias, out, plan, np.empty(room, out.dtype), 0.0 if relu else -math.inf, parts=parts)


@functools.lru_cache(maxsize=256)
def _plan(
    sizes: tuple[int, ...], lead_a: tuple[int, ...], lead_b: tuple[int, ...], at_a: tuple[int, ...], at_b: tuple[int, ...],
    at_c: tuple[int, ...], dtype: np.dtype, parts: int,
) -> tuple[Array, int, Array]:  # fmt: skip
    """How products of (..., M, K, N) are cut, as ``loops.multiply`` is told it; its scratch memory; zeros as bias."""
    (*lead, m, k, n), item = sizes, dtype.itemsize
    here = target()
    panel = here.vectors * here.bits // (8 * item)
    steps = [step // item for step in (*at_a[-2:], *at_b[-2:], at_c[-2])]
    high = -(-m // -(-m // here.rows))
    items = math.prod(lead)
    strips, panels = -(-m // high), -(-n // panel)
    grid = _grid(strips, panels, high, panel, parts // math.gcd(items, parts) if items < 8 * parts else 1)
    rows, columns = -(-strips // grid[0]) * high, -(-panels // grid[1]) * panel
    chunks = -(-k * panel * item // PANEL)
    terms = -(-k // chunks)
    width = min(columns, COLUMNS)
    depth = terms * max(1, min(chunks, BLOCK_OF_B // (width * terms * item)))
    held = min(rows, max(1, BLOCK_OF_A // (terms * item * high)) * high)
    in_place = steps[3] == 1 and steps[2] != 0 and rows <= FEW_STRIPS * here.rows
    one = _rectangles(m, n, grid, high, panel, width, here.lanes(dtype.name), steps, in_place)
    of_a = 0 if columns <= FEW_PANELS * panel and steps[1] else held * terms
    every = _for_each(one, tuple(lead), [(lead_a, at_a[:-2]), (lead_b, at_b[:-2]), (tuple(lead), at_c[:-2])], item)
    room = of_a + width * depth
    head = [len(every), k, *steps, high, terms, held, depth, of_a, room]
    return np.concatenate([np.array(head, np.int64), every.ravel()]), parts * room, np.zeros(n, dtype)


def _grid(strips: int, panels: int, high: int, wide: int, parts: int) -> tuple[int, int]:
    """Into how many rows and columns of rectangles C is cut: what the largest takes to multiply and to pack is the least."""

    def cost(down: int) -> float:
        rows, columns = -(-strips // down) * high, -(-panels // (parts // down)) * wide
        return rows * columns / wide + rows + columns

    down = min((each for each in range(1, parts + 1) if parts % each == 0), key=cost)
    return down, parts // down


def _rectangles(
    m: int, n: int, grid: tuple[int, int], high: int, panel: int, most: int, lanes: int, steps: list[int], in_place: bool
) -> Array:
    """The rectangles of one product."""
    strips, panels = -(-m // high), -(-n // panel)
    found = []
    for x in range(grid[0]):
        i, down = strips * x // grid[0] * high, min(strips * (x + 1) // grid[0] * high, m)
        for y in range(grid[1]):
            j, right = panels * y // grid[1] * panel, min(panels * (y + 1) // grid[1] * panel, n)
            while j < right:
                width = min(most, right - j)
                rest = width % panel % lanes and width % panel  # the micro-kernel reads B in whole vectors
                if in_place and rest and rest < width:
                    width -= rest
                direct = in_place and (not rest or width % panel == 0)
                at = (i * steps[0], j * steps[3], i * steps[4] + j, j)
                found.append((*at, down - i, width, -(-width // panel) * panel, int(direct)))
                j += width
    return np.array(found, np.int64).reshape(-1, loops.WORDS)


def _for_each(one: Array, lead: tuple[int, ...], sides: list[tuple[tuple[int, ...], tuple[int, ...]]], item: int) -> Array:
    """The rectangles of all products of a batch; ``sides`` are the sizes and steps of the batch's axes in A, B and C."""
    if not lead:
        return one
    every = np.repeat(one[None], math.prod(lead), axis=0)
    for word, (shape, steps) in enumerate(sides):
        missing = len(lead) - len(shape)
        at = np.zeros(lead, np.int64)
        for axis, (size, step) in enumerate(zip(shape, steps), missing):
            if size > 1:
                at += (np.arange(size) * (step // item)).reshape(-1, *[1] * (len(lead) - axis - 1))
        every[:, :, word] += at.reshape(-1, 1)
    return every.reshape(-1, loops.WORDS)
