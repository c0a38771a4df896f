// CUDA's vector types, with CUDA's alignments, and the functions that make them. `Component` tells of what a vector is made.
#pragma once

#define EMULATOR_VECTORS(element, name, a1, a2, a4)                                                                      \
    struct alignas(a1) name##1 { using Component = element; element x; };                                                \
    struct alignas(a2) name##2 { using Component = element; element x, y; };                                             \
    struct name##3 { using Component = element; element x, y, z; };                                                      \
    struct alignas(a4) name##4 { using Component = element; element x, y, z, w; };                                       \
    inline name##1 make_##name##1(element x) { return {x}; }                                                             \
    inline name##2 make_##name##2(element x, element y) { return {x, y}; }                                               \
    inline name##3 make_##name##3(element x, element y, element z) { return {x, y, z}; }                                 \
    inline name##4 make_##name##4(element x, element y, element z, element w) { return {x, y, z, w}; }

EMULATOR_VECTORS(signed char, char, 1, 2, 4)
EMULATOR_VECTORS(unsigned char, uchar, 1, 2, 4)
EMULATOR_VECTORS(short, short, 2, 4, 8)
EMULATOR_VECTORS(unsigned short, ushort, 2, 4, 8)
EMULATOR_VECTORS(int, int, 4, 8, 16)
EMULATOR_VECTORS(unsigned int, uint, 4, 8, 16)
EMULATOR_VECTORS(long, long, 8, 16, 16)
EMULATOR_VECTORS(unsigned long, ulong, 8, 16, 16)
EMULATOR_VECTORS(long long, longlong, 8, 16, 16)
EMULATOR_VECTORS(unsigned long long, ulonglong, 8, 16, 16)
EMULATOR_VECTORS(float, float, 4, 8, 16)
EMULATOR_VECTORS(double, double, 8, 16, 16)

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
    constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
    constexpr operator uint3() const { return {x, y, z}; }
};

// Where the running thread is. The runtime writes them at each change of threads; to a thread they never change. Without a
// constructor, so that g++ takes them for constants that need no check.
#define EMULATOR_EACH_THREAD extern __thread const __attribute__((tls_model("initial-exec"), visibility("default")))
#ifndef EMULATOR_RUNTIME
EMULATOR_EACH_THREAD uint3 threadIdx;
EMULATOR_EACH_THREAD uint3 blockIdx;
EMULATOR_EACH_THREAD uint3 blockDim;
EMULATOR_EACH_THREAD uint3 gridDim;
static constexpr int warpSize = 32;
#endif
