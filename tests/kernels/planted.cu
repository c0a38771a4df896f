// Kernels whose machine code breaks a rule each, and one that keeps them all: a tile of a product, 8 x 8 for each thread.

__device__ void multiply(float (&sums)[8][8], const float (&a)[8], const float (&b)[8]) {
#pragma unroll
    for (int i = 0; i < 8; ++i)
#pragma unroll
        for (int j = 0; j < 8; ++j) sums[i][j] += a[i] * b[j];
}

__device__ void store(const float (&sums)[8][8], float* out) {
#pragma unroll
    for (int i = 0; i < 8; ++i)
#pragma unroll
        for (int j = 0; j < 8; ++j) out[(i * 8 + j) * blockDim.x + threadIdx.x] = sums[i][j];
}

template <int wide>
__device__ void load(float (&to)[8], const float* from) {
#pragma unroll
    for (int i = 0; i < 8; i += 4) {
        if (wide) {
            const float4 four = *reinterpret_cast<const float4*>(from + i);
            to[i] = four.x, to[i + 1] = four.y, to[i + 2] = four.z, to[i + 3] = four.w;
        } else {
            for (int k = 0; k < 4; ++k) to[i + k] = from[(i + k) * 33];
        }
    }
}

extern "C" __global__ void __launch_bounds__(256) sound(const float* __restrict__ a, const float* __restrict__ b, float* out, int n) {
    float sums[8][8] = {}, one[8], other[8];
    a += threadIdx.x / 16 * 8, b += threadIdx.x % 16 * 8;
    for (int step = 0; step < n; ++step, a += 128, b += 128) {
        load<1>(one, a);
        load<1>(other, b);
        multiply(sums, one, other);
    }
    store(sums, out);
}

extern "C" __global__ void __launch_bounds__(256) narrow(const float* __restrict__ a, const float* __restrict__ b, float* out, int n) {
    float sums[8][8] = {}, one[8], other[8];
    a += threadIdx.x / 16, b += threadIdx.x % 16;
    for (int step = 0; step < n; ++step, a += 512, b += 512) {
        load<0>(one, a);
        load<0>(other, b);
        multiply(sums, one, other);
    }
    store(sums, out);
}

extern "C" __global__ void __launch_bounds__(256)
    divides(const float* __restrict__ a, const float* __restrict__ b, float* out, int n, const int* __restrict__ widths) {
    float sums[8][8] = {}, one[8], other[8];
    for (int step = 0; step < n; ++step) {
        const int width = widths[step], row = (threadIdx.x + step) / width, column = (threadIdx.x + step) % width;
        load<1>(one, a + row * 8);
        load<1>(other, b + column * 8);
        multiply(sums, one, other);
    }
    store(sums, out);
}

// 64 sums of a thread where 1024 threads leave each 64 registers.
extern "C" __global__ void __launch_bounds__(1024) spills(const float* __restrict__ a, const float* __restrict__ b, float* out, int n) {
    float sums[8][8] = {}, one[8], other[8];
    for (int step = 0; step < n; ++step, a += 128, b += 128) {
        load<1>(one, a + threadIdx.x / 32 * 8);
        load<1>(other, b + threadIdx.x % 32 * 8);
        multiply(sums, one, other);
    }
    store(sums, out);
}

// An array whose place a thread reckons lies in memory.
extern "C" __global__ void __launch_bounds__(256) stacks(const float* __restrict__ a, float* out, int n) {
    float kept[64];
    for (int i = 0; i < n; ++i) kept[(i * 7 + threadIdx.x) & 63] = a[i];
    for (int i = 0; i < n; ++i) out[i * blockDim.x + threadIdx.x] = kept[(i * 5 + threadIdx.x) & 63];
}

extern "C" __global__ void __launch_bounds__(256) slow(const float* __restrict__ a, const int* __restrict__ places, float* out, int n) {
    float sum = 0;
    for (int step = 0; step < n; ++step) {
        const int at = (places[step] ^ threadIdx.x) * 3 + (step & 31);
        sum += a[at] * a[at + n];
    }
    out[threadIdx.x] = sum;
}

// Holds a tile that its budget does not give it.
extern "C" __global__ void hoards(const float* in, float* out, int n) {
    __shared__ float tile[4096];
    for (int i = threadIdx.x; i < n; i += blockDim.x) tile[i % 4096] = in[i];
    __syncthreads();
    for (int i = threadIdx.x; i < n; i += blockDim.x) out[i] = tile[(i + 1) % 4096];
}
