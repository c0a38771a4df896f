// Beside the memory that a kernel may use: who wrote and read each piece of it last.
#pragma once
#include <memory>

#include "order.hpp"

namespace emulator {

// An access that is remembered. `thread` is its number in the grid plus one; 0 where there was none.
struct Mark {
    uint32_t thread;
    Time time;
    uint32_t site;    // see Shadow::site
    uint8_t bytes;    // of the piece: one bit for each
    uint8_t access;   // as in Access
    bool writes;
    bool atomic;      // itself, or by being a volatile access to global memory
};

// One piece, of as many bytes as the smallest number that lies there, 4 at most.
struct Cell {
    Mark writer;
    Mark readers[2];  // of different blocks, if there are; else of different warps; else of different threads
    uint8_t written;  // bytes that hold something
    uint8_t pending;  // bytes to which an asynchronous copy is under way
};

// A piece of memory with its cells.
class Shadow {
public:
    Shadow() = default;
    Shadow(char* start, size_t bytes, unsigned piece);

    bool is_whole() const { return cells || !bytes; }  // else the system had no memory for it
    bool has(const char* address) const { return size_t(address - start) < bytes; }
    void forget(const char* from, size_t count);  // what lies there holds nothing, and nobody used it
    // Call for each piece that an access touches, with its cell and the bit of each byte of it.
    template <typename Do>
    void each(const char* address, size_t count, Do what) {
        size_t offset = size_t(address - start);
        for (const size_t end = offset + count; offset < end;) {
            const size_t first = offset % piece, here = end - offset < piece - first ? end - offset : piece - first;
            what(cells.get()[offset / piece], uint8_t(((1u << here) - 1) << first), offset - first);
            offset += here;
        }
    }

    char* start = nullptr;
    size_t bytes = 0;

private:
    struct Unmap {
        size_t bytes;
        void operator()(Cell* cells) const;
    };
    unsigned piece = 4;
    std::unique_ptr<Cell, Unmap> cells;
};

// What a kernel gave as arrays. Those that overlap lie in one area.
struct Area {
    Shadow shadow;
    std::vector<Buffer> buffers;
    bool uninitialised;

    const Buffer* around(const char* address, size_t size) const;  // the one that has all of it, one not const before others
};

class Areas {
public:
    Areas(const Request& request);
    Area* find(const char* address);
    bool are_whole() const;
    const Buffer* nearest(const char* address) const;  // within MARGIN, else nullptr

private:
    static constexpr uint64_t MARGIN = 1 << 20;  // as in minigrad/emulator/guarded.py
    std::vector<Area> areas;                     // by address
    Area* last = nullptr;
};

// The variables of a program, and the texts that it reads.
class ProgramMemory {
public:
    explicit ProgramMemory(const void* code);
    bool readable(const char* address) const;
    Shadow variables;
    const char* base = nullptr;

private:
    struct Segment {
        const char* start;
        size_t bytes;
    };
    std::vector<Segment> segments;
};

}  // namespace emulator
