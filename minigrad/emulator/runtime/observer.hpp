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
    // The same for an access to a number or vector of 2 to 16 bytes, whose address must be a multiple of its size.
    virtual bool vector_access(Thread& thread, char* address, int size, Access what, Site site) {
        return access(thread, address, size, what, false, site);
    }
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

std::unique_ptr<Observer> make_checker(Launch& launch);
std::unique_ptr<Observer> make_profiler(Launch& launch);
std::unique_ptr<Observer> make_tracer(Launch& launch);

}  // namespace emulator
