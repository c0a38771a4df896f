// Regions of channels-last images on a grid of bins, and the way back, both by gathering: no two threads write to one place.
//
// The weight of a pixel in a bin is that of its row times that of its column, which boxes.cu's weigh() has made: `down` (regions,
// bins_h, height) and `across` (regions, bins_w, width), with the first pixel that has one and the one behind the last of each
// bin. A pixel without weight counts for nothing, whatever it holds. Neighbouring threads have neighbouring channels, LANES each.
#include "packs.cuh"

// A bin: the sum of its pixels by their weights.
template <typename Real, int LANES>
__global__ void __launch_bounds__(128, 4)
align(const Real* __restrict__ x, Real* __restrict__ y, const long long* __restrict__ image, const Real* __restrict__ down,
      const Real* __restrict__ across, const int* __restrict__ rows, const int* __restrict__ columns, int regions, int bins_h,
      int bins_w, int height, int width, int channels) {
    const int units = channels / LANES, line = blockIdx.x * blockDim.y + threadIdx.y;
    const int along = blockIdx.y * blockDim.x + threadIdx.x, j = along / units, channel = (along - j * units) * LANES;
    if (line >= regions * bins_h || j >= bins_w) return;
    const int region = line / bins_h;
    const long long bin = (long long)region * bins_w + j;
    const Real *of_rows = down + (long long)line * height, *of_columns = across + bin * width;
    const Real* from = x + image[region] * height * width * channels + channel;
    const int left = columns[2 * bin], right = columns[2 * bin + 1], bottom = rows[2 * line + 1];
    Lanes<Real, LANES> total = {};
    for (int h = rows[2 * line]; h < bottom; ++h) {
        const Real of_row = of_rows[h];
        if (of_row == Real(0)) continue;
        const Real* pixel = from + ((long long)h * width + left) * channels;
#pragma unroll 4
        for (int w = left; w < right; ++w, pixel += channels) {
            const Real weight = of_row * of_columns[w];
            if (weight == Real(0)) continue;
            const Lanes<Real, LANES> value = load_lanes<LANES>(pixel);
#pragma unroll
            for (int lane = 0; lane < LANES; ++lane) total.lane[lane] += weight * value.lane[lane];
        }
    }
    store_lanes(y + ((long long)line * bins_w + j) * channels + channel, total);
}

// A pixel: the sum of the bins that it has a weight in, of all regions of its image in their order. `reach` has the first row,
// the one behind the last, the first column and the one behind the last of each region.
template <typename Real, int LANES>
__global__ void __launch_bounds__(128, 4)
spread(const Real* __restrict__ dy, Real* __restrict__ dx, const long long* __restrict__ image, const Real* __restrict__ down,
       const Real* __restrict__ across, const int* __restrict__ reach, int images, int regions, int bins_h, int bins_w,
       int height, int width, int channels) {
    const int units = channels / LANES, line = blockIdx.x * blockDim.y + threadIdx.y;
    const int along = blockIdx.y * blockDim.x + threadIdx.x, w = along / units, channel = (along - w * units) * LANES;
    if (line >= images * height || w >= width) return;
    const int number = line / height, h = line - number * height;
    Lanes<Real, LANES> total = {};
    for (int region = 0; region < regions; ++region) {
        if (image[region] != number) continue;
        const int* ends = reach + 4 * (long long)region;
        if (h < ends[0] || h >= ends[1] || w < ends[2] || w >= ends[3]) continue;
        const Real* of_row = down + (long long)region * bins_h * height + h;
        const Real* from = dy + (long long)region * bins_h * bins_w * channels + channel;
#pragma unroll 1
        for (int i = 0; i < bins_h; ++i) {
            const Real share = of_row[(long long)i * height];
            if (share == Real(0)) continue;
            const Real* of_column = across + (long long)region * bins_w * width + w;
#pragma unroll 4
            for (int j = 0; j < bins_w; ++j, of_column += width) {
                const Real weight = share * *of_column;
                if (weight == Real(0)) continue;
                const Lanes<Real, LANES> slope = load_lanes<LANES>(from + (long long)(i * bins_w + j) * channels);
#pragma unroll
                for (int lane = 0; lane < LANES; ++lane) total.lane[lane] += weight * slope.lane[lane];
            }
        }
    }
    store_lanes(dx + ((long long)line * width + w) * channels + channel, total);
}
