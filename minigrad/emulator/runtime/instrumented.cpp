// What the code of a checked program calls at each access: g++ puts the calls in for -fsanitize=thread, whose own library,
// which would define these functions, is not used.
#include "observer.hpp"
#include "worker.hpp"

namespace emulator {

namespace {

// Else it is the program that fills its tables while it is loaded.
bool a_kernel_runs() { return worker && worker->current; }

void plain(void* address, int size, Access access, bool whole, void* code) {
    if (!a_kernel_runs()) return;
    InRuntime guard;
    Thread& thread = *worker->current;
    Observer* const observer = worker->launch->observer.get();
    char* const where = static_cast<char*>(address);
    if (whole && size > 1) observer->vector_access(thread, where, size, access, Site(code));
    else observer->access(thread, where, size, access, false, Site(code));
}

void is_volatile(void* address, int size, Access access, void* code) {
    if (!a_kernel_runs()) return;
    InRuntime guard;
    Thread& thread = *worker->current;
    if (access == Access::read) worker->asks_again(thread, Site(code));
    worker->launch->observer->access(thread, static_cast<char*>(address), size, access, true, Site(code));
}

}  // namespace

}  // namespace emulator

using emulator::Access;

#define CODE __builtin_return_address(0)
#define ACCESS_OF(size)                                                                                                      \
    EMULATOR_API void __tsan_read##size(void* address) { emulator::plain(address, size, Access::read, true, CODE); }         \
    EMULATOR_API void __tsan_write##size(void* address) { emulator::plain(address, size, Access::write, true, CODE); }       \
    EMULATOR_API void __tsan_unaligned_read##size(void* address) { emulator::plain(address, size, Access::read, false, CODE); } \
    EMULATOR_API void __tsan_unaligned_write##size(void* address) {                                                          \
        emulator::plain(address, size, Access::write, false, CODE);                                                          \
    }                                                                                                                        \
    EMULATOR_API void __tsan_volatile_read##size(void* address) {                                                            \
        emulator::is_volatile(address, size, Access::read, CODE);                                                            \
    }                                                                                                                        \
    EMULATOR_API void __tsan_volatile_write##size(void* address) {                                                           \
        emulator::is_volatile(address, size, Access::write, CODE);                                                           \
    }                                                                                                                        \
    EMULATOR_API void __tsan_unaligned_volatile_read##size(void* address) {                                                  \
        emulator::is_volatile(address, size, Access::read, CODE);                                                            \
    }                                                                                                                        \
    EMULATOR_API void __tsan_unaligned_volatile_write##size(void* address) {                                                 \
        emulator::is_volatile(address, size, Access::write, CODE);                                                           \
    }

extern "C" {
ACCESS_OF(1)
ACCESS_OF(2)
ACCESS_OF(4)
ACCESS_OF(8)
ACCESS_OF(16)
EMULATOR_API void __tsan_read_range(void* address, size_t size) {
    emulator::plain(address, int(size), Access::read, false, CODE);
}
EMULATOR_API void __tsan_write_range(void* address, size_t size) {
    emulator::plain(address, int(size), Access::write, false, CODE);
}
EMULATOR_API void __tsan_init() {}
EMULATOR_API void __tsan_vptr_update(void**, void*) {}
EMULATOR_API void __tsan_vptr_read(void**) {}
EMULATOR_API void __tsan_func_entry(void*) {}
EMULATOR_API void __tsan_func_exit() {}
}
