#include "block.hpp"

#include <string.h>

#include <algorithm>

#include "observer.hpp"

namespace emulator {

Side side_of(const Thread& thread, Site site, Access access) {
    const uint3 block = thread.block->index;
    return {site, {block.x, block.y, block.z}, {thread.index.x, thread.index.y, thread.index.z}, access, 1};
}

Block::Block(Launch& launch, char* arena)
    : launch(launch), threads(launch.threads()), order(launch.threads()), arena(arena), static_bytes(0) {
    const uint32_t* size = launch.request.block;
    const uint32_t count = launch.threads();
    size_t capacity = 1;
    while (capacity < count) capacity *= 2;
    queue.resize(capacity);
    for (uint32_t i = 0; i < count; i++) {
        threads[i].block = this;
        threads[i].number = i;
        threads[i].index = {i % size[0], i / size[0] % size[1], i / (size[0] * size[1])};
        order[i] = uint16_t(launch.request.order == 1 ? count - 1 - i : i);
    }
    const uintptr_t start = reinterpret_cast<uintptr_t>(arena);
    dynamic = arena + (GAP - start % 128) + 128;
    arena_used = size_t(dynamic - arena) + (launch.request.dynamic_shared + 127) / 128 * 128 + GAP;
}

unsigned Block::existing_lanes(unsigned warp) const {
    const size_t left = threads.size() - warp * 32;
    return left >= 32 ? 0xffffffffu : (1u << left) - 1;
}

void Block::begin(uint64_t which) {
    const uint32_t* grid = launch.request.grid;
    number = which;
    index = {uint32_t(which % grid[0]), uint32_t(which / grid[0] % grid[1]), uint32_t(which / (uint64_t(grid[0]) * grid[1]))};
    alive = uint32_t(threads.size());
    at_barrier = at_grid = 0;
    head = queued = 0;
    for (unsigned warp = 0; warp * 32 < threads.size(); warp++) waiting_lanes[warp] = 0, living_lanes[warp] = existing_lanes(warp);
    poison();
    random = (launch.request.order + 1) * 0x9E3779B97F4A7C15ull + which;
    arrange();
    for (uint16_t i : order) {
        threads[i].state = State::fresh;
        threads[i].asked = 0;
        threads[i].predicate = 0;
        threads[i].copy_group = 0;
        threads[i].copies.clear();
        queue[queued++] = i;
    }
    if (launch.observer) launch.observer->block_begins(*this);
}

// Bytes of ones: as floats they are NaN, which is seen in the result if it depends on them.
void Block::poison() {
    for (const Slot& slot : arrays) memset(slot.address, 0xff, slot.array->size);
    if (launch.request.dynamic_shared) memset(dynamic, 0xff, launch.request.dynamic_shared);
}

void Block::arrange() {
    if (launch.request.order < 2) return;
    for (size_t left = order.size(); left > 1; left--) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        std::swap(order[left - 1], order[random % left]);
    }
}

Thread* Block::take_next() {
    if (!queued) return nullptr;
    Thread* thread = &threads[queue[head]];
    head = (head + 1) & uint32_t(queue.size() - 1);
    queued--;
    return thread;
}

void Block::make_ready(Thread& thread) {
    if (thread.state != State::fresh) thread.state = State::ready;
    queue[(head + queued++) & (queue.size() - 1)] = uint16_t(thread.number);
}

void Block::wait_at_barrier(Thread& thread, Place place) {
    thread.state = State::at_barrier;
    thread.place = place;
    at_barrier++;
}

bool Block::same_barrier() {
    const Thread* first = nullptr;
    const Thread* gone = nullptr;
    for (const Thread& thread : threads) {
        if (thread.state == State::done) gone = gone ? gone : &thread;
        if (thread.state != State::at_barrier) continue;
        if (!first) first = &thread;
        const auto file = [](const Thread& one) { return static_cast<const char*>(one.place.where); };
        if (thread.place.line != first->place.line || strcmp(file(thread), file(*first))) {
            Finding finding{};
            finding.kind = Kind::divergent_barrier;
            finding.here = side_of(*first, first->place);
            finding.there = side_of(thread, thread.place);
            launch.fail(finding);
            return false;
        }
    }
    if (gone && launch.request.mode == Mode::checked) {
        Finding finding{};
        finding.kind = Kind::exited_at_barrier;
        finding.here = side_of(*first, first->place);
        finding.there = side_of(*gone, Site());
        finding.lanes = threads.size() - alive;
        launch.report(finding);
    }
    return true;
}

bool Block::release_barrier() {
    if (!at_barrier || at_barrier < alive || !same_barrier()) return false;
    counted = 0, came = int(at_barrier);
    at_barrier = 0;
    arrange();
    for (uint16_t i : order) {
        if (threads[i].state == State::at_barrier) {
            counted += threads[i].predicate != 0;
            make_ready(threads[i]);
        }
    }
    if (launch.observer) launch.observer->block_met(*this);
    return true;
}

void Block::release_grid() {
    at_grid = 0;
    arrange();
    for (uint16_t i : order) {
        if (threads[i].state == State::at_grid) make_ready(threads[i]);
    }
}

void Block::thread_ended(Thread& thread) {
    thread.state = State::done;
    alive--;
    living_lanes[thread.number >> 5] &= ~(1u << thread.lane());
    if (launch.observer) launch.observer->thread_ends(thread);
}

void* Block::shared(const SharedArray& array) {
    for (const Slot& slot : arrays) {
        if (slot.array == &array) return slot.address;
    }
    const size_t alignment = std::max<size_t>(array.alignment, 128);
    const uintptr_t start = reinterpret_cast<uintptr_t>(arena);
    const size_t offset = (start + arena_used + alignment - 1) / alignment * alignment - start;
    static_bytes += array.size;
    const size_t dynamic_bytes = launch.request.dynamic_shared, all = static_bytes + dynamic_bytes;
    const bool too_many = static_bytes > MOST_STATIC || all > launch.request.most_shared;
    if (too_many || offset + array.size + GAP > ARENA) {
        Finding finding{};
        finding.kind = Kind::shared_too_large;
        finding.name = array.name;
        finding.size = int64_t(static_bytes);
        finding.bytes = int32_t(dynamic_bytes);
        finding.offset = static_bytes > MOST_STATIC ? int64_t(MOST_STATIC) : int64_t(launch.request.most_shared);
        launch.fail(finding);
        return nullptr;
    }
    arena_used = offset + array.size + GAP;
    arrays.push_back({&array, arena + offset});
    memset(arrays.back().address, 0xff, array.size);
    return arrays.back().address;
}

}  // namespace emulator
