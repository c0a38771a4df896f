// Kernels of which it is known what they ask of a GPU's memory, and what each thread does.
template <int PITCH>
__global__ void transpose(const float* x, float* y) {
    __shared__ float tile[32][PITCH];
    for (int row = threadIdx.y; row < 32; row += blockDim.y) tile[row][threadIdx.x] = x[row * 32 + threadIdx.x];
    __syncthreads();
    for (int row = threadIdx.y; row < 32; row += blockDim.y) {
        const float value = tile[threadIdx.x][row];  // column
        y[row * 32 + threadIdx.x] = value;
    }
}

template <typename T>
__global__ void through_shared(const T* x, T* y, int stride) {
    __shared__ T s[128];
    s[threadIdx.x * stride] = x[threadIdx.x];  // in
    __syncwarp();
    y[threadIdx.x] = s[threadIdx.x * stride];  // out
}

extern "C" __global__ void strided(const float* x, float* y, int stride, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        const float value = x[i * stride];  // apart
        y[i] = value + x[0];
    }
}

extern "C" __global__ void words(const unsigned char* bytes, const float3* triples, float* y) {
    __shared__ unsigned char near[32];
    near[threadIdx.x] = bytes[threadIdx.x];  // bytes
    __syncwarp();
    const float3 triple = triples[threadIdx.x];  // triple
    y[threadIdx.x] = near[31 - threadIdx.x] + triple.x + triple.y + triple.z;
}

extern "C" __global__ void as_many_as_lanes(const float* x, float* y) {
    float sum = 0;
    for (int i = 0; i < threadIdx.x; i++) sum += x[i * 32 + threadIdx.x];  // more and more
    y[threadIdx.x] = sum;
}

__device__ __noinline__ float at(const float* x, int i) {
    return x[i];  // called
}

template <bool BLOCK>
__global__ void half_before(const float* x, float* y) {
    float sum = 0;
    if (threadIdx.x < 16) sum = at(x, threadIdx.x);
    BLOCK ? __syncthreads() : __syncwarp();
    y[threadIdx.x] = sum + at(x, threadIdx.x ^ 16);
}

extern "C" __global__ void half_a_warp_meets(const float* x, float* y) {
    float sum = 0;
    if (threadIdx.x < 16) {
        if (threadIdx.x < 8) sum = at(x, threadIdx.x);
        __syncwarp(0xffffu);
        sum += at(x, threadIdx.x ^ 8);
    }
    y[threadIdx.x] = sum;
}

__constant__ float factor[4];
extern "C" __global__ void other_memory(const float4* x, float* y, int which) {
    __shared__ float4 tile[32];
    __shared__ int count;
    if (threadIdx.x == 0) count = 0;
    copy_async_16(&tile[threadIdx.x], x + threadIdx.x);  // copy
    commit_copies();
    wait_for_copies<0>();
    __syncthreads();
    atomicAdd(&count, 1);  // atomic
    float mine[4] = {1, 2, 3, 4};
    mine[which] += threadIdx.x;
    __syncthreads();
    y[threadIdx.x] = tile[threadIdx.x ^ 1].y + factor[which] + at(mine, which) + count;
}

extern "C" __global__ void very_often(const float* x, float* y, int times, int meeting) {
    if (threadIdx.x % 32) return;
    float sum = 0;
    for (int i = 0; i < times; i++) {
        sum += x[i % 4];  // again
        if (meeting == 1) __syncwarp();
        if (meeting == 2) __syncthreads();
    }
    y[threadIdx.x / 32] = sum;
}

extern "C" __global__ void reverse(int* x) {
    __shared__ int s[4];
    s[threadIdx.x] = 10 * x[threadIdx.x];
    __syncthreads();
    x[threadIdx.x] = s[3 - threadIdx.x];
}

extern "C" __global__ void warp_sums(const float* x, float* y) {
    extern __shared__ float sums[];
    float sum = x[threadIdx.x];
    sum += __shfl_xor_sync(0xffffffffu, sum, 1);
    *(volatile float*)y = sum;
    sums[threadIdx.x] = sum;
    *(volatile float*)y = sum - 1;
}

extern "C" __global__ void in_place(float* y, const float* x) {
    y[threadIdx.x] = x[threadIdx.x] + 1;
}
