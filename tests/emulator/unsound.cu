// Kernels with one fault each that only the checked mode finds. In the line that is blamed stands "here", in that of the other
// thread "there".

// ---- races
extern "C" __global__ void no_barrier(const float* x, float* y) {
    __shared__ float tile[64];
    tile[threadIdx.x] = x[threadIdx.x];       // there
    y[threadIdx.x] = tile[63 - threadIdx.x];  // here
}

extern "C" __global__ void early_overwrite(float* x, int steps) {
    __shared__ float tile[64];
    for (int step = 0; step < steps; step++) {
        tile[threadIdx.x] = x[threadIdx.x];  // here
        __syncthreads();
        x[threadIdx.x] = tile[(threadIdx.x + 1) % 64];  // there
    }
}

extern "C" __global__ void warp_in_step(float* x) {
    __shared__ volatile float s[64];
    s[threadIdx.x] = x[threadIdx.x];                                                                     // there
    if (threadIdx.x < 32) for (int i = 16; i; i /= 2) x[threadIdx.x] = s[threadIdx.x] + s[threadIdx.x + i];  // here
}

extern "C" __global__ void counts(int* count) {
    count[0] += 1;  // here
}

extern "C" __global__ void two_blocks(int* x) {
    if (threadIdx.x == 0) x[(blockIdx.x + 1) % gridDim.x] = 1;  // there
    if (threadIdx.x == 1) x[blockIdx.x] = 2;                    // here
}

extern "C" __global__ void half_atomic(int* x) {
    if (threadIdx.x) atomicAdd(x, 1);  // here
    else *x = 0;                       // there
}

extern "C" __global__ void atomic_then_plain(int* x) {
    atomicAdd(x, 1);             // there
    if (threadIdx.x == 0) *x = 0;  // here
}

// As CUDA's guide adds doubles where there is no atomicAdd for them, but that the first read is plain.
extern "C" __global__ void swaps(double* sum) {
    unsigned long long* word = reinterpret_cast<unsigned long long*>(sum);
    unsigned long long old = *word, assumed;  // there
    do {
        assumed = old;
        const double more = __longlong_as_double(assumed) + 1;
        old = atomicCAS(word, assumed, __double_as_longlong(more));  // here
    } while (assumed != old);
}

extern "C" __global__ void reader_not_waited_for(int* x, int* came, int* y) {
    if (threadIdx.x == 0) {
        y[0] = *x;
        while (atomicAdd(came, 0) == 0) {}
        *x = 1;  // here
    } else if (threadIdx.x == 32) {
        y[1] = *x;  // there
        atomicExch(came, 1);
    }
}

extern "C" __global__ void no_fence(int* data, int* flag, int* y) {
    if (threadIdx.x == 0) {
        *data = 5;  // there
        atomicExch(flag, 1);
    } else if (threadIdx.x == 32) {
        while (atomicAdd(flag, 0) == 0) {}
        *y = *data;  // here
    }
}

extern "C" __global__ void only_this_block(float* x, float* y) {
    x[blockIdx.x * blockDim.x + threadIdx.x] = 1;  // there
    __syncthreads();
    y[threadIdx.x + blockIdx.x * blockDim.x] = x[gridDim.x * blockDim.x - 1 - blockIdx.x * blockDim.x - threadIdx.x];  // here
}

extern "C" __global__ void bytes(unsigned char* x) {
    x[threadIdx.x % 16] = threadIdx.x;  // here
}

// ---- outside of arrays
extern "C" __global__ void past_the_end(const float* x, float* y, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i <= n) y[i] = x[0];  // here
}

extern "C" __global__ void before_the_start(const float* x, float* y) {
    y[threadIdx.x] = x[int(threadIdx.x) - 1];  // here
}

extern "C" __global__ void past_shared(float* y) {
    __shared__ float s[16];
    s[threadIdx.x] = 1;  // here
    __syncthreads();
    y[threadIdx.x] = s[threadIdx.x];
}

extern "C" __global__ void past_dynamic(float* y) {
    extern __shared__ float s[];
    s[threadIdx.x] = 1;  // here
    y[threadIdx.x] = s[threadIdx.x];
}

extern "C" __global__ void half_outside(const float4* x, float* y) {
    const float4 four = x[threadIdx.x];  // here
    y[threadIdx.x] = four.x + four.y + four.z + four.w;
}

extern "C" __global__ void null_pointer(const float* x, float* y) {
    y[threadIdx.x] = x[threadIdx.x];  // here
}

// ---- what nobody wrote
extern "C" __global__ void unset_global(float* y, float* z) {
    if (threadIdx.x != 2) y[threadIdx.x] = 0;
    __syncthreads();
    z[threadIdx.x] = y[threadIdx.x];  // here
}

extern "C" __global__ void unset_shared(float* y) {
    __shared__ float s[8];
    if (threadIdx.x) s[threadIdx.x] = 1;
    __syncthreads();
    y[threadIdx.x] = s[threadIdx.x];  // here
}

extern "C" __global__ void last_blocks_values(float* y) {
    extern __shared__ float s[];
    if (blockIdx.x == 0) s[threadIdx.x] = 1;
    y[blockIdx.x * blockDim.x + threadIdx.x] = s[threadIdx.x];  // here
}

// ---- the rest
extern "C" __global__ void skewed_vector(const float* x, float* y) {
    const float4 four = *reinterpret_cast<const float4*>(x + 1);  // here
    y[threadIdx.x] = four.x + four.y + four.z + four.w;
}

extern "C" __global__ void writes_const(const float* x) {
    const_cast<float*>(x)[threadIdx.x] = 1;  // here
}

extern "C" __global__ void returned_early(float* x, int n) {
    if (threadIdx.x >= n) return;
    __syncthreads();  // here
    x[threadIdx.x] = 0;
}

extern "C" __global__ void absent_source(float* x) {
    if (threadIdx.x >= 16) return;
    x[threadIdx.x] = __shfl_down_sync(0xffffffffu, x[threadIdx.x], 16);  // here
}

extern "C" __global__ void early_read(const float* x, float* y) {
    __shared__ __align__(16) float tile[4];
    copy_async_16(tile, x);
    commit_copies();
    y[threadIdx.x] = tile[threadIdx.x];  // here
    wait_for_copies<0>();
}
