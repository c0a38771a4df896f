// CUDA C++ for g++: put before every program, so that its .cu text compiles as C++ for this processor.
#pragma once
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utility>

#define MINIGRAD_EMULATOR 1

#include "interface.hpp"
#include "vectors.hpp"
#include "warp.hpp"
#include "maths.hpp"
#include "atomics.hpp"
#include "primitives.hpp"

// ---- words of the language
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __grid_constant__
#define __constant__ __attribute__((visibility("default")))  // the host fills it by its name
#define __managed__

inline void __syncthreads(EMULATOR_HERE) { emulator::synchronise_block(place); }
inline int __syncthreads_count(int predicate, EMULATOR_HERE) {
    return emulator::synchronise_block_counting(predicate, 0, place);
}
inline int __syncthreads_and(int predicate, EMULATOR_HERE) { return emulator::synchronise_block_counting(predicate, 1, place); }
inline int __syncthreads_or(int predicate, EMULATOR_HERE) { return emulator::synchronise_block_counting(predicate, 2, place); }
inline void __trap(EMULATOR_HERE) { emulator::trap(place); }
inline long long clock64() { return (long long)emulator::clock(); }
#define clock() clock64()
#define printf(...) emulator::print(__VA_ARGS__)
#undef assert
#define assert(condition) ((condition) ? void() : emulator::assertion_failed(#condition, emulator::Place::here()))

// ---- how the runtime finds and calls the kernels
namespace emulator {

template <typename T>
constexpr char kind_of() {
    return std::is_void_v<T>             ? 'v'
           : std::is_pointer_v<T>        ? 'p'
           : std::is_same_v<T, bool>     ? 'b'
           : std::is_floating_point_v<T> ? 'f'
           : std::is_integral_v<T>       ? (std::is_signed_v<T> ? 'i' : 'u')
                                         : 's';
}

// What a pointer points to, as an array of NumPy's would have it: float for float4.
template <typename T, typename = void>
struct Pointed {
    using Component = T;
    static constexpr uint32_t size = sizeof(T), alignment = alignof(T);
};
template <>
struct Pointed<void> {
    using Component = void;
    static constexpr uint32_t size = 1, alignment = 1;
};
template <typename T>
struct Pointed<T, std::void_t<typename T::Component>> {
    using Component = typename T::Component;
    static constexpr uint32_t size = sizeof(Component), alignment = alignof(T);
};

// Of a shared array: what it consists of.
template <typename T>
constexpr Shape shape_of() {
    using Element = Pointed<std::remove_cv_t<std::remove_all_extents_t<T>>>;
    const unsigned components = sizeof(std::remove_all_extents_t<T>) / Element::size;
    const unsigned second = std::extent_v<T, 1>, third = std::extent_v<T, 2>;
    const bool vectors = components > 1;  // their components are numbered as one more dimension
    return {kind_of<typename Element::Component>(), Element::size,
            {second ? second : vectors ? components : 0, second && third ? third : second && vectors ? components : 0}};
}

template <typename T>
constexpr Parameter describe() {
    using Plain = std::remove_cv_t<T>;
    if constexpr (std::is_pointer_v<Plain>) {
        using Pointee = std::remove_pointer_t<Plain>;
        using Element = Pointed<std::remove_cv_t<Pointee>>;
        return {'p', kind_of<typename Element::Component>(), std::is_const_v<Pointee>, Element::size, Element::alignment};
    } else {
        return {kind_of<Plain>(), 0, true, sizeof(Plain), alignof(Plain)};
    }
}

template <typename... Arguments>
struct Kernel {
    static constexpr Parameter parameters[sizeof...(Arguments) + 1] = {describe<Arguments>()..., {}};

    template <size_t... I>
    EMULATOR_UNCHECKED static void unpack(void (*function)(Arguments...), void* const* arguments, std::index_sequence<I...>) {
        function(*static_cast<std::remove_cv_t<Arguments>*>(arguments[I])...);
    }
    EMULATOR_UNCHECKED static void call(void (*function)(), void* const* arguments) {
        unpack(reinterpret_cast<void (*)(Arguments...)>(function), arguments, std::index_sequence_for<Arguments...>());
    }
};

template <typename... Arguments>
inline Entry entry(const char* name, void (*function)(Arguments...)) {
    using This = Kernel<Arguments...>;
    return {name, reinterpret_cast<void (*)()>(function), This::call, This::parameters, int(sizeof...(Arguments))};
}

}  // namespace emulator

#define EMULATOR_KERNELS(...)                                                                                             \
    static const emulator::Entry emulator_kernels[] = {__VA_ARGS__ {}};                                                   \
    extern "C" __attribute__((visibility("default"))) const emulator::Entry* emulator_program() { return emulator_kernels; }
