// Functions of numbers that CUDA has and C++ has not, or has under another name. The fast ones are as exact as the slow ones.
#pragma once
#include <math.h>
#include <stdlib.h>

#include "warp.hpp"

// ---- smaller and larger of two, for every pair of types that CUDA takes
#define EMULATOR_SMALLER_LARGER(result, one, other)                                                                       \
    inline result min(one a, other b) { return (result)a < (result)b ? (result)a : (result)b; }                           \
    inline result max(one a, other b) { return (result)a > (result)b ? (result)a : (result)b; }
EMULATOR_SMALLER_LARGER(int, int, int)
EMULATOR_SMALLER_LARGER(unsigned, unsigned, unsigned)
EMULATOR_SMALLER_LARGER(unsigned, int, unsigned)
EMULATOR_SMALLER_LARGER(unsigned, unsigned, int)
EMULATOR_SMALLER_LARGER(long, long, long)
EMULATOR_SMALLER_LARGER(unsigned long, unsigned long, unsigned long)
EMULATOR_SMALLER_LARGER(unsigned long, long, unsigned long)
EMULATOR_SMALLER_LARGER(unsigned long, unsigned long, long)
EMULATOR_SMALLER_LARGER(long long, long long, long long)
EMULATOR_SMALLER_LARGER(unsigned long long, unsigned long long, unsigned long long)
EMULATOR_SMALLER_LARGER(unsigned long long, long long, unsigned long long)
EMULATOR_SMALLER_LARGER(unsigned long long, unsigned long long, long long)
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }
inline double min(float a, double b) { return fmin(a, b); }
inline double max(float a, double b) { return fmax(a, b); }
inline double min(double a, float b) { return fmin(a, b); }
inline double max(double a, float b) { return fmax(a, b); }

// ---- real functions
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float rsqrt(float x) { return rsqrtf(x); }
inline float rcbrtf(float x) { return 1.0f / cbrtf(x); }
inline double rcbrt(double x) { return 1.0 / cbrt(x); }
inline float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }
inline double normcdf(double x) { return 0.5 * erfc(-x * 0.70710678118654752440); }
inline float normcdff(float x) { return float(normcdf(double(x))); }
inline float sinpif(float x) { return float(sin(3.14159265358979323846 * fmod(double(x), 2.0))); }
inline float cospif(float x) { return float(cos(3.14159265358979323846 * fmod(double(x), 2.0))); }
inline double sinpi(double x) { return sin(3.14159265358979323846 * fmod(x, 2.0)); }
inline double cospi(double x) { return cos(3.14159265358979323846 * fmod(x, 2.0)); }
inline void sincospif(float x, float* s, float* c) { *s = sinpif(x), *c = cospif(x); }
inline void sincospi(double x, double* s, double* c) { *s = sinpi(x), *c = cospi(x); }
inline float exp10f_(float x) { return float(pow(10.0, double(x))); }
inline float fdividef(float a, float b) { return a / b; }
inline float __fdividef(float a, float b) { return a / b; }

// The system's math.h declares some of these names for itself.
namespace emulator {
inline float fast_exp(float x) { return ::expf(x); }
inline float fast_exp10(float x) { return exp10f_(x); }
inline float fast_log(float x) { return ::logf(x); }
inline float fast_log2(float x) { return ::log2f(x); }
inline float fast_log10(float x) { return ::log10f(x); }
inline float fast_pow(float x, float y) { return ::powf(x, y); }
inline float fast_sin(float x) { return ::sinf(x); }
inline float fast_cos(float x) { return ::cosf(x); }
inline float fast_tan(float x) { return ::tanf(x); }
inline void fast_sincos(float x, float* s, float* c) { *s = ::sinf(x), *c = ::cosf(x); }
}  // namespace emulator
#define __expf emulator::fast_exp
#define __exp10f emulator::fast_exp10
#define __logf emulator::fast_log
#define __log2f emulator::fast_log2
#define __log10f emulator::fast_log10
#define __powf emulator::fast_pow
#define __sinf emulator::fast_sin
#define __cosf emulator::fast_cos
#define __tanf emulator::fast_tan
#define __sincosf emulator::fast_sincos

// ---- arithmetic with a rounding said: what rounds to nearest, never joined into a multiply-add
#pragma GCC push_options
#pragma GCC optimize("fp-contract=off")
#define EMULATOR_APART __attribute__((noinline))
EMULATOR_APART inline float __fadd_rn(float a, float b) { return a + b; }
EMULATOR_APART inline float __fsub_rn(float a, float b) { return a - b; }
EMULATOR_APART inline float __fmul_rn(float a, float b) { return a * b; }
EMULATOR_APART inline double __dadd_rn(double a, double b) { return a + b; }
EMULATOR_APART inline double __dsub_rn(double a, double b) { return a - b; }
EMULATOR_APART inline double __dmul_rn(double a, double b) { return a * b; }
#pragma GCC pop_options
inline float __fdiv_rn(float a, float b) { return a / b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline double __drcp_rn(double a) { return 1.0 / a; }
inline float __fsqrt_rn(float a) { return sqrtf(a); }
inline double __dsqrt_rn(double a) { return sqrt(a); }
inline float __frsqrt_rn(float a) { return float(1.0 / sqrt(double(a))); }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }

// ---- bits
inline int __float_as_int(float x) { return emulator::from_bits<int>(emulator::to_bits(x)); }
inline unsigned __float_as_uint(float x) { return emulator::from_bits<unsigned>(emulator::to_bits(x)); }
inline float __int_as_float(int x) { return emulator::from_bits<float>(emulator::to_bits(x)); }
inline float __uint_as_float(unsigned x) { return emulator::from_bits<float>(emulator::to_bits(x)); }
inline long long __double_as_longlong(double x) { return emulator::from_bits<long long>(emulator::to_bits(x)); }
inline double __longlong_as_double(long long x) { return emulator::from_bits<double>(emulator::to_bits(x)); }
inline int __double2hiint(double x) { return int(emulator::to_bits(x) >> 32); }
inline int __double2loint(double x) { return int(emulator::to_bits(x)); }
inline double __hiloint2double(int high, int low) {
    return emulator::from_bits<double>(uint64_t(unsigned(high)) << 32 | unsigned(low));
}
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x ? __builtin_clz(unsigned(x)) : 32; }
inline int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)x) : 64; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __brev(unsigned x) {
    x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
    x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
    x = (x >> 4 & 0x0f0f0f0fu) | (x & 0x0f0f0f0fu) << 4;
    return __builtin_bswap32(x);
}
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selector) {
    const uint64_t bytes = uint64_t(y) << 32 | x;
    unsigned result = 0;
    for (int i = 0; i < 4; i++) result |= unsigned(bytes >> 8 * (selector >> 4 * i & 7) & 0xff) << 8 * i;
    return result;
}
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift) {
    return unsigned((uint64_t(high) << 32 | low) << (shift & 31) >> 32);
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
    return unsigned((uint64_t(high) << 32 | low) >> (shift & 31));
}

// ---- whole numbers
inline int __mulhi(int a, int b) { return int((long long)a * b >> 32); }
inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned((uint64_t)a * b >> 32); }
inline long long __mul64hi(long long a, long long b) { return (long long)((__int128)a * b >> 64); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)((unsigned __int128)a * b >> 64);
}
inline int __mul24(int a, int b) { return int((unsigned)a << 8) / 256 * (int((unsigned)b << 8) / 256); }
inline unsigned __umul24(unsigned a, unsigned b) { return (a & 0xffffffu) * (b & 0xffffffu); }
inline unsigned __sad(int a, int b, unsigned c) { return c + unsigned(a < b ? b - a : a - b); }
inline int __hadd(int a, int b) { return int(((long long)a + b) >> 1); }

// ---- conversions with a rounding said; out of range they give the nearest number that fits, and NaN gives 0
namespace emulator {
template <typename Whole, typename Real>
inline Whole nearest_fitting(Real x, Real lowest, Real beyond, Whole least, Whole most) {
    return x != x ? Whole(0) : x < lowest ? least : x >= beyond ? most : Whole(x);
}
inline int to_int(double x) { return nearest_fitting<int>(x, -2147483648.0, 2147483648.0, -2147483647 - 1, 2147483647); }
inline unsigned to_uint(double x) { return nearest_fitting<unsigned>(x, 0.0, 4294967296.0, 0u, 0xffffffffu); }
inline long long to_longlong(double x) {
    constexpr long long most = 0x7fffffffffffffffll;
    return nearest_fitting<long long>(x, -9223372036854775808.0, 9223372036854775808.0, -most - 1, most);
}
}  // namespace emulator
inline int __float2int_rn(float x) { return emulator::to_int(rint(double(x))); }
inline int __float2int_rz(float x) { return emulator::to_int(trunc(double(x))); }
inline int __float2int_rd(float x) { return emulator::to_int(floor(double(x))); }
inline int __float2int_ru(float x) { return emulator::to_int(ceil(double(x))); }
inline unsigned __float2uint_rn(float x) { return emulator::to_uint(rint(double(x))); }
inline unsigned __float2uint_rz(float x) { return emulator::to_uint(trunc(double(x))); }
inline int __double2int_rn(double x) { return emulator::to_int(rint(x)); }
inline int __double2int_rz(double x) { return emulator::to_int(trunc(x)); }
inline long long __float2ll_rn(float x) { return emulator::to_longlong(rint(double(x))); }
inline long long __double2ll_rn(double x) { return emulator::to_longlong(rint(x)); }
inline float __double2float_rn(double x) { return float(x); }
inline float __int2float_rn(int x) { return float(x); }
inline float __uint2float_rn(unsigned x) { return float(x); }
inline double __int2double_rn(int x) { return double(x); }
inline double __uint2double_rn(unsigned x) { return double(x); }
inline float __ll2float_rn(long long x) { return float(x); }
inline double __ll2double_rn(long long x) { return double(x); }

// ---- loads and stores with a hint for the caches: here, loads and stores
#define EMULATOR_LOAD(name)                                                                                               \
    template <typename T>                                                                                                 \
    inline __attribute__((always_inline)) T name(const T* address) {                                                      \
        return *address;                                                                                                  \
    }
EMULATOR_LOAD(__ldg)
EMULATOR_LOAD(__ldca)
EMULATOR_LOAD(__ldcg)
EMULATOR_LOAD(__ldcs)
EMULATOR_LOAD(__ldlu)
#define EMULATOR_STORE(name)                                                                                              \
    template <typename T>                                                                                                 \
    inline __attribute__((always_inline)) void name(T* address, T value) {                                                \
        *address = value;                                                                                                 \
    }
EMULATOR_STORE(__stwb)
EMULATOR_STORE(__stcg)
EMULATOR_STORE(__stcs)
EMULATOR_STORE(__stwt)
