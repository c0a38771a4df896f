#include "checker.hpp"

#include "worker.hpp"

namespace emulator {

namespace {

constexpr uint32_t IS_PLACE = 0x80000000u;

}  // namespace

std::unique_ptr<Observer> make_checker(Launch& launch) { return std::unique_ptr<Observer>(new Checker(launch)); }

Checker::Checker(Launch& launch)
    : launch(launch), order(launch), areas(launch.request), program(reinterpret_cast<const void*>(launch.request.entry->call)) {}

void Checker::block_begins(Block& block) {
    order.begin(block);
    Shadow& shadow = shadow_of(block);
    if (!shadow.is_whole() || !areas.are_whole() || !program.variables.is_whole()) {
        Finding none{};
        none.kind = Kind::no_memory;
        none.here = side_of(block.threads[0], Site());
        launch.fail(none);
        return;
    }
    for (const Block::Slot& slot : block.slots()) shadow.forget(slot.address, slot.array->size);
    if (launch.request.dynamic_shared) shadow.forget(block.dynamic_shared(), launch.request.dynamic_shared);
}

Shadow& Checker::shadow_of(const Block& block) {
    if (&block == last) return *last_shadow;
    Shadow& shadow = shared[&block];
    last = &block, last_shadow = &shadow;
    if (!shadow.bytes) shadow = Shadow(const_cast<char*>(block.memory()), Block::ARENA, 4);
    return shadow;
}

// A line, or an address in the program's code, as one number.
uint32_t Checker::site_number(Site site) {
    if (!site.line) return uint32_t(static_cast<const char*>(site.where) - program.base);
    for (size_t i = 0; i < places.size(); i++) {
        if (places[i] == site) return IS_PLACE | uint32_t(i);
    }
    places.push_back(site);
    return IS_PLACE | uint32_t(places.size() - 1);
}

// ---- where an address belongs

bool Checker::locate(Here& here) {
    const size_t in_shared = size_t(here.address - here.thread.block->memory());
    if (in_shared < Block::ARENA) return locate_shared(here);
    if (areas.find(here.address)) return locate_global(here);
    here.shadow = nullptr;
    here.space = Space::other;
    if (program.variables.has(here.address)) {
        here.shadow = &program.variables;
        here.start = program.variables.start, here.bytes = program.variables.bytes;
        return true;
    }
    if (!here.writes && program.readable(here.address)) return true;
    return beyond(here);
}

bool Checker::locate_shared(Here& here) {
    const Block& block = *here.thread.block;
    here.shadow = &shadow_of(block);
    here.may_be_unset = true;
    const auto within = [&](const char* start, size_t bytes) {
        const size_t offset = size_t(here.address - start);
        return offset < bytes && size_t(here.size) <= bytes - offset;
    };
    for (const Block::Slot& slot : block.slots()) {
        here.space = Space::shared, here.name = slot.array->name, here.start = slot.address, here.bytes = slot.array->size;
        if (within(here.start, here.bytes)) return true;
    }
    here.space = Space::dynamic_shared, here.name = nullptr;
    here.start = here.thread.block->dynamic_shared(), here.bytes = launch.request.dynamic_shared;
    return within(here.start, here.bytes) || beyond(here);
}

bool Checker::locate_global(Here& here) {
    Area& area = *areas.find(here.address);
    const Buffer* buffer = area.around(here.address, size_t(here.size));
    if (!buffer) return beyond(here);
    here.shadow = &area.shadow;
    here.space = Space::global;
    here.argument = buffer->argument;
    here.start = buffer->address, here.bytes = buffer->bytes;
    here.constant = buffer->constant, here.may_be_unset = area.uninitialised;
    return true;
}

// Out of all bounds: the array that is nearest is named.
bool Checker::beyond(Here& here) {
    const Block& block = *here.thread.block;
    if (size_t(here.address - block.memory()) < Block::ARENA) {
        size_t best = size_t(-1);
        const auto consider = [&](Space space, const char* name, const char* start, size_t bytes) {
            const size_t distance = here.address < start ? size_t(start - here.address) : size_t(here.address - start) - bytes;
            if (!bytes || distance >= best) return;
            best = distance;
            here.space = space, here.name = name, here.start = start, here.bytes = bytes;
        };
        here.space = Space::dynamic_shared, here.start = here.address, here.bytes = 0;
        for (const Block::Slot& slot : block.slots()) consider(Space::shared, slot.array->name, slot.address, slot.array->size);
        consider(Space::dynamic_shared, nullptr, here.thread.block->dynamic_shared(), launch.request.dynamic_shared);
    } else if (const Buffer* buffer = areas.nearest(here.address)) {
        here.space = Space::global, here.argument = buffer->argument;
        here.start = buffer->address, here.bytes = buffer->bytes;
    } else {
        here.space = Space::none, here.start = nullptr, here.bytes = 0;
    }
    launch.fail(finding(here, Kind::out_of_bounds));
    return false;
}

// ---- what is told

Finding Checker::finding(const Here& here, Kind kind) const {
    Finding found{};
    found.kind = kind;
    found.space = here.space;
    found.here = side_of(here.thread, here.site, here.access);
    found.argument = here.argument;
    found.bytes = here.size;
    found.offset = here.address - here.start;
    found.size = int64_t(here.bytes);
    found.name = here.name;
    return found;
}

Side Checker::side_of_mark(const Mark& mark) const {
    const Request& request = launch.request;
    const uint64_t number = mark.thread - 1, block = number / launch.threads();
    const uint32_t thread = uint32_t(number % launch.threads());
    Side side{};
    side.site = mark.site & IS_PLACE ? places[mark.site & ~IS_PLACE] : Site(program.base + mark.site);
    side.block[0] = uint32_t(block % request.grid[0]);
    side.block[1] = uint32_t(block / request.grid[0] % request.grid[1]);
    side.block[2] = uint32_t(block / (uint64_t(request.grid[0]) * request.grid[1]));
    side.thread[0] = thread % request.block[0];
    side.thread[1] = thread / request.block[0] % request.block[1];
    side.thread[2] = thread / (request.block[0] * request.block[1]);
    side.access = Access(mark.access);
    side.known = 1;
    return side;
}

// ---- what accesses do

bool Checker::access(Thread& thread, char* address, int size, Access access, bool is_volatile, Site site) {
    if (worker->fibers.is_stack(thread.fiber, address)) return true;
    Here here{thread, address, size, access, access != Access::read, access == Access::atomic, site, site_number(site)};
    if (!locate(here)) return false;
    // A volatile access to global memory is how threads ask whether another one is done; in shared memory it orders nothing.
    here.atomic = here.atomic || (is_volatile && here.space != Space::shared && here.space != Space::dynamic_shared);
    if (here.writes && here.constant) launch.report(finding(here, Kind::constant_write));
    if (here.atomic) order.hand_over(thread, address, here.writes);
    return note(here);
}

bool Checker::vector_access(Thread& thread, char* address, int size, Access what, Site site) {
    if (reinterpret_cast<uintptr_t>(address) % size && !worker->fibers.is_stack(thread.fiber, address)) {
        Here here{thread, address, size, what, what != Access::read, false, site, 0};
        if (locate(here)) launch.fail(finding(here, Kind::misaligned));
        return false;
    }
    return access(thread, address, size, what, false, site);
}

bool Checker::note(Here& here) {
    if (!here.shadow) return true;
    const Mark mark{uint32_t(order.number_of(here.thread)) + 1, order.now(),   here.number, 0, uint8_t(here.access),
                    here.writes,                                here.atomic};
    const bool reads = here.access == Access::read || here.access == Access::atomic;
    bool unset = false, pending = false;
    here.shadow->each(here.address, size_t(here.size), [&](Cell& cell, uint8_t bytes, size_t offset) {
        pending = pending || (cell.pending & bytes);
        unset = unset || (here.may_be_unset && reads && (bytes & ~cell.written));
        compare(here, cell.writer, bytes, offset);
        for (const Mark& reader : cell.readers) compare(here, reader, bytes, offset);
        Mark mine = mark;
        mine.bytes = bytes;
        remember(cell, mine, launch.threads());
        if (here.writes) cell.written |= bytes;
    });
    if (pending) launch.report(finding(here, Kind::pending_copy));
    else if (unset) launch.report(finding(here, Kind::uninitialised));
    return true;
}

void Checker::compare(const Here& here, const Mark& mark, uint8_t bytes, size_t offset) {
    if (!mark.thread || !(mark.bytes & bytes) || !(mark.writes || here.writes) || (mark.atomic && here.atomic)) return;
    if (order.before(mark.thread - 1, mark.time, here.thread)) return;
    Finding found = finding(here, Kind::race);
    found.there = side_of_mark(mark);
    found.offset = here.shadow->start + offset - here.start;
    const uint64_t first = order.number_of(here.thread) - here.thread.number, other = mark.thread - 1;
    const bool same_warp = other >= first && other - first < launch.threads() && (other - first) >> 5 == here.thread.number >> 5;
    found.mask = same_warp;
    launch.report(found);
}

void Checker::remember(Cell& cell, const Mark& mark, uint32_t threads) {
    if (mark.writes) {
        cell.writer = mark;
        if (!mark.atomic) {  // whoever comes after the write comes after the reads before it
            cell.readers[0] = cell.readers[1] = Mark{};
            return;
        }
    }
    // Of many readers two are kept: the first one's latest reading, and one as far from it as there was.
    Mark &first = cell.readers[0], &second = cell.readers[1];
    const auto distance = [&](const Mark& one) {
        if (!one.thread || one.thread == first.thread) return 0;
        const uint32_t a = one.thread - 1, b = first.thread - 1;
        return a / threads != b / threads ? 3 : a % threads / 32 != b % threads / 32 ? 2 : 1;
    };
    if (!first.thread || first.thread == mark.thread) first = mark;
    else if (distance(mark) >= distance(second)) second = mark;
}

// ---- asynchronous copies

void Checker::copy_begins(Thread& thread, const Copy& copy, Site site) {
    if (copy.filled && !access(thread, const_cast<char*>(copy.from), copy.filled, Access::read, false, site)) return;
    Here here{thread, copy.to, copy.size, Access::async_copy, true, false, site, site_number(site)};
    if (!locate(here) || !note(here)) return;
    here.shadow->each(copy.to, size_t(copy.size), [](Cell& cell, uint8_t bytes, size_t) { cell.pending |= bytes; });
}

void Checker::copy_ends(Thread& thread, const Copy& copy, Site site) {
    Here here{thread, copy.to, copy.size, Access::async_copy, true, false, site, site_number(site)};
    if (!locate(here)) return;
    here.shadow->each(copy.to, size_t(copy.size), [](Cell& cell, uint8_t bytes, size_t) { cell.pending &= uint8_t(~bytes); });
    note(here);
}

}  // namespace emulator
