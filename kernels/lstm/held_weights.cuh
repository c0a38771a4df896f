// Products with weights that stay in registers for a whole sequence, and the walk through its steps.
//
// A group of LANES threads holds four lines of the weights, a thread COLUMNS numbers of each: of every LANES fours that follow
// each other in a line, the thread's own. Rows of states lie in shared memory, eight at a time. A thread reads a four of a row
// with one load of 128 bits, neighbours next to each other, and multiplies it into the row's four sums: sixteen multiply-adds for
// one load. What the threads of a group have of the same sum is added by exchange in halving groups; a warp's 32 lanes end up
// with one sum each after 31 exchanges, where adding each of 32 sums by itself would take 160. A group of more than one warp
// leaves as many parts of each sum.

const int THREADS = 256;  // of a block
const int LINES = 4;      // of the weights in each group
const int ROWS = 8;       // of the batch at a time
const int SUMS = LINES * ROWS;

template <int LANES>
struct Groups {
    static const int in_block = THREADS / LANES;
    static const int warp_lanes = LANES < 32 ? LANES : 32;
    static const int parts = LANES / warp_lanes;
    static const int sums_each = SUMS / warp_lanes;  // that a thread has in the end
    static const int pitch = in_block + 1;           // between sums in shared memory: a warp writes to 32 banks
};

// How a thread's number `column` of a line is counted in the line.
template <int LANES>
__device__ __forceinline__ int column_of(int lane, int column) {
    return (column / 4 * LANES + lane) * 4 + column % 4;
}

// Add to a thread's sums what comes of its numbers from FIRST on, COUNT of them; `rows` has that part of each row.
template <int LANES, int COLUMNS, int FIRST, int COUNT>
__device__ __forceinline__ void multiply(float (&sums)[SUMS], const float (&weights)[LINES][COLUMNS], const float4* rows,
                                         int lane) {
#pragma unroll
    for (int row = 0; row < ROWS; ++row) {
#pragma unroll
        for (int four = 0; four < COUNT / 4; ++four) {
            const float4 state = rows[row * (LANES * COUNT / 4) + four * LANES + lane];
#pragma unroll
            for (int line = 0; line < LINES; ++line) {
                float& sum = sums[line * ROWS + row];
                sum = fmaf(weights[line][FIRST + 4 * four], state.x, sum);
                sum = fmaf(weights[line][FIRST + 4 * four + 1], state.y, sum);
                sum = fmaf(weights[line][FIRST + 4 * four + 2], state.z, sum);
                sum = fmaf(weights[line][FIRST + 4 * four + 3], state.w, sum);
            }
        }
    }
}

// Add up over the lanes of a group, within its warp: of COUNT sums a lane keeps half, and gives the other half to the lane APART
// from it. In the end lane k has the sums from k · sums_each on, as the first in `sums`.
template <int APART, int COUNT>
__device__ __forceinline__ void add_up(float (&sums)[SUMS], int lane) {
    const bool upper = lane & APART;  // keeps the second half
#pragma unroll
    for (int i = 0; i < COUNT / 2; ++i) {
        const float given = upper ? sums[i] : sums[i + COUNT / 2];
        sums[i] = (upper ? sums[i + COUNT / 2] : sums[i]) + __shfl_xor_sync(0xffffffffu, given, APART);
    }
    if constexpr (APART > 1) add_up<APART / 2, COUNT / 2>(sums, lane);
}

// Leave a thread's sums in shared memory, for `sum_of`.
template <int LANES>
__device__ __forceinline__ void store_sums(float* shared, const float (&sums)[SUMS], int group, int lane) {
    const int first = lane / 32 * SUMS + lane % 32 * Groups<LANES>::sums_each;
#pragma unroll
    for (int i = 0; i < Groups<LANES>::sums_each; ++i) shared[(first + i) * Groups<LANES>::pitch + group] = sums[i];
}

template <int LANES>
__device__ __forceinline__ float sum_of(const float* shared, int line, int row, int group) {
    float sum = shared[(line * ROWS + row) * Groups<LANES>::pitch + group];
#pragma unroll
    for (int part = 1; part < Groups<LANES>::parts; ++part)
        sum += shared[(part * SUMS + line * ROWS + row) * Groups<LANES>::pitch + group];
    return sum;
}

// The steps of a packed batch in the order of a walk: runs of steps that have the same number of rows. Steps without rows are
// left out.
const int MOST_RUNS = 100;
struct Packing {
    int size[MOST_RUNS];   // rows of each step
    int steps[MOST_RUNS];  // how many such steps follow each other
    int runs;
    int rows;  // of all steps
    int up;    // whether the walk goes from the first row to the last
};

// A place on a walk: a step, from row `start` on, and the step before it.
struct Place {
    int run, step, start, size, before, known;
};

__device__ __forceinline__ Place departure(const Packing& packing) {
    const int size = packing.size[0];
    return {0, 0, packing.up ? 0 : packing.rows - size, size, 0, 0};
}

// Go on; false at the end.
__device__ __forceinline__ bool advance(const Packing& packing, Place& place) {
    if (++place.step == packing.steps[place.run]) {
        place.step = 0;
        if (++place.run == packing.runs) return false;
    }
    place.before = place.start;
    place.known = place.size;
    place.size = packing.size[place.run];
    place.start = packing.up ? place.before + place.known : place.before - place.size;
    return true;
}
