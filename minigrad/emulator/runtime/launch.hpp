// A launch: what Python asks for, what it gets back, and what all that take part in it share. The first part is mirrored,
// field by field, in minigrad/emulator/library.py.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "interface.hpp"

namespace emulator {

enum class Mode : int32_t { fast, checked, profile, trace };

struct Buffer {  // an array that the kernel may reach
    char* address;
    uint64_t bytes;
    int32_t argument;       // its place among the arguments; from the number of arguments on: arrays reached through memory
    int32_t constant;       // the kernel promises not to write it
    int32_t uninitialised;  // what it holds means nothing until the kernel has written it
    int32_t piece;          // bytes that are watched together: 1, 2 or 4, no more than a number in it has
};

constexpr uint64_t ALL_BLOCKS = ~uint64_t(0);

struct Request {
    const Entry* entry;
    void* const* arguments;
    const Buffer* buffers;
    int32_t buffer_count;
    Mode mode;
    uint32_t grid[3];
    uint32_t block[3];
    uint64_t dynamic_shared;
    uint64_t most_shared;  // bytes, static and dynamic together
    uint64_t order;  // of threads and blocks: 0 as numbered, 1 backwards, else shuffled by this seed
    int32_t cooperative;
    int32_t workers;
    uint64_t watched_block;  // the one whose accesses a trace or a profile records; ALL_BLOCKS
    uint64_t most_events;    // of a trace
};

enum class Kind : int32_t {
    race = 1,
    out_of_bounds,
    uninitialised,
    misaligned,
    constant_write,
    divergent_barrier,
    exited_at_barrier,
    deadlock,
    exited_lanes,
    lane_not_in_mask,
    partial_warp,
    pending_copy,
    bad_copy,
    shared_too_large,
    assertion,
    trap,
    crash,
    stack_overflow,
    division,
    no_memory,
    grid_barrier,
};

enum class Access : int32_t { none, read, write, atomic, async_copy };
enum class Space : int32_t { none, global, shared, dynamic_shared, other, local };

struct Site {  // a line of the program, or an address in its code (line 0)
    const void* where;
    int64_t line;
    Site() : where(nullptr), line(0) {}
    Site(Place place) : where(place.file), line(place.line) {}
    explicit Site(const void* code) : where(code), line(0) {}
    bool operator==(const Site& other) const { return where == other.where && line == other.line; }
};

struct Side {  // one of the two threads of a finding
    Site site;
    uint32_t block[3];
    uint32_t thread[3];
    Access access;
    int32_t known;
};

struct Finding {
    Kind kind;
    Space space;
    Side here;
    Side there;
    int32_t argument;  // of a global address
    int32_t bytes;     // of the access
    int64_t offset;    // in the array, in bytes
    int64_t size;      // of the array, in bytes
    const char* name;  // of a shared array, of a condition
    uint64_t mask;     // lanes asked for
    uint64_t lanes;    // lanes there, or threads counted
    uint64_t count;    // how often it was found
};

class Observer;

struct Launch {
    explicit Launch(const Request& request) : request(request) {}
    Launch(const Launch&) = delete;

    const Request request;
    std::atomic<uint64_t> next_block{0};
    std::atomic<bool> stopping{false};   // by the user
    std::atomic<bool> failed{false};     // by a finding after which nothing can go on
    std::unique_ptr<Observer> observer;  // nullptr in fast mode
    std::mutex lock;                     // of the findings
    std::vector<Finding> findings;
    // Also under the lock: workers that have not ended their share, and how many of them found, in this round of asking, that
    // their threads wait for ever. In an odd round all had found it in the round before.
    int workers = 0, stuck = 0;
    uint64_t stuck_round = 0;
    void count_stuck_anew(int odd) { stuck = 0, stuck_round = stuck_round / 2 * 2 + (odd ? 1 : 2); }

    uint64_t blocks() const { return uint64_t(request.grid[0]) * request.grid[1] * request.grid[2]; }
    uint32_t threads() const { return request.block[0] * request.block[1] * request.block[2]; }
    bool watches(uint64_t block) const { return request.watched_block == block || request.watched_block == ALL_BLOCKS; }
    bool over() const { return stopping.load(std::memory_order_relaxed) || failed.load(std::memory_order_relaxed); }
    void report(const Finding& finding);  // the same once more is only counted
    void fail(const Finding& finding);    // and end the launch

private:
    static constexpr size_t MOST_FINDINGS = 100;
};

}  // namespace emulator
