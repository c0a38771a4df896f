#include "recurrent.cuh"

// The way back through one unit of one row of an LSTM's step: from the gradients dh and dc (batch, hidden) of h' and c' to those
// of its sums, da, and of the cell that the step began with, in place of dc. dy, of all h', may be missing.
template <typename Real>
__device__ __forceinline__ void unit_backward(const Real* __restrict__ gates, const Real* __restrict__ cells,
                                              const Real* __restrict__ c0, const Real* __restrict__ dy, const Real* dh, Real* dc,
                                              Real* da, int hidden, int start, int before, int known, int row, int unit) {
    const long long place = (long long)(start + row) * hidden + unit, gate = (long long)(start + row) * 4 * hidden + unit;
    const long long carried = (long long)row * hidden + unit;
    const Real i = gates[gate], f = gates[gate + hidden], g = gates[gate + 2 * hidden], o = gates[gate + 3 * hidden];
    const Real tangent = hyperbolic_tangent(cells[place]);
    const Real of_h = dy ? dh[carried] + dy[place] : dh[carried];
    const Real of_c = dc[carried] + of_h * (1 - tangent * tangent) * o;
    da[gate] = of_c * g * i * (1 - i);
    da[gate + hidden] = of_c * state_before(cells, c0, before, known, row, unit, hidden) * f * (1 - f);
    da[gate + 2 * hidden] = of_c * i * (1 - g * g);
    da[gate + 3 * hidden] = of_h * tangent * o * (1 - o);
    dc[carried] = of_c * f;
}
