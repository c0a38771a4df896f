// A block of threads while it runs: who may run, who waits for whom, and the block's shared memory.
#pragma once
#include <vector>

#include "fiber.hpp"
#include "launch.hpp"
#define EMULATOR_RUNTIME
#include "vectors.hpp"

namespace emulator {

class Block;

enum class State : uint8_t { fresh, ready, at_barrier, at_warp, at_grid, done };

// What lanes of a warp come together for. All lanes of a meeting ask for the same.
enum class What : uint8_t { synchronise, exchange, vote, match_any, match_all, reduce, multiply, load_matrices };

struct Copy {  // an asynchronous one, under way
    char* to;
    const char* from;
    int size, filled, group;
};

struct Thread {
    Block* block;
    Fiber* fiber;
    uint3 index;
    uint32_t number;
    State state;
    What what;        // while it waits for its warp: what for,
    uint8_t detail;   // and which kind of that
    unsigned mask;    // the lanes it waits for
    void* payload;    // what it brings and takes
    Site place;       // where it waits
    int predicate;    // that it brings to a counting barrier
    unsigned asked;   // atomics since others ran: a thread that waits for another by asking again and again must let it run
    int copy_group;   // the number of the group of copies that it is filling
    std::vector<Copy> copies;
    unsigned lane() const { return number & 31; }
};

class Block {
public:
    Block(Launch& launch, char* arena);  // memory for what is shared, ARENA bytes

    void begin(uint64_t number);
    Thread* take_next();  // who is ready, or nullptr
    void make_ready(Thread& thread);
    void wait_at_barrier(Thread& thread, Place place);
    bool release_barrier();  // if all threads that are left have come
    void release_grid();
    void thread_ended(Thread& thread);
    bool ended() const { return alive == 0; }
    int predicates() const { return counted; }  // non-zero predicates of the last counting barrier
    int present() const { return came; }        // threads that came to it

    void* shared(const SharedArray& array);
    char* dynamic_shared() const { return dynamic; }
    void name_dynamic(const SharedArray& array) { dynamic_name = &array; }
    const SharedArray* dynamic_array() const { return dynamic_name; }  // nullptr before the kernel has asked for it

    struct Slot {
        const SharedArray* array;
        char* address;
    };
    const std::vector<Slot>& slots() const { return arrays; }
    const char* memory() const { return arena; }
    static constexpr size_t ARENA = 320 << 10, GAP = 128, MOST_STATIC = 48 << 10;

    Launch& launch;
    uint3 index;
    uint64_t number;
    std::vector<Thread> threads;
    uint32_t alive, at_barrier, at_grid;
    unsigned waiting_lanes[32], living_lanes[32];  // of each warp
    unsigned existing_lanes(unsigned warp) const;

private:
    void arrange();
    bool same_barrier();
    void poison();

    std::vector<uint16_t> order, queue;
    uint32_t head, queued;
    uint64_t random;
    int counted, came;
    char* const arena;
    char* dynamic;
    const SharedArray* dynamic_name = nullptr;
    size_t arena_used, static_bytes;
    std::vector<Slot> arrays;
};

Side side_of(const Thread& thread, Site site, Access access = Access::none);

}  // namespace emulator
