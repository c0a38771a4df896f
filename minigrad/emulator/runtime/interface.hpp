// What a compiled program and the runtime know of each other. Included by both; no header of the standard library but two.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace emulator {

// A line of the program: where a thread called something of the runtime.
struct Place {
    const char* file;
    int line;
    // As a default argument this is the line of the caller.
    static constexpr Place here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }
};

// One parameter of a kernel, as C++ sees it. `kind` is 'p' pointer, 'f' float, 'i' signed, 'u' unsigned, 'b' bool, 's' structure;
// of a pointer, `pointee` is the kind of what it points to ('v' void; of a vector, that of its components), `size` the bytes of
// one component, and `alignment` what an address must be a multiple of.
struct Parameter {
    char kind;
    char pointee;
    bool constant;
    uint32_t size;
    uint32_t alignment;
};

// One kernel of a program. `call` takes the arguments out of an array of pointers to them, and calls `function`.
struct Entry {
    const char* name;
    void (*function)();
    void (*call)(void (*function)(), void* const* arguments);
    const Parameter* parameters;
    int count;
};

// Of what an array consists: kind and bytes as of a parameter's pointee, and its sizes but the first (0 where it has no more).
struct Shape {
    char kind;
    uint32_t size;
    uint32_t inner[2];
};

// A `__shared__` declaration: one object for each, alive as long as the program. Of dynamic memory the size is 0.
struct SharedArray {
    const char* name;
    size_t size;
    size_t alignment;
    Shape shape;
};

enum class Vote : int { any, all, ballot };
enum class Reduction : int { add, min, max, bit_and, bit_or, bit_xor };
enum class Scope : int { block, device, system };

#define EMULATOR_API __attribute__((visibility("default")))

// Memory of the block of the running thread.
EMULATOR_API void* shared_array(const SharedArray& array);
EMULATOR_API void* dynamic_shared(const SharedArray& array);

// Meetings of threads. Each returns when all that are asked for have come.
EMULATOR_API void synchronise_block(Place place);
EMULATOR_API int synchronise_block_counting(int predicate, int what, Place place);  // what: 0 count, 1 and, 2 or
EMULATOR_API void synchronise_grid(Place place);
EMULATOR_API void synchronise_warp(unsigned mask, Place place);
EMULATOR_API uint64_t exchange(unsigned mask, uint64_t bits, int source_lane, int size, Place place);
EMULATOR_API unsigned vote(unsigned mask, Vote what, bool predicate, Place place);
EMULATOR_API unsigned match_any(unsigned mask, uint64_t bits, Place place);
EMULATOR_API unsigned match_all(unsigned mask, uint64_t bits, int* predicate, Place place);
EMULATOR_API uint32_t reduce(unsigned mask, Reduction what, bool is_signed, uint32_t value, Place place);
EMULATOR_API unsigned own_lane();

// Tensor cores: D[16x8] += A[16x8] B[8x8], the operands spread over the warp's lanes as mma.sync.m16n8k8 has them.
EMULATOR_API void multiply_tf32(float* accumulator, const unsigned* a, const unsigned* b, Place place);
// Four (or fewer) 8x8 matrices of 16-bit elements, a row's address from each lane, as ldmatrix has them.
EMULATOR_API void load_matrices(unsigned* to, int count, bool transposed, const void* row, Place place);

// Copies from global to shared memory that are under way until they are waited for.
EMULATOR_API void copy_async(void* to, const void* from, int size, int filled, Place place);
EMULATOR_API void commit_copies();
EMULATOR_API void wait_for_copies(int groups_left, Place place);

// What checks must know: called before an atomic access, and at a fence. `breathe` lets other threads run now and then.
EMULATOR_API void about_to_be_atomic(const void* address, int size, bool writes, Place place);
EMULATOR_API void fence(Scope scope);
EMULATOR_API void breathe(Place place);

EMULATOR_API void assertion_failed(const char* condition, Place place);
EMULATOR_API void trap(Place place);
EMULATOR_API int print(const char* format, ...) __attribute__((format(printf, 1, 2)));
EMULATOR_API uint64_t clock();

}  // namespace emulator
