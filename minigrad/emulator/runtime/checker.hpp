// The checked mode: every access of every thread is held against the arrays that there are and against what others did.
#pragma once
#include "observer.hpp"
#include "shadow.hpp"

namespace emulator {

class Checker : public Observer {
public:
    explicit Checker(Launch& launch);

    void block_begins(Block& block) override;
    bool access(Thread& thread, char* address, int size, Access access, bool is_volatile, Site site) override;
    bool vector_access(Thread& thread, char* address, int size, Access access, Site site) override;
    void copy_begins(Thread& thread, const Copy& copy, Site site) override;
    void copy_ends(Thread& thread, const Copy& copy, Site site) override;
    void fence(Thread& thread) override { order.fence(thread); }
    void block_met(Block& block) override { order.block_met(block); }
    void warp_met(Block& block, int warp, unsigned lanes, bool orders_memory) override {
        if (orders_memory) order.warp_met(block, unsigned(warp), lanes);
    }
    void grid_met() override { order.grid_met(); }

private:
    // An access with the memory that it goes to.
    struct Here {
        Thread& thread;
        char* address;
        int size;
        Access access;
        bool writes, atomic;
        Site site;
        uint32_t number;  // of the site
        // What `locate` finds out:
        Shadow* shadow;
        Space space;
        int argument;
        const char* name;
        const char* start;  // of the array
        size_t bytes;
        bool constant, may_be_unset;
    };

    bool locate(Here& here);
    bool locate_shared(Here& here);
    bool locate_global(Here& here);
    bool beyond(Here& here);  // all bounds: reports, and false
    bool note(Here& here);
    void compare(const Here& here, const Mark& mark, uint8_t bytes, size_t offset);
    static void remember(Cell& cell, const Mark& mark, uint32_t threads);
    Finding finding(const Here& here, Kind kind) const;
    Side side_of_mark(const Mark& mark) const;
    uint32_t site_number(Site site);
    Shadow& shadow_of(const Block& block);

    Launch& launch;
    Order order;
    Areas areas;
    ProgramMemory program;
    std::vector<Site> places;  // of accesses that tell their line
    std::unordered_map<const Block*, Shadow> shared;
    const Block* last = nullptr;  // the one that was asked for last, and its shadow
    Shadow* last_shadow = nullptr;
};

}  // namespace emulator
