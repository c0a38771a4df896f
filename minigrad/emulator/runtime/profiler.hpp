// The profile mode: for each line of the kernel, how its accesses would go through the memory of a GPU.
#pragma once
#include <unordered_map>

#include "memory.hpp"
#include "observer.hpp"

namespace emulator {

// What the accesses of one line came to. A request is what the lanes of a warp ask for at once. Mirrored in library.py.
struct LineUse {
    Site site;
    Access access;
    Space space;
    int32_t width;      // bytes that each lane asks for
    int32_t argument;   // of global memory: whose array, else -1
    const char* array;  // of shared memory: its name
    uint64_t requests, lanes;
    uint64_t sectors, ideal_sectors;        // pieces of 32 bytes of global memory
    uint64_t wavefronts, ideal_wavefronts;  // turns in which shared memory serves them
};

class Profiler : public Observer {
public:
    explicit Profiler(Launch& launch) : launch(launch), memory(launch) {}

    bool access(Thread& thread, char* address, int size, Access access, bool is_volatile, Site site) override;
    void copy_begins(Thread& thread, const Copy& copy, Site site) override;
    void warp_met(Block& block, int warp, unsigned lanes, bool orders_memory) override;
    void block_met(Block& block) override;
    void grid_met() override;
    void block_ends(Block& block) override { block_met(block); }
    void thread_ends(Thread& thread) override;

    std::vector<LineUse> lines() const;
    uint64_t left_out = 0;  // accesses that are in no line, for want of memory

private:
    // Each lane runs by itself to the next meeting. What its n-th access by an instruction since the last meeting is, belongs
    // to the other lanes' n-th access by that instruction.
    struct Request {
        unsigned lanes = 0;
        const char* addresses[32];
    };
    struct Use {
        LineUse line;  // nothing counted
        uint32_t next[32] = {};  // of each lane: the request that it is in next
        std::vector<Request> requests;
    };
    struct Key {
        Site site;
        const void* array;
        int32_t width;
        Access access;
        bool operator==(const Key& other) const {
            return site == other.site && array == other.array && width == other.width && access == other.access;
        }
    };
    struct Hash {
        size_t operator()(const Key& key) const {
            return (reinterpret_cast<size_t>(key.site.where) * 31 + size_t(key.site.line)) * 31 +
                   reinterpret_cast<size_t>(key.array) + size_t(key.width) * 8 + size_t(key.access);
        }
    };
    using Uses = std::unordered_map<Key, Use, Hash>;
    static constexpr uint64_t MOST_PENDING = 1 << 18;

    void note(Thread& thread, const char* address, int width, Access access, Site site);
    void finish(Uses& uses);

    Launch& launch;
    Memory memory;
    std::unordered_map<const Block*, std::vector<Uses>> pending;  // of each warp of the blocks that run
    uint64_t pending_count = 0;
    std::unordered_map<Key, LineUse, Hash> finished;
};

}  // namespace emulator
