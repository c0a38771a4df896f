// CUDA's cooperative groups, for programs that include them: the block, the grid, and tiles of a warp.
#pragma once

namespace cooperative_groups {

struct grid_group {
    void sync(EMULATOR_HERE) const { emulator::synchronise_grid(place); }
    bool is_valid() const { return true; }
    unsigned long long block_rank() const {
        return blockIdx.x + (unsigned long long)gridDim.x * (blockIdx.y + (unsigned long long)gridDim.y * blockIdx.z);
    }
    unsigned long long num_blocks() const { return (unsigned long long)gridDim.x * gridDim.y * gridDim.z; }
    unsigned long long size() const { return num_blocks() * blockDim.x * blockDim.y * blockDim.z; }
    unsigned long long num_threads() const { return size(); }
    unsigned long long thread_rank() const {
        const unsigned within = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
        return block_rank() * blockDim.x * blockDim.y * blockDim.z + within;
    }
    dim3 group_dim() const { return gridDim; }
};

struct thread_block {
    void sync(EMULATOR_HERE) const { emulator::synchronise_block(place); }
    unsigned thread_rank() const { return threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z); }
    unsigned size() const { return blockDim.x * blockDim.y * blockDim.z; }
    unsigned num_threads() const { return size(); }
    dim3 thread_index() const { return threadIdx; }
    dim3 group_index() const { return blockIdx; }
    dim3 dim_threads() const { return blockDim; }
};

// `lanes` threads of a warp that follow each other.
template <unsigned lanes>
class thread_block_tile {
    static_assert(lanes > 0 && lanes <= 32 && (lanes & (lanes - 1)) == 0, "a tile has 1, 2, 4, 8, 16 or 32 threads");

    unsigned first() const { return emulator::own_lane() / lanes * lanes; }
    unsigned mask() const { return (lanes == 32 ? 0xffffffffu : (1u << lanes % 32) - 1) << first(); }

public:
    void sync(EMULATOR_HERE) const { emulator::synchronise_warp(mask(), place); }
    unsigned thread_rank() const { return emulator::own_lane() % lanes; }
    static constexpr unsigned size() { return lanes; }
    static constexpr unsigned num_threads() { return lanes; }
    unsigned meta_group_rank() const { return thread_block().thread_rank() / lanes; }
    unsigned meta_group_size() const { return (thread_block().size() + lanes - 1) / lanes; }
    template <typename T>
    T shfl(T value, int source, EMULATOR_HERE) const {
        return __shfl_sync(mask(), value, source, lanes, place);
    }
    template <typename T>
    T shfl_down(T value, unsigned delta, EMULATOR_HERE) const {
        return __shfl_down_sync(mask(), value, delta, lanes, place);
    }
    template <typename T>
    T shfl_up(T value, unsigned delta, EMULATOR_HERE) const {
        return __shfl_up_sync(mask(), value, delta, lanes, place);
    }
    template <typename T>
    T shfl_xor(T value, unsigned bits, EMULATOR_HERE) const {
        return __shfl_xor_sync(mask(), value, int(bits), lanes, place);
    }
    int any(int predicate, EMULATOR_HERE) const { return __any_sync(mask(), predicate, place); }
    int all(int predicate, EMULATOR_HERE) const { return __all_sync(mask(), predicate, place); }
    unsigned ballot(int predicate, EMULATOR_HERE) const { return __ballot_sync(mask(), predicate, place) >> first(); }
};

inline grid_group this_grid() { return {}; }
inline thread_block this_thread_block() { return {}; }
template <unsigned lanes>
inline thread_block_tile<lanes> tiled_partition(const thread_block&) {
    return {};
}
template <typename Group>
inline void sync(const Group& group, EMULATOR_HERE) {
    group.sync(place);
}

}  // namespace cooperative_groups
