// All steps of an LSTM in one launch: W_hh stays in registers, and the blocks of the grid wait for each other after each step.
//
// Blocks along x share the hidden units, blocks along y the rows of the batch, eight at a time. All must run at once: launched as
// cooperative, and only where the chip has room for all of them. Rows of states come to shared memory by asynchronous copies, which
// need no registers on the way.

#include "held_weights.cuh"
#include "primitives.cuh"
#include "recurrent.cuh"
#include "unit_backward.cuh"

// Begin to bring eight rows of states to shared memory. Columns from `hidden` on, and rows that the step has not, stay as they
// are. Loops go round equally often for all threads, which the compiler can tell from their bounds.
template <int LANES, int COLUMNS>
__device__ __forceinline__ void stage_states(float4* rows, const float* h, const float* h0, const Place& place, int first,
                                             int hidden, bool wide) {
    const int length = LANES * COLUMNS;
    float* const numbers = reinterpret_cast<float*>(rows);
    const int each = wide ? 4 : 1;
#pragma unroll 1
    for (int from = 0; from < ROWS * length; from += THREADS * each) {
        const int i = from + threadIdx.x * each, row = first + i / length, column = i % length;
        if (row >= place.size || column >= hidden) continue;
        const float* const state = row < place.known ? h + (long long)(place.before + row) * hidden + column
                                                     : h0 + (long long)row * hidden + column;
        if (wide)
            copy_async_16(numbers + i, state);
        else
            copy_async_4(numbers + i, state);
    }
    commit_copies();
}

// A group of LANES threads holds the four lines of W_hh that make the gates of one unit. `gates` holds the input's share of all
// sums; where the gates shall be kept they take its place. `wide` says that states lie at multiples of 16 bytes.
template <int LANES, int COLUMNS>
__global__ void __launch_bounds__(THREADS, COLUMNS > 16 ? 1 : 2)
    forward(float* gates, float* h, float* cells, const float* __restrict__ h0, const float* __restrict__ c0,
            const float* __restrict__ w_hh, const Packing packing, int hidden, bool keep, bool wide, unsigned* arrived) {
    extern __shared__ float4 rows[];  // eight rows of states, then the sums
    float* const shared_sums = reinterpret_cast<float*>(rows + ROWS * LANES * COLUMNS / 4);
    const int units = Groups<LANES>::in_block, group = threadIdx.x / LANES, lane = threadIdx.x % LANES;
    const int group_unit = blockIdx.x * units + group;

    float weights[LINES][COLUMNS];
#pragma unroll
    for (int line = 0; line < LINES; ++line)
#pragma unroll
        for (int i = 0; i < COLUMNS; ++i) {
            const int column = column_of<LANES>(lane, i);
            const bool there = group_unit < hidden && column < hidden;
            weights[line][i] = there ? w_hh[((long long)line * hidden + group_unit) * hidden + column] : 0.0f;
        }
    for (int i = threadIdx.x; i < ROWS * LANES * COLUMNS / 4; i += THREADS) rows[i] = make_float4(0, 0, 0, 0);
    __syncthreads();

    // Once a thread has helped with the sums it makes the gates of one unit of one row, neighbours those of neighbouring units.
    const int own_unit = blockIdx.x * units + threadIdx.x % units, own_row = threadIdx.x / units;
    Place place = departure(packing);
    do {
        for (int first = blockIdx.y * ROWS; first < place.size; first += gridDim.y * ROWS) {
            const int row = first + own_row;
            const bool own = own_row < ROWS && own_unit < hidden && row < place.size;
            float* const own_gates = gates + (long long)(place.start + row) * 4 * hidden + own_unit;
            float of_input[LINES] = {};
            if (own)  // they arrive while the product is made
#pragma unroll
                for (int line = 0; line < LINES; ++line) of_input[line] = own_gates[line * hidden];
            stage_states<LANES, COLUMNS>(rows, h, h0, place, first, hidden, wide);
            wait_for_copies<0>();
            __syncthreads();
            float sums[SUMS] = {};
            multiply<LANES, COLUMNS, 0, COLUMNS>(sums, weights, rows, lane);
            add_up<Groups<LANES>::warp_lanes / 2, SUMS>(sums, lane);
            store_sums<LANES>(shared_sums, sums, group, lane);
            __syncthreads();
            if (own) {
                const int from = threadIdx.x % units;
                const float i = logistic(of_input[0] + sum_of<LANES>(shared_sums, 0, own_row, from));
                const float f = logistic(of_input[1] + sum_of<LANES>(shared_sums, 1, own_row, from));
                const float g = hyperbolic_tangent(of_input[2] + sum_of<LANES>(shared_sums, 2, own_row, from));
                const float o = logistic(of_input[3] + sum_of<LANES>(shared_sums, 3, own_row, from));
                const long long here = (long long)(place.start + row) * hidden + own_unit;
                const float cell = f * state_before(cells, c0, place.before, place.known, row, own_unit, hidden) + i * g;
                cells[here] = cell;
                h[here] = o * hyperbolic_tangent(cell);
                if (keep) {
                    own_gates[0] = i;
                    own_gates[hidden] = f;
                    own_gates[2 * hidden] = g;
                    own_gates[3 * hidden] = o;
                }
            }
        }
        grid_sync(arrived);
    } while (advance(packing, place));
}

// How many of a thread's numbers are multiplied at a time on the way back: shared memory takes 1024 numbers of a row, 32 KB for
// eight, as much as every chip has for two blocks.
template <int LANES, int COLUMNS>
__device__ constexpr int part_of() {
    return LANES * COLUMNS > 1024 ? 1024 / LANES : COLUMNS;
}

// Bring eight rows of da to shared memory, part by part, and multiply them. What lies behind a row's end comes as zeros.
template <int LANES, int COLUMNS, int FIRST>
__device__ __forceinline__ void multiply_sums(float (&sums)[SUMS], const float (&weights)[LINES][COLUMNS], float4* rows,
                                              const float* da, const Place& place, int first, int hidden, int lane) {
    const int count = part_of<LANES, COLUMNS>(), length = LANES * count;
    if (FIRST > 0) __syncthreads();  // the part before is in use until here
#pragma unroll 1
    for (int from = 0; from < ROWS * length / 4; from += THREADS) {
        const int i = from + threadIdx.x, row = first + i / (length / 4), column = FIRST * LANES + i % (length / 4) * 4;
        const bool there = column < 4 * hidden;
        if (row < place.size) copy_async_16(rows + i, there ? da + (long long)(place.start + row) * 4 * hidden + column : da, there);
    }
    commit_copies();
    wait_for_copies<0>();
    __syncthreads();
    multiply<LANES, COLUMNS, FIRST, part_of<LANES, COLUMNS>()>(sums, weights, rows, lane);
    if constexpr (FIRST + part_of<LANES, COLUMNS>() < COLUMNS)
        multiply_sums<LANES, COLUMNS, FIRST + part_of<LANES, COLUMNS>()>(sums, weights, rows, da, place, first, hidden, lane);
}

// A group holds four columns of W_hh, those of four units, whose gradient dh is a product with all gates' da. dh and dc (batch,
// hidden) are the gradients of the last h' and c' of each sequence, and become those of the first. The walk goes from the last
// step to the first; the step that it comes to next is the one that this one began from.
template <int LANES, int COLUMNS>
__global__ void __launch_bounds__(THREADS, COLUMNS > 16 ? 1 : 2)
    backward(const float* __restrict__ gates, const float* __restrict__ cells, const float* __restrict__ c0,
             const float* __restrict__ dy, float* dh, float* dc, float* da, const float* __restrict__ w_hh,
             const Packing packing, int hidden, unsigned* arrived) {
    extern __shared__ float4 rows[];  // eight rows' part of da, then the sums
    const int part = LANES * part_of<LANES, COLUMNS>(), units = LINES * Groups<LANES>::in_block;
    float* const shared_sums = reinterpret_cast<float*>(rows + ROWS * part / 4);
    const int group = threadIdx.x / LANES, lane = threadIdx.x % LANES;

    float weights[LINES][COLUMNS];
#pragma unroll
    for (int i = 0; i < COLUMNS; ++i)
#pragma unroll
        for (int line = 0; line < LINES; ++line) {
            const int sum = column_of<LANES>(lane, i), unit = blockIdx.x * units + group * LINES + line;
            weights[line][i] = unit < hidden && sum < 4 * hidden ? w_hh[(long long)sum * hidden + unit] : 0.0f;
        }
    for (int i = threadIdx.x; i < ROWS * part / 4; i += THREADS) rows[i] = make_float4(0, 0, 0, 0);

    Place place = departure(packing);
    do {
        Place from = place;
        const int known = advance(packing, from) ? from.size : 0;
        for (int first = blockIdx.y * ROWS; first < place.size; first += gridDim.y * ROWS)
            for (int i = threadIdx.x; i < ROWS * units; i += THREADS) {
                const int row = first + i / units, unit = blockIdx.x * units + i % units;
                if (unit < hidden && row < place.size)
                    unit_backward(gates, cells, c0, dy, dh, dc, da, hidden, place.start, from.start, known, row, unit);
            }
        grid_sync(arrived);
        for (int first = blockIdx.y * ROWS; first < place.size; first += gridDim.y * ROWS) {
            float sums[SUMS] = {};
            multiply_sums<LANES, COLUMNS, 0>(sums, weights, rows, da, place, first, hidden, lane);
            add_up<Groups<LANES>::warp_lanes / 2, SUMS>(sums, lane);
            store_sums<LANES>(shared_sums, sums, group, lane);
            __syncthreads();
#pragma unroll 1
            for (int begin = 0; begin < ROWS * units; begin += THREADS) {
                const int i = begin + threadIdx.x, row = first + i / units, unit = i % units;
                if (i < ROWS * units && blockIdx.x * units + unit < hidden && row < place.size)
                    dh[(long long)row * hidden + blockIdx.x * units + unit] =
                        sum_of<LANES>(shared_sums, unit % LINES, i / units, unit / LINES);
            }
        }
    } while (advance(packing, place));
}
