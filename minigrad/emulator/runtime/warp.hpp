// What the lanes of a warp do together. Values travel as bits; runtime/collectives.cpp brings the lanes together.
#pragma once
#include "interface.hpp"

namespace emulator {

template <typename T>
inline uint64_t to_bits(T value) {
    static_assert(sizeof(T) <= 8, "a shuffle moves at most 8 bytes");
    uint64_t bits = 0;
    __builtin_memcpy(&bits, &value, sizeof value);
    return bits;
}

template <typename T>
inline T from_bits(uint64_t bits) {
    T value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

template <typename T>
inline T shuffle(unsigned mask, T value, int source, Place place) {
    return from_bits<T>(exchange(mask, to_bits(value), source, int(sizeof(T)), place));
}

// The first lane of the part of the warp, `width` lanes wide, to which a lane belongs.
inline int part(int lane, int width) { return lane & ~(width - 1); }

}  // namespace emulator

#define EMULATOR_HERE emulator::Place place = emulator::Place::here()

template <typename T>
inline T __shfl_sync(unsigned mask, T value, int source, int width = warpSize, EMULATOR_HERE) {
    const int first = emulator::part(emulator::own_lane(), width);
    return emulator::shuffle(mask, value, first + (source & (width - 1)), place);
}

template <typename T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = warpSize, EMULATOR_HERE) {
    const int lane = emulator::own_lane(), source = lane - int(delta);
    return emulator::shuffle(mask, value, source < emulator::part(lane, width) ? lane : source, place);
}

template <typename T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = warpSize, EMULATOR_HERE) {
    const int lane = emulator::own_lane(), source = lane + int(delta);
    return emulator::shuffle(mask, value, source >= emulator::part(lane, width) + width ? lane : source, place);
}

template <typename T>
inline T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = warpSize, EMULATOR_HERE) {
    const int lane = emulator::own_lane(), source = lane ^ lanes;
    return emulator::shuffle(mask, value, source >= emulator::part(lane, width) + width ? lane : source, place);
}

inline int __any_sync(unsigned mask, int predicate, EMULATOR_HERE) {
    return emulator::vote(mask, emulator::Vote::any, predicate != 0, place);
}
inline int __all_sync(unsigned mask, int predicate, EMULATOR_HERE) {
    return emulator::vote(mask, emulator::Vote::all, predicate != 0, place);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, EMULATOR_HERE) {
    return emulator::vote(mask, emulator::Vote::ballot, predicate != 0, place);
}
inline void __syncwarp(unsigned mask = 0xffffffffu, EMULATOR_HERE) { emulator::synchronise_warp(mask, place); }

// Which lanes run together is the hardware's affair, and any answer that names the caller is allowed: here, the caller alone.
inline unsigned __activemask() { return 1u << emulator::own_lane(); }

template <typename T>
inline unsigned __match_any_sync(unsigned mask, T value, EMULATOR_HERE) {
    return emulator::match_any(mask, emulator::to_bits(value), place);
}
template <typename T>
inline unsigned __match_all_sync(unsigned mask, T value, int* predicate, EMULATOR_HERE) {
    return emulator::match_all(mask, emulator::to_bits(value), predicate, place);
}

#define EMULATOR_REDUCTION(name, what, type)                                                                              \
    inline type name(unsigned mask, type value, EMULATOR_HERE) {                                                          \
        return type(emulator::reduce(mask, emulator::Reduction::what, type(-1) < type(0), uint32_t(value), place));       \
    }
EMULATOR_REDUCTION(__reduce_add_sync, add, int)
EMULATOR_REDUCTION(__reduce_add_sync, add, unsigned)
EMULATOR_REDUCTION(__reduce_min_sync, min, int)
EMULATOR_REDUCTION(__reduce_min_sync, min, unsigned)
EMULATOR_REDUCTION(__reduce_max_sync, max, int)
EMULATOR_REDUCTION(__reduce_max_sync, max, unsigned)
EMULATOR_REDUCTION(__reduce_and_sync, bit_and, unsigned)
EMULATOR_REDUCTION(__reduce_or_sync, bit_or, unsigned)
EMULATOR_REDUCTION(__reduce_xor_sync, bit_xor, unsigned)
