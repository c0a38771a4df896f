// Rows of a table looked up by number, and gradients summed into the rows that were named.
//
// For the sums the numbers come sorted, as keys: number * count + place, which are different from each other, so that the order
// of equal numbers is that of their places. A thread has LANES columns of a row of the table and adds what was named, in order:
// no atomics, and the same bits each time.
#include "strips.cuh"

// y[k] = w[index[k]]: blocks of rows by columns.
template <typename Real, int LANES>
__global__ void __launch_bounds__(256)
gather(const Real* __restrict__ w, const long long* __restrict__ index, Real* __restrict__ y, int count, int width) {
    const long long k = (long long)blockIdx.x * blockDim.y + threadIdx.y;
    const int column = (blockIdx.y * blockDim.x + threadIdx.x) * LANES;
    if (k >= count || column >= width) return;
    store_lanes(y + k * width + column, load_lanes<LANES>(w + index[k] * width + column));
}

// Where the keys of each row begin, and behind the last row their end: the first key that is not below row * count.
__global__ void __launch_bounds__(256)
find_starts(const long long* __restrict__ keys, int* __restrict__ starts, int rows, int count) {
    const int row = blockIdx.x * blockDim.x + threadIdx.x;
    if (row > rows) return;
    const long long wanted = (long long)row * count;
    int low = 0, high = count;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (keys[middle] < wanted) low = middle + 1;
        else high = middle;
    }
    starts[row] = low;
}

// dw[row] = factor[row] times the sum of dy[k] over the k that named the row; without factors, the sum.
template <typename Real, int LANES>
__global__ void __launch_bounds__(256)
sum_rows(const Real* __restrict__ dy, const long long* __restrict__ keys, const int* __restrict__ starts,
         const Real* __restrict__ factors, Real* __restrict__ dw, int rows, int width, int count) {
    const int row = blockIdx.x * blockDim.y + threadIdx.y, column = (blockIdx.y * blockDim.x + threadIdx.x) * LANES;
    if (row >= rows || column >= width) return;
    const long long before = (long long)row * count;  // of the row's keys, what they have above their places
    const int last = starts[row + 1];
    Lanes<Real, LANES> total = {};
#pragma unroll 4
    for (int i = starts[row]; i < last; ++i) {
        const Lanes<Real, LANES> slope = load_lanes<LANES>(dy + (keys[i] - before) * width + column);
#pragma unroll
        for (int lane = 0; lane < LANES; ++lane) total.lane[lane] += slope.lane[lane];
    }
    if (factors) {
        const Real factor = factors[row];
#pragma unroll
        for (int lane = 0; lane < LANES; ++lane)
            total.lane[lane] = factor == Real(0) ? Real(0) : total.lane[lane] * factor;
    }
    store_lanes(dw + (long long)row * width + column, total);
}
