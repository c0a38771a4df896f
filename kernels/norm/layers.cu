// Layer norm: rows (rows, length), a team of threads for each. Rows of up to 8 numbers a thread are read once.
//
// Mean and variance are sums in float64 of two passes over what lies in registers, so that rows far from 0 keep their digits.
#include "strips.cuh"
#include "teams.cuh"

const int THREADS = 256;

// n of a row's numbers: x less the mean, of which `rest` is what its own type rounds off, over the deviation.
template <typename Real>
struct Normal {
    Real high, rest, slope;

    __device__ __forceinline__ Normal(double mean, double var, double eps)
        : high(Real(mean)), slope(Real(1.0 / sqrt(var + eps))) {
        const double left = mean - double(high);
        rest = left == left ? Real(left) : Real(0);  // nothing of an infinite one
    }
    __device__ __forceinline__ Normal() {}
    __device__ __forceinline__ Real operator()(Real x) const { return ((x - high) - rest) * slope; }
};

template <typename Real>
__device__ __forceinline__ void load_or(Real (&kept)[KEPT], const Real* row, Real otherwise, int first, int length,
                                        const Team<Real>& team, bool packed) {
    if (row) {
        load_kept(kept, row, first, length, team, packed, Real(0));
    } else {
#pragma unroll
        for (int i = 0; i < KEPT; ++i) kept[i] = otherwise;
    }
}

template <typename Real>
__global__ void __launch_bounds__(256, 2)
layer_forward(const Real* __restrict__ x, const Real* __restrict__ w, const Real* __restrict__ b, Real* __restrict__ y,
              double* __restrict__ means, double* __restrict__ vars, long long rows, int length, double eps, int width,
              bool packed) {
    __shared__ double shared[THREADS / 32];
    const Team<Real> team = team_of(width, (Real*)nullptr);
    const Team<double> together = team_of(width, shared);
    const long long row = row_of(team);
    const bool there = row < rows;
    if (there) x += row * length, y += row * length;
    const int own = there ? length : 0, step = width * KEPT;
    Real kept[KEPT];
    double sum = 0.0;
    for (int first = 0; first < own; first += step) {
        load_kept(kept, x, first, own, team, packed, Real(0));
#pragma unroll
        for (int i = 0; i < KEPT; ++i) sum += double(kept[i]);
    }
    const double mean = join<Add>(sum, together) / length;
    double squares = 0.0;
    for (int first = 0; first < own; first += step) {
        if (own > step) load_kept(kept, x, first, own, team, packed, Real(0));
#pragma unroll
        for (int i = 0; i < KEPT; ++i) {
            const double apart = double(kept[i]) - mean;
            if (place_of(i, first, team, packed) < own) squares += apart * apart;
        }
    }
    const double var = join<Add>(squares, together) / length;
    if (there && team.member == 0) means[row] = mean, vars[row] = var;
    const Normal<Real> normal(mean, var, eps);
    for (int first = 0; first < own; first += step) {
        Real scale[KEPT], shift[KEPT];
        if (own > step) load_kept(kept, x, first, own, team, packed, Real(0));
        load_or(scale, w, Real(1), first, own, team, packed);
        load_or(shift, b, Real(0), first, own, team, packed);
#pragma unroll
        for (int i = 0; i < KEPT; ++i) kept[i] = normal(kept[i]) * scale[i] + shift[i];
        store_kept(kept, y, first, own, team, packed);
    }
}

// dx = r (w dy - M[w dy] - n M[w dy n]).
template <typename Real>
__global__ void __launch_bounds__(256, 2)
layer_backward(const Real* __restrict__ dy, const Real* __restrict__ x, const double* __restrict__ means,
               const double* __restrict__ vars, const Real* __restrict__ w, Real* __restrict__ dx, long long rows, int length,
               double eps, int width, bool packed) {
    __shared__ double shared[THREADS / 32];
    const Team<Real> team = team_of(width, (Real*)nullptr);
    const Team<double> together = team_of(width, shared);
    const long long row = row_of(team);
    const bool there = row < rows;
    const int own = there ? length : 0, step = width * KEPT;
    Normal<Real> normal;
    if (there) {
        dy += row * length, x += row * length, dx += row * length;
        normal = Normal<Real>(means[row], vars[row], eps);
    }
    Real value[KEPT], slope[KEPT];
    const auto load = [&](int first) {  // n and w dy
        Real scale[KEPT];
        load_kept(value, x, first, own, team, packed, Real(0));
        load_kept(slope, dy, first, own, team, packed, Real(0));
        load_or(scale, w, Real(1), first, own, team, packed);
#pragma unroll
        for (int i = 0; i < KEPT; ++i) value[i] = normal(value[i]), slope[i] *= scale[i];
    };
    double sum = 0.0, product = 0.0;
    for (int first = 0; first < own; first += step) {
        load(first);
#pragma unroll
        for (int i = 0; i < KEPT; ++i) {
            if (place_of(i, first, team, packed) >= own) continue;
            sum += double(slope[i]), product += double(slope[i]) * double(value[i]);
        }
    }
    const Real level = Real(join<Add>(sum, together) / length), along = Real(join<Add>(product, together) / length);
    for (int first = 0; first < own; first += step) {
        if (own > step) load(first);
#pragma unroll
        for (int i = 0; i < KEPT; ++i) slope[i] = normal.slope * (slope[i] - level - value[i] * along);
        store_kept(slope, dx, first, own, team, packed);
    }
}

// Of each strip of rows and each column the sums of dy and dy n. What the rows have in common lies in shared memory.
template <typename Real>
__global__ void __launch_bounds__(256, 2)
layer_sums(const Real* __restrict__ dy, const Real* __restrict__ x, const double* __restrict__ means,
           const double* __restrict__ vars, double* __restrict__ sums, double* __restrict__ products, int rows, int length,
           double eps, int strips, int strip) {
    const int SOME = 128;
    __shared__ Real high[SOME], rest[SOME], slope[SOME];
    __shared__ double parts[2][STRIP_THREADS];
    const Strip here = strip_of<1>(rows, length, strips, strip);
    const int begin = here.first - threadIdx.y, end = min(begin + strip, rows), down = blockDim.y;
    double total = 0.0, along = 0.0;
    for (int some = begin; some < end; some += SOME) {
        const int count = min(SOME, end - some);
        __syncthreads();
        for (int i = here.number; i < count; i += blockDim.x * blockDim.y) {
            const Normal<Real> normal(means[some + i], vars[some + i], eps);
            high[i] = normal.high, rest[i] = normal.rest, slope[i] = normal.slope;
        }
        __syncthreads();
        if (here.own >= here.channels) continue;
        Real few = 0, few_along = 0;
#pragma unroll 4
        for (int i = threadIdx.y; i < count; i += down) {
            const long long place = here.start + (long long)(some + i) * length;
            const Real g = dy[place], n = ((x[place] - high[i]) - rest[i]) * slope[i];
            few += g, few_along += g * n;
        }
        total += few, along += few_along;
    }
    parts[0][here.number] = total, parts[1][here.number] = along;
    for (int half = down / 2; half > 0; half /= 2) {
        __syncthreads();
        if ((int)threadIdx.y < half) {
            parts[0][here.number] += parts[0][here.number + half * blockDim.x];
            parts[1][here.number] += parts[1][here.number + half * blockDim.x];
        }
    }
    if (threadIdx.y == 0 && here.own < here.channels) {
        const long long place = (long long)blockIdx.x * length + here.channel;
        sums[place] = parts[0][here.number], products[place] = parts[1][here.number];
    }
}
