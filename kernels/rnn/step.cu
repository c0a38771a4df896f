// One step of a plain recurrent network, forward and backward: all that comes after the step's product. See recurrent.cuh for
// rows and threads.

#include "recurrent.cuh"

// y holds the input's share of all sums, and gets f of the sums; `of_state` (size, hidden) is what comes of the step's states.
template <typename Real>
__global__ void forward(Real* __restrict__ y, const Real* __restrict__ of_state, int hidden, int start, int size, bool relu) {
    const int unit = own_unit(), row = own_row();
    if (unit >= hidden || row >= size) return;
    const long long place = (long long)(start + row) * hidden + unit;
    const Real sum = y[place] + of_state[(long long)row * hidden + unit];
    y[place] = relu ? (sum <= 0 ? 0 : sum) : hyperbolic_tangent(sum);  // relu of NaN is NaN
}

// From the gradient dh (batch, hidden) of the step's h' to that of its sums, da. dy, of all h', may be missing.
template <typename Real>
__global__ void backward(const Real* __restrict__ y, const Real* __restrict__ dy, const Real* __restrict__ dh,
                         Real* __restrict__ da, int hidden, int start, int size, bool relu) {
    const int unit = own_unit(), row = own_row();
    if (unit >= hidden || row >= size) return;
    const long long place = (long long)(start + row) * hidden + unit, carried = (long long)row * hidden + unit;
    const Real of_h = dy ? dh[carried] + dy[place] : dh[carried];
    const Real value = y[place];
    da[place] = relu ? (value != 0 ? of_h : 0) : (1 - value * value) * of_h;
}
