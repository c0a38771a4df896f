// Mean and variance of channels, and the sums that strips leave put together.
//
// Numbers far from 0 must keep their digits, and float64 is slow on many GPUs. So 16 numbers at a time are summed in the table's
// own type, as differences from the first of them; the mean and the squares of these few are joined to those of before in
// float64 (Chan, Golub and LeVeque 1979). Where the squares leave float32's range the 16 are summed again in float64.
#include "strips.cuh"

const int FEW = 16;

// Some numbers: how many, their mean, and the sum of their squared differences from it.
struct Moments {
    double count, mean, squares;

    __device__ __forceinline__ void add(const Moments& other) {
        const double total = count + other.count;
        if (total == 0.0) return;
        const double share = other.count / total, apart = other.mean - mean;
        squares += other.squares + apart * apart * (count * share);
        mean = mean * (count / total) + other.mean * share;
        count = total;
    }
};

__device__ __forceinline__ bool in_range(float sum, float squares) {
    return squares < 1e37f && (squares > 1e-30f || (sum == 0.0f && squares == 0.0f));
}
__device__ __forceinline__ bool in_range(double, double) { return true; }

// Those of up to FEW numbers, `step` apart, from their differences from the first of them; from 0 if that is not finite.
template <typename Wide, typename Real>
__device__ __forceinline__ void sum_few(const Real* numbers, long long step, int count, Wide origin, Wide& sum, Wide& squares) {
    sum = squares = Wide(0);
    for (int i = 0; i < count; ++i) {
        const Wide apart = Wide(numbers[i * step]) - origin;
        sum += apart, squares += apart * apart;
    }
}

__device__ __forceinline__ Moments moments_of(int count, double origin, double sum, double squares) {
    const double middle = sum / count;
    return {double(count), origin + middle, squares - sum * middle};
}

template <typename Real, int LANES>
__global__ void __launch_bounds__(256, 2)
moments_of_strips(const Real* __restrict__ x, double* __restrict__ means, double* __restrict__ squares, int pixels, int channels,
                  int strips, int strip) {
    __shared__ Moments parts[STRIP_THREADS];
    const Strip here = strip_of<LANES>(pixels, channels, strips, strip);
    const int down = blockDim.y;
    const long long step = (long long)down * channels;
    Moments all[LANES] = {};
    for (int some = here.first; some < here.last; some += FEW * down) {
        const Real* numbers = x + here.start + (long long)some * channels;
        Lanes<Real, LANES> origin = load_lanes<LANES>(numbers);
#pragma unroll
        for (int lane = 0; lane < LANES; ++lane)
            if (!(origin.lane[lane] - origin.lane[lane] == Real(0))) origin.lane[lane] = Real(0);
        Real sum[LANES] = {}, square[LANES] = {};
        int count = 0;
#pragma unroll 8
        for (int i = 0; i < FEW; ++i) {
            if (some + i * down >= here.last) break;
            const Lanes<Real, LANES> value = load_lanes<LANES>(numbers + i * step);
#pragma unroll
            for (int lane = 0; lane < LANES; ++lane) {
                const Real apart = value.lane[lane] - origin.lane[lane];
                sum[lane] += apart, square[lane] += apart * apart;
            }
            ++count;
        }
#pragma unroll
        for (int lane = 0; lane < LANES; ++lane) {
            double wide_sum = sum[lane], wide_square = square[lane];
            const double from = origin.lane[lane];
            if (!in_range(sum[lane], square[lane])) sum_few(numbers + lane, step, count, from, wide_sum, wide_square);
            all[lane].add(moments_of(count, from, wide_sum, wide_square));
        }
    }
#pragma unroll
    for (int lane = 0; lane < LANES; ++lane) {
        __syncthreads();
        parts[here.number] = all[lane];
        for (int half = down / 2; half > 0; half /= 2) {
            __syncthreads();
            if ((int)threadIdx.y < half) parts[here.number].add(parts[here.number + half * blockDim.x]);
        }
        if (threadIdx.y == 0 && here.own < here.channels) {
            const long long place = (long long)blockIdx.x * channels + here.channel + lane;
            means[place] = parts[here.number].mean, squares[place] = parts[here.number].squares;
        }
    }
}

// The teams below are `width` neighbouring lanes, a power of two, as many as there is work for.
__device__ __forceinline__ int team_number(int width) { return blockIdx.x * (blockDim.x / width) + threadIdx.x / width; }

// A member's number and those of its neighbours in the team together, in the first member.
__device__ __forceinline__ double sum_of_team(double own, int width) {
    for (int apart = width / 2; apart > 0; apart /= 2) own += __shfl_down_sync(0xffffffffu, own, apart);
    return own;
}

// Of the strips' moments those of `all` groups, a team for each, its members along strips and channels.
__global__ void __launch_bounds__(128)
moments_of_groups(const double* __restrict__ means, const double* __restrict__ squares, double* __restrict__ mean,
                  double* __restrict__ var, int all, int groups, int channels, int pixels, int strips, int strip, int width) {
    const int number = team_number(width), member = threadIdx.x % width;
    const int sample = number / groups, size = channels / groups, first = (number - sample * groups) * size;
    const int count = number < all ? strips * size : 0;
    Moments own = {};
    for (int i = member; i < count; i += width) {
        const int part = i / size;
        const long long place = ((long long)sample * strips + part) * channels + first + (i - part * size);
        own.add({double(min(strip, pixels - part * strip)), means[place], squares[place]});
    }
    for (int apart = width / 2; apart > 0; apart /= 2)
        own.add({__shfl_down_sync(0xffffffffu, own.count, apart), __shfl_down_sync(0xffffffffu, own.mean, apart),
                 __shfl_down_sync(0xffffffffu, own.squares, apart)});
    if (number >= all || member != 0) return;
    mean[number] = own.mean;
    const double spread = own.squares / own.count;
    var[number] = spread < 0.0 ? 0.0 : spread;
}

// Of the strips' sums those of `all` channels of samples, a team for each. Where a channel is a group, its means times w too.
template <typename Real>
__global__ void __launch_bounds__(128)
sums_of_channels(const double* __restrict__ sums, const double* __restrict__ products, const Real* __restrict__ w,
                 double* __restrict__ totals, double* __restrict__ alongs, double* __restrict__ level,
                 double* __restrict__ along, int all, int channels, int pixels, int strips, int width) {
    const int number = team_number(width), member = threadIdx.x % width;
    const int sample = number / channels, channel = number - sample * channels;
    double total = 0.0, product = 0.0;
    for (int part = member; part < strips && number < all; part += width) {
        const long long place = ((long long)sample * strips + part) * channels + channel;
        total += sums[place], product += products[place];
    }
    total = sum_of_team(total, width), product = sum_of_team(product, width);
    if (number >= all || member != 0) return;
    totals[number] = total, alongs[number] = product;
    const double scale = (w ? double(w[channel]) : 1.0) / pixels;
    if (level) level[number] = scale * total, along[number] = scale * product;
}

// Of the channels' sums, times w, the means of `all` groups, a team for each.
template <typename Real>
__global__ void __launch_bounds__(128)
means_of_groups(const double* __restrict__ totals, const double* __restrict__ alongs, const Real* __restrict__ w,
                double* __restrict__ level, double* __restrict__ along, int all, int groups, int channels, int pixels,
                int width) {
    const int number = team_number(width), member = threadIdx.x % width;
    const int sample = number / groups, size = channels / groups, first = (number - sample * groups) * size;
    double total = 0.0, product = 0.0;
    for (int channel = first + member; channel < first + size && number < all; channel += width) {
        const long long place = (long long)sample * channels + channel;
        const double scale = w ? double(w[channel]) : 1.0;
        total += scale * totals[place], product += scale * alongs[place];
    }
    total = sum_of_team(total, width), product = sum_of_team(product, width);
    if (number >= all || member != 0) return;
    const double count = double(pixels) * size;
    level[number] = total / count, along[number] = product / count;
}

// dw and db: sums over samples, or strips. A thread has a channel.
template <typename Real>
__global__ void __launch_bounds__(128)
grad_parameters(const double* __restrict__ totals, const double* __restrict__ alongs, Real* __restrict__ dw,
                Real* __restrict__ db, int count, int channels) {
    const int channel = blockIdx.x * blockDim.x + threadIdx.x;
    if (channel >= channels) return;
    double total = 0.0, along = 0.0;
#pragma unroll 4
    for (int i = 0; i < count; ++i) {
        const long long place = (long long)i * channels + channel;
        total += totals[place], along += alongs[place];
    }
    dw[channel] = Real(along), db[channel] = Real(total);
}
