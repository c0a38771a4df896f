#include "profiler.hpp"

#include <algorithm>

#include "worker.hpp"

namespace emulator {

namespace {

constexpr uint64_t SECTOR = 32, BANKS = 32, WORD = 4;

// Bytes that are asked for, each counted once, and the sectors that hold them.
void count_sectors(const char* const* addresses, int count, int width, LineUse& line) {
    uint64_t starts[32];
    for (int i = 0; i < count; i++) starts[i] = reinterpret_cast<uint64_t>(addresses[i]);
    std::sort(starts, starts + count);
    uint64_t bytes = 0, sectors = 0, end = 0, next_sector = 0;
    for (int i = 0; i < count; i++) {
        const uint64_t from = std::max(starts[i], end), last = starts[i] + uint64_t(width) - 1;
        end = std::max(end, last + 1);
        bytes += end - std::min(from, end);
        const uint64_t first_sector = std::max(starts[i] / SECTOR, next_sector);
        next_sector = std::max(next_sector, last / SECTOR + 1);
        sectors += next_sector - std::min(first_sector, next_sector);
    }
    line.sectors += sectors;
    line.ideal_sectors += (bytes + SECTOR - 1) / SECTOR;
}

// The turns that a part of a warp takes: each bank gives one word in a turn, to all lanes that want that word.
uint64_t turns(const char* const* addresses, int count, int width) {
    uint64_t words[64];
    int found = 0;
    for (int i = 0; i < count; i++) {
        const uint64_t first = reinterpret_cast<uint64_t>(addresses[i]);
        for (uint64_t at = first / WORD; at <= (first + uint64_t(width) - 1) / WORD; at++) words[found++] = at;
    }
    std::sort(words, words + found);
    const int distinct = int(std::unique(words, words + found) - words);
    uint64_t of_bank[BANKS] = {}, most = 0;
    for (int i = 0; i < distinct; i++) most = std::max(most, ++of_bank[words[i] % BANKS]);
    return most;
}

// 32 lanes are served together where each wants up to 4 bytes, 16 where it wants 8, 8 where it wants 16.
void count_wavefronts(unsigned lanes, const char* const* addresses, int width, LineUse& line) {
    const int together = width <= 4 ? 32 : width <= 8 ? 16 : 8;
    for (int first = 0; first < 32; first += together) {
        const char* part[32];
        int count = 0;
        for (int lane = first; lane < first + together; lane++) {
            if (lanes >> lane & 1) part[count++] = addresses[lane];
        }
        if (!count) continue;
        line.wavefronts += turns(part, count, width);
        line.ideal_wavefronts++;
    }
}

}  // namespace

std::unique_ptr<Observer> make_profiler(Launch& launch) { return std::unique_ptr<Observer>(new Profiler(launch)); }

bool Profiler::access(Thread& thread, char* address, int size, Access access, bool, Site site) {
    if (!launch.watches(thread.block->number)) return true;
    // A GPU moves 1, 2, 4, 8 or 16 bytes at once: other structures go in pieces.
    const bool at_once = size <= 16 && (size & (size - 1)) == 0;
    const int width = at_once ? size : size % 4 ? 1 : 4;
    for (int at = 0; at < size; at += width) note(thread, address + at, width, access, site);
    return true;
}

void Profiler::copy_begins(Thread& thread, const Copy& copy, Site site) {
    if (!launch.watches(thread.block->number)) return;
    if (copy.filled) note(thread, copy.from, copy.filled, Access::async_copy, site);
    note(thread, copy.to, copy.size, Access::async_copy, site);
}

void Profiler::note(Thread& thread, const char* address, int width, Access access, Site site) {
    if (pending_count == MOST_PENDING) {
        left_out++;
        return;
    }
    std::vector<Uses>& warps = pending[thread.block];
    warps.resize((thread.block->threads.size() + 31) / 32);
    const Spot spot = memory.find(thread, address);
    const Key key{site, spot.space == Space::local ? nullptr : spot.start, width, access};
    Use& use = warps[thread.number >> 5][key];
    if (use.requests.empty()) {
        const int argument = spot.buffer ? spot.buffer->argument : -1;
        use.line = {site, access, spot.space, width, argument, spot.array ? spot.array->name : nullptr, 0, 0, 0, 0, 0, 0};
    }
    const unsigned lane = thread.lane();
    const uint32_t number = use.next[lane]++;
    if (number == use.requests.size()) {
        use.requests.emplace_back();
        pending_count++;
    }
    use.requests[number].lanes |= 1u << lane;
    use.requests[number].addresses[lane] = address;
}

void Profiler::warp_met(Block& block, int warp, unsigned lanes, bool) {
    const auto found = pending.find(&block);
    if (found == pending.end()) return;
    Uses& uses = found->second[size_t(warp)];
    if ((lanes & block.living_lanes[warp]) == block.living_lanes[warp]) return finish(uses);
    // Some go on before the others: what they do from here belongs to nothing that was before.
    for (auto& [key, use] : uses) {
        for (int lane = 0; lane < 32; lane++) {
            if (lanes >> lane & 1) use.next[lane] = uint32_t(use.requests.size());
        }
    }
}

void Profiler::block_met(Block& block) {
    const auto found = pending.find(&block);
    if (found == pending.end()) return;
    for (Uses& uses : found->second) finish(uses);
}

void Profiler::grid_met() {
    for (auto& [block, warps] : pending) {
        for (Uses& uses : warps) finish(uses);
    }
}

void Profiler::thread_ends(Thread& thread) {
    const auto found = pending.find(thread.block);
    if (found != pending.end() && !thread.block->living_lanes[thread.number >> 5]) finish(found->second[thread.number >> 5]);
}

void Profiler::finish(Uses& uses) {
    for (auto& [key, use] : uses) {
        LineUse& line = finished.try_emplace(key, use.line).first->second;
        for (const Request& request : use.requests) {
            const char* given[32];
            int count = 0;
            for (int lane = 0; lane < 32; lane++) {
                if (request.lanes >> lane & 1) given[count++] = request.addresses[lane];
            }
            line.requests++;
            line.lanes += uint64_t(count);
            if (line.space == Space::global) count_sectors(given, count, line.width, line);
            const bool shared = line.space == Space::shared || line.space == Space::dynamic_shared;
            if (shared) count_wavefronts(request.lanes, request.addresses, line.width, line);
        }
        pending_count -= use.requests.size();
    }
    uses.clear();
}

std::vector<LineUse> Profiler::lines() const {
    std::vector<LineUse> all;
    for (const auto& [key, line] : finished) all.push_back(line);
    return all;
}

}  // namespace emulator
