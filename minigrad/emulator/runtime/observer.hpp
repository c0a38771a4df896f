// What a mode other than `fast` is told of a launch while it runs.
#pragma once
#include "launch.hpp"

namespace emulator {

class Block;
struct Copy;
struct Thread;

class Observer {
public:
    virtual ~Observer() = default;
    virtual void block_begins(Block&) {}
    virtual void block_ends(Block&) {}
    // Before the access is made. False: it must not be made, and the launch has been failed.
    virtual bool access(Thread&, char* address, int size, Access access, bool is_volatile, Site site) = 0;
    virtual void copy_begins(Thread&, const Copy&, Site) {}
    virtual void copy_ends(Thread&, const Copy&, Site) {}
    virtual void fence(Thread&) {}
    // A thread comes to a meeting; a meeting is over.
    virtual void arrives(Thread&, const char* /*what*/, Site) {}
    virtual void block_met(Block&) {}
    virtual void warp_met(Block&, int /*warp*/, unsigned /*lanes*/, bool /*orders_memory*/) {}
    virtual void grid_met() {}
    virtual void thread_ends(Thread&) {}
};

}  // namespace emulator
