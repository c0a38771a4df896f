// A worker: a thread of the system that runs blocks, one after another or, in a cooperative launch, all of them in turn.
#pragma once
#include <pthread.h>
#include <setjmp.h>

#include "block.hpp"
#include "waiting.hpp"

namespace emulator {

class Worker {
public:
    Worker();
    void run(Launch& launch);  // its share of the launch's blocks

    // For a running CUDA thread: let others run, and come back when it is ready.
    void suspend(Thread& thread);
    [[noreturn]] void give_up();  // back to `run`, and no thread of the launch runs again
    void let_others_run(Thread& thread, Site site);  // which asked there, or rests
    // An atomic operation or a volatile read, by which it may be waiting for another thread: now and then others run.
    void asks_again(Thread& thread, Site site) {
        if (++thread.asked > PATIENCE) let_others_run(thread, site);
    }
    static void main_of_fiber();

    Launch* launch = nullptr;
    Thread* current = nullptr;
    FiberPool fibers;
    Waiting waiting;
    // 0 while the kernel's own code runs. Only then may a signal break it off: the runtime's lists must stay whole.
    volatile int in_runtime = 1;
    sigjmp_buf escape;
    pthread_t system_thread;

private:
    static constexpr unsigned PATIENCE = 64;
    friend void synchronise_grid(Place);
    void add_block();
    void run_one_by_one();
    void run_together();
    void run_resident();
    Thread* choose();
    bool release_grid();
    void report_deadlock();
    void report_waiting(const Thread& asking);
    bool enter(Thread& thread);
    void loop();

    std::vector<std::unique_ptr<Block>> blocks;  // that are resident: all of a cooperative launch, else one
    std::vector<std::unique_ptr<char[]>> arenas;  // their shared memory, kept from launch to launch
    size_t turn = 0;  // whose turn it is among the resident blocks
    void* host_stack = nullptr;
};

void finish_warp_meetings(Thread& ended);  // those that waited for this lane only

extern __thread Worker* worker __attribute__((tls_model("initial-exec")));

// Put into each function that a kernel calls.
class InRuntime {
public:
    InRuntime() { worker->in_runtime = 1; }
    ~InRuntime() {
        if (worker->launch->over()) worker->give_up();
        worker->in_runtime = 0;
    }
};

}  // namespace emulator
