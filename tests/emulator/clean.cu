// Kernels without faults, one for each thing that the emulator can do. Every mode runs them and finds nothing.
#include <cooperative_groups.h>
namespace cg = cooperative_groups;

__constant__ float factors[2];

extern "C" __global__ void add(const float* a, const float* b, float* c, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) c[i] = factors[0] * a[i] + factors[1] * b[i];
}

// C[M, N] = A[M, K] B[K, N]: while a tile is multiplied, the next one is loaded into the other half of shared memory.
template <typename T, int TILE>
__global__ void __launch_bounds__(TILE * TILE) matmul(const T* __restrict__ a, const T* __restrict__ b, T* __restrict__ c,
                                                      int m, int n, int k) {
    __shared__ T tile_a[2][TILE][TILE + 1], tile_b[2][TILE][TILE];
    const int x = threadIdx.x, y = threadIdx.y;
    const int row = blockIdx.y * TILE + y, column = blockIdx.x * TILE + x;
    const auto load = [&](int half, int start) {
        tile_a[half][y][x] = row < m && start + x < k ? a[row * k + start + x] : T(0);
        tile_b[half][y][x] = column < n && start + y < k ? b[(start + y) * n + column] : T(0);
    };
    load(0, 0);
    __syncthreads();
    T sum = 0;
    int half = 0;
    for (int start = 0; start < k; start += TILE, half ^= 1) {
        if (start + TILE < k) load(half ^ 1, start + TILE);
#pragma unroll
        for (int i = 0; i < TILE; i++) sum += tile_a[half][y][i] * tile_b[half][i][x];
        __syncthreads();
    }
    if (row < m && column < n) c[row * n + column] = sum;
}

// Four numbers at once, then the lanes of a warp by shuffles, the warps of a block by shared memory, the blocks by an atomic.
template <int THREADS>
__global__ void total(const float4* x, float* sum, int fours) {
    __shared__ float of_warps[THREADS / 32];
    float mine = 0;
    for (int i = blockIdx.x * THREADS + threadIdx.x; i < fours; i += gridDim.x * THREADS) {
        const float4 four = x[i];
        mine += four.x + four.y + four.z + four.w;
    }
    for (int distance = 16; distance; distance /= 2) mine += __shfl_down_sync(0xffffffffu, mine, distance);
    if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = mine;
    __syncthreads();
    if (threadIdx.x == 0) {
        float all = 0;
        for (const float warp : of_warps) all += warp;
        atomicAdd(sum, all);
    }
}

// The block that comes last sums what the others left in memory.
extern "C" __global__ void last_block(const int* x, int* partial, unsigned* came, int* sum) {
    __shared__ int mine;
    __shared__ bool last;
    if (threadIdx.x == 0) mine = 0;
    __syncthreads();
    atomicAdd(&mine, x[blockIdx.x * blockDim.x + threadIdx.x]);
    __syncthreads();
    if (threadIdx.x == 0) {
        partial[blockIdx.x] = mine;
        __threadfence();
        last = atomicAdd(came, 1u) == gridDim.x - 1;
    }
    __syncthreads();
    if (last && threadIdx.x == 0) {
        __threadfence();
        int all = 0;
        for (unsigned i = 0; i < gridDim.x; i++) all += partial[i];
        *sum = all;
    }
}

// All blocks at once, which wait for each other: x moves one place to the left and grows by one in each step.
extern "C" __global__ void rotate(float* x, unsigned* arrived, int steps) {
    extern __shared__ float kept[];
    const int n = gridDim.x * blockDim.x, i = blockIdx.x * blockDim.x + threadIdx.x;
    for (int step = 0; step < steps; step++) {
        kept[threadIdx.x] = x[(i + 1) % n];
        grid_sync(arrived);
        x[i] = kept[threadIdx.x] + 1;
        cg::this_grid().sync();
    }
}

// The sum of each eight neighbours, by a tile of a warp.
extern "C" __global__ void sums_of_eight(const int* x, int* sums) {
    const auto tile = cg::tiled_partition<8>(cg::this_thread_block());
    int mine = x[blockIdx.x * blockDim.x + threadIdx.x];
    for (int distance = 4; distance; distance /= 2) mine += tile.shfl_down(mine, distance);
    if (tile.thread_rank() == 0) sums[(blockIdx.x * blockDim.x + threadIdx.x) / 8] = mine;
}

// In one warp, through shared memory, with a barrier of the warp between the steps.
extern "C" __global__ void warp_sum(const float* x, float* sum) {
    __shared__ volatile float s[32];
    const unsigned lane = threadIdx.x;
    s[lane] = x[lane];
    for (unsigned distance = 16; distance; distance /= 2) {
        __syncwarp();
        const float other = s[(lane + distance) % 32];
        __syncwarp();
        s[lane] = s[lane] + other;
    }
    __syncwarp();
    if (lane == 0) *sum = s[0];
}

// What lanes can ask of each other; 8 words for each.
extern "C" __global__ void lanes(const int* x, unsigned* out) {
    const unsigned all = 0xffffffffu, lane = threadIdx.x;
    const int value = x[lane];
    unsigned* mine = out + lane * 8;
    mine[0] = __ballot_sync(all, value > 1);
    mine[1] = __any_sync(all, value > 2) * 2 + __all_sync(all, value >= 0);
    mine[2] = __match_any_sync(all, value);
    mine[3] = unsigned(__reduce_add_sync(all, value));
    mine[4] = __reduce_max_sync(all, unsigned(value));
    mine[5] = unsigned(__shfl_up_sync(all, value, 3));
    mine[6] = unsigned(__shfl_xor_sync(all, value, 5, 8));
    mine[7] = lane < 5 ? __ballot_sync(0x1f, lane != 2) : 0u;
}

// D[16, 8] = A[16, 8] B[8, 8] on a tensor core; A comes by asynchronous copies.
extern "C" __global__ void tensor_core(const float* a, const float* b, float* d) {
    __shared__ __align__(16) float tile[16][8];
    const int lane = threadIdx.x, group = lane / 4, member = lane % 4;
    copy_async_16(&tile[lane / 2][lane % 2 * 4], a + lane * 4);
    commit_copies();
    wait_for_copies<0>();
    __syncwarp();
    const unsigned of_a[4] = {round_to_tf32(tile[group][member]), round_to_tf32(tile[group + 8][member]),
                              round_to_tf32(tile[group][member + 4]), round_to_tf32(tile[group + 8][member + 4])};
    const unsigned of_b[2] = {round_to_tf32(b[member * 8 + group]), round_to_tf32(b[(member + 4) * 8 + group])};
    float sums[4] = {};
    mma_m16n8k8_tf32(sums, of_a, of_b);
    for (int i = 0; i < 4; i++) d[(group + i / 2 * 8) * 8 + member * 2 + i % 2] = sums[i];
}

// Threads that wait for a lock by asking again and again.
extern "C" __global__ void locked(int* lock, int* count) {
    while (atomicCAS(lock, 0, 1) != 0) __nanosleep(10);
    __threadfence();
    *count += 1;
    __threadfence();
    atomicExch(lock, 0);
}

// Threads that ask very often, but not for ever: they count in a register, in memory, in a variable, or look at the clock.
__device__ unsigned tickets;
extern "C" __global__ void patient(int* word, int* counted, int times, int how) {
    const long long start = clock64();
    if (threadIdx.x == 0) {
        if (how == 0) for (int i = 0; i < times && atomicAdd(word, 0) == 0; i++) {}
        if (how == 1) while (*counted < times) *counted += 1, atomicMax(word, 0);
        if (how == 2) while (atomicInc(&tickets, times) != times) {}
        if (how == 3) while (clock64() - start < 3000000 && atomicAdd(word, 0) == 0) {}
        *counted = times;
    }
    __syncthreads();
}

// A barrier of all blocks by hand, to which one block comes late.
extern "C" __global__ void late_block(unsigned* arrived, int* x, int times) {
    if (blockIdx.x == 0) for (int i = 0; i < times; i++) atomicMin(x, 7);
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        atomicAdd(arrived, 1u);
        while (atomicAdd(arrived, 0u) < gridDim.x) {}
        __threadfence();
    }
    __syncthreads();
    if (blockIdx.x) atomicAdd(x, 1);
}

extern "C" __global__ void maths(const float* x, float* out, int n) {
    const int i = threadIdx.x;
    if (i >= n) return;
    const float v = x[i];
    float* mine = out + i * 8;
    mine[0] = __expf(v), mine[1] = rsqrtf(v), mine[2] = __fdividef(1.0f, v), mine[3] = __logf(v);
    mine[4] = float(__popc(__float_as_uint(v))), mine[5] = float(__float2int_rn(v)), mine[6] = max(v, 1.5f);
    mine[7] = float(__clz(int(v)));
}
