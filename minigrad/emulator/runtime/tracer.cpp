#include "tracer.hpp"

#include <string.h>

namespace emulator {

std::unique_ptr<Observer> make_tracer(Launch& launch) { return std::unique_ptr<Observer>(new Tracer(launch)); }

void Tracer::settle() {
    if (!written) return;
    Event& event = events[writer];
    memcpy(event.value, written, size_t(event.width));
    event.has_value = 1;
    written = nullptr;
}

// The value of the event that was recorded last is at `address` once it has happened.
void Tracer::will_be_written(const char* address) {
    written = address;
    writer = events.size() - 1;
}

Event* Tracer::record(Happening what, const Thread& thread, Site site) {
    if (!launch.watches(thread.block->number)) return nullptr;
    if (events.size() == launch.request.most_events) {
        left_out++;
        return nullptr;
    }
    events.emplace_back();
    Event& event = events.back();
    event.site = site;
    event.what = what;
    event.argument = -1;
    event.thread = thread.number;
    return &event;
}

Event* Tracer::record_access(Thread& thread, char* address, int size, Access access, Site site) {
    const Spot spot = memory.find(thread, address);
    if (spot.space == Space::local) return nullptr;  // the thread's own affair: on a GPU mostly a register
    Event* event = record(Happening::access, thread, site);
    if (!event) return nullptr;
    event->access = access;
    event->space = spot.space;
    event->width = size;
    if (spot.start) event->offset = address - spot.start;
    if (spot.buffer) event->argument = spot.buffer->argument;
    if (spot.array) event->name = spot.array->name, event->shape = spot.array->shape;
    return event;
}

bool Tracer::access(Thread& thread, char* address, int size, Access access, bool, Site site) {
    if (access != Access::read) settle();
    Event* event = record_access(thread, address, size, access, site);
    // Beyond all arrays there may be no memory to look at.
    if (!event || size > int(sizeof event->value) || event->space == Space::other) return true;
    if (access == Access::read) {
        memcpy(event->value, address, size_t(size));
        event->has_value = 1;
    } else {
        will_be_written(address);
    }
    return true;
}

void Tracer::copy_begins(Thread& thread, const Copy& copy, Site site) {
    if (copy.filled) access(thread, const_cast<char*>(copy.from), copy.filled, Access::read, false, site);
}

void Tracer::copy_ends(Thread& thread, const Copy& copy, Site site) {
    settle();
    if (record_access(thread, copy.to, copy.size, Access::async_copy, site)) will_be_written(copy.to);
}

void Tracer::arrives(Thread& thread, const char* what, Site site) {
    settle();
    if (Event* event = record(Happening::arrival, thread, site)) event->name = what;
}

void Tracer::block_met(Block& block) {
    settle();
    record(Happening::block_met, block.threads[0], Site());
}

void Tracer::warp_met(Block& block, int warp, unsigned lanes, bool) {
    settle();
    if (Event* event = record(Happening::warp_met, block.threads[size_t(warp) * 32], Site())) event->lanes = lanes;
}

void Tracer::grid_met() {
    settle();
    if (events.empty()) return;
    // Any thread of the block that is watched stands for it.
    if (events.size() == launch.request.most_events) {
        left_out++;
        return;
    }
    Event event{};
    event.what = Happening::grid_met;
    event.argument = -1;
    events.push_back(event);
}

void Tracer::thread_ends(Thread& thread) {
    settle();
    record(Happening::end, thread, Site());
}

}  // namespace emulator
