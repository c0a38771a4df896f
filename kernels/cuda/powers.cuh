// The greatest of some numbers and the sum of e to the power of each, below that: read once, whatever their size.
//
// While they come, the sum is kept below the greatest so far; a greater one scales it down. Of no numbers, or of -inf alone, the
// greatest is -inf and the sum 0. A NaN makes both NaN, +inf the sum.
#include "teams.cuh"

__device__ __forceinline__ float power(float x) { return expf(x); }
__device__ __forceinline__ double power(double x) { return exp(x); }
__device__ __forceinline__ float logarithm(float x) { return logf(x); }
__device__ __forceinline__ double logarithm(double x) { return log(x); }

template <typename Real>
__device__ __forceinline__ Real minus_infinity() {
    return Real(-__int_as_float(0x7f800000));
}

// What powers are taken below: the greatest, or 0 where that is -inf, as no number is below it.
template <typename Real>
__device__ __forceinline__ Real level_of(Real greatest) {
    return greatest == minus_infinity<Real>() ? Real(0) : greatest;
}

template <typename Real>
struct Powers {
    Real greatest, sum;

    // Some more numbers; -inf stands for none.
    template <int count>
    __device__ __forceinline__ void add(const Real (&numbers)[count]) {
        Real next = greatest;
#pragma unroll
        for (int i = 0; i < count; ++i) next = larger(next, numbers[i]);
        const Real level = level_of(next);
        Real total = greatest == next ? sum : sum * power(greatest - level);
#pragma unroll
        for (int i = 0; i < count; ++i) total += power(numbers[i] - level);
        greatest = next;
        sum = total;
    }
};

template <typename Real>
__device__ __forceinline__ Powers<Real> no_powers() {
    return {minus_infinity<Real>(), Real(0)};
}

// Those of a team's members together.
template <typename Real>
__device__ __forceinline__ Powers<Real> join(const Powers<Real>& own, const Team<Real>& team) {
    const Real greatest = join<Larger>(own.greatest, team);
    const Real sum = own.sum * power(own.greatest - level_of(greatest));
    return {greatest, join<Add>(sum, team)};
}

// Those of a row that a team reads. Where its elements are no more than the team keeps, `kept` has them afterwards.
template <typename Real>
__device__ __forceinline__ Powers<Real> powers_of_row(Real (&kept)[KEPT], const Real* row, int length, const Team<Real>& team,
                                                      bool packed) {
    Powers<Real> powers = no_powers<Real>();
    for (int first = 0; first < length; first += team.width * KEPT) {
        load_kept(kept, row, first, length, team, packed, minus_infinity<Real>());
        powers.add(kept);
    }
    return join(powers, team);
}
