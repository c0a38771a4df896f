// One step of an LSTM, forward and backward: all that comes after the step's product. See recurrent.cuh for rows and threads.

#include "recurrent.cuh"
#include "unit_backward.cuh"

// From sums to gates, cells and states. `gates` holds the input's share of all sums, `of_state` (size, 4 hidden) what comes of
// the step's states; where the gates shall be kept they take the place of the sums.
template <typename Real>
__global__ void forward(Real* __restrict__ gates, const Real* __restrict__ of_state, Real* h, Real* cells,
                        const Real* __restrict__ c0, int hidden, int start, int size, int before, int known, bool keep) {
    const int unit = own_unit(), row = own_row();
    if (unit >= hidden || row >= size) return;
    Real* const own = gates + (long long)(start + row) * 4 * hidden + unit;
    const Real* const added = of_state + (long long)row * 4 * hidden + unit;
    const Real i = logistic(own[0] + added[0]);
    const Real f = logistic(own[hidden] + added[hidden]);
    const Real g = hyperbolic_tangent(own[2 * hidden] + added[2 * hidden]);
    const Real o = logistic(own[3 * hidden] + added[3 * hidden]);
    const Real cell = f * state_before(cells, c0, before, known, row, unit, hidden) + i * g;
    const long long place = (long long)(start + row) * hidden + unit;
    cells[place] = cell;
    h[place] = o * hyperbolic_tangent(cell);
    if (keep) {
        own[0] = i;
        own[hidden] = f;
        own[2 * hidden] = g;
        own[3 * hidden] = o;
    }
}

// From the gradients dh and dc (batch, hidden) of the step's h' and c' to those of its sums, da. dy, of all h', may be missing.
// dc becomes the gradient of the cells that the step began with; what dh becomes is the next product.
template <typename Real>
__global__ void backward(const Real* __restrict__ gates, const Real* __restrict__ cells, const Real* __restrict__ c0,
                         const Real* __restrict__ dy, const Real* __restrict__ dh, Real* __restrict__ dc, Real* __restrict__ da,
                         int hidden, int start, int size, int before, int known) {
    const int unit = own_unit(), row = own_row();
    if (unit < hidden && row < size)
        unit_backward(gates, cells, c0, dy, dh, dc, da, hidden, start, before, known, row, unit);
}
