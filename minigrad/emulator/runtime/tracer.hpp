// The trace mode: what each thread of one block did, one thing after another, in the order in which it ran.
#pragma once
#include "memory.hpp"
#include "observer.hpp"

namespace emulator {

enum class Happening : int32_t { access, arrival, block_met, warp_met, grid_met, end };

// Mirrored in library.py.
struct Event {
    Site site;
    Happening what;
    Access access;
    Space space;
    int32_t width;
    int32_t argument;   // of global memory: whose array, else -1
    uint32_t thread;    // its number in the block
    int64_t offset;     // in the array, in bytes
    const char* name;   // of the shared array; of a meeting: what for
    uint64_t lanes;     // of warp_met: who came
    Shape shape;        // of the shared array; kind 0 where it is not known
    int32_t has_value;  // the bytes are known
    uint8_t value[16];  // that were read, or are there after the access
};

class Tracer : public Observer {
public:
    explicit Tracer(Launch& launch) : launch(launch), memory(launch) {}

    bool access(Thread& thread, char* address, int size, Access access, bool is_volatile, Site site) override;
    void copy_begins(Thread& thread, const Copy& copy, Site site) override;
    void copy_ends(Thread& thread, const Copy& copy, Site site) override;
    void fence(Thread&) override { settle(); }
    void arrives(Thread& thread, const char* what, Site site) override;
    void block_met(Block& block) override;
    void warp_met(Block& block, int warp, unsigned lanes, bool orders_memory) override;
    void grid_met() override;
    void thread_ends(Thread& thread) override;
    void block_ends(Block&) override { settle(); }

    // An access is told before it is made, and a copy of a structure as a write and a read before either is made: what was
    // written is looked up when anything but a read happens.
    void settle();

    std::vector<Event> events;
    uint64_t left_out = 0;

private:
    void will_be_written(const char* address);
    Event* record(Happening what, const Thread& thread, Site site);
    Event* record_access(Thread& thread, char* address, int size, Access access, Site site);

    Launch& launch;
    Memory memory;
    const char* written = nullptr;  // where an event has written whose value is not known yet,
    size_t writer = 0;              // and which event
};

}  // namespace emulator
