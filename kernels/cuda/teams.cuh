// Threads that work on one row together: sums and maxima over them, and the part of the row that each holds.
//
// A team is `width` neighbouring threads: 1 to 32 of them, a power of two, which are lanes of one warp; or the whole block, of
// whole warps. All threads of the block must come to what a team does together, those without a row too.
#include "packs.cuh"

const int KEPT = 8;  // elements of a row that a thread keeps in registers at a time

template <typename Real>
struct Team {
    int width;    // threads
    int member;   // which of them this one is
    Real* shared; // room for a number of each warp, for a team that is the block
};

struct Add {
    template <typename Real>
    static __device__ __forceinline__ Real of(Real a, Real b) { return a + b; }
};
struct Larger {
    template <typename Real>
    static __device__ __forceinline__ Real of(Real a, Real b) { return larger(a, b); }
};

// The numbers of all members, put together; every member gets it, the same bits. Lanes are joined in pairs, then pairs of pairs.
template <typename Both, typename Real>
__device__ __forceinline__ Real join(Real value, const Team<Real>& team) {
    const int lanes = min(team.width, 32);
    for (int apart = lanes / 2; apart > 0; apart /= 2) value = Both::of(value, __shfl_xor_sync(0xffffffffu, value, apart));
    if (team.width > 32) {
        __syncthreads();  // what an earlier call left in the room has been read
        if (team.member % 32 == 0) team.shared[team.member / 32] = value;
        __syncthreads();
        value = team.shared[0];
        for (int warp = 1; warp < team.width / 32; ++warp) value = Both::of(value, team.shared[warp]);
    }
    return value;
}

// Where in its row the kept element number i of a thread is, for the elements from `first` on. Neighbouring threads have
// neighbouring elements, or packs of them.
template <typename Real>
__device__ __forceinline__ int place_of(int i, int first, const Team<Real>& team, bool packed) {
    const int lanes = Pack<Real>::lanes;
    return packed ? first + (i / lanes * team.width + team.member) * lanes + i % lanes : first + i * team.width + team.member;
}

// A thread's elements of a row, from `first` on: `filler` for those behind its end. Packed needs a row whose address and length
// are those of packs.
template <typename Real>
__device__ __forceinline__ void load_kept(Real (&kept)[KEPT], const Real* row, int first, int length, const Team<Real>& team,
                                          bool packed, Real filler) {
    const int lanes = Pack<Real>::lanes;
    if (packed) {
#pragma unroll
        for (int i = 0; i < KEPT; i += lanes) {
            const int place = place_of(i, first, team, true);
            Pack<Real> pack;
#pragma unroll
            for (int lane = 0; lane < lanes; ++lane) pack.lane[lane] = filler;
            if (place < length) pack = load_pack(row + place);
#pragma unroll
            for (int lane = 0; lane < lanes; ++lane) kept[i + lane] = pack.lane[lane];
        }
    } else {
#pragma unroll
        for (int i = 0; i < KEPT; ++i) {
            const int place = place_of(i, first, team, false);
            kept[i] = place < length ? row[place] : filler;
        }
    }
}

template <typename Real>
__device__ __forceinline__ void store_kept(const Real (&kept)[KEPT], Real* row, int first, int length, const Team<Real>& team,
                                           bool packed) {
    const int lanes = Pack<Real>::lanes;
    if (packed) {
#pragma unroll
        for (int i = 0; i < KEPT; i += lanes) {
            const int place = place_of(i, first, team, true);
            Pack<Real> pack;
#pragma unroll
            for (int lane = 0; lane < lanes; ++lane) pack.lane[lane] = kept[i + lane];
            if (place < length) store_pack(row + place, pack);
        }
    } else {
#pragma unroll
        for (int i = 0; i < KEPT; ++i) {
            const int place = place_of(i, first, team, false);
            if (place < length) row[place] = kept[i];
        }
    }
}

// The team of a thread in a block of one axis.
template <typename Real>
__device__ __forceinline__ Team<Real> team_of(int width, Real* shared) {
    return {width, (int)threadIdx.x % width, shared};
}

// The row of a team: one after another, as many teams as a block has.
template <typename Real>
__device__ __forceinline__ long long row_of(const Team<Real>& team) {
    return (long long)blockIdx.x * (blockDim.x / team.width) + threadIdx.x / team.width;
}
