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
#include "window.cuh"

const int DEPTH = 8;    // terms of a round
const int PADDING = 4;  // behind each line of images in shared memory, so that the columns written fall into different banks

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
        tap = rows.before * g.kernel_width + rows.count * columns.before + (y - rows.first) / rows.period * columns.count +
              (x - columns.first) / columns.period;
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
    __shared__ Phase phase;
    find_phase(phase, g, back, blockIdx.z % phases, DEPTH);
    const int pixels = g.images * phase.y.outputs * phase.x.outputs, first_pixel = blockIdx.x * ROWS;
    if (first_pixel >= pixels) return;
    const int padded = (g.written + 3) / 4 * 4;
    const int terms = phase.y.taps * phase.x.taps * g.read, thread = threadIdx.x;

    // What this thread reads of the images: `width` channels of each of `loads` pixels.
    const int in_line = thread % (DEPTH / width) * width, in_pixel = thread / (DEPTH / width);
    Window<Real, loads, width> window(g, phase, group, first_pixel + in_pixel, pixels_at_once, in_line);

    // And of the weights: `lanes` channels of one term.
    const int weight_line = thread / (COLUMNS / lanes), weight_column = thread % (COLUMNS / lanes) * lanes;
    const int weight_channel = blockIdx.y * COLUMNS + weight_column;
    const bool has_weights = weight_line < DEPTH && weight_channel < padded;
    const int tap = group * g.kernel_height * g.kernel_width + phase.y.before * g.kernel_width + phase.y.taps * phase.x.before;
    int weight = (tap * g.read + weight_line) * padded + weight_channel;

    Real of_images[loads][width], of_weights[lanes];  // on their way
    auto fetch = [&](int term) {
        window.read(of_images, in, g, phase);
#pragma unroll
        for (int e = 0; e < lanes; ++e) of_weights[e] = 0;
        if (has_weights && term + weight_line < terms) load<lanes>(of_weights, weights + weight);
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

    // Counted anew: in the loop it would take a register.
    const int last_pixel = g.images * phase.y.outputs * phase.x.outputs - 1;
    const bool by_vectors = g.written % lanes == 0;
#pragma unroll
    for (int i = 0; i < HIGH; ++i) {
        const int pixel = first_pixel + Product::row(thread, i);
        if (pixel > last_pixel) continue;
        Real* to = out + place_of(g, phase, pixel, phases == 1) * g.out_channels + group * g.written;
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
