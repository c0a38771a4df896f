// Batch, group and instance norm: passes over tables (samples, pixels, channels), with values of each channel.
//
// What is the same for all pixels of a channel is computed once in a block, in float64, and lies in shared memory. A mean is
// split into `high`, of the table's type, and what that rounds off: x - high is exact where x is near the mean.
#include "strips.cuh"

// Statistics (samples, groups) of a channel in a sample, where there is one row of them for all samples or one for each.
struct Statistics {
    const double *mean, *var;
    double eps;
    int own;     // whether each sample has its own
    int groups;
    int size;    // channels of a group

    __device__ __forceinline__ long long place(int sample, int channel) const {
        return (long long)(own ? sample : 0) * groups + channel / size;
    }
};

// A line in x: (x - origin) slope + offset.
template <typename Real>
struct Line {
    Real origin, slope, offset;
    __device__ __forceinline__ Real operator()(Real x) const { return (x - origin) * slope + offset; }
};

// scale (x - mean) / sqrt(var + eps) + shift.
template <typename Real>
__device__ __forceinline__ Line<Real> line_of(const Statistics& of, long long place, double scale, double shift) {
    const double mean = of.mean[place], slope = scale / sqrt(of.var[place] + of.eps);
    const Real high = Real(mean);
    const double rest = mean - double(high);
    const double back = rest == rest ? rest * slope : 0.0;  // of an infinite mean nothing is rounded off
    return {high, Real(slope), Real(shift - back)};
}

template <typename Real>
__device__ __forceinline__ double one_of(const Real* values, int channel, double otherwise) {
    return values ? double(values[channel]) : otherwise;
}

// y = w n + b (+ residual), rectified where it is asked for.
template <typename Real, int LANES>
__global__ void __launch_bounds__(256, 2)
normalize(const Real* __restrict__ x, const double* __restrict__ mean, const double* __restrict__ var,
          const Real* __restrict__ w, const Real* __restrict__ b, const Real* __restrict__ residual, Real* __restrict__ y,
          int pixels, int channels, int groups, bool own, double eps, bool relu, int strips, int strip) {
    __shared__ Line<Real> lines[STRIP_CHANNELS];
    const Strip here = strip_of<LANES>(pixels, channels, strips, strip);
    const Statistics of = {mean, var, eps, own, groups, channels / groups};
    for (int i = here.number; i < here.channels; i += blockDim.x * blockDim.y) {
        const int channel = here.first_channel + i;
        lines[i] = line_of<Real>(of, of.place(here.sample, channel), one_of(w, channel, 1.0), one_of(b, channel, 0.0));
    }
    __syncthreads();
    if (here.first >= here.last) return;
    Line<Real> line[LANES];
#pragma unroll
    for (int lane = 0; lane < LANES; ++lane) line[lane] = lines[here.own + lane];
#pragma unroll 4
    for (int pixel = here.first; pixel < here.last; pixel += blockDim.y) {
        const long long place = here.start + (long long)pixel * channels;
        Lanes<Real, LANES> value = load_lanes<LANES>(x + place), added;
        if (residual) added = load_lanes<LANES>(residual + place);
#pragma unroll
        for (int lane = 0; lane < LANES; ++lane) {
            Real z = line[lane](value.lane[lane]);
            if (residual) z += added.lane[lane];
            value.lane[lane] = relu && z <= Real(0) ? Real(0) : z;
        }
        store_lanes(y + place, value);
    }
}

// What lets a gradient pass: all, where the forward's sum, made again, is not at most 0, or where its result y is not.
const int OPEN = 0, BY_SUM = 1, BY_RESULT = 2;

// Of each strip and channel the sums of g and g n. Where y gates, g is written, for the second pass and for the residual.
template <typename Real, int LANES>
__global__ void __launch_bounds__(256, 2)
sum_gradients(const Real* __restrict__ dy, const Real* __restrict__ x, const Real* __restrict__ y,
              const double* __restrict__ mean, const double* __restrict__ var, const Real* __restrict__ w,
              const Real* __restrict__ b, Real* __restrict__ gated, double* __restrict__ sums,
              double* __restrict__ products, int pixels, int channels, int groups, bool own, double eps, int gate, int strips,
              int strip) {
    __shared__ Line<Real> normals[STRIP_CHANNELS], lines[STRIP_CHANNELS];
    __shared__ double parts[2][STRIP_THREADS];
    const Strip here = strip_of<LANES>(pixels, channels, strips, strip);
    const Statistics of = {mean, var, eps, own, groups, channels / groups};
    for (int i = here.number; i < here.channels; i += blockDim.x * blockDim.y) {
        const int channel = here.first_channel + i;
        const long long place = of.place(here.sample, channel);
        normals[i] = line_of<Real>(of, place, 1.0, 0.0);
        if (gate == BY_SUM) lines[i] = line_of<Real>(of, place, one_of(w, channel, 1.0), one_of(b, channel, 0.0));
    }
    __syncthreads();
    Line<Real> normal[LANES] = {}, line[LANES] = {};
    if (here.own < here.channels) {
#pragma unroll
        for (int lane = 0; lane < LANES; ++lane) {
            normal[lane] = normals[here.own + lane];
            if (gate == BY_SUM) line[lane] = lines[here.own + lane];
        }
    }
    double total[LANES] = {}, along[LANES] = {};
    const int down = blockDim.y;
    for (int some = here.first; some < here.last; some += 8 * down) {
        Real few[LANES] = {}, few_along[LANES] = {};  // eight terms at a time are added in the table's own type
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            const int pixel = some + i * down;
            if (pixel >= here.last) break;
            const long long place = here.start + (long long)pixel * channels;
            Lanes<Real, LANES> g = load_lanes<LANES>(dy + place), result;
            const Lanes<Real, LANES> value = load_lanes<LANES>(x + place);
            if (gate == BY_RESULT) result = load_lanes<LANES>(y + place);
#pragma unroll
            for (int lane = 0; lane < LANES; ++lane) {
                const Real sum = gate == BY_SUM ? line[lane](value.lane[lane]) : result.lane[lane];
                if (gate != OPEN && sum <= Real(0)) g.lane[lane] = Real(0);
                few[lane] += g.lane[lane];
                few_along[lane] += g.lane[lane] * normal[lane](value.lane[lane]);
            }
            if (gate == BY_RESULT) store_lanes(gated + place, g);
        }
#pragma unroll
        for (int lane = 0; lane < LANES; ++lane) total[lane] += few[lane], along[lane] += few_along[lane];
    }
#pragma unroll
    for (int lane = 0; lane < LANES; ++lane) {
        __syncthreads();
        parts[0][here.number] = total[lane], parts[1][here.number] = along[lane];
        for (int half = down / 2; half > 0; half /= 2) {
            __syncthreads();
            if ((int)threadIdx.y < half) {
                parts[0][here.number] += parts[0][here.number + half * blockDim.x];
                parts[1][here.number] += parts[1][here.number + half * blockDim.x];
            }
        }
        if (threadIdx.y == 0 && here.own < here.channels) {
            const long long place = (long long)blockIdx.x * channels + here.channel + lane;
            sums[place] = parts[0][here.number], products[place] = parts[1][here.number];
        }
    }
}

// dx = r (w g - M[w g] - n M[w g n]), with the means of groups.
template <typename Real, int LANES>
__global__ void __launch_bounds__(256, 2)
grad_input(const Real* __restrict__ g, const Real* __restrict__ x, const double* __restrict__ mean,
           const double* __restrict__ var, const Real* __restrict__ w, const Real* __restrict__ b,
           const double* __restrict__ levels, const double* __restrict__ alongs, Real* __restrict__ dx, int pixels,
           int channels, int groups, bool own, double eps, int gate, int strips, int strip) {
    struct Slopes {
        Line<Real> normal;
        Real scale, level, along;  // r w, r M[w g], r M[w g n]
    };
    __shared__ Slopes all[STRIP_CHANNELS];
    __shared__ Line<Real> lines[STRIP_CHANNELS];
    const Strip here = strip_of<LANES>(pixels, channels, strips, strip);
    const Statistics of = {mean, var, eps, own, groups, channels / groups};
    for (int i = here.number; i < here.channels; i += blockDim.x * blockDim.y) {
        const int channel = here.first_channel + i;
        const long long place = of.place(here.sample, channel);
        const double r = 1.0 / sqrt(var[place] + eps), scale = one_of(w, channel, 1.0);
        all[i] = {line_of<Real>(of, place, 1.0, 0.0), Real(r * scale), Real(r * levels[place]), Real(r * alongs[place])};
        if (gate == BY_SUM) lines[i] = line_of<Real>(of, place, scale, one_of(b, channel, 0.0));
    }
    __syncthreads();
    if (here.first >= here.last) return;
    Slopes slopes[LANES];
    Line<Real> line[LANES] = {};
#pragma unroll
    for (int lane = 0; lane < LANES; ++lane) {
        slopes[lane] = all[here.own + lane];
        if (gate == BY_SUM) line[lane] = lines[here.own + lane];
    }
#pragma unroll 4
    for (int pixel = here.first; pixel < here.last; pixel += blockDim.y) {
        const long long place = here.start + (long long)pixel * channels;
        Lanes<Real, LANES> slope = load_lanes<LANES>(g + place);
        const Lanes<Real, LANES> value = load_lanes<LANES>(x + place);
#pragma unroll
        for (int lane = 0; lane < LANES; ++lane) {
            const Slopes& one = slopes[lane];
            Real own_slope = slope.lane[lane];
            if (gate == BY_SUM && line[lane](value.lane[lane]) <= Real(0)) own_slope = Real(0);
            slope.lane[lane] = one.scale * own_slope - one.level - one.normal(value.lane[lane]) * one.along;
        }
        store_lanes(dx + place, slope);
    }
}
