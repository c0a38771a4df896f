// What happened before what. Time counts the meetings of threads and fences of a launch: accesses between two of them bear the
// same time, and "known up to T" means that all accesses with times up to T come before. One of these serves a launch whose
// blocks all run on one thread of the system.
#pragma once
#include <memory>
#include <unordered_map>

#include "block.hpp"

namespace emulator {

using Time = uint32_t;

// What a thread has learnt from other threads by way of atomic operations.
struct Known {
    std::unordered_map<uint64_t, Time> threads;  // by their number in the grid,
    std::unordered_map<uint64_t, Time> blocks;   // and whole blocks
};
using Knowledge = std::shared_ptr<const Known>;

class Order {
public:
    explicit Order(const Launch& launch) : launch(launch) {}

    Time now() const { return time; }
    // Whether an access that another thread made at a time comes before what `thread` does now.
    bool before(uint64_t other, Time when, const Thread& thread);

    void begin(Block& block);
    void block_met(Block& block);
    void warp_met(Block& block, unsigned warp, unsigned lanes);
    void grid_met() { grid_time = time++; }
    void fence(const Thread& thread);
    // An atomic operation, or a volatile access to global memory: it hands on what came before the thread's last fence, and
    // takes what others handed on there.
    void hand_over(const Thread& thread, const void* address, bool writes);

    uint64_t number_of(const Thread& thread) const { return thread.block->number * launch.threads() + thread.number; }

private:
    struct Warp {
        Time known[32][32];  // what each lane knows of each other one
    };
    struct BlockClock {
        Time barrier = 0;  // the last one
        std::unique_ptr<Warp> warps[32];
        std::vector<Knowledge> known, fenced;  // of each thread: what it knows, and what came before its last fence
    };

    BlockClock& clock_of(const Block& block) {
        if (&block != last) last = &block, last_clock = &clocks[&block];
        return *last_clock;
    }
    static void share(std::vector<Knowledge>& all, unsigned first, unsigned count, unsigned lanes);

    const Launch& launch;
    Time time = 1, grid_time = 0;
    std::unordered_map<const Block*, BlockClock> clocks;
    const Block* last = nullptr;  // the one that was asked for last, and its clock
    BlockClock* last_clock = nullptr;
    std::unordered_map<const void*, Knowledge> handed_over;  // by address
};

}  // namespace emulator
