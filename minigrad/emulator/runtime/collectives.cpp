// Where threads meet: barriers of block and grid, and all that the lanes of a warp do together.
#include <string.h>

#include "observer.hpp"
#include "worker.hpp"

namespace emulator {

namespace {

struct Exchanged {
    uint64_t bits;
    int source;
};
struct Voted {
    bool predicate;
    unsigned result;
};
struct Matched {
    uint64_t bits;
    unsigned result;
};
struct Multiplied {
    float* accumulator;
    const unsigned *a, *b;
};
struct Loaded {
    unsigned* to;
    const void* row;
};

template <typename Payload>
struct Lanes {  // the payloads of the lanes of one meeting
    void* const* payloads;
    unsigned present;
    bool has(int lane) const { return present >> lane & 1; }
    Payload& operator[](int lane) const { return *static_cast<Payload*>(payloads[lane]); }
    template <typename Do>
    void each(Do what) const {
        for (int lane = 0; lane < 32; lane++) {
            if (has(lane)) what(lane, (*this)[lane]);
        }
    }
};

void exchange_all(const Lanes<Exchanged>& lanes) {
    uint64_t brought[32];
    lanes.each([&](int lane, Exchanged& mine) { brought[lane] = mine.bits; });
    // What a lane would get from one that is not there has no meaning: ones, which as a float are NaN.
    lanes.each([&](int, Exchanged& mine) { mine.bits = lanes.has(mine.source & 31) ? brought[mine.source & 31] : ~uint64_t(0); });
}

void vote_all(const Lanes<Voted>& lanes, Vote what) {
    unsigned ballot = 0;
    lanes.each([&](int lane, Voted& mine) { ballot |= unsigned(mine.predicate) << lane; });
    const unsigned result = what == Vote::ballot ? ballot : what == Vote::any ? ballot != 0 : ballot == lanes.present;
    lanes.each([&](int, Voted& mine) { mine.result = result; });
}

void match_each(const Lanes<Matched>& lanes) {
    lanes.each([&](int, Matched& mine) {
        mine.result = 0;
        lanes.each([&](int lane, Matched& other) { mine.result |= unsigned(other.bits == mine.bits) << lane; });
    });
}

uint32_t combine(Reduction what, bool is_signed, uint32_t a, uint32_t b) {
    const bool less = is_signed ? int32_t(a) < int32_t(b) : a < b;
    switch (what) {
        case Reduction::add: return a + b;
        case Reduction::min: return less ? a : b;
        case Reduction::max: return less ? b : a;
        case Reduction::bit_and: return a & b;
        case Reduction::bit_or: return a | b;
        case Reduction::bit_xor: return a ^ b;
    }
    return 0;
}

void reduce_all(const Lanes<uint32_t>& lanes, uint8_t detail) {
    bool first = true;
    uint32_t result = 0;
    lanes.each([&](int, uint32_t& mine) {
        result = first ? mine : combine(Reduction(detail >> 1), detail & 1, result, mine);
        first = false;
    });
    lanes.each([&](int, uint32_t& mine) { mine = result; });
}

// Row, column and lane as in the tables of the PTX manual for mma.m16n8k8 with .tf32; products are summed in float.
void multiply_all(const Lanes<Multiplied>& lanes) {
    float a[16][8], b[8][8];
    const auto tf32 = [](unsigned bits) {
        bits &= 0xffffe000u;
        float value;
        memcpy(&value, &bits, 4);
        return value;
    };
    lanes.each([&](int lane, Multiplied& mine) {
        const int group = lane >> 2, member = lane & 3;
        a[group][member] = tf32(mine.a[0]), a[group + 8][member] = tf32(mine.a[1]);
        a[group][member + 4] = tf32(mine.a[2]), a[group + 8][member + 4] = tf32(mine.a[3]);
        b[member][group] = tf32(mine.b[0]), b[member + 4][group] = tf32(mine.b[1]);
    });
    lanes.each([&](int lane, Multiplied& mine) {
        for (int i = 0; i < 4; i++) {
            const int row = (lane >> 2) + (i >> 1) * 8, column = (lane & 3) * 2 + (i & 1);
            float sum = mine.accumulator[i];
            for (int k = 0; k < 8; k++) sum += a[row][k] * b[k][column];
            mine.accumulator[i] = sum;
        }
    });
}

void load_all(const Lanes<Loaded>& lanes, uint8_t detail) {
    const int count = detail >> 1;
    const bool transposed = detail & 1;
    lanes.each([&](int lane, Loaded& mine) {
        for (int matrix = 0; matrix < count; matrix++) {
            const auto element = [&](int row, int column) {
                uint16_t value;
                memcpy(&value, static_cast<const char*>(lanes[matrix * 8 + row].row) + column * 2, 2);
                return unsigned(value);
            };
            const int fixed = lane >> 2, pair = (lane & 3) * 2;
            mine.to[matrix] = transposed ? element(pair, fixed) | element(pair + 1, fixed) << 16
                                         : element(fixed, pair) | element(fixed, pair + 1) << 16;
        }
    });
}

void resolve(What what, uint8_t detail, void* const* payloads, unsigned present) {
    switch (what) {
        case What::synchronise: break;
        case What::exchange: exchange_all({payloads, present}); break;
        case What::vote: vote_all({payloads, present}, Vote(detail)); break;
        case What::match_any:
        case What::match_all: match_each({payloads, present}); break;
        case What::reduce: reduce_all({payloads, present}, detail); break;
        case What::multiply: multiply_all({payloads, present}); break;
        case What::load_matrices: load_all({payloads, present}, detail); break;
    }
}

[[noreturn]] void fail_here(Kind kind, Place place, unsigned mask = 0, unsigned lanes = 0) {
    Finding finding{};
    finding.kind = kind;
    finding.here = side_of(*worker->current, place);
    finding.mask = mask;
    finding.lanes = lanes;
    worker->launch->fail(finding);
    worker->give_up();
}

// Lanes from which a lane of a shuffle takes a value, and that are not there.
unsigned absent_sources(void* const* payloads, unsigned present) {
    unsigned sources = 0;
    Lanes<Exchanged>{payloads, present}.each([&](int, Exchanged& mine) { sources |= 1u << (mine.source & 31); });
    return sources & ~present;
}

// Whether all lanes of `needed` wait for what `asker` waits for; then they have it. All but `running` are made ready.
bool finish_meeting(Block& block, unsigned warp, const Thread& asker, unsigned needed, const Thread* running) {
    Thread* first = &block.threads[warp * 32];
    void* payloads[32];
    for (unsigned left = needed; left; left &= left - 1) {
        const Thread& thread = first[__builtin_ctz(left)];
        const bool here = &thread == running || thread.state == State::at_warp;
        if (!here || thread.what != asker.what || thread.mask != asker.mask || thread.detail != asker.detail) return false;
        payloads[thread.lane()] = thread.payload;
    }
    const bool exact = asker.what == What::multiply || asker.what == What::load_matrices;
    unsigned missing = exact ? asker.mask & ~needed : 0;
    if (asker.what == What::exchange && block.launch.request.mode == Mode::checked) missing = absent_sources(payloads, needed);
    if (missing) {
        Finding finding{};
        finding.kind = exact ? Kind::partial_warp : Kind::exited_lanes;
        finding.here = side_of(asker, asker.place);
        finding.mask = asker.mask;
        finding.lanes = missing;
        finding.size = int64_t(block.existing_lanes(warp));
        if (exact) {
            block.launch.fail(finding);
            return true;
        }
        block.launch.report(finding);
    }
    resolve(asker.what, asker.detail, payloads, needed);
    const bool orders_memory = asker.what == What::synchronise;
    for (unsigned left = needed; left; left &= left - 1) {
        Thread& thread = first[__builtin_ctz(left)];
        if (&thread != running) block.make_ready(thread);
    }
    block.waiting_lanes[warp] &= ~needed;
    if (block.launch.observer) block.launch.observer->warp_met(block, int(warp), needed, orders_memory);
    return true;
}

const char* name_of(What what) {
    constexpr const char* names[] = {"__syncwarp", "a shuffle", "a vote", "__match_any_sync", "__match_all_sync",
                                     "a reduction", "mma", "ldmatrix"};
    return names[int(what)];
}

void meet(unsigned mask, What what, uint8_t detail, void* payload, Place place) {
    Thread& thread = *worker->current;
    Block& block = *thread.block;
    const unsigned warp = thread.number >> 5, lane = thread.lane();
    if (Observer* observer = block.launch.observer.get()) observer->arrives(thread, name_of(what), place);
    if (!(mask >> lane & 1)) fail_here(Kind::lane_not_in_mask, place, mask, 1u << lane);
    thread.what = what, thread.detail = detail, thread.mask = mask, thread.payload = payload, thread.place = place;
    const unsigned needed = mask & block.living_lanes[warp];
    const unsigned waiting = block.waiting_lanes[warp] |= 1u << lane;
    if ((waiting & needed) == needed && finish_meeting(block, warp, thread, needed, &thread)) return;
    thread.state = State::at_warp;
    worker->suspend(thread);
}

}  // namespace

void finish_warp_meetings(Thread& ended) {
    Block& block = *ended.block;
    const unsigned warp = ended.number >> 5;
    const unsigned asked = block.waiting_lanes[warp];
    for (unsigned left = asked; left; left &= left - 1) {
        const unsigned lane = unsigned(__builtin_ctz(left));
        if (!(block.waiting_lanes[warp] >> lane & 1)) continue;  // freed meanwhile with another
        const Thread& asker = block.threads[warp * 32 + lane];
        finish_meeting(block, warp, asker, asker.mask & block.living_lanes[warp], nullptr);
    }
}

unsigned own_lane() { return worker->current->lane(); }

void synchronise_warp(unsigned mask, Place place) {
    InRuntime guard;
    meet(mask, What::synchronise, 0, nullptr, place);
}

uint64_t exchange(unsigned mask, uint64_t bits, int source_lane, int, Place place) {
    InRuntime guard;
    Exchanged mine{bits, source_lane};
    meet(mask, What::exchange, 0, &mine, place);
    return mine.bits;
}

unsigned vote(unsigned mask, Vote what, bool predicate, Place place) {
    InRuntime guard;
    Voted mine{predicate, 0};
    meet(mask, What::vote, uint8_t(what), &mine, place);
    return mine.result;
}

unsigned match_any(unsigned mask, uint64_t bits, Place place) {
    InRuntime guard;
    Matched mine{bits, 0};
    meet(mask, What::match_any, 0, &mine, place);
    return mine.result;
}

unsigned match_all(unsigned mask, uint64_t bits, int* predicate, Place place) {
    InRuntime guard;
    Matched mine{bits, 0};
    meet(mask, What::match_all, 0, &mine, place);
    const Thread& thread = *worker->current;
    const bool all = mine.result == (mask & thread.block->existing_lanes(thread.number >> 5));
    *predicate = all;
    return all ? mask : 0;
}

uint32_t reduce(unsigned mask, Reduction what, bool is_signed, uint32_t value, Place place) {
    InRuntime guard;
    meet(mask, What::reduce, uint8_t(int(what) * 2 + is_signed), &value, place);
    return value;
}

void multiply_tf32(float* accumulator, const unsigned* a, const unsigned* b, Place place) {
    InRuntime guard;
    Multiplied mine{accumulator, a, b};
    meet(0xffffffffu, What::multiply, 0, &mine, place);
}

void load_matrices(unsigned* to, int count, bool transposed, const void* row, Place place) {
    InRuntime guard;
    Thread& thread = *worker->current;
    char* address = static_cast<char*>(const_cast<void*>(row));
    Observer* observer = worker->launch->observer.get();
    if (observer && int(thread.lane()) < count * 8 && !observer->access(thread, address, 16, Access::read, false, place)) return;
    Loaded mine{to, row};
    meet(0xffffffffu, What::load_matrices, uint8_t(count * 2 + transposed), &mine, place);
}

int synchronise_block_counting(int predicate, int what, Place place) {
    InRuntime guard;
    Thread& thread = *worker->current;
    Block& block = *thread.block;
    if (Observer* observer = worker->launch->observer.get()) observer->arrives(thread, "__syncthreads", place);
    thread.predicate = predicate;
    block.wait_at_barrier(thread, place);
    worker->suspend(thread);
    return what == 0 ? block.predicates() : what == 1 ? block.predicates() == block.present() : block.predicates() > 0;
}

void synchronise_block(Place place) { synchronise_block_counting(0, 0, place); }

void synchronise_grid(Place place) {
    InRuntime guard;
    Thread& thread = *worker->current;
    if (!worker->launch->request.cooperative) fail_here(Kind::grid_barrier, place);
    if (Observer* observer = worker->launch->observer.get()) observer->arrives(thread, "grid_sync", place);
    thread.state = State::at_grid;
    thread.place = place;
    thread.block->at_grid++;
    worker->suspend(thread);
}

}  // namespace emulator
