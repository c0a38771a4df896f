// Convolution as an implicit product, forward and back to the input: y (P, F) = columns (P, K) · w (K, F), P pixels, K terms.
//
// No columns are made: a block takes ROWS pixels and COLUMNS channels of the output, and walks the K terms, tap by tap and in
// each tap channel by channel, DEPTH at a time. Its threads read from the images what those terms are and put it into shared
// memory, weights beside it; then each adds the products of its HIGH x WIDE share to sums in registers. Shared memory has two
// buffers: while one is multiplied, what fills the other is on its way from global memory, and one barrier a round is enough.
//
// Channels lie side by side, so where a group's number of them is a multiple of the vector's, a thread reads 128 bits of one
// pixel (VECTOR); else one number. Its place among the terms is kept in digits: nothing is divided in the loop.
//
// The way back is the same product, with dy for x: see axis_back. Each phase of the stride is a slice of the grid.
#include "geometry.cuh"
#include "tiles.cuh"

const int DEPTH = 8;    // terms of a round
const int PADDING = 4;  // behind each line of images in shared memory, so that the columns written fall into different banks
const int OUTSIDE = -(1 << 30);

// w (F, C/groups, KH, KW) as the product wants it: (groups, taps, channels read, channels written), the last rounded up to
// `padded` with zeros. Taps lie phase by phase. One thread an element.
template <typename Real>
__global__ void pack(const Real* __restrict__ w, Real* __restrict__ packed, const Geometry g, bool back, int padded, int elements) {
    int place = blockIdx.x * blockDim.x + threadIdx.x;
    if (place >= elements) return;
    const int read = g.read, written = g.written, taps = g.kernel_height * g.kernel_width;
    const int n = place % padded, c = place / padded % read, group = place / padded / read / taps;
    const int y = place / padded / read % taps / g.kernel_width, x = place / padded / read % g.kernel_width;
    int tap = y * g.kernel_width + x;
    if (back) {
        const Taps rows = taps_of(g.kernel_height, g.stride_y, g.dilation_y, y * g.dilation_y % g.stride_y);
        const Taps columns = taps_of(g.kernel_width, g.stride_x, g.dilation_x, x * g.dilation_x % g.stride_x);
        tap = rows.before * g.kernel_width + rows.count * columns.before +
              (y - rows.first) / rows.period * columns.count + (x - columns.first) / columns.period;
    }
    const int line = back ? (group * read + c) * written + n : (group * written + n) * read + c;
    packed[((group * taps + tap) * read + c) * padded + n] =
        n < written ? w[(line * g.kernel_height + y) * g.kernel_width + x] : Real(0);
}

// weights: as packed. bias: one number for each channel written, or none.
template <typename Real, int ROWS, int COLUMNS, int HIGH, int WIDE, bool VECTOR>
__global__ void __launch_bounds__(ROWS / HIGH * (COLUMNS / WIDE), 2)
    convolve(const Real* __restrict__ in, const Real* __restrict__ weights, const Real* __restrict__ bias, Real* __restrict__ out,
             const Geometry g, bool back, bool relu) {
    typedef Tile<Real, ROWS, COLUMNS, HIGH, WIDE> Product;
    const int lanes = Pack<Real>::lanes, width = VECTOR ? lanes : 1;
    const int pixels_at_once = Product::threads / (DEPTH / width), loads = ROWS / pixels_at_once;
    static_assert(DEPTH * COLUMNS / lanes <= Product::threads, "a thread reads at most one vector of weights a round");
    __shared__ __align__(16) Real images[2][DEPTH][ROWS + PADDING];
    __shared__ __align__(16) Real kernels[2][DEPTH][COLUMNS];

    const int phases = back ? g.stride_y * g.stride_x : 1, group = blockIdx.z / phases;
    // What is the same for all threads lies in shared memory, and is read where it is needed: registers are for the sums.
    __shared__ Axis axes[2];
    __shared__ Digits step;
    const int padded = (g.written + 3) / 4 * 4;
    if (threadIdx.x < 2) {
        const Axis own = threadIdx.x == 0 ? axis_y(g, back, blockIdx.z % phases) : axis_x(g, back, blockIdx.z % phases);
        axes[threadIdx.x] = own;
        const Digits of_round = Digits::of(DEPTH, g.read, larger(own.taps, 1));
        if (threadIdx.x == 1) step = of_round;
    }
    __syncthreads();
    const Axis &y = axes[0], &x = axes[1];
    const int pixels = g.images * y.outputs * x.outputs, first_pixel = blockIdx.x * ROWS;
    if (first_pixel >= pixels) return;
    const int terms = y.taps * x.taps * g.read, thread = threadIdx.x;

    // What this thread reads of the images: from term `digits` on, `width` channels of each of `loads` pixels.
    const int in_line = thread % (DEPTH / width) * width, in_pixel = thread / (DEPTH / width);
    int top[loads], left[loads], base[loads];
#pragma unroll
    for (int i = 0; i < loads; ++i) {
        const int pixel = first_pixel + in_pixel + i * pixels_at_once;
        const Digits at = Digits::of(pixel, x.outputs, y.outputs);
        top[i] = pixel < pixels ? at.middle * y.scale + y.read : OUTSIDE;
        left[i] = at.low * x.scale + x.read;
        base[i] = ((at.high * g.height + at.middle * y.scale + y.read) * g.width + left[i]) * g.channels + group * g.read;
    }
    Digits digits = Digits::of(in_line, g.read, larger(x.taps, 1));  // channel, column and row of the tap

    // And of the weights: `lanes` channels of one term.
    const int weight_line = thread / (COLUMNS / lanes), weight_column = thread % (COLUMNS / lanes) * lanes;
    const int weight_channel = blockIdx.y * COLUMNS + weight_column;
    const bool has_weights = weight_line < DEPTH && weight_channel < padded;
    const int tap = y.before * x.all_taps + y.taps * x.before;
    int weight = ((group * y.all_taps * x.all_taps + tap) * g.read + weight_line) * padded + weight_channel;

    Real of_images[loads][width], of_weights[lanes];  // on their way
    auto fetch = [&](int term) {
        const int down = digits.high * y.advance, right = digits.middle * x.advance;
        const int offset = (down * g.width + right) * g.channels + digits.low;
        const bool any = digits.high < y.taps;
#pragma unroll
        for (int i = 0; i < loads; ++i) {
            const bool inside = unsigned(top[i] + down) < unsigned(g.height) && unsigned(left[i] + right) < unsigned(g.width);
#pragma unroll
            for (int e = 0; e < width; ++e) of_images[i][e] = 0;
            if (any && inside) load<width>(of_images[i], in + base[i] + offset);
        }
#pragma unroll
        for (int e = 0; e < lanes; ++e) of_weights[e] = 0;
        if (has_weights && term + weight_line < terms) load<lanes>(of_weights, weights + weight);
        digits.add(step, g.read, x.taps);
        weight += DEPTH * padded;
    };
    auto keep = [&](int buffer) {
#pragma unroll
        for (int i = 0; i < loads; ++i)
#pragma unroll
            for (int e = 0; e < width; ++e) images[buffer][in_line + e][in_pixel + i * pixels_at_once] = of_images[i][e];
        if (weight_line < DEPTH) store<lanes>(&kernels[buffer][weight_line][weight_column], of_weights);
    };

    Real sums[HIGH][WIDE] = {};
    const int row = Product::row(thread, 0), column = Product::column(thread, 0);
    if (terms > 0) {
        fetch(0);
        keep(0);
        __syncthreads();
    }
    for (int term = 0, buffer = 0; term < terms; term += DEPTH, buffer ^= 1) {
        const bool more = term + DEPTH < terms;
        if (more) fetch(term + DEPTH);
        Product::template multiply<DEPTH, ROWS + PADDING, COLUMNS>(sums, &images[buffer][0][row], &kernels[buffer][0][column]);
        if (more) keep(buffer ^ 1);
        __syncthreads();
    }

    const int last_pixel = g.images * y.outputs * x.outputs - 1;
    const bool by_vectors = g.written % lanes == 0;
#pragma unroll
    for (int i = 0; i < HIGH; ++i) {
        const int pixel = first_pixel + Product::row(thread, i);
        if (pixel > last_pixel) continue;
        int place = pixel;
        if (phases > 1) {
            const Digits at = Digits::of(pixel, x.outputs, y.outputs);
            place = (at.high * g.out_height + y.start + at.middle * y.stride) * g.out_width + x.start + at.low * x.stride;
        }
        Real* to = out + place * g.out_channels + group * g.written;
#pragma unroll
        for (int j = 0; j < WIDE; j += lanes) {
            const int channel = blockIdx.y * COLUMNS + Product::column(thread, j);
#pragma unroll
            for (int e = 0; e < lanes; ++e) {
                if (bias && channel + e < g.written) sums[i][j + e] += bias[group * g.written + channel + e];
                if (relu && sums[i][j + e] < 0) sums[i][j + e] = 0;
            }
            if (by_vectors && channel < g.written) store<lanes>(to + channel, &sums[i][j]);
#pragma unroll
            for (int e = 0; e < lanes; ++e)
                if (!by_vectors && channel + e < g.written) to[channel + e] = sums[i][j + e];
        }
    }
}
