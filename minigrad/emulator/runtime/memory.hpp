// Of an address: which array it is in. For the modes that tell what a kernel does, and judge nothing.
#pragma once
#include "block.hpp"

namespace emulator {

struct Spot {
    Space space;
    const Buffer* buffer;      // in global memory,
    const SharedArray* array;  // in shared memory; nullptr where the kernel has not named it yet
    const char* start;         // of either
};

class Memory {
public:
    explicit Memory(const Launch& launch);
    Spot find(const Thread& thread, const char* address) const;

private:
    std::vector<Buffer> buffers;  // by address
    size_t most = 0;              // bytes of the largest: none that begins further below holds an address
};

}  // namespace emulator
