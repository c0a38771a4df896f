// Sizes of a convolution, and how its two axes are walked. Images lie N H W C in memory.

// A number as three digits. It grows by the same amount in each round of a loop, and what its digits are is then known without a
// division: they are added, and carried at most once.
struct Digits {
    int low, middle, high;

    static __device__ Digits of(int number, int lows, int middles) {
        return {number % lows, number / lows % middles, number / lows / middles};
    }
    __device__ void add(const Digits& step, int lows, int middles) {
        low += step.low, middle += step.middle, high += step.high;
        if (low >= lows) low -= lows, ++middle;
        if (middle >= middles) middle -= middles, ++high;
    }
};

const int OUTSIDE = -(1 << 30);  // a row of an image that no tap brings inside

struct Geometry {
    int images, height, width, channels;             // of the images that are read: x, or dy on the way back
    int out_height, out_width, out_channels;         // of those that are written: y or dx; of dy for the gradient to the weight
    int groups, read, written;                       // channels of one group that are read, and that are written
    int kernel_height, kernel_width;
    int stride_y, stride_x, dilation_y, dilation_x, top, left;
    Digits step;  // eight pixels as columns, rows and images of out_width and out_height
};

// Those taps k of a kernel that have k · dilation mod stride = residue: first, first + period, and so on.
struct Taps {
    int first, period, count;
    int before;  // how many taps have a smaller residue
};

__device__ Taps taps_of(int kernel, int stride, int dilation, int residue) {
    Taps found = {0, 1, 0, 0};
    for (int k = 0; k < kernel; ++k) {
        const int its = k * dilation % stride;
        found.before += its < residue;
        if (its != residue) continue;
        if (found.count == 0) found.first = k;
        if (found.count == 1) found.period = k - found.first;
        ++found.count;
    }
    return found;
}

// The taps along each axis that phase number `phase` of all stride_y · stride_x on the way back has; forward there is one, with all.
__device__ Taps taps_y(const Geometry& g, bool back, int phase) {
    if (!back) return {0, 1, g.kernel_height, 0};
    return taps_of(g.kernel_height, g.stride_y, g.dilation_y, (phase / g.stride_x + g.top) % g.stride_y);
}
__device__ Taps taps_x(const Geometry& g, bool back, int phase) {
    if (!back) return {0, 1, g.kernel_width, 0};
    return taps_of(g.kernel_width, g.stride_x, g.dilation_x, (phase % g.stride_x + g.left) % g.stride_x);
}

// One axis of an implicit product: output o, written at `start + o * stride`, is a sum over taps t, which read position
// `o * scale + read + t * advance`.
struct Axis {
    int outputs, start, stride;
    int scale, read, taps, advance;
    int before;  // how many of the kernel's taps belong to phases before this one
};

__device__ Axis axis_forward(int out_size, int kernel, int stride, int dilation, int padding) {
    return {out_size, 0, 1, stride, -padding, kernel, dilation, 0};
}

// The gradient to the input, at every stride-th pixel from `phase` on. Pixel p of the padded image is the sum over those taps k
// for which i = (p - k · dilation) / stride is whole: all pixels of a phase have the same, so that no product with the zeros
// between the pixels of dy is ever made, and tap t of them reads pixel i of dy.
__device__ Axis axis_back(int size, const Taps& taps, int stride, int dilation, int padding, int phase) {
    const int residue = (phase + padding) % stride;
    const int read = (phase + padding) / stride + (residue - taps.first * dilation) / stride;
    return {(size - phase + stride - 1) / stride, phase, stride, 1, read, taps.count, -(taps.period * dilation / stride),
            taps.before};
}

// The axes of a phase.
__device__ Axis axis_y(const Geometry& g, bool back, int phase) {
    const Taps taps = taps_y(g, back, phase);
    return back ? axis_back(g.out_height, taps, g.stride_y, g.dilation_y, g.top, phase / g.stride_x)
                : axis_forward(g.out_height, g.kernel_height, g.stride_y, g.dilation_y, g.top);
}
__device__ Axis axis_x(const Geometry& g, bool back, int phase) {
    const Taps taps = taps_x(g, back, phase);
    return back ? axis_back(g.out_width, taps, g.stride_x, g.dilation_x, g.left, phase % g.stride_x)
                : axis_forward(g.out_width, g.kernel_width, g.stride_x, g.dilation_x, g.left);
}
