// Fibers: stacks between which one thread of the system changes by itself. Each CUDA thread that waits is one.
#pragma once
#include <stddef.h>

#include <vector>

namespace emulator {

// Save where we are in *save and go on at `to`, which an earlier change or `FiberPool` gave.
extern "C" void emulator_change_fiber(void** save, void* to);

struct Fiber {
    char* lowest;         // of its stack; below lies a page that must not be touched
    void* stack_pointer;  // where it goes on
};

// The fibers of one worker. They are made when they are first needed and kept for the next launch.
class FiberPool {
public:
    static constexpr size_t STACK = 128 << 10;

    explicit FiberPool(void (*entry)()) : entry(entry) {}
    ~FiberPool();
    FiberPool(const FiberPool&) = delete;

    Fiber* take();                             // nullptr where the system gives no more memory
    void give(Fiber* fiber) { idle.push_back(fiber); }
    void forget_all();                         // after a launch that was given up: all fibers are idle, and start anew
    void shrink();                             // keep no more than a large block needs
    bool is_guard(const void* address) const;  // whether the address is in the page below a stack: it ran over
    bool is_stack(const Fiber* fiber, const void* address) const {
        return size_t(static_cast<const char*>(address) - fiber->lowest) < STACK;
    }

private:
    static constexpr size_t GUARD = 4096, TOGETHER = 64, KEPT = 1024, GUARDED = 16384;

    bool make_more();
    void prepare(Fiber* fiber);

    void (*entry)();
    std::vector<Fiber*> idle, all;
    struct Slab {
        char* memory;
        size_t bytes;
    };
    std::vector<Slab> slabs;
};

}  // namespace emulator
