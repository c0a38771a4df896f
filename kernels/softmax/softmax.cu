// Softmax, its logarithm and their gradients along an axis, of arrays (outer, length, inner) without gaps.
//
// Where inner is 1 a row lies in one piece, and a team of threads shares it: lanes of a warp for short ones, a block for long
// ones. A row of up to 8 numbers a thread is read once and stays in registers; of a longer one the second reading finds what the
// first left in the caches. Else neighbouring rows lie beside each other, and a block works on 32 of them, a warp's lanes along
// inner, eight warps along the axis.
#include "powers.cuh"

const int THREADS = 256;
const int COLUMNS = 32;
const int SLICES = THREADS / COLUMNS;  // threads that share a column

// What makes a row's results of its numbers: x to e^(x - level) scale, or to x - level - log_sum.
template <typename Real>
struct Softmax {
    Real level, scale, log_sum;
    bool logarithmic;

    // A row without a distribution has a sum of 0, and NaN of 0/0, or 0 where zeros are asked for.
    __device__ __forceinline__ Softmax(const Powers<Real>& powers, bool logarithmic, bool zeros)
        : level(level_of(powers.greatest)),
          scale(zeros && powers.sum == Real(0) ? Real(0) : Real(1) / powers.sum),
          log_sum(logarithm(powers.sum)),
          logarithmic(logarithmic) {}
    __device__ __forceinline__ Real operator()(Real x) const {
        return logarithmic ? x - level - log_sum : power(x - level) * scale;
    }
};

// y (dy - sum), or where y is a logarithm dy - e^y sum.
template <typename Real>
__device__ __forceinline__ Real gradient(Real dy, Real y, Real sum, bool logarithmic) {
    return logarithmic ? dy - power(y) * sum : y * (dy - sum);
}

template <typename Real>
__global__ void __launch_bounds__(256, 2)
    forward_rows(const Real* __restrict__ x, Real* __restrict__ y, long long rows, int length, int width,
                 bool packed, bool logarithmic, bool zeros) {
    __shared__ Real shared[THREADS / 32];
    const Team<Real> team = team_of(width, shared);
    const long long row = row_of(team);
    if (row >= rows) length = 0;  // a team without a row goes along, with nothing to do
    x += row * length, y += row * length;
    Real kept[KEPT];
    const Softmax<Real> softmax(powers_of_row(kept, x, length, team, packed), logarithmic, zeros);
    const int step = width * KEPT;
    for (int first = 0; first < length; first += step) {
        if (length > step) load_kept(kept, x, first, length, team, packed, Real(0));
#pragma unroll
        for (int i = 0; i < KEPT; ++i) kept[i] = softmax(kept[i]);
        store_kept(kept, y, first, length, team, packed);
    }
}

template <typename Real>
__global__ void __launch_bounds__(256, 2)
    backward_rows(const Real* __restrict__ dy, const Real* __restrict__ y, Real* __restrict__ dx,
                  long long rows, int length, int width, bool packed, bool logarithmic) {
    __shared__ Real shared[THREADS / 32];
    const Team<Real> team = team_of(width, shared);
    const long long row = row_of(team);
    if (row >= rows) length = 0;
    dy += row * length, y += row * length, dx += row * length;
    Real slope[KEPT], value[KEPT], sum = 0;
    const int step = width * KEPT;
    for (int first = 0; first < length; first += step) {
        load_kept(slope, dy, first, length, team, packed, Real(0));
        load_kept(value, y, first, length, team, packed, Real(0));
#pragma unroll
        for (int i = 0; i < KEPT; ++i) sum += logarithmic ? slope[i] : slope[i] * value[i];
    }
    sum = join<Add>(sum, team);
    for (int first = 0; first < length; first += step) {
        if (length > step) {
            load_kept(slope, dy, first, length, team, packed, Real(0));
            load_kept(value, y, first, length, team, packed, Real(0));
        }
#pragma unroll
        for (int i = 0; i < KEPT; ++i) slope[i] = gradient(slope[i], value[i], sum, logarithmic);
        store_kept(slope, dx, first, length, team, packed);
    }
}

// Where the column of a thread begins, columns counted over outer and inner together.
__device__ __forceinline__ long long start_of(long long column, int length, int inner) {
    return column / inner * length * inner + column % inner;
}

template <typename Real>
__global__ void __launch_bounds__(256, 2)
    forward_columns(const Real* __restrict__ x, Real* __restrict__ y, long long columns, int length,
                    int inner, bool logarithmic, bool zeros) {
    __shared__ Real greatest[SLICES][COLUMNS], sum[SLICES][COLUMNS];
    const int lane = threadIdx.x, slice = threadIdx.y;
    const long long column = (long long)blockIdx.x * COLUMNS + lane;
    const int own = column < columns ? length : 0;
    const long long start = start_of(column, length, inner);
    Powers<Real> powers = no_powers<Real>();
    for (int k = slice; k < own; k += 4 * SLICES) {
        Real some[4];  // four loads under way at a time
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const int place = k + i * SLICES;
            some[i] = place < own ? x[start + (long long)place * inner] : minus_infinity<Real>();
        }
        powers.add(some);
    }
    greatest[slice][lane] = powers.greatest, sum[slice][lane] = powers.sum;
    __syncthreads();
    powers.greatest = greatest[0][lane];
#pragma unroll
    for (int i = 1; i < SLICES; ++i) powers.greatest = larger(powers.greatest, greatest[i][lane]);
    powers.sum = Real(0);
#pragma unroll
    for (int i = 0; i < SLICES; ++i) powers.sum += sum[i][lane] * power(greatest[i][lane] - level_of(powers.greatest));
    const Softmax<Real> softmax(powers, logarithmic, zeros);
    for (int k = slice; k < own; k += SLICES) {
        const long long place = start + (long long)k * inner;
        y[place] = softmax(x[place]);
    }
}

template <typename Real>
__global__ void __launch_bounds__(256, 2)
    backward_columns(const Real* __restrict__ dy, const Real* __restrict__ y, Real* __restrict__ dx,
                     long long columns, int length, int inner, bool logarithmic) {
    __shared__ Real sums[SLICES][COLUMNS];
    const int lane = threadIdx.x, slice = threadIdx.y;
    const long long column = (long long)blockIdx.x * COLUMNS + lane;
    const int own = column < columns ? length : 0;
    const long long start = start_of(column, length, inner);
    Real sum = 0;
#pragma unroll 4
    for (int k = slice; k < own; k += SLICES) {
        const long long place = start + (long long)k * inner;
        sum += logarithmic ? dy[place] : dy[place] * y[place];
    }
    sums[slice][lane] = sum;
    __syncthreads();
    sum = sums[0][lane];
#pragma unroll
    for (int i = 1; i < SLICES; ++i) sum += sums[i][lane];
    for (int k = slice; k < own; k += SLICES) {
        const long long place = start + (long long)k * inner;
        dx[place] = gradient(dy[place], y[place], sum, logarithmic);
    }
}
