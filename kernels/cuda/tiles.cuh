// The inner part of a matrix product by tiles: a block has `depth` columns of a and rows of b in shared memory, both with the
// index of the sum slow, and each thread adds its `high` x `wide` share of the products to sums in registers.
//
// A thread's rows are taken 128 bits at a time, and so are its columns: groups of four (two of double), each `rows / groups`
// from the next. The threads of a quarter of a warp then read 128 neighbouring bytes, or all the same: no bank is asked twice.
#ifndef TILES
#define TILES
#include "packs.cuh"

// `width` numbers, 1 or as many as a pack has, to registers and from them.
template <int width, typename Real>
__device__ __forceinline__ void load(Real* to, const Real* from) {
    if constexpr (width == 1) {
        to[0] = from[0];
    } else {
        const Pack<Real> pack = load_pack(from);
#pragma unroll
        for (int i = 0; i < width; ++i) to[i] = pack.lane[i];
    }
}
template <int width, typename Real>
__device__ __forceinline__ void store(Real* to, const Real* from) {
    if constexpr (width == 1) {
        to[0] = from[0];
    } else {
        Pack<Real> pack;
#pragma unroll
        for (int i = 0; i < width; ++i) pack.lane[i] = from[i];
        store_pack(to, pack);
    }
}

template <typename Real, int rows, int columns, int high, int wide>
struct Tile {
    static const int lanes = Pack<Real>::lanes;
    static const int across = columns / wide, threads = rows / high * across;
    static const int row_groups = high / lanes, column_groups = wide / lanes;

    // Where a thread's row or column of number i lies in the tile.
    static __device__ __forceinline__ int row(int thread, int i) {
        return i / lanes * (rows / row_groups) + thread / across * lanes + i % lanes;
    }
    static __device__ __forceinline__ int column(int thread, int j) {
        return j / lanes * (columns / column_groups) + thread % across * lanes + j % lanes;
    }

    // a and b point at the thread's first row and column in the tiles, whose lines are `a_line` and `b_line` apart.
    template <int depth, int a_line, int b_line>
    static __device__ __forceinline__ void multiply(Real (&sums)[high][wide], const Real* a, const Real* b) {
#pragma unroll
        for (int k = 0; k < depth; ++k) {
            Real left[high], right[wide];
#pragma unroll
            for (int i = 0; i < row_groups; ++i) load<lanes>(left + i * lanes, a + k * a_line + i * (rows / row_groups));
#pragma unroll
            for (int j = 0; j < column_groups; ++j)
                load<lanes>(right + j * lanes, b + k * b_line + j * (columns / column_groups));
#pragma unroll
            for (int i = 0; i < high; ++i)
#pragma unroll
                for (int j = 0; j < wide; ++j) sums[i][j] += left[i] * right[j];
        }
    }
};

#endif
