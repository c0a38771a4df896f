// Optimisers' steps on the rows of a table that have a gradient: each number of these rows, of their gradients and states is read
// once and written once, where the table lies. No two threads have one number, as each row is named once.
//
// A thread does one pack of 128 bits of one row, or one number where rows are not made of packs: neighbours along x have
// neighbouring packs of a row, so that a warp reads and writes gapless pieces of rows. Compiled without fused multiply-adds
// (--fmad=false): each operation is rounded by itself, as the contract asks.
#include "packs.cuh"

// Lets a rule see the gradient and the numbers of up to three arrays of the table's shape, all of which it may change.
template <typename Real, typename Rule>
__device__ __forceinline__ void for_each_of_row(Real* const (&table)[Rule::arrays], const long long* rows, const Real* grads,
                                                int named, int columns, bool packed, const Rule& rule) {
    const int lanes = packed ? Pack<Real>::lanes : 1;
    const int column = ((int)blockIdx.x * (int)blockDim.x + (int)threadIdx.x) * lanes;
    const int k = (int)blockIdx.y * (int)blockDim.y + (int)threadIdx.y;
    if (k >= named || column >= columns) return;
    const long long place = rows[k] * columns + column, from = (long long)k * columns + column;
    if (packed) {
        const Pack<Real> g = load_pack(grads + from);
        Pack<Real> pack[Rule::arrays];
#pragma unroll
        for (int a = 0; a < Rule::arrays; ++a) pack[a] = load_pack(table[a] + place);
#pragma unroll
        for (int lane = 0; lane < Pack<Real>::lanes; ++lane) {
            Real of[Rule::arrays];
#pragma unroll
            for (int a = 0; a < Rule::arrays; ++a) of[a] = pack[a].lane[lane];
            rule(of, g.lane[lane]);
#pragma unroll
            for (int a = 0; a < Rule::arrays; ++a) pack[a].lane[lane] = of[a];
        }
#pragma unroll
        for (int a = 0; a < Rule::arrays; ++a) store_pack(table[a] + place, pack[a]);
    } else {
        Real of[Rule::arrays];
#pragma unroll
        for (int a = 0; a < Rule::arrays; ++a) of[a] = table[a][place];
        rule(of, grads[from]);
#pragma unroll
        for (int a = 0; a < Rule::arrays; ++a) table[a][place] = of[a];
    }
}

template <typename Real>
struct Sgd {
    static const int arrays = 1;
    Real lr;
    bool maximize;
    __device__ void operator()(Real (&of)[arrays], Real g) const { of[0] -= lr * (maximize ? -g : g); }
};
template <typename Real>
__global__ void __launch_bounds__(128) sgd(Real* __restrict__ x, const long long* __restrict__ rows,
                                           const Real* __restrict__ grads, int named, int columns, bool packed, Real lr,
                                           bool maximize) {
    const Sgd<Real> rule = {lr, maximize};
    Real* const table[1] = {x};
    for_each_of_row(table, rows, grads, named, columns, packed, rule);
}

template <typename Real>
struct Adagrad {
    static const int arrays = 2;
    Real lr, eps;
    bool maximize;
    __device__ void operator()(Real (&of)[arrays], Real g) const {
        if (maximize) g = -g;
        of[1] += g * g;
        of[0] -= lr * g / (sqrt(of[1]) + eps);
    }
};
template <typename Real>
__global__ void __launch_bounds__(128) adagrad(Real* __restrict__ x, Real* __restrict__ sums,
                                               const long long* __restrict__ rows, const Real* __restrict__ grads, int named,
                                               int columns, bool packed, Real lr, Real eps, bool maximize) {
    const Adagrad<Real> rule = {lr, eps, maximize};
    Real* const table[2] = {x, sums};
    for_each_of_row(table, rows, grads, named, columns, packed, rule);
}

template <typename Real>
struct Adam {
    static const int arrays = 3;
    Real size, fresh_share1, fresh_share2, eps;
    bool maximize;
    __device__ void operator()(Real (&of)[arrays], Real g) const {
        if (maximize) g = -g;
        of[1] += fresh_share1 * (g - of[1]);
        of[2] += fresh_share2 * (g * g - of[2]);
        of[0] -= size * (of[1] / (sqrt(of[2]) + eps));
    }
};
template <typename Real>
__global__ void __launch_bounds__(128) adam(Real* __restrict__ x, Real* __restrict__ means, Real* __restrict__ squares,
                                            const long long* __restrict__ rows, const Real* __restrict__ grads, int named,
                                            int columns, bool packed, Real size, Real fresh_share1, Real fresh_share2, Real eps,
                                            bool maximize) {
    const Adam<Real> rule = {size, fresh_share1, fresh_share2, eps, maximize};
    Real* const table[3] = {x, means, squares};
    for_each_of_row(table, rows, grads, named, columns, packed, rule);
}
