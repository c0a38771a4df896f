// The cross entropy of class numbers, and its gradient: rows (rows, classes) of logits, a team of threads for each.
//
// The forward pass reads the logits once, and writes three numbers of a row. The way back is one pass that makes the
// probabilities again from two of them, and writes the gradient: nothing else of the logits' size is made.
#include "powers.cuh"

const int THREADS = 256;

// With no weights each is 1. `even` is the smoothing's share of a class, smoothing / classes.
template <typename Real>
__device__ __forceinline__ Real weight(const Real* weights, long long target) {
    return weights ? weights[target] : Real(1);
}

template <typename Real>
__global__ void __launch_bounds__(256, 2) cross_entropy_forward(const Real* __restrict__ x, const long long* __restrict__ targets,
                                      const Real* __restrict__ weights, Real* __restrict__ losses,
                                      Real* __restrict__ greatest, Real* __restrict__ log_sums, long long rows, int classes,
                                      Real smoothing, Real even, int width, bool packed) {
    __shared__ Real shared[THREADS / 32];
    const Team<Real> team = team_of(width, shared);
    const long long row = row_of(team);
    const bool there = row < rows;
    const int length = there ? classes : 0;
    x += row * length;
    Real kept[KEPT];
    const Powers<Real> powers = powers_of_row(kept, x, length, team, packed);
    // A row of -inf alone has no distribution, and its sum of powers is 0.
    const Real log_sum = powers.sum == Real(0) ? powers.greatest - powers.greatest : logarithm(powers.sum);
    Real far = 0;  // sum of w (log Z - x), over all classes
    if (smoothing != Real(0)) {
        const int step = width * KEPT;
        for (int first = 0; first < length; first += step) {
            if (length > step) load_kept(kept, x, first, length, team, packed, Real(0));
#pragma unroll
            for (int i = 0; i < KEPT; ++i) {
                const int place = place_of(i, first, team, packed);
                if (place < length) far += weight(weights, place) * (log_sum - (kept[i] - powers.greatest));
            }
        }
        far = join<Add>(far, team);
    }
    if (!there || team.member != 0) return;
    const long long target = targets[row];
    Real loss = 0;
    if (target >= 0) {
        const Real near = log_sum - (x[target] - powers.greatest);
        loss = (Real(1) - smoothing) * weight(weights, target) * near;
        if (smoothing != Real(0)) loss += even * far;
    }
    losses[row] = loss, greatest[row] = powers.greatest, log_sums[row] = log_sum;
}

// `total` is the sum of the weights, of one element; without it, it is the number of classes.
template <typename Real>
__global__ void __launch_bounds__(256, 2) cross_entropy_backward(const Real* __restrict__ slopes, const Real* __restrict__ x,
                                       const long long* __restrict__ targets, const Real* __restrict__ weights,
                                       const Real* __restrict__ greatest, const Real* __restrict__ log_sums,
                                       const double* __restrict__ total, Real* __restrict__ dx, long long rows, int classes,
                                       Real smoothing, Real even, int width, bool packed) {
    const Team<Real> team = team_of(width, (Real*)nullptr);
    const long long row = row_of(team);
    if (row >= rows) return;
    const long long target = targets[row];
    const bool counts = target >= 0;
    const Real slope = slopes[row], top = greatest[row], log_sum = log_sums[row];
    const Real own = counts ? (Real(1) - smoothing) * weight(weights, target) : Real(0);
    const Real spread = own + even * (total ? Real(*total) : Real(classes));
    x += row * classes, dx += row * classes;
    const int step = width * KEPT;
    for (int first = 0; first < classes; first += step) {
        Real kept[KEPT];
        load_kept(kept, x, first, classes, team, packed, Real(0));
#pragma unroll
        for (int i = 0; i < KEPT; ++i) {
            const int place = place_of(i, first, team, packed);
            Real share = power(kept[i] - top - log_sum) * spread;
            if (smoothing != Real(0) && place < classes) share -= even * weight(weights, place);
            if (place == target) share -= own;
            kept[i] = counts ? slope * share : Real(0);
        }
        store_kept(kept, dx, first, classes, team, packed);
    }
}
