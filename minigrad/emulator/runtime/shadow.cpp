#include "shadow.hpp"

#include <link.h>
#include <string.h>
#include <sys/mman.h>

#include <algorithm>

namespace emulator {

// Pages of zeros that cost nothing until they are used: no cell of them was.
Shadow::Shadow(char* start, size_t bytes, unsigned piece) : start(start), bytes(bytes), piece(piece) {
    const size_t size = (bytes / piece + 1) * sizeof(Cell);
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return;
    cells = std::unique_ptr<Cell, Unmap>(static_cast<Cell*>(memory), Unmap{size});
}

void Shadow::Unmap::operator()(Cell* cells) const { munmap(cells, bytes); }

void Shadow::forget(const char* from, size_t count) {
    Cell* const first = cells.get() + size_t(from - start) / piece;
    memset(static_cast<void*>(first), 0, (count + piece - 1) / piece * sizeof(Cell));
}

const Buffer* Area::around(const char* address, size_t size) const {
    const Buffer* found = nullptr;
    for (const Buffer& buffer : buffers) {
        const uint64_t offset = uint64_t(address - buffer.address);
        if (offset < buffer.bytes && size <= buffer.bytes - offset && (!found || found->constant)) found = &buffer;
    }
    return found;
}

Areas::Areas(const Request& request) {
    std::vector<Buffer> sorted(request.buffers, request.buffers + request.buffer_count);
    std::sort(sorted.begin(), sorted.end(), [](const Buffer& a, const Buffer& b) { return a.address < b.address; });
    for (size_t i = 0; i < sorted.size();) {
        Area area;
        char* end = sorted[i].address;
        unsigned piece = 4;
        area.uninitialised = true;
        do {
            const Buffer& buffer = sorted[i];
            end = std::max(end, buffer.address + buffer.bytes);
            piece = std::min(piece, unsigned(buffer.piece));
            area.uninitialised = area.uninitialised && buffer.uninitialised;
            area.buffers.push_back(buffer);
        } while (++i < sorted.size() && sorted[i].address < end);
        char* const start = area.buffers[0].address;
        area.shadow = Shadow(start, size_t(end - start), piece);
        areas.push_back(std::move(area));
    }
}

Area* Areas::find(const char* address) {
    if (last && last->shadow.has(address)) return last;
    const auto behind = std::upper_bound(areas.begin(), areas.end(), address,
                                         [](const char* where, const Area& area) { return where < area.shadow.start; });
    if (behind == areas.begin() || !std::prev(behind)->shadow.has(address)) return nullptr;
    return last = &*std::prev(behind);
}

bool Areas::are_whole() const {
    return std::all_of(areas.begin(), areas.end(), [](const Area& area) { return area.shadow.is_whole(); });
}

const Buffer* Areas::nearest(const char* address) const {
    const Buffer* found = nullptr;
    uint64_t best = MARGIN;
    for (const Area& area : areas) {
        for (const Buffer& buffer : area.buffers) {
            const uint64_t distance = uint64_t(address < buffer.address ? buffer.address - address
                                               : address < buffer.address + buffer.bytes ? 0
                                                                                         : address - buffer.address - buffer.bytes);
            if (distance < best) best = distance, found = &buffer;
        }
    }
    return found;
}

ProgramMemory::ProgramMemory(const void* code) {
    struct Search {
        const char* code;
        ProgramMemory* memory;
    } search{static_cast<const char*>(code), this};
    const auto look = [](dl_phdr_info* object, size_t, void* data) {
        const Search& wanted = *static_cast<Search*>(data);
        std::vector<Segment> found;
        Segment writable{nullptr, 0};
        bool has_code = false;
        for (int i = 0; i < object->dlpi_phnum; i++) {
            const ElfW(Phdr)& header = object->dlpi_phdr[i];
            if (header.p_type != PT_LOAD) continue;
            const Segment segment{reinterpret_cast<const char*>(object->dlpi_addr + header.p_vaddr), header.p_memsz};
            has_code = has_code || size_t(wanted.code - segment.start) < segment.bytes;
            found.push_back(segment);
            if (header.p_flags & PF_W) writable = segment;
        }
        if (!has_code) return 0;
        wanted.memory->base = reinterpret_cast<const char*>(object->dlpi_addr);
        wanted.memory->segments = found;
        if (writable.start) wanted.memory->variables = Shadow(const_cast<char*>(writable.start), writable.bytes, 4);
        return 1;
    };
    dl_iterate_phdr(look, &search);
}

bool ProgramMemory::readable(const char* address) const {
    return std::any_of(segments.begin(), segments.end(),
                       [&](const Segment& segment) { return size_t(address - segment.start) < segment.bytes; });
}

}  // namespace emulator
