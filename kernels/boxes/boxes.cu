// Overlaps of boxes, greedy suppression, and the weights by which bins of regions take from rows and columns of pixels.
//
// All in float64, without fused multiply-adds (--fmad=false): each operation is rounded by itself, as the contract asks, so that
// no decision is another than on a CPU. Boxes are lines of x1, y1, x2, y2 and area, as geometry.py makes them.
const double FAR = 1.7976931348623157e308;  // the greatest number: what is above it is infinite

struct Box {
    double x1, y1, x2, y2, area;
};

__device__ __forceinline__ Box box_of(const double* boxes, long long count, long long number) {
    return {boxes[number], boxes[count + number], boxes[2 * count + number], boxes[3 * count + number],
            boxes[4 * count + number]};
}

// Intersection over union of two boxes, 0 where there is none.
__device__ __forceinline__ double overlap(const Box& a, const Box& b) {
    const double width = (a.x2 < b.x2 ? a.x2 : b.x2) - (a.x1 > b.x1 ? a.x1 : b.x1);
    const double height = (a.y2 < b.y2 ? a.y2 : b.y2) - (a.y1 > b.y1 ? a.y1 : b.y1);
    const double shared = width * height, both = a.area + b.area - shared;
    const bool there = width > 0 && height > 0 && a.area > 0 && b.area > 0 && both <= FAR;
    return there ? shared / both : 0.0;
}

// Each box of a beside each of b: neighbouring threads have neighbouring boxes of b.
template <typename Real>
__global__ void __launch_bounds__(256)
overlaps(const double* __restrict__ a, const double* __restrict__ b, Real* __restrict__ y, int n, int m) {
    const long long i = (long long)blockIdx.x * blockDim.y + threadIdx.y;
    const int j = blockIdx.y * blockDim.x + threadIdx.x;
    if (i >= n || j >= m) return;
    y[i * m + j] = Real(overlap(box_of(a, n, i), box_of(b, m, j)));
}

// A block goes over a group, the best box first, in tiles. Of a tile's boxes all overlaps among them are found at once, as bits;
// one thread then says which are kept, and all look which of the boxes behind the tile these suppress. `alive` was 1.
const int TILE = 64;

__global__ void __launch_bounds__(256)
suppress(const double* __restrict__ boxes, const long long* __restrict__ starts, unsigned char* alive, int count,
         double threshold) {
    __shared__ double tile[5 * TILE];
    __shared__ unsigned long long over[TILE];
    __shared__ unsigned long long kept;
    const int start = int(starts[blockIdx.x]), stop = int(starts[blockIdx.x + 1]);
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
    for (int first = start; first < stop; first += TILE) {
        const int size = min(TILE, stop - first);
        __syncthreads();  // the tile before has been read, and what it suppressed is written
        for (int i = threadIdx.x; i < 5 * TILE; i += blockDim.x)
            tile[i] = i % TILE < size ? boxes[(long long)(i / TILE) * count + first + i % TILE] : 0.0;
        __syncthreads();
        for (int row = warp; row < TILE; row += warps) {
            const Box box = box_of(tile, TILE, row);
            const bool near = row < lane && overlap(box, box_of(tile, TILE, lane)) > threshold;
            const bool far = row < lane + 32 && overlap(box, box_of(tile, TILE, lane + 32)) > threshold;
            const unsigned low = __ballot_sync(0xffffffffu, near), high = __ballot_sync(0xffffffffu, far);
            if (lane == 0) over[row] = low | (unsigned long long)high << 32;
        }
        __syncthreads();
        if (threadIdx.x == 0) {
            unsigned long long found = 0, dead = 0;
            for (int i = 0; i < size; ++i) {
                const unsigned long long here = 1ull << i;
                if ((dead & here) == 0 && alive[first + i]) found |= here, dead |= over[i];
            }
            kept = found;
        }
        __syncthreads();
        for (int i = threadIdx.x; i < size; i += blockDim.x) alive[first + i] = kept >> i & 1;
        for (int j = first + TILE + threadIdx.x; j < stop; j += blockDim.x) {
            if (!alive[j]) continue;
            const Box box = box_of(boxes, count, j);
            for (int i = 0; i < size; ++i)
                if (kept >> i & 1 && overlap(box_of(tile, TILE, i), box) > threshold) {
                    alive[j] = 0;
                    break;
                }
        }
    }
}

// What each pixel along an axis has of the samples of each bin, over `counts` where that is given: table (regions, bins, size),
// all 0 before; and the first of these pixels and the one behind the last. A thread has a bin of a region.
template <typename Real>
__global__ void __launch_bounds__(128)
weigh(const double* __restrict__ starts, const double* __restrict__ sides, const long long* __restrict__ samples,
      const double* __restrict__ counts, Real* __restrict__ table, int* __restrict__ spans, int regions, int bins, int size) {
    const long long number = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (number >= (long long)regions * bins) return;
    const int region = int(number / bins);
    const double side = sides[region], begin = starts[region] + double(int(number - (long long)region * bins)) * side;
    const int many = int(samples[region]);
    const double all = double(many), scale = counts ? 1.0 / counts[region] : 1.0;
    Real* shares = table + number * size;
    int first = 0, past = many, least = size, most = 0;
    if (many > 0 && side / all >= 0.5) {  // else there are few that lie outside; and a bin may have no side
        const double apart = side / all;
        first = max(0, min(int((-1.0 - begin) / apart - 0.5) - 1, many));
        past = max(first, min(int((size - begin) / apart - 0.5) + 3, many));
    }
#pragma unroll 1
    for (int k = first; k < past; ++k) {
        double place = begin + (double(k) + 0.5) * side / all;
        if (!(place >= -1.0 && place <= size)) continue;
        place = place > 0.0 ? place : 0.0;
        const int low = min(int(place), size - 1);
        const double beyond = low == size - 1 ? 0.0 : place - low;
        shares[low] += Real((1.0 - beyond) * scale);
        if (beyond > 0.0) shares[low + 1] += Real(beyond * scale);
        least = min(least, low), most = max(most, low + (beyond > 0.0 ? 2 : 1));
    }
    spans[2 * number] = least, spans[2 * number + 1] = most;
}
