// Atomic operations: the processor's own, since blocks may run on several of its threads. Floats swap until nobody came between.
#pragma once
#include "interface.hpp"
#include "warp.hpp"

namespace emulator {

template <typename T> struct SameSize;
template <> struct SameSize<float> { using Bits = uint32_t; };
template <> struct SameSize<double> { using Bits = uint64_t; };
template <> struct SameSize<int> { using Bits = uint32_t; };
template <> struct SameSize<unsigned> { using Bits = uint32_t; };
template <> struct SameSize<long long> { using Bits = uint64_t; };
template <> struct SameSize<unsigned long long> { using Bits = uint64_t; };
template <> struct SameSize<unsigned short> { using Bits = uint16_t; };

#define EMULATOR_UNCHECKED __attribute__((no_sanitize("thread")))

// Replace *address by change(*address) at one stroke; the old value.
template <typename T, typename Change>
EMULATOR_UNCHECKED inline T replace(T* address, Place place, Change change) {
    using Bits = typename SameSize<T>::Bits;
    about_to_be_atomic(address, sizeof(T), true, place);
    Bits* bits = reinterpret_cast<Bits*>(address);
    Bits old = __atomic_load_n(bits, __ATOMIC_RELAXED);
    for (;;) {
        const T value = from_bits<T>(old);
        const Bits wanted = Bits(to_bits(T(change(value))));
        if (__atomic_compare_exchange_n(bits, &old, wanted, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) return value;
    }
}

}  // namespace emulator

#define EMULATOR_ATOMIC(name, type, expression)                                                                           \
    EMULATOR_UNCHECKED inline type name(type* address, type value, EMULATOR_HERE) {                                       \
        return emulator::replace(address, place, [=](type old) EMULATOR_UNCHECKED -> type { return expression; });        \
    }
#define EMULATOR_ATOMIC_WHOLE(name, expression)                                                                           \
    EMULATOR_ATOMIC(name, int, expression)                                                                                \
    EMULATOR_ATOMIC(name, unsigned, expression)                                                                           \
    EMULATOR_ATOMIC(name, unsigned long long, expression)

EMULATOR_ATOMIC_WHOLE(atomicAdd, old + value)
EMULATOR_ATOMIC(atomicAdd, float, old + value)
EMULATOR_ATOMIC(atomicAdd, double, old + value)
EMULATOR_ATOMIC(atomicSub, int, old - value)
EMULATOR_ATOMIC(atomicSub, unsigned, old - value)
EMULATOR_ATOMIC_WHOLE(atomicExch, value)
EMULATOR_ATOMIC(atomicExch, float, value)
EMULATOR_ATOMIC_WHOLE(atomicMin, old < value ? old : value)
EMULATOR_ATOMIC(atomicMin, long long, old < value ? old : value)
EMULATOR_ATOMIC_WHOLE(atomicMax, old < value ? value : old)
EMULATOR_ATOMIC(atomicMax, long long, old < value ? value : old)
EMULATOR_ATOMIC_WHOLE(atomicAnd, old & value)
EMULATOR_ATOMIC_WHOLE(atomicOr, old | value)
EMULATOR_ATOMIC_WHOLE(atomicXor, old ^ value)
EMULATOR_ATOMIC(atomicInc, unsigned, old >= value ? 0u : old + 1u)
EMULATOR_ATOMIC(atomicDec, unsigned, old == 0u || old > value ? value : old - 1u)

#define EMULATOR_ATOMIC_SWAP(type)                                                                                        \
    EMULATOR_UNCHECKED inline type atomicCAS(type* address, type compare, type value, EMULATOR_HERE) {                    \
        const auto swapped = [=](type old) EMULATOR_UNCHECKED -> type { return old == compare ? value : old; };           \
        return emulator::replace(address, place, swapped);                                                                \
    }
EMULATOR_ATOMIC_SWAP(int)
EMULATOR_ATOMIC_SWAP(unsigned)
EMULATOR_ATOMIC_SWAP(unsigned long long)
EMULATOR_ATOMIC_SWAP(unsigned short)

inline void __threadfence_block() { emulator::fence(emulator::Scope::block); }
inline void __threadfence() { emulator::fence(emulator::Scope::device); }
inline void __threadfence_system() { emulator::fence(emulator::Scope::system); }
inline void __nanosleep(unsigned, EMULATOR_HERE) { emulator::breathe(place); }
