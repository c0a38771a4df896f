// One result for each element of one or two arrays of a shape, in any strides.
//
// Arrays that lie alike and without gaps are walked as if they had one dimension, a thread taking 128 bits of the result. Others
// are walked element by element in the order of the result's memory, without a division: what is known of the shape is computed
// once, on the CPU, by elements.py. Addresses come in the structure too, since an array with gaps is no pointer's business.
#include "packs.cuh"

const int DIMS = 8;      // dimensions that are left when those which lie together are joined
const int OPERANDS = 3;  // the result, and up to two arrays

// Division of a number below 2^31 by one that is known before, in a multiplication and a shift: with s = ceil(log2 d) and
// m = floor(2^32 (2^s - d) / d) + 1 the quotient of n is (mulhi(n, m) + n) >> s (Granlund and Montgomery 1994).
struct Divisor {
    unsigned divisor, multiplier, shift;
    __device__ __forceinline__ unsigned quotient(unsigned n) const { return (__umulhi(n, multiplier) + n) >> shift; }
};

struct Elements {
    void* operand[OPERANDS];
    unsigned count;
    int dims;     // 0 where all operands lie alike and without gaps
    bool packed;  // then: whether packs can be loaded from where they begin
    Divisor size[DIMS];  // of each dimension, the innermost first
    long long stride[DIMS][OPERANDS];  // in elements
};

// Where element n lies in each operand, counted in elements from where the operand begins.
__device__ __forceinline__ void places_of(const Elements& elements, unsigned n, long long (&place)[OPERANDS]) {
#pragma unroll
    for (int operand = 0; operand < OPERANDS; ++operand) place[operand] = 0;
#pragma unroll
    for (int dim = 0; dim < DIMS; ++dim) {
        if (dim >= elements.dims) break;
        const unsigned rest = elements.size[dim].quotient(n);
        const long long at = n - rest * elements.size[dim].divisor;
        n = rest;
#pragma unroll
        for (int operand = 0; operand < OPERANDS; ++operand) place[operand] += at * elements.stride[dim][operand];
    }
}

// The lanes from `first` on, with nothing read behind the last element.
template <int count, typename Number>
__device__ __forceinline__ Lanes<Number, count> load_some(const Number* from, unsigned first, unsigned end, bool packed) {
    if (packed) return load_lanes<count>(from + first);
    Lanes<Number, count> some;
#pragma unroll
    for (int lane = 0; lane < count; ++lane) some.lane[lane] = first + lane < end ? from[first + lane] : Number(0);
    return some;
}

// z = operation(x, y), which gets lanes of them: a thread takes 128 bits of z, or one element where arrays lie differently.
template <typename Z, typename X, typename Y, typename Operation>
__device__ __forceinline__ void for_each_element(const Elements& elements, const Operation& operation) {
    Z* const z = static_cast<Z*>(elements.operand[0]);
    const X* const x = static_cast<const X*>(elements.operand[1]);
    const Y* const y = static_cast<const Y*>(elements.operand[2]);
    const int lanes = Pack<Z>::lanes;
    const unsigned thread = blockIdx.x * blockDim.x + threadIdx.x, end = elements.count;
    if (elements.dims) {
        if (thread >= end) return;
        long long place[OPERANDS];
        places_of(elements, thread, place);
        Lanes<Z, 1> result;
        operation(result, load_lanes<1>(x + place[1]), load_lanes<1>(y + place[2]));
        z[place[0]] = result.lane[0];
        return;
    }
    const unsigned first = thread * lanes;
    const bool packed = elements.packed && first + lanes <= end;
    Lanes<Z, lanes> result;
    operation(result, load_some<lanes>(x, first, end, packed), load_some<lanes>(y, first, end, packed));
    if (packed) {
        store_lanes(z + first, result);
    } else {
#pragma unroll
        for (int lane = 0; lane < lanes; ++lane)
            if (first + lane < end) z[first + lane] = result.lane[lane];
    }
}
