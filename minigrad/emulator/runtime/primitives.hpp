// The emulator's side of what kernels write in PTX for a GPU: tensor cores, asynchronous copies, a barrier of the whole grid.
#pragma once
#include "interface.hpp"
#include "maths.hpp"

// Round to TF32 (10 bits of mantissa), ties away from zero: cvt.rna.tf32.f32.
inline unsigned round_to_tf32(float value) {
    const unsigned bits = __float_as_uint(value);
    return (bits & 0x7f800000u) == 0x7f800000u ? bits : (bits + 0x1000u) & 0xffffe000u;
}

// mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32, by the whole warp: accumulator += a b.
inline void mma_m16n8k8_tf32(float (&accumulator)[4], const unsigned (&a)[4], const unsigned (&b)[2], EMULATOR_HERE) {
    emulator::multiply_tf32(accumulator, a, b, place);
}

// ldmatrix.sync.aligned.m8n8.x4.shared.b16: four 8x8 matrices of 16-bit elements (8x4 of 32-bit ones).
inline void load_matrix_x4(unsigned (&to)[4], const void* row, EMULATOR_HERE) {
    emulator::load_matrices(to, 4, false, row, place);
}
inline void load_matrix_x2(unsigned (&to)[2], const void* row, EMULATOR_HERE) {
    emulator::load_matrices(to, 2, false, row, place);
}

// cp.async: copies that are done only when they are waited for. Where `wanted` is false, zeros are written and nothing is read.
inline void copy_async_16(void* to_shared, const void* from_global, bool wanted = true, EMULATOR_HERE) {
    emulator::copy_async(to_shared, from_global, 16, wanted ? 16 : 0, place);
}
inline void copy_async_4(void* to_shared, const void* from_global, bool wanted = true, EMULATOR_HERE) {
    emulator::copy_async(to_shared, from_global, 4, wanted ? 4 : 0, place);
}
inline void commit_copies() { emulator::commit_copies(); }
template <int groups_left>
inline void wait_for_copies(EMULATOR_HERE) {
    emulator::wait_for_copies(groups_left, place);
}

// Wait for all threads of all blocks of a cooperative launch. `arrived` is a word in global memory, 0 before the launch,
// that the GPU's version counts in.
inline void grid_sync(unsigned* arrived, EMULATOR_HERE) {
    (void)arrived;
    emulator::synchronise_grid(place);
}
