// Sums and products of two arrays, element by element: memory is all that counts, and it is met 128 bits at a time.
#include "elements.cuh"

struct Sum {
    template <typename Real, int lanes>
    __device__ void operator()(Lanes<Real, lanes>& z, const Lanes<Real, lanes>& x, const Lanes<Real, lanes>& y) const {
#pragma unroll
        for (int lane = 0; lane < lanes; ++lane) z.lane[lane] = x.lane[lane] + y.lane[lane];
    }
};
struct Product {
    template <typename Real, int lanes>
    __device__ void operator()(Lanes<Real, lanes>& z, const Lanes<Real, lanes>& x, const Lanes<Real, lanes>& y) const {
#pragma unroll
        for (int lane = 0; lane < lanes; ++lane) z.lane[lane] = x.lane[lane] * y.lane[lane];
    }
};

template <typename Real>
__global__ void __launch_bounds__(256) add(const __grid_constant__ Elements elements) {
    for_each_element<Real, Real, Real>(elements, Sum());
}

template <typename Real>
__global__ void __launch_bounds__(256) multiply(const __grid_constant__ Elements elements) {
    for_each_element<Real, Real, Real>(elements, Product());
}
