// Faults of kernels and requests to stop them, which come as signals.
#pragma once
#include "worker.hpp"

namespace emulator {

// While at least one of these lives, a fault in a kernel ends its launch and not the process.
class Catching {
public:
    Catching();
    ~Catching();
    Catching(const Catching&) = delete;
};

void prepare_this_thread();        // a worker's: a stack for handlers, and the signals of others kept away
void interrupt(Worker& running);   // break off a kernel that does not come by the runtime

}  // namespace emulator
