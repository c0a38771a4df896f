// Sums over the last axis of (rows, count), and over the middle one of (outer, count, inner), of gapless arrays.
//
// Memory is read once, 128 bits at a time where addresses and lengths allow, neighbouring threads reading neighbouring packs. Long
// sums are cut into parts, so that there are blocks for the whole chip; the parts' sums are summed by a launch of their own. All
// additions are made in an order that only the shape decides, which sums by atomicAdd would not be.
#include "teams.cuh"

const int THREADS = 256;

template <typename Real>
__device__ __forceinline__ Real sum_of(const Pack<Real>& pack) {
    Real sum = pack.lane[0];
#pragma unroll
    for (int lane = 1; lane < Pack<Real>::lanes; ++lane) sum += pack.lane[lane];
    return sum;
}
template <typename Real>
__device__ __forceinline__ void add(Pack<Real>& to, const Pack<Real>& pack) {
#pragma unroll
    for (int lane = 0; lane < Pack<Real>::lanes; ++lane) to.lane[lane] += pack.lane[lane];
}

// sums[part][row] is the sum over one part, of `length` numbers, of a row. A team of `width` threads does it; a thread keeps a
// sum for each lane of its packs.
template <typename Real>
__global__ void __launch_bounds__(THREADS) add_rows(const Real* __restrict__ x, Real* __restrict__ sums, long long rows,
                                                    long long count, long long length, int width, bool packed) {
    __shared__ Real room[THREADS / 32];
    const Team<Real> team = team_of(width, room);
    const long long row = row_of(team), first = blockIdx.y * length;
    const long long last = row < rows ? min(first + length, count) : 0;
    const Real* const from = x + row * count;
    const int lanes = Pack<Real>::lanes;
    Pack<Real> sum = {};
    if (packed) {
#pragma unroll 4
        for (long long i = first + team.member * lanes; i < last; i += width * lanes) add(sum, load_pack(from + i));
    } else {
#pragma unroll 4
        for (long long i = first + team.member; i < last; i += width) sum.lane[0] += from[i];
    }
    const Real all = join<Add>(sum_of(sum), team);
    if (row < rows && team.member == 0) sums[blockIdx.y * rows + row] = all;
}

// sums[part][outer][inner] is the sum over one part, of `length` rows, of a column. A thread keeps a pack of columns, or one, and
// adds every blockDim.y-th row; what the block's threads have of a column is then joined, half of them with the other half.
template <typename Real>
__global__ void __launch_bounds__(THREADS) add_columns(const Real* __restrict__ x, Real* __restrict__ sums, int tiles,
                                                       long long count, long long length, long long inner, bool packed) {
    __shared__ Pack<Real> room[THREADS];
    const int lanes = packed ? Pack<Real>::lanes : 1, outer = (int)(blockIdx.x / tiles), tile = (int)(blockIdx.x % tiles);
    const long long column = ((long long)tile * blockDim.x + threadIdx.x) * lanes;
    const long long first = blockIdx.y * length, last = column < inner ? min(first + length, count) : 0;
    const Real* const from = x + outer * count * inner + column;
    Pack<Real> sum = {};
    if (packed) {
#pragma unroll 4
        for (long long i = first + threadIdx.y; i < last; i += blockDim.y) add(sum, load_pack(from + i * inner));
    } else {
#pragma unroll 4
        for (long long i = first + threadIdx.y; i < last; i += blockDim.y) sum.lane[0] += from[i * inner];
    }
    const int own = threadIdx.y * blockDim.x + threadIdx.x;
    for (int half = blockDim.y / 2; half > 0; half /= 2) {
        if ((int)threadIdx.y >= half && (int)threadIdx.y < 2 * half) room[own] = sum;
        __syncthreads();
        if ((int)threadIdx.y < half) add(sum, room[own + half * (int)blockDim.x]);
    }
    if (threadIdx.y > 0 || column >= inner) return;
    const int outers = (int)gridDim.x / tiles;
    Real* const to = sums + ((long long)blockIdx.y * outers + outer) * inner + column;
    if (packed) store_pack(to, sum);
    else to[0] = sum.lane[0];
}
