// Convolution with one channel a group, or few outputs for each: too little is multiplied with each number for a tile, and what
// counts is that every number comes from memory once, and in order. Forward and back to the input a thread makes `width` channels
// (128 bits, where each has one output) of STRIP neighbouring pixels of a row, so that a tap's weights are read once for all of
// them; neighbouring threads have neighbouring channels. For the gradient to the weight see `correlate`.
#include "tiles.cuh"
#include "geometry.cuh"

const int STRIP = 4;

// w: (groups · outputs, 1, KH, KW) as it is. Of each group one channel and `outputs` others; back, the others are read. Blocks
// along y do phases from `first_phase` on, see product.cu.
template <typename Real, bool VECTOR>
__global__ void convolve(const Real* __restrict__ in, const Real* __restrict__ w, const Real* __restrict__ bias,
                         Real* __restrict__ out, const Geometry g, bool back, bool relu, int first_phase) {
    const int width = VECTOR ? Pack<Real>::lanes : 1;
    const int phase = first_phase + blockIdx.y;
    const Axis y = axis_y(g, back, phase), x = axis_x(g, back, phase);
    const int vectors = g.out_channels / width, strips = (x.outputs + STRIP - 1) / STRIP;
    const int place = blockIdx.x * blockDim.x + threadIdx.x;
    const Digits at = Digits::of(place / vectors, strips > 0 ? strips : 1, y.outputs > 0 ? y.outputs : 1);
    if (strips <= 0 || y.outputs <= 0 || at.high >= g.images) return;
    const int first = at.low * STRIP, channel = place % vectors * width;
    const int written = g.written, read = g.read, taps = g.kernel_height * g.kernel_width;
    const Taps rows = taps_y(g, back, phase), columns = taps_x(g, back, phase);

    Real sums[STRIP][width] = {};
    for (int member = 0; member < read; ++member) {
        const int source = channel / written * read + member;  // the channel that is read
        for (int ty = 0; ty < y.taps; ++ty) {
            const int row = at.middle * y.scale + y.read + ty * y.advance;
            if (unsigned(row) >= unsigned(g.height)) continue;
            const Real* line = in + (at.high * g.height + row) * g.width * g.channels + source;
            for (int tx = 0; tx < x.taps; ++tx) {
                const int tap = (rows.first + ty * rows.period) * g.kernel_width + columns.first + tx * columns.period;
                Real weights[width];
#pragma unroll
                for (int e = 0; e < width; ++e) weights[e] = w[(back ? source + e : channel + e) * taps + tap];
#pragma unroll
                for (int i = 0; i < STRIP; ++i) {
                    const int column = (first + i) * x.scale + x.read + tx * x.advance;
                    if (unsigned(column) >= unsigned(g.width)) continue;
                    Real values[width];
                    load<width>(values, line + column * g.channels);
#pragma unroll
                    for (int e = 0; e < width; ++e) sums[i][e] += values[e] * weights[e];
                }
            }
        }
    }
#pragma unroll
    for (int i = 0; i < STRIP; ++i) {
        if (first + i >= x.outputs) continue;
        const int row = y.start + at.middle * y.stride, column = x.start + (first + i) * x.stride;
#pragma unroll
        for (int e = 0; e < width; ++e) {
            if (bias) sums[i][e] += bias[channel + e];
            if (relu && sums[i][e] < 0) sums[i][e] = 0;
        }
        store<width>(out + ((at.high * g.out_height + row) * g.out_width + column) * g.out_channels + channel, sums[i]);
    }
}

const int LANES = 32;  // neighbouring channels
const int LINES = 8;   // pixels at a time, as in Geometry's step
const int TAPS = 9;    // of the kernel, whose sums a thread has in registers

// The gradient to the weight: a block takes LANES channels of dy and TAPS taps, and walks the pixels of its split, LINES at a time;
// dy is read once for all the taps, and of x the neighbours come from the cache. The lines' sums meet in shared memory.
// parts: (splits, groups, taps, outputs of a group), for sum_parts of weight.cu. Blocks lie along x by taps, along
// y by channels.
template <typename Real>
__global__ void __launch_bounds__(LANES * LINES, 4)  // with the 64 registers that this leaves a thread, none is spilled
    correlate(const Real* __restrict__ x, const Real* __restrict__ dy, Real* __restrict__ parts, const Geometry g, int pixels_each) {
    __shared__ Real shares[LINES][LANES];
    const int lane = threadIdx.x % LANES, line = threadIdx.x / LANES;
    const int channel = blockIdx.y * LANES + lane, first_tap = blockIdx.x * TAPS, split = blockIdx.z;
    const int written = g.written, taps = g.kernel_height * g.kernel_width;
    const int pixels = g.images * g.out_height * g.out_width, begin = split * pixels_each;
    const int end = begin + pixels_each < pixels ? begin + pixels_each : pixels;

    int top[TAPS], left[TAPS];
#pragma unroll
    for (int t = 0; t < TAPS; ++t) {
        const int tap = first_tap + t;
        top[t] = tap < taps ? tap / g.kernel_width * g.dilation_y - g.top : -(1 << 30);
        left[t] = tap % g.kernel_width * g.dilation_x - g.left;
    }
    Real sums[TAPS] = {};
    if (channel < g.out_channels) {
        Digits at = Digits::of(begin + line, g.out_width, g.out_height);
        for (int pixel = begin + line; pixel < end; pixel += LINES, at.add(g.step, g.out_width, g.out_height)) {
            const Real gradient = dy[pixel * g.out_channels + channel];
            const Real* image = x + at.high * g.height * g.width * g.channels + channel / written;
#pragma unroll
            for (int t = 0; t < TAPS; ++t) {
                const int row = at.middle * g.stride_y + top[t], column = at.low * g.stride_x + left[t];
                if (unsigned(row) < unsigned(g.height) && unsigned(column) < unsigned(g.width))
                    sums[t] += gradient * image[(row * g.width + column) * g.channels];
            }
        }
    }
#pragma unroll
    for (int t = 0; t < TAPS; ++t) {
        shares[line][lane] = sums[t];
        __syncthreads();
        if (line == 0 && channel < g.out_channels && first_tap + t < taps) {
            Real sum = 0;
#pragma unroll
            for (int i = 0; i < LINES; ++i) sum += shares[i][lane];
            const int group = channel / written;
            parts[(long long)split * g.out_channels * taps + (group * taps + first_tap + t) * written + channel % written] = sum;
        }
        __syncthreads();
    }
}
