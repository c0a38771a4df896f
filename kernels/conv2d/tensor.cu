// The implicit products of product.cu and weight.cu on tensor cores, in TF32: numbers of the images and of the weights are rounded
// to 10 bits of mantissa, products and sums are of float's 23. Channels of a group, read and written, must be in fours.
//
// A warp makes 64 x 64 sums of a block's 128 x 128. An instruction multiplies 16 x 8 by 8 x 8 numbers, for which each lane brings
// six: 32 of them, with what they need read from shared memory by eight instructions. Numbers are rounded when they are put into
// shared memory, the weights when they are packed, and never between the products.
#include "primitives.cuh"
#include "window.cuh"

const int DEPTH = 16, PAIRS = DEPTH / 2;  // terms, or pixels, of a round
const int ROWS = 128, COLUMNS = 128, WARP = 64;
const int THREADS = 32 * (ROWS / WARP) * (COLUMNS / WARP);
const int HIGH = WARP / 16, WIDE = WARP / 8;  // tiles of one instruction

// Rounded to TF32 as the instructions read it: they leave out the last 13 bits, so that half of what the last bit kept counts,
// added before, makes it a rounding. That half is the number's own power of two times 2^-11; NaN and infinity stay what they are.
__device__ __forceinline__ unsigned rounded(float value) {
    const float power = __uint_as_float(__float_as_uint(value) & 0xff800000u);
    return __float_as_uint(fmaf(power, 0x1p-11f, value));
}
__device__ __forceinline__ uint4 rounded(float a, float b, float c, float d) {
    return make_uint4(rounded(a), rounded(b), rounded(c), rounded(d));
}

// w (F, C/groups, KH, KW), rounded, as blocks read it, round by round: (groups, phases, rounds, padded channels written, DEPTH
// terms), with zeros where a phase has fewer terms, and behind the last channel. One thread an element.
__global__ void pack(const float* __restrict__ w, unsigned* __restrict__ packed, const Geometry g, bool back, int rounds, int padded,
                     int elements) {
    const int place = blockIdx.x * blockDim.x + threadIdx.x;
    if (place >= elements) return;
    const int n = place / DEPTH % padded, round = place / DEPTH / padded % rounds, term = round * DEPTH + place % DEPTH;
    const int phases = back ? g.stride_y * g.stride_x : 1, slice = place / DEPTH / padded / rounds, group = slice / phases;
    const Taps rows = taps_y(g, back, slice % phases), columns = taps_x(g, back, slice % phases);
    const int c = term % g.read, tap = term / g.read, taps = rows.count * columns.count;
    float value = 0;
    if (n < g.written && tap < taps) {
        const int y = rows.first + tap / columns.count * rows.period, x = columns.first + tap % columns.count * columns.period;
        const int line = back ? (group * g.read + c) * g.written + n : (group * g.written + n) * g.read + c;
        value = w[(line * g.kernel_height + y) * g.kernel_width + x];
    }
    packed[place] = rounded(value);
}

// Forward and back to the input: see product.cu. Both tiles have the terms side by side, 16 and 4 more: the eight lines of 16
// bytes that ldmatrix reads at once then lie in different banks.
__global__ void __launch_bounds__(THREADS, 2)
    convolve(const float* __restrict__ in, const unsigned* __restrict__ weights, const float* __restrict__ bias,
             float* __restrict__ out, const Geometry g, bool back, bool relu, int first_slice, int rounds, int padded) {
    const int LINE = DEPTH + 4, at_once = THREADS / (DEPTH / 4), loads = ROWS / at_once, weight_loads = COLUMNS / at_once;
    __shared__ __align__(16) unsigned images[2][ROWS][LINE];
    __shared__ __align__(16) unsigned kernels[2][COLUMNS][LINE];
    __shared__ Phase phase;

    const int phases = back ? g.stride_y * g.stride_x : 1, slice = first_slice + blockIdx.z, group = slice / phases;
    find_phase(phase, g, back, slice % phases, DEPTH);
    const int first_pixel = blockIdx.x * ROWS, pixels = g.images * phase.y.outputs * phase.x.outputs;
    if (first_pixel >= pixels) return;
    const int terms = phase.y.taps * phase.x.taps * g.read, first_channel = blockIdx.y * COLUMNS;
    const int quad = threadIdx.x % (DEPTH / 4) * 4, line = threadIdx.x / (DEPTH / 4);
    Window<float, loads, 4> window(g, phase, group, first_pixel + line, at_once, quad);
    const unsigned* weight = weights + (slice * rounds * padded + first_channel + line) * DEPTH + quad;

    float of_images[loads][4];  // on their way
    auto fetch = [&](int buffer) {
        window.read(of_images, in, g, phase);
#pragma unroll
        for (int i = 0; i < weight_loads; ++i)
            copy_async_16(&kernels[buffer][line + i * at_once][quad], weight + i * at_once * DEPTH);
        commit_copies();
        weight += padded * DEPTH;
    };
    auto keep = [&](int buffer) {
#pragma unroll
        for (int i = 0; i < loads; ++i) {
            const float(&four)[4] = of_images[i];
            *reinterpret_cast<uint4*>(&images[buffer][line + i * at_once][quad]) = rounded(four[0], four[1], four[2], four[3]);
        }
        wait_for_copies<0>();
    };

    // Lanes 8m to 8m + 7 tell ldmatrix where the lines of its matrix m lie: of images two times eight pixels, of weights two times
    // eight channels, in four and four terms.
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int warp_row = warp % 2 * WARP, warp_column = warp / 2 * WARP;
    const unsigned* of_image = &images[0][warp_row + lane % 16][lane / 16 * 4];
    const unsigned* of_kernel = &kernels[0][warp_column + lane / 16 * 8 + lane % 8][lane / 8 % 2 * 4];

    float sums[HIGH][WIDE][4] = {};
    if (terms > 0) {
        fetch(0);
        keep(0);
        __syncthreads();
    }
    for (int term = 0, buffer = 0; term < terms; term += DEPTH, buffer ^= 1) {
        const bool more = term + DEPTH < terms;
        if (more) fetch(buffer ^ 1);
#pragma unroll
        for (int k = 0; k < DEPTH; k += 8) {
            unsigned a[HIGH][4], b[WIDE][2];
#pragma unroll
            for (int i = 0; i < HIGH; ++i) load_matrix_x4(a[i], of_image + (buffer * ROWS + i * 16) * LINE + k);
#pragma unroll
            for (int j = 0; j < WIDE; j += 2) {
                unsigned two[4];
                load_matrix_x4(two, of_kernel + (buffer * COLUMNS + j * 8) * LINE + k);
                b[j][0] = two[0], b[j][1] = two[1], b[j + 1][0] = two[2], b[j + 1][1] = two[3];
            }
#pragma unroll
            for (int i = 0; i < HIGH; ++i)
#pragma unroll
                for (int j = 0; j < WIDE; ++j) mma_m16n8k8_tf32(sums[i][j], a[i], b[j]);
        }
        if (more) keep(buffer ^ 1);
        __syncthreads();
    }

    // A lane has two neighbouring channels of lines lane/4 and lane/4 + 8 of each tile.
    const int last_pixel = g.images * phase.y.outputs * phase.x.outputs - 1;
#pragma unroll
    for (int i = 0; i < HIGH * 2; ++i) {
        const int pixel = first_pixel + warp_row + i * 8 + lane / 4;
        if (pixel > last_pixel) continue;
        float* to = out + place_of(g, phase, pixel, phases == 1) * g.out_channels + group * g.written;
#pragma unroll
        for (int j = 0; j < WIDE; ++j) {
            const int channel = first_channel + warp_column + j * 8 + lane % 4 * 2;
            if (channel >= g.written) continue;
            float2 pair = make_float2(sums[i / 2][j][i % 2 * 2], sums[i / 2][j][i % 2 * 2 + 1]);
            if (bias) pair.x += bias[group * g.written + channel], pair.y += bias[group * g.written + channel + 1];
            if (relu && pair.x < 0) pair.x = 0;
            if (relu && pair.y < 0) pair.y = 0;
            *reinterpret_cast<float2*>(to + channel) = pair;
        }
    }
}

// The gradient to the weight: see weight.cu. The sum is over pixels, which lie apart in memory, and ldmatrix cannot turn numbers of
// 32 bits round. But which of a tile's rows an instruction takes for its first, its second, is free, and so with columns and
// pixels, if all agree: rows r and r + 8 are here neighbouring terms, columns of two tiles neighbouring channels, and pixels k and
// k + 4 eight pixels apart. They lie in shared memory as squares of two by two, 128 bits that are just what a lane brings to a
// tile, or to two: for the terms pixel by pixel, for the channels channel by channel. Those of dy are put together beforehand.

// dy, rounded, as blocks read it: (groups, rounds of DEPTH pixels, pairs of pixels, channels by twos, 2, 2), with zeros behind the
// last pixel. A block whose channels are not COLUMNS reads on in the next line, for sums that it does not store: behind the last
// line are zeros for that. One thread a square.
__global__ void pack_gradient(const float* __restrict__ dy, unsigned* __restrict__ packed, const Geometry g, int squares) {
    const int place = blockIdx.x * blockDim.x + threadIdx.x;
    if (place >= squares) return;
    const int twos = g.written / 2, channel = place % twos * 2, pair = place / twos % PAIRS;
    const int pixels = g.images * g.out_height * g.out_width, rounds = (pixels + DEPTH - 1) / DEPTH;
    const int round = place / twos / PAIRS % rounds, group = place / twos / PAIRS / rounds;
    float square[2][2] = {};
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const int pixel = round * DEPTH + half * PAIRS + pair;
        if (pixel >= pixels || group >= g.groups) continue;
        const float* from = dy + pixel * g.out_channels + group * g.written + channel;
        square[0][half] = from[0], square[1][half] = from[1];
    }
    reinterpret_cast<uint4*>(packed)[place] = rounded(square[0][0], square[0][1], square[1][0], square[1][1]);
}

__global__ void __launch_bounds__(THREADS, 2)
    correlate(const float* __restrict__ x, const unsigned* __restrict__ dy, float* __restrict__ parts, const Geometry g,
              int pixels_each) {
    const int at_once = THREADS / PAIRS * 4, row_loads = ROWS / at_once, column_loads = COLUMNS / at_once;
    const int ROW_LINE = ROWS * 2 + 8, COLUMN_LINE = COLUMNS * 2 + 8;
    __shared__ __align__(16) unsigned windows[2][PAIRS][ROW_LINE];
    __shared__ __align__(16) unsigned gradients[2][PAIRS][COLUMN_LINE];

    const int group = blockIdx.z % g.groups, split = blockIdx.z / g.groups;
    const int terms = g.kernel_height * g.kernel_width * g.read, first_row = blockIdx.x * ROWS, first_column = blockIdx.y * COLUMNS;
    const int begin = split * pixels_each, pixels = g.images * g.out_height * g.out_width;
    const int end = begin + pixels_each < pixels ? begin + pixels_each : pixels;

    const int line = threadIdx.x % PAIRS, place = threadIdx.x / PAIRS * 4;
    int top[row_loads], left[row_loads];
    const float* from[row_loads];
#pragma unroll
    for (int i = 0; i < row_loads; ++i) {
        const int term = first_row + place + i * at_once;
        const Digits at = Digits::of(term, g.read, g.kernel_width);
        top[i] = term < terms ? at.high * g.dilation_y - g.top : OUTSIDE;
        left[i] = at.middle * g.dilation_x - g.left;
        from[i] = x + (((at.high * g.dilation_y - g.top) * g.width + left[i]) * g.channels + group * g.read + at.low);
    }
    Digits digits = Digits::of(begin + line, g.out_width, g.out_height);  // column and row of the pixel, and its image
    const int rounds = (pixels + DEPTH - 1) / DEPTH;
    const long long lines = (long long)(group * rounds + begin / DEPTH) * PAIRS + line;
    const unsigned* gradient = dy + (lines * g.written + first_column + place) * 2;
    unsigned *to_windows = &windows[0][line][place * 2], *to_gradients = &gradients[0][line][place * 2];

    float of_windows[row_loads][2][4];  // on their way
    auto fetch = [&](int pixel, int buffer) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const bool there = pixel + line + half * PAIRS < end;
            const int down = digits.middle * g.stride_y, right = digits.low * g.stride_x;
            const int offset = ((digits.high * g.height + down) * g.width + right) * g.channels;
#pragma unroll
            for (int i = 0; i < row_loads; ++i) {
                const bool inside = unsigned(top[i] + down) < unsigned(g.height) && unsigned(left[i] + right) < unsigned(g.width);
#pragma unroll
                for (int e = 0; e < 4; ++e) of_windows[i][half][e] = 0;
                if (there && inside) load<4>(of_windows[i][half], from[i] + offset);
            }
            digits.add(g.step, g.out_width, g.out_height);
        }
#pragma unroll
        for (int j = 0; j < column_loads * 2; ++j)
            copy_async_16(to_gradients + buffer * PAIRS * COLUMN_LINE + j / 2 * at_once * 2 + j % 2 * 4,
                          gradient + j / 2 * at_once * 2 + j % 2 * 4);
        commit_copies();
        gradient += PAIRS * g.written * 2;
    };
    auto keep = [&](int buffer) {
#pragma unroll
        for (int i = 0; i < row_loads; ++i) {
            const float(&p)[4] = of_windows[i][0], (&q)[4] = of_windows[i][1];
            uint4* to = reinterpret_cast<uint4*>(to_windows + buffer * PAIRS * ROW_LINE + i * at_once * 2);
            to[0] = rounded(p[0], p[1], q[0], q[1]), to[1] = rounded(p[2], p[3], q[2], q[3]);
        }
        wait_for_copies<0>();
    };

    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int warp_row = warp % 2 * WARP, warp_column = warp / 2 * WARP;
    const unsigned *of_rows = &windows[0][lane % 4][warp_row * 2 + lane / 4 * 4];
    const unsigned *of_columns = &gradients[0][lane % 4][warp_column * 2 + lane / 4 * 4];
    float sums[HIGH][WIDE][4] = {};
    fetch(begin, 0);
    keep(0);
    __syncthreads();
    for (int pixel = begin, buffer = 0; pixel < end; pixel += DEPTH, buffer ^= 1) {
        const bool more = pixel + DEPTH < end;
        if (more) fetch(pixel + DEPTH, buffer ^ 1);
#pragma unroll
        for (int k = 0; k < PAIRS; k += 4) {
            unsigned a[HIGH][4], b[WIDE][2];
#pragma unroll
            for (int i = 0; i < HIGH; ++i) load<4>(a[i], of_rows + (buffer * PAIRS + k) * ROW_LINE + i * 32);
#pragma unroll
            for (int j = 0; j < WIDE; j += 2) {
                unsigned two[4];
                load<4>(two, of_columns + (buffer * PAIRS + k) * COLUMN_LINE + j * 16);
                b[j][0] = two[0], b[j][1] = two[1], b[j + 1][0] = two[2], b[j + 1][1] = two[3];
            }
#pragma unroll
            for (int i = 0; i < HIGH; ++i)
#pragma unroll
                for (int j = 0; j < WIDE; ++j) mma_m16n8k8_tf32(sums[i][j], a[i], b[j]);
        }
        if (more) keep(buffer ^ 1);
        __syncthreads();
    }

    float* part = parts + (long long)blockIdx.z * terms * g.written;
#pragma unroll
    for (int i = 0; i < HIGH * 2; ++i) {
        const int term = first_row + warp_row + i / 2 * 16 + lane / 4 * 2 + i % 2, e = i % 2 * 2;
        if (term >= terms) continue;
#pragma unroll
        for (int j = 0; j < WIDE; j += 2) {
            const int channel = first_column + warp_column + j * 8 + lane % 4 * 4;
            const float(&one)[4] = sums[i / 2][j], (&other)[4] = sums[i / 2][j + 1];
            const float four[4] = {one[e], other[e], one[e + 1], other[e + 1]};
            if (channel < g.written) store<4>(part + term * g.written + channel, four);
        }
    }
}
