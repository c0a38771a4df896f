// What the steps of recurrent networks share: their activations, and which thread does what.
//
// A step has `size` rows, one for each sequence that takes part, from row `start` of the packed batch on. A thread does one unit
// of one row: neighbours in a block are neighbouring units, so that a warp reads and writes 128 bytes next to each other. Blocks
// take rows along x, of which there may be any number, and units along y, where a grid has room for 65,535 only. Row p of a step
// follows row `before` + p where p < `known`, and begins with the first state of place p elsewhere.

__device__ __forceinline__ float exponential(float a) { return expf(a); }
__device__ __forceinline__ double exponential(double a) { return exp(a); }
__device__ __forceinline__ float hyperbolic_tangent(float a) { return tanhf(a); }
__device__ __forceinline__ double hyperbolic_tangent(double a) { return tanh(a); }

template <typename Real>
__device__ __forceinline__ Real logistic(Real a) {
    return Real(1) / (Real(1) + exponential(-a));
}

__device__ __forceinline__ int own_unit() { return blockIdx.y * blockDim.x + threadIdx.x; }
__device__ __forceinline__ int own_row() { return blockIdx.x * blockDim.y + threadIdx.y; }

// The state that row `row` of a step begins with.
template <typename Real>
__device__ __forceinline__ Real state_before(const Real* states, const Real* first, int before, int known, int row, int unit,
                                             int hidden) {
    return row < known ? states[(long long)(before + row) * hidden + unit] : first[(long long)row * hidden + unit];
}
