// As many numbers as one load of 128 bits brings, which is what a thread should ask memory for at a time.
#ifndef PACKS
#define PACKS

template <typename Real>
struct alignas(16) Pack {
    static const int lanes = 16 / sizeof(Real);
    Real lane[lanes];
};

// The pack at an address that is a multiple of 16 bytes.
template <typename Real>
__device__ __forceinline__ Pack<Real> load_pack(const Real* from) {
    return *reinterpret_cast<const Pack<Real>*>(from);
}
template <typename Real>
__device__ __forceinline__ void store_pack(Real* to, const Pack<Real>& pack) {
    *reinterpret_cast<Pack<Real>*>(to) = pack;
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
