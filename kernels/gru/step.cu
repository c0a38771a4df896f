// One step of a GRU, forward and backward: all that comes after the step's product. See recurrent.cuh for rows and threads.

#include "recurrent.cuh"

// `of_input` (rows, 3 hidden) is the input's share of all sums, with its bias, `of_state` (size, 3 hidden) what comes of the
// step's states, to which `bias` is added where there is one. `gates` (rows, 4 hidden) may be missing.
template <typename Real>
__global__ void forward(const Real* __restrict__ of_input, const Real* __restrict__ of_state, const Real* __restrict__ bias,
                        Real* y, const Real* __restrict__ h0, Real* __restrict__ gates, int hidden, int start, int size,
                        int before, int known) {
    const int unit = own_unit(), row = own_row();
    if (unit >= hidden || row >= size) return;
    const Real* const x = of_input + (long long)(start + row) * 3 * hidden + unit;
    const Real* const s = of_state + (long long)row * 3 * hidden + unit;
    Real sum_r = s[0], sum_z = s[hidden], m = s[2 * hidden];
    if (bias) {
        sum_r += bias[unit];
        sum_z += bias[hidden + unit];
        m += bias[2 * hidden + unit];
    }
    const Real r = logistic(x[0] + sum_r);
    const Real z = logistic(x[hidden] + sum_z);
    const Real n = hyperbolic_tangent(x[2 * hidden] + r * m);
    y[(long long)(start + row) * hidden + unit] = (state_before(y, h0, before, known, row, unit, hidden) - n) * z + n;
    if (gates) {
        Real* const own = gates + (long long)(start + row) * 4 * hidden + unit;
        own[0] = r;
        own[hidden] = z;
        own[2 * hidden] = n;
        own[3 * hidden] = m;
    }
}

// From the gradient of the step's h' to those of its sums: da = (da_r, da_z, da_n, dm), and `of_state` (batch, 3 hidden) =
// (da_r, da_z, dm) without a gap, for the product that follows. The gradient of h' comes in two parts, `kept` and `product`
// (batch, hidden): what went round the step after this one, and that product. dy, of all h', may be missing.
template <typename Real>
__global__ void backward(const Real* __restrict__ gates, const Real* __restrict__ y, const Real* __restrict__ h0,
                         const Real* __restrict__ dy, const Real* __restrict__ product, Real* __restrict__ kept,
                         Real* __restrict__ da, Real* __restrict__ of_state, int hidden, int start, int size, int before,
                         int known) {
    const int unit = own_unit(), row = own_row();
    if (unit >= hidden || row >= size) return;
    const long long place = (long long)(start + row) * hidden + unit, gate = (long long)(start + row) * 4 * hidden + unit;
    const long long carried = (long long)row * hidden + unit;
    const Real r = gates[gate], z = gates[gate + hidden], n = gates[gate + 2 * hidden], m = gates[gate + 3 * hidden];
    const Real of_later = kept[carried] + product[carried];
    const Real of_h = dy ? of_later + dy[place] : of_later;
    const Real da_n = (1 - z) * of_h * (1 - n * n);
    const Real da_r = da_n * m * r * (1 - r);
    const Real da_z = (state_before(y, h0, before, known, row, unit, hidden) - n) * of_h * z * (1 - z);
    const Real dm = da_n * r;
    da[gate] = da_r;
    da[gate + hidden] = da_z;
    da[gate + 2 * hidden] = da_n;
    da[gate + 3 * hidden] = dm;
    Real* const side = of_state + (long long)row * 3 * hidden + unit;
    side[0] = da_r;
    side[hidden] = da_z;
    side[2 * hidden] = dm;
    kept[carried] = of_h * z;
}
