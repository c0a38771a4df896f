// Activation functions and their derivatives: each element is read once and written once, 128 bits at a time, and all of a
// formula's steps stay in registers.
//
// Which function it is, is the same for all threads of a launch: they ask once for each pack, which costs nothing beside the
// memory that they wait for, and spares a kernel for each function.
#include "elements.cuh"

// In the order of the contract's table.
const int RELU = 0, HARDTANH = 1, LEAKY_RELU = 2, ELU = 3, SOFTPLUS = 4, SIGMOID = 5, TANH = 6, SILU = 7, GELU = 8, GELU_TANH = 9;

template <typename Real>
__device__ __forceinline__ Real logistic(Real x) {
    return Real(1) / (Real(1) + exp(-x));
}
// The probability that a normal number is below x.
template <typename Real>
__device__ __forceinline__ Real normal_below(Real x) {
    return (Real(1) + erf(x * Real(0.70710678118654752440))) * Real(0.5);
}
const double TWO_OVER_PI_ROOT = 0.79788456080286535588;
template <typename Real>
__device__ __forceinline__ Real bend(Real x) {
    return tanh(Real(TWO_OVER_PI_ROOT) * (x * (Real(1) + Real(0.044715) * (x * x))));
}

template <typename Real>
struct Forward {
    int kind;
    Real a, b, c;  // the function's numbers

    // The function itself, for each lane. A kind that is known when this is compiled leaves one line of it.
    template <int known>
    __device__ __forceinline__ Real of(Real x) const {
        if (known == RELU) return x < Real(0) ? Real(0) : x;
        if (known == HARDTANH) return x < a ? a : (x > b ? b : x);
        if (known == LEAKY_RELU) return x > Real(0) ? x : a * x;
        if (known == ELU) return x > Real(0) ? b * x : b * a * expm1(c * x);
        if (known == SOFTPLUS) {
            const Real z = a * x;
            return z > b ? x : ((z > Real(0) ? z : Real(0)) + log1p(exp(-fabs(z)))) / a;
        }
        if (known == SIGMOID) return logistic(x);
        if (known == TANH) return tanh(x);
        if (known == SILU) return x * logistic(x);
        if (known == GELU) return x * normal_below(x);
        return x * (Real(1) + bend(x)) * Real(0.5);
    }
    template <int known, int lanes>
    __device__ __forceinline__ void each(Lanes<Real, lanes>& y, const Lanes<Real, lanes>& x) const {
#pragma unroll
        for (int lane = 0; lane < lanes; ++lane) y.lane[lane] = of<known>(x.lane[lane]);
    }
    template <int lanes>
    __device__ void operator()(Lanes<Real, lanes>& y, const Lanes<Real, lanes>& x, const Lanes<Real, lanes>&) const {
        switch (kind) {
            case RELU: return each<RELU>(y, x);
            case HARDTANH: return each<HARDTANH>(y, x);
            case LEAKY_RELU: return each<LEAKY_RELU>(y, x);
            case ELU: return each<ELU>(y, x);
            case SOFTPLUS: return each<SOFTPLUS>(y, x);
            case SIGMOID: return each<SIGMOID>(y, x);
            case TANH: return each<TANH>(y, x);
            case SILU: return each<SILU>(y, x);
            case GELU: return each<GELU>(y, x);
            default: return each<GELU_TANH>(y, x);
        }
    }
};

template <typename Real>
struct Backward {
    int kind;
    Real a, b, c;

    // dx of dy and what was saved: y for relu, hardtanh, sigmoid and tanh, x for the others.
    template <int known>
    __device__ __forceinline__ Real of(Real dy, Real s) const {
        if (known == RELU) return s != Real(0) ? dy : Real(0);
        if (known == HARDTANH) return s <= a || s >= b ? Real(0) : dy;
        if (known == LEAKY_RELU) return s > Real(0) ? dy : a * dy;
        if (known == ELU) return s <= Real(0) ? b * a * c * exp(c * s) * dy : b * dy;
        if (known == SOFTPLUS) return a * s > b ? dy : logistic(a * s) * dy;
        if (known == SIGMOID) return s * (Real(1) - s) * dy;
        if (known == TANH) return (Real(1) - s * s) * dy;
        if (known == SILU) {
            const Real share = logistic(s);
            return share * (Real(1) + s * (Real(1) - share)) * dy;
        }
        if (known == GELU) {
            const Real density = exp(Real(-0.5) * (s * s)) * Real(0.39894228040143267794);
            return (normal_below(s) + s * density) * dy;
        }
        const Real t = bend(s);
        const Real slope = Real(TWO_OVER_PI_ROOT) * (Real(1) + Real(3 * 0.044715) * (s * s));
        return (Real(1) + t + s * (Real(1) - t * t) * slope) * Real(0.5) * dy;
    }
    template <int known, int lanes>
    __device__ __forceinline__ void each(Lanes<Real, lanes>& dx, const Lanes<Real, lanes>& dy, const Lanes<Real, lanes>& s) const {
#pragma unroll
        for (int lane = 0; lane < lanes; ++lane) dx.lane[lane] = of<known>(dy.lane[lane], s.lane[lane]);
    }
    template <int lanes>
    __device__ void operator()(Lanes<Real, lanes>& dx, const Lanes<Real, lanes>& dy, const Lanes<Real, lanes>& s) const {
        switch (kind) {
            case RELU: return each<RELU>(dx, dy, s);
            case HARDTANH: return each<HARDTANH>(dx, dy, s);
            case LEAKY_RELU: return each<LEAKY_RELU>(dx, dy, s);
            case ELU: return each<ELU>(dx, dy, s);
            case SOFTPLUS: return each<SOFTPLUS>(dx, dy, s);
            case SIGMOID: return each<SIGMOID>(dx, dy, s);
            case TANH: return each<TANH>(dx, dy, s);
            case SILU: return each<SILU>(dx, dy, s);
            case GELU: return each<GELU>(dx, dy, s);
            default: return each<GELU_TANH>(dx, dy, s);
        }
    }
};

template <typename Real>
struct Gate {
    Real factor;
    template <int lanes>
    __device__ void operator()(Lanes<Real, lanes>& y, const Lanes<Real, lanes>& x, const Lanes<bool, lanes>& mask) const {
#pragma unroll
        for (int lane = 0; lane < lanes; ++lane) y.lane[lane] = mask.lane[lane] ? factor * x.lane[lane] : Real(0);
    }
};

template <typename Real>
__global__ void __launch_bounds__(256) forward(const __grid_constant__ Elements elements, int kind, Real a, Real b, Real c) {
    for_each_element<Real, Real, Real>(elements, Forward<Real>{kind, a, b, c});
}

template <typename Real>
__global__ void __launch_bounds__(256) backward(const __grid_constant__ Elements elements, int kind, Real a, Real b, Real c) {
    for_each_element<Real, Real, Real>(elements, Backward<Real>{kind, a, b, c});
}

template <typename Real>
__global__ void __launch_bounds__(256) gate(const __grid_constant__ Elements elements, Real factor) {
    for_each_element<Real, Real, bool>(elements, Gate<Real>{factor});
}
