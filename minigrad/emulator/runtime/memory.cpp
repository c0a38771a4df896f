#include "memory.hpp"

#include <algorithm>

#include "worker.hpp"

namespace emulator {

Memory::Memory(const Launch& launch)
    : buffers(launch.request.buffers, launch.request.buffers + launch.request.buffer_count) {
    std::sort(buffers.begin(), buffers.end(), [](const Buffer& a, const Buffer& b) { return a.address < b.address; });
    for (const Buffer& buffer : buffers) most = std::max(most, size_t(buffer.bytes));
}

Spot Memory::find(const Thread& thread, const char* address) const {
    if (worker->fibers.is_stack(thread.fiber, address)) return {Space::local, nullptr, nullptr, nullptr};
    const Block& block = *thread.block;
    if (size_t(address - block.memory()) < Block::ARENA) {
        for (const Block::Slot& slot : block.slots()) {
            if (size_t(address - slot.address) < slot.array->size) return {Space::shared, nullptr, slot.array, slot.address};
        }
        return {Space::dynamic_shared, nullptr, block.dynamic_array(), thread.block->dynamic_shared()};
    }
    // Of buffers that overlap, one that may be written, as in checked mode.
    const Buffer* found = nullptr;
    auto behind = std::upper_bound(buffers.begin(), buffers.end(), address,
                                   [](const char* where, const Buffer& buffer) { return where < buffer.address; });
    while (behind != buffers.begin() && size_t(address - (--behind)->address) < most) {
        if (size_t(address - behind->address) < behind->bytes && (!found || found->constant)) found = &*behind;
    }
    if (found) return {Space::global, found, nullptr, found->address};
    return {Space::other, nullptr, nullptr, nullptr};
}

}  // namespace emulator
