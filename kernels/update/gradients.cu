// The norm of all gradients as if they were one vector, and its bounds. The norm stays in the GPU's memory, where what clips by
// it finds it: nothing waits for it.
//
// Sums are made in float64: each thread adds what it visits, a block the sums of its threads, and a last block those of all
// blocks, always in the same order. So the same bits come each time, which sums by atomicAdd would not give.
#include "tensors.cuh"

const int G = 0;
const int NORM_THREADS = 256;

// What is made of a gradient's sizes, by the order of the norm.
const int POWERS = 0, SIZES = 1, SQUARES = 2, COUNT = 3, LARGEST = 4, SMALLEST = 5;

__device__ __forceinline__ double nothing_yet(int kind) { return kind == SMALLEST ? 1.0 / 0.0 : 0.0; }

__device__ __forceinline__ double joined(double a, double b, int kind) {
    return kind == LARGEST ? larger(a, b) : kind == SMALLEST ? smaller(a, b) : a + b;
}

template <typename Real, int kind>
struct Sizes {
    static const int arrays = 1, written = 0;
    double total;
    __device__ void operator()(const Real (&of)[arrays], const Tensor<Real>&) {
        const double size = fabs((double)of[G]);
        total = joined(total, kind == SQUARES ? size * size : kind == COUNT ? (double)(size != 0.0) : size, kind);
    }
};
template <typename Real, int kind>
__device__ double of_chunk(const Tensors<Real>& tensors) {
    Sizes<Real, kind> rule = {nothing_yet(kind)};
    for_each_element(tensors, rule);
    return rule.total;
}

// Powers one by one: pow is hundreds of instructions, which would be called, and take a stack, if they stood in several places.
template <typename Real>
__device__ double powers_of_chunk(const Tensors<Real>& tensors, double order) {
    int first, last;
    const Tensor<Real>& tensor = own_chunk(tensors, first, last);
    double total = 0;
#pragma unroll 1
    for (int i = first + (int)threadIdx.x; i < last; i += (int)blockDim.x)
        total += pow(fabs((double)tensor.array[G][i]), order);
    return total;
}

// What all threads of the block have, joined, for the first of them: halves first within warps, then over warps.
__device__ double joined_in_block(double value, int kind) {
    __shared__ double of_warp[NORM_THREADS / 32];
    for (int distance = 16; distance > 0; distance /= 2)
        value = joined(value, __shfl_down_sync(0xffffffffu, value, distance), kind);
    if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = value;
    __syncthreads();
    if (threadIdx.x == 0)
        for (int warp = 1; warp < NORM_THREADS / 32; ++warp) value = joined(value, of_warp[warp], kind);
    return value;
}

// parts[first + block] is what a block's chunk comes to.
template <typename Real>
__global__ void __launch_bounds__(NORM_THREADS, 4)  // with the 64 registers that this leaves a thread, none is spilled
    parts_of_norm(const __grid_constant__ Tensors<Real> tensors, int kind, double order, double* __restrict__ parts,
                  long long first) {
    double value;
    switch (kind) {
        case POWERS: value = powers_of_chunk(tensors, order); break;
        case SIZES: value = of_chunk<Real, SIZES>(tensors); break;
        case SQUARES: value = of_chunk<Real, SQUARES>(tensors); break;
        case COUNT: value = of_chunk<Real, COUNT>(tensors); break;
        case LARGEST: value = of_chunk<Real, LARGEST>(tensors); break;
        default: value = of_chunk<Real, SMALLEST>(tensors);
    }
    value = joined_in_block(value, kind);
    if (threadIdx.x == 0) parts[first + blockIdx.x] = value;
}

// One block: the norm of what the parts come to together.
__global__ void __launch_bounds__(NORM_THREADS) whole_norm(const double* __restrict__ parts, long long count, int kind,
                                                           double order, double* __restrict__ norm) {
    double value = nothing_yet(kind);
    for (long long i = threadIdx.x; i < count; i += NORM_THREADS) value = joined(value, parts[i], kind);
    value = joined_in_block(value, kind);
    if (threadIdx.x == 0) *norm = kind == SQUARES ? sqrt(value) : kind == POWERS ? pow(value, 1.0 / order) : value;
}

template <typename Real>
struct Scale {
    static const int arrays = 1, written = 1 << G;
    Real factor;
    __device__ void operator()(Real (&of)[arrays], const Tensor<Real>&) const { of[G] *= factor; }
};
// Scaled to a norm of max_norm, where it is above that; where it is not, no gradient is read.
template <typename Real>
__global__ void __launch_bounds__(256) clip_norm(const __grid_constant__ Tensors<Real> tensors,
                                                 const double* __restrict__ total_norm, double max_norm) {
    const double factor = max_norm / (*total_norm + 1e-6);
    if (factor >= 1.0) return;
    Scale<Real> rule = {(Real)factor};
    for_each_element(tensors, rule);
}

template <typename Real>
struct Bound {
    static const int arrays = 1, written = 1 << G;
    Real bound;
    __device__ void operator()(Real (&of)[arrays], const Tensor<Real>&) const { of[G] = smaller(larger(of[G], -bound), bound); }
};
template <typename Real>
__global__ void __launch_bounds__(256) clip_value(const __grid_constant__ Tensors<Real> tensors, Real bound) {
    Bound<Real> rule = {bound};
    for_each_element(tensors, rule);
}
