// Numbers taken 128 bits at a time: four float, or two double. Addresses must be multiples of 16 bytes.
template <typename Real>
struct Vector;
template <>
struct Vector<float> {
    static const int lanes = 4;
    static __device__ __forceinline__ void load(float* to, const float* from) {
        const float4 value = *reinterpret_cast<const float4*>(from);
        to[0] = value.x, to[1] = value.y, to[2] = value.z, to[3] = value.w;
    }
    static __device__ __forceinline__ void store(float* to, const float* from) {
        *reinterpret_cast<float4*>(to) = make_float4(from[0], from[1], from[2], from[3]);
    }
};
template <>
struct Vector<double> {
    static const int lanes = 2;
    static __device__ __forceinline__ void load(double* to, const double* from) {
        const double2 value = *reinterpret_cast<const double2*>(from);
        to[0] = value.x, to[1] = value.y;
    }
    static __device__ __forceinline__ void store(double* to, const double* from) {
        *reinterpret_cast<double2*>(to) = make_double2(from[0], from[1]);
    }
};

// `width` numbers, 1 or as many as 128 bits hold, into registers.
template <int width, typename Real>
__device__ __forceinline__ void load(Real* to, const Real* from) {
    if constexpr (width == 1) to[0] = from[0];
    else Vector<Real>::load(to, from);
}
template <int width, typename Real>
__device__ __forceinline__ void store(Real* to, const Real* from) {
    if constexpr (width == 1) to[0] = from[0];
    else Vector<Real>::store(to, from);
}
