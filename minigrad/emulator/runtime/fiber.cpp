#include "fiber.hpp"

#include <stdint.h>
#include <sys/mman.h>

#if !defined(__x86_64__) || defined(EMULATOR_UCONTEXT)
#include <ucontext.h>
#define USE_UCONTEXT 1
#endif

namespace emulator {

#ifdef USE_UCONTEXT

// The portable way. It asks the system for the signal mask at each change, which makes it some ten times slower.
extern "C" void emulator_change_fiber(void** save, void* to) {
    ucontext_t here;
    *save = &here;
    swapcontext(&here, static_cast<ucontext_t*>(to));
}

void FiberPool::prepare(Fiber* fiber) {
    ucontext_t* start = reinterpret_cast<ucontext_t*>(fiber->lowest + STACK - (sizeof(ucontext_t) + 1024) / 64 * 64);
    getcontext(start);
    start->uc_stack.ss_sp = fiber->lowest;
    start->uc_stack.ss_size = size_t(reinterpret_cast<char*>(start) - fiber->lowest) / 64 * 64;
    start->uc_link = nullptr;
    makecontext(start, entry, 0);
    fiber->stack_pointer = start;
}

#else

// What a called function must keep (System V ABI for x86-64) goes on the stack, and the stack changes.
asm(R"(
.text
.globl emulator_change_fiber
.hidden emulator_change_fiber
.type emulator_change_fiber, @function
emulator_change_fiber:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size emulator_change_fiber, .-emulator_change_fiber
)");

void FiberPool::prepare(Fiber* fiber) {
    // Stacks that all end at the same place of a page would share the same few lines of the processor's cache.
    const size_t colour = size_t(reinterpret_cast<uintptr_t>(fiber->lowest) / (STACK + GUARD) * 192 % 4096) / 64 * 64;
    void** top = reinterpret_cast<void**>(fiber->lowest + STACK - colour);
    *--top = nullptr;  // where the entry would return to; it never does
    *--top = reinterpret_cast<void*>(entry);
    for (int saved = 0; saved < 6; saved++) *--top = nullptr;
    fiber->stack_pointer = top;
}

#endif

FiberPool::~FiberPool() {
    for (Fiber* fiber : all) delete fiber;
    for (const Slab& slab : slabs) munmap(slab.memory, slab.bytes);
}

bool FiberPool::make_more() {
    const size_t each = GUARD + STACK, bytes = each * TOGETHER;
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return false;
    slabs.push_back({static_cast<char*>(memory), bytes});
    for (size_t i = 0; i < TOGETHER; i++) {
        char* guard = static_cast<char*>(memory) + i * each;
        // Each guard costs the system two mappings, of which a process has some 65,000.
        if (all.size() < GUARDED) mprotect(guard, GUARD, PROT_NONE);
        Fiber* fiber = new Fiber{guard + GUARD, nullptr};
        prepare(fiber);
        all.push_back(fiber);
        idle.push_back(fiber);
    }
    return true;
}

Fiber* FiberPool::take() {
    if (idle.empty() && !make_more()) return nullptr;
    Fiber* fiber = idle.back();
    idle.pop_back();
    return fiber;
}

void FiberPool::forget_all() {
    idle.clear();
    for (Fiber* fiber : all) {
        prepare(fiber);
        idle.push_back(fiber);
    }
}

void FiberPool::shrink() {
    if (all.size() <= KEPT) return;
    for (Fiber* fiber : all) delete fiber;
    for (const Slab& slab : slabs) munmap(slab.memory, slab.bytes);
    all.clear(), idle.clear(), slabs.clear();
}

bool FiberPool::is_guard(const void* address) const {
    for (const Slab& slab : slabs) {
        const size_t offset = size_t(static_cast<const char*>(address) - slab.memory);
        if (offset < slab.bytes) return offset % (GUARD + STACK) < GUARD;
    }
    return false;
}

}  // namespace emulator
