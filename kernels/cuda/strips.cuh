// Tables (samples, pixels, channels) without gaps, such as images in channels-last memory: which thread does which part.
//
// A block is `blockDim.x` threads along the channels, each with LANES channels beside each other, by `blockDim.y` threads, a power
// of two, along the pixels. It works on a strip of one sample's pixels: block x = sample strips + strip, and block y counts the
// tiles of channels where one block has not threads for all. Neighbouring threads have neighbouring channels, and behind them
// the next pixel's, so that all loads of a warp are of one piece. strips.py chooses the sizes.
#ifndef STRIPS
#define STRIPS
#include "packs.cuh"

const int STRIP_THREADS = 256;   // of a block, at most
const int STRIP_CHANNELS = 256;  // of a block, at most

struct Strip {
    int sample;
    int first_channel, channels;   // of the block; the last tile may have fewer than its threads
    int own, channel;              // the thread's first channel, in the block and in all
    long long start;               // of the thread's channel at pixel 0 of the sample
    int first, last;               // pixels: the thread's first, and behind the strip's last; none where it has no channel
    int number;                    // of the thread in the block
};

template <int LANES>
__device__ __forceinline__ Strip strip_of(int pixels, int channels, int strips, int strip) {
    Strip here;
    here.sample = blockIdx.x / strips;
    const int begin = (blockIdx.x - here.sample * strips) * strip;
    here.first_channel = blockIdx.y * blockDim.x * LANES;
    here.channels = min((int)blockDim.x * LANES, channels - here.first_channel);
    here.own = threadIdx.x * LANES;
    here.channel = here.first_channel + here.own;
    here.start = (long long)here.sample * pixels * channels + here.channel;
    here.last = here.own < here.channels ? min(begin + strip, pixels) : 0;
    here.first = begin + threadIdx.y;
    here.number = threadIdx.y * blockDim.x + threadIdx.x;
    return here;
}

#endif
