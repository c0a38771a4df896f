// Threads that ask again and again for something that never comes: a flag that no thread is left to set. What all threads of a
// worker hold (stacks with their registers) and what they can reach (arrays, shared memory, variables) is compared with what it
// was rounds ago. What is then the same to the last bit goes on for ever, since nothing else decides what the threads do.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include <memory>
#include <vector>

namespace emulator {

class Block;
struct Launch;
struct Thread;

class Waiting {
public:
    void begin(Launch& launch);  // others run in their turn: nothing is known of them
    // A thread is about to let others run. True: nobody in the launch will ever do anything else.
    bool for_ever(Launch& launch, const std::vector<std::unique_ptr<Block>>& blocks, const Thread& asking);

private:
    static constexpr unsigned FIRST = 2048, TRIES = 16;

    uint64_t everything(const std::vector<std::unique_ptr<Block>>& blocks, const Thread& asking) const;
    void withdraw(Launch& launch);
    bool agree(Launch& launch);

    uint64_t turns = 0, look_again = 0, compare_again = 0;  // turns given away; when to remember, when to compare
    const Thread* seen = nullptr;  // the thread that gave away its turn when this was remembered:
    uint64_t its = 0, all = 0;             // what it held, and what there was
    unsigned tries = 0;             // comparisons in vain
    bool counted = false;          // as stuck, in `round`
    uint64_t round = 0;
};

}  // namespace emulator
