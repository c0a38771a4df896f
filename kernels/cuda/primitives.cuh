// What a GPU does in single instructions that CUDA C++ has no name for: tensor cores, asynchronous copies, a barrier of the grid.
//
// The emulator has functions of the same names, in its runtime/primitives.hpp, that do the same in C++. Each says which PTX
// instruction it is (PTX ISA 9.0); a chip that has no such instruction gets what it takes to do without.
#ifndef MINIGRAD_EMULATOR

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
#define HAS_ASYNC_COPIES 1
#else
#define HAS_ASYNC_COPIES 0
#endif

// cvt.rna.tf32.f32: to 10 bits of mantissa, ties away from zero.
__device__ __forceinline__ unsigned round_to_tf32(float value) {
#if HAS_ASYNC_COPIES
    unsigned bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
    return bits;
#else
    const unsigned bits = __float_as_uint(value);
    return (bits & 0x7f800000u) == 0x7f800000u ? bits : (bits + 0x1000u) & 0xffffe000u;
#endif
}

// mma.sync.m16n8k8 on TF32, by the whole warp: accumulator += a b. Lane l holds of a (16x8) the elements of rows l/4 and l/4 + 8
// in columns l%4 and l%4 + 4, of b (8x8) those of rows l%4 and l%4 + 4 in column l/4, of the accumulator (16x8) rows as of a in
// columns 2(l%4) and 2(l%4) + 1. Only from compute capability 8.0 on: its callers must not be launched on less.
__device__ __forceinline__ void mma_m16n8k8_tf32(float (&accumulator)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
#if HAS_ASYNC_COPIES
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(accumulator[0]), "+f"(accumulator[1]), "+f"(accumulator[2]), "+f"(accumulator[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    __trap();
#endif
}

__device__ __forceinline__ unsigned shared_address(const void* shared) { return (unsigned)__cvta_generic_to_shared(shared); }

// ldmatrix.x4: four 8x8 matrices of 16-bit elements, or 8x4 of 32-bit ones. Lanes 8i to 8i + 7 give the rows of matrix i, 16
// bytes each; lane l gets of each the element of 32 bits in row l/4, column l%4.
__device__ __forceinline__ void load_matrix_x4(unsigned (&to)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(shared_address(row)));
}
__device__ __forceinline__ void load_matrix_x2(unsigned (&to)[2], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(to[0]), "=r"(to[1])
                 : "r"(shared_address(row)));
}

// cp.async: copies from global to shared memory that are done when they are waited for. Where `wanted` is false, zeros are
// written and nothing is read. Chips before 8.0 copy at once.
__device__ __forceinline__ void copy_async_16(void* to_shared, const void* from_global, bool wanted = true) {
#if HAS_ASYNC_COPIES
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to_shared)), "l"(from_global),
                 "r"(wanted ? 16 : 0));
#else
    float4 value = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    if (wanted) value = *static_cast<const float4*>(from_global);
    *static_cast<float4*>(to_shared) = value;
#endif
}
__device__ __forceinline__ void copy_async_4(void* to_shared, const void* from_global, bool wanted = true) {
#if HAS_ASYNC_COPIES
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared_address(to_shared)), "l"(from_global),
                 "r"(wanted ? 4 : 0));
#else
    float value = 0.0f;
    if (wanted) value = *static_cast<const float*>(from_global);
    *static_cast<float*>(to_shared) = value;
#endif
}
__device__ __forceinline__ void commit_copies() {
#if HAS_ASYNC_COPIES
    asm volatile("cp.async.commit_group;");
#endif
}
// Until at most `groups_left` of the thread's committed groups are under way.
template <int groups_left>
__device__ __forceinline__ void wait_for_copies() {
#if HAS_ASYNC_COPIES
    asm volatile("cp.async.wait_group %0;" ::"n"(groups_left) : "memory");
#endif
}

// Wait for all threads of all blocks of a cooperative launch. `arrived` is a word in global memory, 0 before the launch: blocks
// count in it, the first block so that each whole round turns the highest bit (as cooperative groups do it).
__device__ __forceinline__ void grid_sync(unsigned* arrived) {
    __syncthreads();
    if (threadIdx.x == 0 && threadIdx.y == 0 && threadIdx.z == 0) {
        const unsigned blocks = gridDim.x * gridDim.y * gridDim.z;
        const bool first = blockIdx.x == 0 && blockIdx.y == 0 && blockIdx.z == 0;
        __threadfence();
        const unsigned before = atomicAdd(arrived, first ? 0x80000000u - (blocks - 1) : 1u);
        while (!((before ^ *(volatile unsigned*)arrived) & 0x80000000u)) {
        }
        __threadfence();
    }
    __syncthreads();
}

#endif
