#include "order.hpp"

#include <algorithm>

namespace emulator {

namespace {

void add(std::unordered_map<uint64_t, Time>& times, uint64_t whom, Time time) {
    Time& known = times[whom];
    known = std::max(known, time);
}

Knowledge joined(const Knowledge& one, const Knowledge& other) {
    if (!one || one == other) return other;
    if (!other) return one;
    auto both = std::make_shared<Known>(*one);
    for (const auto& [thread, time] : other->threads) add(both->threads, thread, time);
    for (const auto& [block, time] : other->blocks) add(both->blocks, block, time);
    return both;
}

bool covers(const std::unordered_map<uint64_t, Time>& times, uint64_t whom, Time when) {
    const auto found = times.find(whom);
    return found != times.end() && when <= found->second;
}

}  // namespace

bool Order::before(uint64_t other, Time when, const Thread& thread) {
    if (when <= grid_time || other == number_of(thread)) return true;
    const BlockClock& clock = clock_of(*thread.block);
    const uint64_t block = other / launch.threads(), within = other % launch.threads();
    if (block == thread.block->number) {
        if (when <= clock.barrier) return true;
        const unsigned warp = thread.number >> 5;
        if (within >> 5 == warp && clock.warps[warp] && when <= clock.warps[warp]->known[thread.lane()][within & 31]) return true;
    }
    const Known* known = clock.known[thread.number].get();
    return known && (covers(known->threads, other, when) || covers(known->blocks, block, when));
}

void Order::begin(Block& block) {
    BlockClock& clock = clock_of(block);
    clock.barrier = 0;
    clock.known.assign(block.threads.size(), nullptr);
    clock.fenced.assign(block.threads.size(), nullptr);
    for (auto at = handed_over.begin(); at != handed_over.end();) {  // shared memory now belongs to another block
        const size_t offset = size_t(static_cast<const char*>(at->first) - block.memory());
        at = offset < Block::ARENA ? handed_over.erase(at) : std::next(at);
    }
}

// All those of `lanes`, counted from `first`, have from now on what any of them has.
void Order::share(std::vector<Knowledge>& all, unsigned first, unsigned count, unsigned lanes) {
    Knowledge together;
    const auto takes_part = [&](unsigned i) { return count > 32 || (lanes >> i & 1); };
    for (unsigned i = 0; i < count; i++) {
        if (takes_part(i)) together = joined(together, all[first + i]);
    }
    if (!together) return;
    for (unsigned i = 0; i < count; i++) {
        if (takes_part(i)) all[first + i] = together;
    }
}

void Order::block_met(Block& block) {
    BlockClock& clock = clock_of(block);
    clock.barrier = time++;
    const unsigned count = unsigned(block.threads.size());
    for (auto* of_threads : {&clock.known, &clock.fenced}) share(*of_threads, 0, count, 0xffffffffu);
}

void Order::warp_met(Block& block, unsigned warp, unsigned lanes) {
    BlockClock& clock = clock_of(block);
    std::unique_ptr<Warp>& of_warp = clock.warps[warp];
    if (!of_warp) of_warp.reset(new Warp());
    Time together[32] = {};
    for (unsigned left = lanes; left; left &= left - 1) {
        const Time* known = of_warp->known[__builtin_ctz(left)];
        for (int lane = 0; lane < 32; lane++) together[lane] = std::max(together[lane], known[lane]);
    }
    for (unsigned left = lanes; left; left &= left - 1) together[__builtin_ctz(left)] = time;
    for (unsigned left = lanes; left; left &= left - 1) {
        std::copy(together, together + 32, of_warp->known[__builtin_ctz(left)]);
    }
    time++;
    const unsigned count = std::min(32u, unsigned(block.threads.size()) - warp * 32);
    for (auto* of_threads : {&clock.known, &clock.fenced}) share(*of_threads, warp * 32, count, lanes);
}

void Order::fence(const Thread& thread) {
    BlockClock& clock = clock_of(*thread.block);
    const Knowledge& known = clock.known[thread.number];
    auto all = known ? std::make_shared<Known>(*known) : std::make_shared<Known>();
    const unsigned warp = thread.number >> 5;
    if (clock.warps[warp]) {
        const uint64_t first = number_of(thread) - thread.lane();
        for (unsigned lane = 0; lane < 32; lane++) {
            if (const Time when = clock.warps[warp]->known[thread.lane()][lane]) add(all->threads, first + lane, when);
        }
    }
    if (clock.barrier) add(all->blocks, thread.block->number, clock.barrier);
    add(all->threads, number_of(thread), time++);
    clock.fenced[thread.number] = all;
}

void Order::hand_over(const Thread& thread, const void* address, bool writes) {
    BlockClock& clock = clock_of(*thread.block);
    const Knowledge& mine = clock.fenced[thread.number];
    if (!mine && handed_over.empty()) return;
    const auto found = handed_over.find(address);
    Knowledge& known = clock.known[thread.number];
    if (found != handed_over.end()) known = joined(known, found->second);
    if (writes && mine) {
        Knowledge& there = handed_over[address];
        there = joined(there, mine);
    }
}

}  // namespace emulator
