// What a kernel asks of the runtime besides meetings: shared memory, asynchronous copies, atomics, assertions, printing.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "observer.hpp"
#include "worker.hpp"

namespace emulator {

namespace {

void fail_service(Kind kind, Place place, const char* name = nullptr, int bytes = 0) {
    Finding finding{};
    finding.kind = kind;
    finding.here = side_of(*worker->current, place);
    finding.name = name;
    finding.bytes = bytes;
    worker->launch->fail(finding);
}

}  // namespace

void* shared_array(const SharedArray& array) {
    InRuntime guard;
    return worker->current->block->shared(array);
}

void* dynamic_shared(const SharedArray& array) {
    Block& block = *worker->current->block;
    block.name_dynamic(array);
    return block.dynamic_shared();
}

void copy_async(void* to, const void* from, int size, int filled, Place place) {
    InRuntime guard;
    Thread& thread = *worker->current;
    const char* memory = thread.block->memory();
    const bool into_shared = static_cast<char*>(to) >= memory && static_cast<char*>(to) < memory + Block::ARENA;
    const uintptr_t both = reinterpret_cast<uintptr_t>(to) | (filled ? reinterpret_cast<uintptr_t>(from) : 0);
    if (!into_shared || both % size) {
        fail_service(Kind::bad_copy, place, into_shared ? "aligned" : "shared", size);
        return;
    }
    const Copy copy{static_cast<char*>(to), static_cast<const char*>(from), size, filled, thread.copy_group};
    if (Observer* observer = worker->launch->observer.get()) observer->copy_begins(thread, copy, place);
    thread.copies.push_back(copy);
}

void commit_copies() { worker->current->copy_group++; }

void wait_for_copies(int groups_left, Place place) {
    InRuntime guard;
    Thread& thread = *worker->current;
    Observer* observer = worker->launch->observer.get();
    size_t kept = 0;
    for (const Copy& copy : thread.copies) {
        if (copy.group >= thread.copy_group - groups_left) {
            thread.copies[kept++] = copy;
            continue;
        }
        if (observer) observer->copy_ends(thread, copy, place);
        if (worker->launch->over()) return;
        memcpy(copy.to, copy.from, size_t(copy.filled));
        memset(copy.to + copy.filled, 0, size_t(copy.size - copy.filled));
    }
    thread.copies.resize(kept);
}

void about_to_be_atomic(const void* address, int size, bool writes, Place place) {
    InRuntime guard;
    Thread& thread = *worker->current;
    worker->asks_again(thread, place);
    if (Observer* observer = worker->launch->observer.get()) {
        char* where = static_cast<char*>(const_cast<void*>(address));
        observer->access(thread, where, size, writes ? Access::atomic : Access::read, !writes, place);
    }
}

void fence(Scope) {
    InRuntime guard;
    if (Observer* observer = worker->launch->observer.get()) observer->fence(*worker->current);
}

void breathe(Place place) {
    InRuntime guard;
    worker->let_others_run(*worker->current, place);
}

void assertion_failed(const char* condition, Place place) {
    InRuntime guard;
    fail_service(Kind::assertion, place, condition);
}

void trap(Place place) {
    InRuntime guard;
    fail_service(Kind::trap, place);
}

int print(const char* format, ...) {
    InRuntime guard;
    va_list arguments;
    va_start(arguments, format);
    const int count = vprintf(format, arguments);
    va_end(arguments);
    fflush(stdout);
    return count;
}

uint64_t clock() {
    InRuntime guard;
    worker->waiting.begin(*worker->launch);  // who asks for the time does not wait for ever
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return uint64_t(now.tv_sec) * 1000000000u + uint64_t(now.tv_nsec);
}

}  // namespace emulator
