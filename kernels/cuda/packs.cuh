// As many numbers as one load of 128 bits brings, which is what a thread should ask memory for at a time.
#ifndef PACKS
#define PACKS

template <typename Number, int count>
struct alignas(count * sizeof(Number)) Lanes {
    static const int lanes = count;
    Number lane[count];
};
template <typename Real>
using Pack = Lanes<Real, 16 / sizeof(Real)>;

// The numbers at an address that is a multiple of what they take together.
template <int count, typename Number>
__device__ __forceinline__ Lanes<Number, count> load_lanes(const Number* from) {
    return *reinterpret_cast<const Lanes<Number, count>*>(from);
}
template <typename Number, int count>
__device__ __forceinline__ void store_lanes(Number* to, const Lanes<Number, count>& lanes) {
    *reinterpret_cast<Lanes<Number, count>*>(to) = lanes;
}
template <typename Real>
__device__ __forceinline__ Pack<Real> load_pack(const Real* from) {
    return load_lanes<Pack<Real>::lanes>(from);
}

template <typename Real>
__device__ __forceinline__ void store_pack(Real* to, const Pack<Real>& pack) {
    store_lanes(to, pack);
}

// As NumPy's maximum and minimum: NaN if one of the two is.
template <typename Real>
__device__ __forceinline__ Real larger(Real a, Real b) {
    return a > b || a != a ? a : b;
}
template <typename Real>
__device__ __forceinline__ Real smaller(Real a, Real b) {
    return a < b || a != a ? a : b;
}

#endif
