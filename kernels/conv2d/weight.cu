// The gradient to the weight as an implicit product: dw (K, F) = columnsᵀ (K, P) · dy (P, F), K terms of a window, P pixels.
//
// A block takes ROWS of the K terms and COLUMNS of the channels, and walks a part of the pixels, DEPTH at a time, with two buffers
// of shared memory as in product.cu. Here both operands have channels side by side and pixels apart, as the tiles want them: what
// is read goes to shared memory as it is, by asynchronous copies of 128 bits that need no registers (VECTOR, where channels are in
// fours; else by single numbers). A thread reads always the same terms, whose place in the window it
// works out once, of every DEPTH-th pixel, whose place in the images it keeps in digits: nothing is divided in the loop.
//
// K · F sums are few blocks. So that the whole chip has work, the pixels are split among the blocks along z, each of which writes
// sums of its own; `sum_parts` adds them, always in the same order, which atomic sums would not.
#include "geometry.cuh"
#include "primitives.cuh"
#include "tiles.cuh"

const int DEPTH = 8;    // pixels of a round, as in Geometry's step
const int PADDING = 4;  // behind each line in shared memory

// parts: (splits, groups, K, F/groups). A split is over `pixels_each` pixels, a multiple of DEPTH.
template <typename Real, int ROWS, int COLUMNS, int HIGH, int WIDE, bool VECTOR>
__global__ void __launch_bounds__(ROWS / HIGH * (COLUMNS / WIDE), 2)
    correlate(const Real* __restrict__ x, const Real* __restrict__ dy, Real* __restrict__ parts, const Geometry g, int pixels_each) {
    typedef Tile<Real, ROWS, COLUMNS, HIGH, WIDE> Product;
    const int lanes = Pack<Real>::lanes, width = VECTOR ? lanes : 1;
    const int at_once = Product::threads / DEPTH * width;  // terms, or channels, of a pixel that the threads read together
    const int row_loads = ROWS / at_once, column_loads = (COLUMNS + at_once - 1) / at_once;
    __shared__ __align__(16) Real windows[2][DEPTH][ROWS + PADDING];
    __shared__ __align__(16) Real gradients[2][DEPTH][COLUMNS + PADDING];

    const int group = blockIdx.z % g.groups, split = blockIdx.z / g.groups, thread = threadIdx.x;
    const int read = g.read, written = g.written;
    const int terms = g.kernel_height * g.kernel_width * read, first_row = blockIdx.x * ROWS, first_column = blockIdx.y * COLUMNS;
    const int begin = split * pixels_each, pixels = g.images * g.out_height * g.out_width;
    const int end = begin + pixels_each < pixels ? begin + pixels_each : pixels;

    const int line = thread % DEPTH, place = thread / DEPTH * width;
    int top[row_loads], left[row_loads], base[row_loads];
#pragma unroll
    for (int i = 0; i < row_loads; ++i) {
        const int term = first_row + place + i * at_once;
        const Digits at = Digits::of(term, read, g.kernel_width);
        top[i] = term < terms ? at.high * g.dilation_y - g.top : OUTSIDE;
        left[i] = at.middle * g.dilation_x - g.left;
        base[i] = ((at.high * g.dilation_y - g.top) * g.width + left[i]) * g.channels + group * read + at.low;
    }
    Digits digits = Digits::of(begin + line, g.out_width, g.out_height);  // column and row of the pixel, and its image
    int gradient = (begin + line) * g.out_channels + group * written + first_column + place;

    Real of_windows[row_loads][width], of_gradients[column_loads][width];  // on their way, where they are no vectors
    auto fetch = [&](int pixel, int buffer) {
        const bool there = pixel + line < end;
        const int down = digits.middle * g.stride_y, right = digits.low * g.stride_x;
        const int offset = ((digits.high * g.height + down) * g.width + right) * g.channels;
#pragma unroll
        for (int i = 0; i < row_loads; ++i) {
            const bool inside = unsigned(top[i] + down) < unsigned(g.height) && unsigned(left[i] + right) < unsigned(g.width);
            if constexpr (VECTOR) {
                copy_async_16(&windows[buffer][line][place + i * at_once], x + (offset + base[i]), there && inside);
            } else {
                of_windows[i][0] = 0;
                if (there && inside) of_windows[i][0] = x[offset + base[i]];
            }
        }
#pragma unroll
        for (int j = 0; j < column_loads; ++j) {
            if (place + j * at_once >= COLUMNS) continue;
            const bool wanted = there && first_column + place + j * at_once < written;
            if constexpr (VECTOR) {
                copy_async_16(&gradients[buffer][line][place + j * at_once], dy + (gradient + j * at_once), wanted);
            } else {
                of_gradients[j][0] = 0;
                if (wanted) of_gradients[j][0] = dy[gradient + j * at_once];
            }
        }
        if constexpr (VECTOR) commit_copies();
        digits.add(g.step, g.out_width, g.out_height);
        gradient += DEPTH * g.out_channels;
    };
    auto keep = [&](int buffer) {
        if constexpr (VECTOR) {
            wait_for_copies<0>();
        } else {
#pragma unroll
            for (int i = 0; i < row_loads; ++i) windows[buffer][line][place + i * at_once] = of_windows[i][0];
#pragma unroll
            for (int j = 0; j < column_loads; ++j)
                if (place + j * at_once < COLUMNS) gradients[buffer][line][place + j * at_once] = of_gradients[j][0];
        }
    };

    Real sums[HIGH][WIDE] = {};
    const int row = Product::row(thread, 0), column = Product::column(thread, 0);
    fetch(begin, 0);
    keep(0);
    __syncthreads();
    for (int pixel = begin, buffer = 0; pixel < end; pixel += DEPTH, buffer ^= 1) {
        const bool more = pixel + DEPTH < end;
        if (more) fetch(pixel + DEPTH, buffer ^ 1);
        Product::template multiply<DEPTH, ROWS + PADDING, COLUMNS + PADDING>(sums, &windows[buffer][0][row],
                                                                             &gradients[buffer][0][column]);
        if (more) keep(buffer ^ 1);
        __syncthreads();
    }

    Real* part = parts + (long long)blockIdx.z * terms * written;
    const bool by_vectors = written % lanes == 0;
#pragma unroll
    for (int i = 0; i < HIGH; ++i) {
        const int term = first_row + Product::row(thread, i);
        if (term >= terms) continue;
#pragma unroll
        for (int j = 0; j < WIDE; j += lanes) {
            const int channel = first_column + Product::column(thread, j);
            if (by_vectors && channel < written) store<lanes>(part + term * written + channel, &sums[i][j]);
#pragma unroll
            for (int e = 0; e < lanes; ++e)
                if (!by_vectors && channel + e < written) part[term * written + channel + e] = sums[i][j + e];
        }
    }
}

// parts (splits, groups, taps, C/groups, F/groups), added up, to dw (F, C/groups, taps). One thread a weight.
template <typename Real>
__global__ void sum_parts(const Real* __restrict__ parts, Real* __restrict__ dw, int splits, int taps, int channels, int written,
                          int weights) {
    const int place = blockIdx.x * blockDim.x + threadIdx.x;
    if (place >= weights) return;
    Real sum = 0;
    for (int split = 0; split < splits; ++split) sum += parts[(long long)split * weights + place];
    const int f = place % written, c = place / written % channels, tap = place / written / channels % taps;
    const int group = place / written / channels / taps;
    dw[((group * written + f) * channels + c) * taps + tap] = sum;
}
