// How a thread of an implicit product reads the images: tap by tap, with nothing divided from round to round.
#include "geometry.cuh"
#include "tiles.cuh"

// The axes of a phase, for all threads of a block, in shared memory; and how the terms' digits grow in a round of `depth`.
struct Phase {
    Axis y, x;
    Digits step;
};

__device__ void find_phase(Phase& phase, const Geometry& g, bool back, int number, int depth) {
    if (threadIdx.x == 0) {
        const Axis y = axis_y(g, back, number), x = axis_x(g, back, number);
        const Digits step = Digits::of(depth, g.read, x.taps > 0 ? x.taps : 1);
        phase.y = y, phase.x = x, phase.step = step;
    }
    __syncthreads();
}

// What one thread reads of the images in each round: `width` channels of one term of a window, for `loads` pixels.
template <typename Real, int loads, int width>
struct Window {
    int top[loads], left[loads], base[loads];
    Digits term;  // channel, column and row of the tap

    // From pixel `pixel` of a phase on, each `apart` from the next, and from its term `first` on.
    __device__ __forceinline__ Window(const Geometry& g, const Phase& phase, int group, int pixel, int apart, int first) {
        const Axis &y = phase.y, &x = phase.x;
#pragma unroll
        for (int i = 0; i < loads; ++i) {
            const Digits at = Digits::of(pixel + i * apart, x.outputs, y.outputs);
            top[i] = at.high < g.images ? at.middle * y.scale + y.read : OUTSIDE;
            left[i] = at.low * x.scale + x.read;
            base[i] = ((at.high * g.height + at.middle * y.scale + y.read) * g.width + left[i]) * g.channels + group * g.read;
        }
        term = Digits::of(first, g.read, x.taps > 0 ? x.taps : 1);
    }

    // Zeros outside the images and behind the last tap. The next call reads what a round later is wanted.
    __device__ __forceinline__ void read(Real (&to)[loads][width], const Real* in, const Geometry& g, const Phase& phase) {
        const int down = term.high * phase.y.advance, right = term.middle * phase.x.advance;
        const int offset = (down * g.width + right) * g.channels + term.low;
        const bool any = term.high < phase.y.taps;
#pragma unroll
        for (int i = 0; i < loads; ++i) {
            const bool inside = unsigned(top[i] + down) < unsigned(g.height) && unsigned(left[i] + right) < unsigned(g.width);
#pragma unroll
            for (int e = 0; e < width; ++e) to[i][e] = 0;
            if (any && inside) load<width>(to[i], in + (base[i] + offset));
        }
        term.add(phase.step, g.read, phase.x.taps);
    }
};

// Where in the written images a phase's pixel lies, counted in pixels.
__device__ __forceinline__ int place_of(const Geometry& g, const Phase& phase, int pixel, bool one_phase) {
    if (one_phase) return pixel;
    const Axis &y = phase.y, &x = phase.x;
    const Digits at = Digits::of(pixel, x.outputs, y.outputs);
    return (at.high * g.out_height + y.start + at.middle * y.stride) * g.out_width + x.start + at.low * x.stride;
}
