#include "waiting.hpp"

#include <link.h>
#include <string.h>

#include "worker.hpp"

namespace emulator {

namespace {

uint64_t mix(uint64_t sum, const void* from, size_t bytes) {
    const char* at = static_cast<const char*>(from);
    const auto take = [&](size_t count) {
        uint64_t word = 0;
        memcpy(&word, at, count);
        sum = (sum ^ word) * 0x9E3779B97F4A7C15ull;
        sum ^= sum >> 29;
    };
    for (; bytes >= 8; bytes -= 8, at += 8) take(8);
    take(bytes);
    return sum;
}

// What is on a thread's stack, from where it goes on.
uint64_t held_by(const Thread& thread, const void* from) {
    const char* end = thread.fiber->lowest + FiberPool::STACK;
    return mix(thread.number, from, size_t(end - static_cast<const char*>(from)));
}

// The same of the thread that runs, registers and all.
__attribute__((noinline)) uint64_t held_on_from(const Thread& thread) { return held_by(thread, __builtin_frame_address(0)); }
__attribute__((noinline)) uint64_t held_now(const Thread& thread) {
    __builtin_unwind_init();  // what is in the registers that a called function keeps goes on the stack
    const uint64_t held = held_on_from(thread);
    return held ? held : 1;
}

uint64_t variables(const Launch& launch) {
    struct Search {
        const char* code;
        uint64_t sum;
    } search{reinterpret_cast<const char*>(launch.request.entry->call), 1};
    const auto look = [](dl_phdr_info* object, size_t, void* data) {
        Search& wanted = *static_cast<Search*>(data);
        const auto start = [&](int i) { return reinterpret_cast<const char*>(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr); };
        bool has_code = false;
        for (int i = 0; i < object->dlpi_phnum; i++) {
            const ElfW(Phdr)& header = object->dlpi_phdr[i];
            has_code = has_code || (header.p_type == PT_LOAD && size_t(wanted.code - start(i)) < header.p_memsz);
        }
        for (int i = 0; has_code && i < object->dlpi_phnum; i++) {
            const ElfW(Phdr)& header = object->dlpi_phdr[i];
            if (header.p_type == PT_LOAD && header.p_flags & PF_W) wanted.sum = mix(wanted.sum, start(i), header.p_memsz);
        }
        return int(has_code);
    };
    dl_iterate_phdr(look, &search);
    return search.sum;
}

}  // namespace

void Waiting::begin(Launch& launch) {
    withdraw(launch);
    uint64_t bytes = 0;
    for (int i = 0; i < launch.request.buffer_count; i++) bytes += launch.request.buffers[i].bytes;
    turns = 0;
    look_again = FIRST + launch.threads() + bytes / 512;  // to look costs little beside the turns until then
    seen = nullptr;
}

uint64_t Waiting::everything(const std::vector<std::unique_ptr<Block>>& blocks, const Thread& asking) const {
    const Launch& launch = blocks[0]->launch;
    uint64_t sum = variables(launch);
    for (int i = 0; i < launch.request.buffer_count; i++) {
        sum = mix(sum, launch.request.buffers[i].address, launch.request.buffers[i].bytes);
    }
    for (const auto& block : blocks) {
        for (const Block::Slot& slot : block->slots()) sum = mix(sum, slot.address, slot.array->size);
        sum = mix(sum, block->dynamic_shared(), launch.request.dynamic_shared);
        for (const Thread& thread : block->threads) {
            sum = mix(sum, &thread.state, sizeof thread.state);
            const bool runs = thread.state != State::fresh && thread.state != State::done && &thread != &asking;
            if (runs) sum ^= held_by(thread, thread.fiber->stack_pointer);
        }
    }
    return sum;
}

bool Waiting::for_ever(Launch& launch, const std::vector<std::unique_ptr<Block>>& blocks, const Thread& asking) {
    turns++;
    if (turns < look_again && (&asking != seen || turns < compare_again)) return false;
    const uint64_t mine = held_now(asking);
    if (&asking == seen && mine == its) {
        if (everything(blocks, asking) == all) {
            tries = 0;
            compare_again = turns + FIRST;
            look_again = 2 * compare_again;
            return agree(launch);
        }
        if (++tries == TRIES) compare_again = look_again;
    }
    if (turns < look_again) return false;
    withdraw(launch);
    seen = &asking, its = mine, all = everything(blocks, asking);
    tries = 0, compare_again = turns, look_again = 2 * turns;
    return false;
}

// All workers must have found the same twice, the second time after all had the first: else one that has not yet looked again
// could be about to see what another one has just set.
bool Waiting::agree(Launch& launch) {
    std::lock_guard<std::mutex> hold(launch.lock);
    if (counted && round == launch.stuck_round) return false;
    counted = true, round = launch.stuck_round;
    if (++launch.stuck < launch.workers) return false;
    if (round % 2) return true;
    launch.count_stuck_anew(1);
    return false;
}

void Waiting::withdraw(Launch& launch) {
    if (!counted) return;
    counted = false;
    std::lock_guard<std::mutex> hold(launch.lock);
    launch.count_stuck_anew(0);
}

}  // namespace emulator
