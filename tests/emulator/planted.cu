// Kernels with one fault each. In the line that is blamed stands "here", in that of the other thread "there".

// ---- what every mode finds
extern "C" __global__ void two_barriers(float* x) {
    if (threadIdx.x < 8) __syncthreads();  // here
    else __syncthreads();                  // there
    x[threadIdx.x] = 0;
}

extern "C" __global__ void barrier_and_warp(float* x) {
    if (threadIdx.x == 3) __syncthreads();  // there
    else __syncwarp();                      // here
    x[threadIdx.x] = 0;
}

extern "C" __global__ void absent_lanes(int* x) {
    int mine = x[threadIdx.x];
    if (threadIdx.x < 16) mine = __shfl_xor_sync(0xffffffffu, mine, 1);  // here
    __syncthreads();                                                     // there
    x[threadIdx.x] = mine;
}

extern "C" __global__ void other_mask(int* x) {
    x[threadIdx.x] = __shfl_sync(0x0000ffffu, x[threadIdx.x], 0);  // here
}

extern "C" __global__ void lonely_grid(unsigned* arrived) {
    grid_sync(arrived);  // here
}

extern "C" __global__ void half_a_grid(unsigned* arrived) {
    if (blockIdx.x) grid_sync(arrived);  // here
}

extern "C" __global__ void nobody_sets_it(int* flag, int* y) {
    if (threadIdx.x == 5) {
        while (atomicAdd(flag, 0) == 0) {}  // here
    }
    y[threadIdx.x] = 1;
}

// Each asks in its own way, and rests in between.
extern "C" __global__ void each_for_the_other(int* flags) {
    if (threadIdx.x == 0) {
        while (atomicCAS(flags, 1, 1) != 1) __nanosleep(20);  // there
        atomicExch(flags + 1, 1);
    } else if (threadIdx.x == 1) {
        unsigned rest = 1;
        while (atomicOr(flags + 1, 0) == 0 || atomicOr(flags + 2, 0)) __nanosleep(rest = min(2 * rest, 64u));  // here
        atomicExch(flags, 1);
    }
}

extern "C" __global__ void before_the_barrier(int* flag) {
    if (threadIdx.x) __syncthreads();  // there
    else while (atomicMax(flag, 0) == 0) {}  // here
    atomicExch(flag, 1);
}

// Blocks that wait for the last one, which begins when they have ended.
extern "C" __global__ void for_a_later_block(int* flag) {
    if (blockIdx.x == gridDim.x - 1) atomicExch(flag, 1);
    else while (atomicAdd(flag, 0) == 0) {}  // here
}

extern "C" __global__ void half_a_warp(const float* x, float* y) {
    const unsigned a[4] = {}, b[2] = {};
    float sums[4] = {x[threadIdx.x]};
    mma_m16n8k8_tf32(sums, a, b);  // here
    y[threadIdx.x] = sums[0];
}

extern "C" __global__ void copy_between(const float* x, float* y) {
    copy_async_16(y, x);  // here
    wait_for_copies<0>();
}

extern "C" __global__ void skewed_copy(const float* x, float* y) {
    __shared__ float tile[8];
    copy_async_16(tile, x + 1);  // here
    wait_for_copies<0>();
    y[threadIdx.x] = tile[threadIdx.x];
}

extern "C" __global__ void wide_shared(float* y) {
    __shared__ float tile[13000];
    tile[threadIdx.x] = 1;
    y[threadIdx.x] = tile[threadIdx.x];
}

extern "C" __global__ void asserted(const int* x) {
    assert(x[threadIdx.x] < 7);  // here
}

extern "C" __global__ void trapped(const int* x) {
    if (x[threadIdx.x] == 7) __trap();  // here
}

extern "C" __global__ void nothing_there(float* y) {
    y[threadIdx.x] = 1;  // here
}

__device__ int depth(volatile int* x, int n) {
    volatile int local[64];
    local[n % 64] = *x;
    return n == 0 ? local[0] : depth(x, n - 1) + local[n % 64];
}
extern "C" __global__ void deep(int* x) { *x = depth(x, 100000); }

extern "C" __global__ void divided(const int* x, int* y) {
    y[threadIdx.x] = 100 / x[threadIdx.x];  // here
}

extern "C" __global__ void without_end(volatile int* x) {
    while (*x == 0) {
    }
}
