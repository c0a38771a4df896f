// Pooling of channels-last images: maxima with their places, averages, and the ways back, each by gathering.
//
// A thread makes LANES channels beside each other of one pixel of the result, and looks for itself at all that goes into it: no
// two threads write to one place, and no sums meet. Neighbouring threads have neighbouring channels and then the next pixel of
// the row, so that each tap of a warp's windows is one piece of memory or a few.
#include "packs.cuh"

// The pixels first, first + step, ... of a window along one axis, `count` of them, all in the image. `whole` counts those in the
// padding too.
struct Window {
    int first, step, count, whole;
};

// How windows walk along an axis: i stride - padding + k dilation for k < kernel, or over an adaptive grid where kernel is 0.
struct Axis {
    int size, windows, kernel, stride, padding, dilation;

    __device__ __forceinline__ Window window(int i) const {
        if (kernel == 0) {
            const int first = int((long long)i * size / windows);
            const int past = int(((long long)(i + 1) * size + windows - 1) / windows);
            return {first, 1, past - first, past - first};
        }
        const int start = i * stride - padding;
        int first = start, last = start + (kernel - 1) * dilation;
        if (first < 0) first += (-first + dilation - 1) / dilation * dilation;
        if (last >= size) last -= (last - size + dilation) / dilation * dilation;
        return {first, dilation, (last - first) / dilation + 1, min(start + kernel, size + padding) - start};
    }
    // The first window that holds a pixel, and the last; of those that walk without dilation.
    __device__ __forceinline__ int first_with(int pixel) const {
        if (kernel == 0) return int((long long)pixel * windows / size);
        const int from = pixel + padding - kernel + 1;
        return from <= 0 ? 0 : (from + stride - 1) / stride;
    }
    __device__ __forceinline__ int last_with(int pixel) const {
        const int last = kernel == 0 ? int(((long long)(pixel + 1) * windows + size - 1) / size) - 1
                                     : (pixel + padding) / stride;
        return min(last, windows - 1);
    }
};

// Which pixel of which image a thread makes: row `row` of all images' rows, whose pixels have `units` threads each.
struct Place {
    int image, row, column, channel;
    bool there;
};

template <int LANES>
__device__ __forceinline__ Place place_of(int rows, int height, int width, int channels) {
    const int units = channels / LANES;
    const int number = blockIdx.x * blockDim.y + threadIdx.y, along = blockIdx.y * blockDim.x + threadIdx.x;
    const int image = number / height, column = along / units;
    return {image, number - image * height, column, (along - column * units) * LANES, number < rows && along < width * units};
}

// The greatest of each window, and its place h W + w in the image. Of equal ones the first counts, of NaNs the last.
template <typename Real, int LANES>
__global__ void __launch_bounds__(128, 4)
max_forward(const Real* __restrict__ x, Real* __restrict__ y, long long* __restrict__ indices, int images, int channels,
            int height, int out_height, int kernel_h, int stride_h, int padding_h, int dilation_h, int width, int out_width,
            int kernel_w, int stride_w, int padding_w, int dilation_w) {
    const Place here = place_of<LANES>(images * out_height, out_height, out_width, channels);
    if (!here.there) return;
    const Axis down = {height, out_height, kernel_h, stride_h, padding_h, dilation_h};
    const Axis across = {width, out_width, kernel_w, stride_w, padding_w, dilation_w};
    const Window rows = down.window(here.row), columns = across.window(here.column);
    const Real* image = x + (long long)here.image * height * width * channels + here.channel;
    Lanes<Real, LANES> best;
    int where[LANES];
    for (int k = 0; k < rows.count; ++k) {
        const int begin = (rows.first + k * rows.step) * width + columns.first;
#pragma unroll 4
        for (int l = 0; l < columns.count; ++l) {
            const int pixel = begin + l * columns.step;
            const Lanes<Real, LANES> value = load_lanes<LANES>(image + (long long)pixel * channels);
#pragma unroll
            for (int lane = 0; lane < LANES; ++lane) {
                const Real one = value.lane[lane];
                if ((k == 0 && l == 0) || one > best.lane[lane] || one != one) best.lane[lane] = one, where[lane] = pixel;
            }
        }
    }
    const long long place =
        (((long long)here.image * out_height + here.row) * out_width + here.column) * channels + here.channel;
    store_lanes(y + place, best);
#pragma unroll
    for (int lane = 0; lane < LANES; ++lane) indices[place + lane] = where[lane];
}

// dx, all 0 before, gets each dy at the place of its index. A thread has a channel of an image to itself and goes over its
// windows in order: sums need no atomics, and are the same bits each time. It takes eight at a time, so that their loads are
// under way together: those among them that meet in one place are put together first.
template <typename Real>
__global__ void __launch_bounds__(64)
max_backward(const Real* __restrict__ dy, const long long* __restrict__ indices, Real* __restrict__ dx, int images,
             int channels, int windows, int pixels) {
    const int number = blockIdx.x * blockDim.x + threadIdx.x;
    if (number >= images * channels) return;
    const int image = number / channels, channel = number - image * channels;
    dy += (long long)image * windows * channels + channel, indices += (long long)image * windows * channels + channel;
    dx += (long long)image * pixels * channels + channel;
    const int SOME = 8;
    for (int window = 0; window < windows; window += SOME) {
        int to[SOME];
        Real slope[SOME], sum[SOME];
#pragma unroll
        for (int i = 0; i < SOME; ++i) {
            const bool there = window + i < windows;
            const long long place = (long long)(window + i) * channels;
            to[i] = there ? int(indices[place]) : -1;
            slope[i] = there ? dy[place] : Real(0);
        }
#pragma unroll
        for (int i = 1; i < SOME; ++i)
#pragma unroll
            for (int j = 0; j < i; ++j)
                if (to[i] >= 0 && to[j] == to[i]) slope[j] += slope[i], to[i] = -1;
#pragma unroll
        for (int i = 0; i < SOME; ++i) sum[i] = to[i] < 0 ? Real(0) : dx[(long long)to[i] * channels];
#pragma unroll
        for (int i = 0; i < SOME; ++i)
            if (to[i] >= 0) dx[(long long)to[i] * channels] = sum[i] + slope[i];
    }
}

// The numbers at the places of indices.
template <typename Real>
__global__ void __launch_bounds__(256)
max_gather(const Real* __restrict__ x, const long long* __restrict__ indices, Real* __restrict__ y, long long count,
           int channels, int windows, int pixels) {
    const long long number = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (number >= count) return;
    const long long pixel = number / channels, image = pixel / windows;
    y[number] = x[(image * pixels + indices[number]) * channels + (number - pixel * channels)];
}

// What a sum over a window is divided by.
__device__ __forceinline__ int divisor_of(const Window& rows, const Window& columns, bool with_padding, int divisor) {
    return divisor != 0 ? divisor : with_padding ? rows.whole * columns.whole : rows.count * columns.count;
}

template <typename Real, int LANES>
__global__ void __launch_bounds__(128, 4)
avg_forward(const Real* __restrict__ x, Real* __restrict__ y, int images, int channels, int height, int out_height,
            int kernel_h, int stride_h, int padding_h, int dilation_h, int width, int out_width, int kernel_w, int stride_w,
            int padding_w, int dilation_w, bool with_padding, int divisor) {
    const Place here = place_of<LANES>(images * out_height, out_height, out_width, channels);
    if (!here.there) return;
    const Axis down = {height, out_height, kernel_h, stride_h, padding_h, dilation_h};
    const Axis across = {width, out_width, kernel_w, stride_w, padding_w, dilation_w};
    const Window rows = down.window(here.row), columns = across.window(here.column);
    const Real* image = x + (long long)here.image * height * width * channels + here.channel;
    Lanes<Real, LANES> total = {};
    for (int k = 0; k < rows.count; ++k) {
        const int begin = (rows.first + k * rows.step) * width + columns.first;
#pragma unroll 4
        for (int l = 0; l < columns.count; ++l) {
            const Lanes<Real, LANES> value = load_lanes<LANES>(image + (long long)(begin + l * columns.step) * channels);
#pragma unroll
            for (int lane = 0; lane < LANES; ++lane) total.lane[lane] += value.lane[lane];
        }
    }
    const Real count = Real(divisor_of(rows, columns, with_padding, divisor));
#pragma unroll
    for (int lane = 0; lane < LANES; ++lane) total.lane[lane] /= count;
    const long long place =
        (((long long)here.image * out_height + here.row) * out_width + here.column) * channels + here.channel;
    store_lanes(y + place, total);
}

// Each pixel of dx gathers from the windows that hold it.
template <typename Real, int LANES>
__global__ void __launch_bounds__(128, 4)
avg_backward(const Real* __restrict__ dy, Real* __restrict__ dx, int images, int channels, int height, int out_height,
             int kernel_h, int stride_h, int padding_h, int dilation_h, int width, int out_width, int kernel_w, int stride_w,
             int padding_w, int dilation_w, bool with_padding, int divisor) {
    const Place here = place_of<LANES>(images * height, height, width, channels);
    if (!here.there) return;
    const Axis down = {height, out_height, kernel_h, stride_h, padding_h, dilation_h};
    const Axis across = {width, out_width, kernel_w, stride_w, padding_w, dilation_w};
    const int last_row = down.last_with(here.row), last_column = across.last_with(here.column);
    const Real* slopes = dy + (long long)here.image * out_height * out_width * channels + here.channel;
    Lanes<Real, LANES> total = {};
    for (int i = down.first_with(here.row); i <= last_row; ++i) {
        const Window rows = down.window(i);
        for (int j = across.first_with(here.column); j <= last_column; ++j) {
            const Real share = Real(1) / Real(divisor_of(rows, across.window(j), with_padding, divisor));
            const Lanes<Real, LANES> slope = load_lanes<LANES>(slopes + (long long)(i * out_width + j) * channels);
#pragma unroll
            for (int lane = 0; lane < LANES; ++lane) total.lane[lane] += slope.lane[lane] * share;
        }
    }
    const long long place = (((long long)here.image * height + here.row) * width + here.column) * channels + here.channel;
    store_lanes(dx + place, total);
}
