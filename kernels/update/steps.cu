// The optimisers' steps: each element of parameter, gradient and states is read once, and what changes is written once.
//
// Compiled without fused multiply-adds (--fmad=false): each sum, product, quotient and root is rounded by itself, as the
// contract asks. Which switches are on is the same for all threads of a launch, so that asking costs next to nothing where
// memory is what a thread waits for; only what is there is read.
#include "tensors.cuh"

// The places of a tensor's arrays: parameter, gradient, and up to three states.
const int X = 0, G = 1, S = 2;
const int FRESH = 2;  // a flag: the momentum buffer holds nothing yet

template <typename Real>
__device__ __forceinline__ Real beginning(Real x, Real g, Real weight_decay, bool maximize) {
    if (maximize) g = -g;
    return weight_decay != Real(0) ? g + weight_decay * x : g;
}

template <typename Real>
struct Sgd {
    static const int arrays = 3, written = 1 << X | 1 << S;
    Real lr, momentum, fresh_share, weight_decay;
    bool nesterov, maximize;
    __device__ void operator()(Real (&of)[arrays], const Tensor<Real>& tensor) const {
        Real d = beginning(of[X], of[G], weight_decay, maximize);
        if (tensor.array[S]) {
            const Real b = tensor.flags & FRESH ? d : momentum * of[S] + fresh_share * d;
            of[S] = b;
            d = nesterov ? momentum * b + d : b;
        }
        of[X] -= lr * d;
    }
};
template <typename Real>
__global__ void __launch_bounds__(256) sgd(const __grid_constant__ Tensors<Real> tensors, Real lr, Real momentum,
                                           Real fresh_share, Real weight_decay, bool nesterov, bool maximize) {
    Sgd<Real> rule = {lr, momentum, fresh_share, weight_decay, nesterov, maximize};
    for_each_element(tensors, rule);
}

// A tensor's factors: the learning rate with both corrections, and eps with its own.
template <typename Real>
struct Adam {
    static const int arrays = 5, written = 1 << X | 1 << S | 1 << (S + 1) | 1 << (S + 2);
    Real beta2, fresh_share1, fresh_share2, weight_decay, shrink;
    bool maximize;
    __device__ void operator()(Real (&of)[arrays], const Tensor<Real>& tensor) const {
        if (shrink != Real(1)) of[X] *= shrink;
        const Real g = beginning(of[X], of[G], weight_decay, maximize);
        of[S] += fresh_share1 * (g - of[S]);
        of[S + 1] = beta2 * of[S + 1] + fresh_share2 * (g * g);
        Real square = of[S + 1];
        if (tensor.array[S + 2]) of[S + 2] = square = larger(of[S + 2], square);
        of[X] -= tensor.factor[0] * (of[S] / (sqrt(square) + tensor.factor[1]));
    }
};
template <typename Real>
__global__ void __launch_bounds__(256) adam(const __grid_constant__ Tensors<Real> tensors, Real beta2, Real fresh_share1,
                                            Real fresh_share2, Real weight_decay, Real shrink, bool maximize) {
    Adam<Real> rule = {beta2, fresh_share1, fresh_share2, weight_decay, shrink, maximize};
    for_each_element(tensors, rule);
}

template <typename Real>
struct Rmsprop {
    static const int arrays = 5, written = 1 << X | 1 << S | 1 << (S + 1) | 1 << (S + 2);
    Real lr, alpha, fresh_share, eps, weight_decay, momentum;
    bool maximize;
    __device__ void operator()(Real (&of)[arrays], const Tensor<Real>& tensor) const {
        const Real g = beginning(of[X], of[G], weight_decay, maximize);
        of[S] = alpha * of[S] + fresh_share * (g * g);
        Real square = of[S];
        if (tensor.array[S + 1]) {
            of[S + 1] += fresh_share * (g - of[S + 1]);
            square = larger(square - of[S + 1] * of[S + 1], Real(0));
        }
        Real d = g / (sqrt(square) + eps);
        if (tensor.array[S + 2]) of[S + 2] = d = momentum * of[S + 2] + d;
        of[X] -= lr * d;
    }
};
template <typename Real>
__global__ void __launch_bounds__(256) rmsprop(const __grid_constant__ Tensors<Real> tensors, Real lr, Real alpha,
                                               Real fresh_share, Real eps, Real weight_decay, Real momentum, bool maximize) {
    Rmsprop<Real> rule = {lr, alpha, fresh_share, eps, weight_decay, momentum, maximize};
    for_each_element(tensors, rule);
}

// A tensor's first factor: the learning rate, decayed.
template <typename Real>
struct Adagrad {
    static const int arrays = 3, written = 1 << X | 1 << S;
    Real eps, weight_decay;
    bool maximize;
    __device__ void operator()(Real (&of)[arrays], const Tensor<Real>& tensor) const {
        const Real g = beginning(of[X], of[G], weight_decay, maximize);
        of[S] += g * g;
        of[X] -= tensor.factor[0] * (g / (sqrt(of[S]) + eps));
    }
};
template <typename Real>
__global__ void __launch_bounds__(256, 4)  // with the 64 registers that this leaves a thread, none is spilled
    adagrad(const __grid_constant__ Tensors<Real> tensors, Real eps, Real weight_decay, bool maximize) {
    Adagrad<Real> rule = {eps, weight_decay, maximize};
    for_each_element(tensors, rule);
}

template <typename Real>
struct Adadelta {
    static const int arrays = 4, written = 1 << X | 1 << S | 1 << (S + 1);
    Real lr, rho, fresh_share, eps, weight_decay;
    bool maximize;
    __device__ void operator()(Real (&of)[arrays], const Tensor<Real>&) const {
        const Real g = beginning(of[X], of[G], weight_decay, maximize);
        of[S] = rho * of[S] + fresh_share * (g * g);
        const Real d = sqrt((of[S + 1] + eps) / (of[S] + eps)) * g;
        of[X] -= lr * d;
        of[S + 1] = rho * of[S + 1] + fresh_share * (d * d);
    }
};
template <typename Real>
__global__ void __launch_bounds__(256) adadelta(const __grid_constant__ Tensors<Real> tensors, Real lr, Real rho,
                                                Real fresh_share, Real eps, Real weight_decay, bool maximize) {
    Adadelta<Real> rule = {lr, rho, fresh_share, eps, weight_decay, maximize};
    for_each_element(tensors, rule);
}

template <typename Real>
struct Lerp {
    static const int arrays = 2, written = 1 << X;
    Real weight;
    __device__ void operator()(Real (&of)[arrays], const Tensor<Real>&) const { of[X] += weight * (of[G] - of[X]); }
};
template <typename Real>
__global__ void __launch_bounds__(256) lerp(const __grid_constant__ Tensors<Real> tensors, Real weight) {
    Lerp<Real> rule = {weight};
    for_each_element(tensors, rule);
}
