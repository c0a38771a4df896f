// One launch over many tensors: a table of their addresses comes with the kernel's arguments, by value.
//
// A launch costs microseconds and the update of a small tensor less than one, so all parameters of a step share launches. The
// table is passed as an argument, not through memory: gradients are new arrays at each step, and a table in memory would have
// to be copied there before each. Arguments end at 4 KB, which is room for TENSORS tensors of ARRAYS arrays each. Every block
// works on CHUNK elements of one tensor, so that blocks have equal work however unequal the tensors are. tensors.py makes the
// tables.
#include "packs.cuh"

const int TENSORS = 50;
const int ARRAYS = 5;     // of a tensor: all of one shape, gapless, place for place alike
const int CHUNK = 4096;   // elements of a block
const int ALIGNED = 1;    // a flag of a tensor: all its addresses are multiples of 16 bytes

template <typename Real>
struct Tensor {
    Real* array[ARRAYS];  // null for what a tensor has not
    int size;             // elements
    int first_block;      // the number of the block that has its first chunk
    int flags;
    Real factor[2];       // what differs from tensor to tensor in a rule
};

template <typename Real>
struct Tensors {
    int count;
    Tensor<Real> tensor[TENSORS];
};

// The number of the tensor whose chunk a block has: the last that begins at this block or before.
template <typename Real>
__device__ __forceinline__ int tensor_of(const Tensors<Real>& tensors, int block) {
    int low = 0, high = tensors.count;
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        if (tensors.tensor[middle].first_block <= block) low = middle;
        else high = middle;
    }
    return low;
}

// The tensor whose chunk the block has, and the elements of the chunk: from `first` to before `last`.
template <typename Real>
__device__ __forceinline__ const Tensor<Real>& own_chunk(const Tensors<Real>& tensors, int& first, int& last) {
    const Tensor<Real>& tensor = tensors.tensor[tensor_of(tensors, (int)blockIdx.x)];
    first = ((int)blockIdx.x - tensor.first_block) * CHUNK;
    last = min(first + CHUNK, tensor.size);
    return tensor;
}

// Lets a rule see each element of the block's chunk: of each of the tensor's first Rule::arrays arrays one number, 0 where there
// is no such array. What it makes of those that Rule::written has a bit for is stored.
template <typename Real, typename Rule>
__device__ __forceinline__ void for_each_element(const Tensors<Real>& tensors, Rule& rule) {
    int first, last;
    const Tensor<Real>& tensor = own_chunk(tensors, first, last);
    const int lanes = Pack<Real>::lanes;
    int packed = first;  // elements from here to last have no pack of their own
    if (tensor.flags & ALIGNED) {
        packed = last - (last - first) % lanes;
#pragma unroll 1  // a rule with quotients and roots would run out of registers
        for (int i = first + (int)threadIdx.x * lanes; i < packed; i += (int)blockDim.x * lanes) {
            Pack<Real> pack[Rule::arrays];
#pragma unroll
            for (int a = 0; a < Rule::arrays; ++a)
                if (tensor.array[a]) pack[a] = load_pack(tensor.array[a] + i);
#pragma unroll
            for (int lane = 0; lane < lanes; ++lane) {
                Real of[Rule::arrays];
#pragma unroll
                for (int a = 0; a < Rule::arrays; ++a) of[a] = tensor.array[a] ? pack[a].lane[lane] : Real(0);
                rule(of, tensor);
#pragma unroll
                for (int a = 0; a < Rule::arrays; ++a) pack[a].lane[lane] = of[a];
            }
#pragma unroll
            for (int a = 0; a < Rule::arrays; ++a)
                if ((Rule::written >> a & 1) && tensor.array[a]) store_pack(tensor.array[a] + i, pack[a]);
        }
    }
#pragma unroll 1
    for (int i = packed + (int)threadIdx.x; i < last; i += (int)blockDim.x) {
        Real of[Rule::arrays];
#pragma unroll
        for (int a = 0; a < Rule::arrays; ++a) of[a] = tensor.array[a] ? tensor.array[a][i] : Real(0);
        rule(of, tensor);
#pragma unroll
        for (int a = 0; a < Rule::arrays; ++a)
            if ((Rule::written >> a & 1) && tensor.array[a]) tensor.array[a][i] = of[a];
    }
}
