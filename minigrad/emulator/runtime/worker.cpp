#include "worker.hpp"

#include "observer.hpp"

// What a kernel sees as threadIdx and so on: to it they are constants (see vectors.hpp).
#define EACH_THREAD __attribute__((visibility("default"), tls_model("initial-exec")))
__thread uint3 threadIdx EACH_THREAD;
__thread uint3 blockIdx EACH_THREAD;
__thread uint3 blockDim EACH_THREAD;
__thread uint3 gridDim EACH_THREAD;

namespace emulator {

__thread Worker* worker;

Worker::Worker() : fibers(main_of_fiber), system_thread(pthread_self()) {}

void Worker::run(Launch& what) {
    launch = &what;
    blockDim = {what.request.block[0], what.request.block[1], what.request.block[2]};
    gridDim = {what.request.grid[0], what.request.grid[1], what.request.grid[2]};
    if (sigsetjmp(escape, 1) == 0) {
        what.request.cooperative ? run_together() : run_one_by_one();
    }
    in_runtime = 1;
    current = nullptr;
    {
        std::lock_guard<std::mutex> hold(launch->lock);
        launch->workers--;
        launch->count_stuck_anew(0);
    }
    launch = nullptr;
    blocks.clear();
    if (what.over()) fibers.forget_all();
    fibers.shrink();
    arenas.resize(1);
}

void Worker::add_block() {
    if (arenas.size() == blocks.size()) arenas.emplace_back(new char[Block::ARENA]);
    blocks.emplace_back(new Block(*launch, arenas[blocks.size()].get()));
}

void Worker::run_one_by_one() {
    add_block();
    Block& block = *blocks[0];
    const uint64_t count = launch->blocks();
    for (uint64_t next; (next = launch->next_block.fetch_add(1)) < count && !launch->over();) {
        block.begin(launch->request.order == 1 ? count - 1 - next : next);
        run_resident();
        if (launch->observer) launch->observer->block_ends(block);
    }
}

void Worker::run_together() {
    const uint64_t count = launch->blocks();
    for (uint64_t i = 0; i < count; i++) {
        add_block();
        blocks.back()->begin(launch->request.order == 1 ? count - 1 - i : i);
    }
    run_resident();
    for (auto& block : blocks) {
        if (launch->observer) launch->observer->block_ends(*block);
    }
}

void Worker::run_resident() {
    turn = 0;
    waiting.begin(*launch);
    Thread* first = choose();
    if (first && enter(*first)) emulator_change_fiber(&host_stack, first->fiber->stack_pointer);
}

// Make a thread the running one. False where there is no memory for its stack.
bool Worker::enter(Thread& thread) {
    if (thread.state == State::fresh) {
        thread.fiber = fibers.take();
        if (!thread.fiber) {
            Finding finding{};
            finding.kind = Kind::no_memory;
            finding.here = side_of(thread, Site());
            launch->fail(finding);
            return false;
        }
        thread.state = State::ready;
    }
    current = &thread;
    threadIdx = thread.index;
    blockIdx = thread.block->index;
    return true;
}

void Worker::suspend(Thread& thread) {
    Thread* next = choose();
    if (next == &thread) return;
    if (!next || !enter(*next)) give_up();
    emulator_change_fiber(&thread.fiber->stack_pointer, next->fiber->stack_pointer);
}

void Worker::let_others_run(Thread& thread, Site site) {
    thread.asked = 0;
    thread.place = site;
    if (waiting.for_ever(*launch, blocks, thread)) {
        report_waiting(thread);
        return;
    }
    thread.block->make_ready(thread);
    turn = (turn + 1) % blocks.size();
    suspend(thread);
}

void Worker::give_up() {
    void* nowhere;
    emulator_change_fiber(&nowhere, host_stack);
    __builtin_unreachable();
}

void Worker::main_of_fiber() { worker->loop(); }

// The life of a fiber: run a thread to its end, then the next fresh one; where there is none, wait to be given one.
void Worker::loop() {
    for (;;) {
        Thread& thread = *current;
        Fiber* fiber = thread.fiber;
        in_runtime = 0;
        launch->request.entry->call(launch->request.entry->function, launch->request.arguments);
        in_runtime = 1;
        thread.block->thread_ended(thread);
        finish_warp_meetings(thread);

        Thread* next = choose();
        fibers.give(fiber);
        if (next && next->state == State::fresh) {
            enter(*next);  // takes the fiber that was just given: this one
            continue;
        }
        if (next) enter(*next);
        emulator_change_fiber(&fiber->stack_pointer, next ? next->fiber->stack_pointer : host_stack);
    }
}

Thread* Worker::choose() {
    if (launch->over()) return nullptr;
    do {
        for (size_t tried = 0; tried < blocks.size(); tried++) {
            Block& block = *blocks[turn];
            do {
                if (Thread* thread = block.take_next()) return thread;
            } while (block.release_barrier());
            turn = turn + 1 == blocks.size() ? 0 : turn + 1;
        }
    } while (release_grid());
    bool ended = true;
    for (const auto& block : blocks) ended = ended && block->ended();
    if (!ended && !launch->over()) report_deadlock();
    return nullptr;
}

// All threads of all blocks wait at the grid's barrier: they go on.
bool Worker::release_grid() {
    uint64_t alive = 0, waiting = 0;
    for (const auto& block : blocks) alive += block->alive, waiting += block->at_grid;
    if (!waiting || waiting < launch->blocks() * launch->threads()) return false;
    for (const auto& block : blocks) block->release_grid();
    if (launch->observer) launch->observer->grid_met();
    return true;
}

void Worker::report_deadlock() {
    Finding finding{};
    finding.kind = Kind::deadlock;
    const Thread* at[3] = {};  // one that waits for the block, for its warp, for the grid
    for (const auto& block : blocks) {
        if (block->ended() && !at[2]) finding.size++;
        for (const Thread& thread : block->threads) {
            const int kind = int(thread.state) - int(State::at_barrier);
            if (kind >= 0 && kind < 3 && !at[kind]) at[kind] = &thread;
        }
    }
    const Thread* first = at[1] ? at[1] : at[0] ? at[0] : at[2];
    const Thread* second = first == at[1] && at[0] ? at[0] : at[2] && at[2] != first ? at[2] : nullptr;
    finding.here = side_of(*first, first->place);
    if (second) finding.there = side_of(*second, second->place);
    if (first->state == State::at_warp) {
        const Block& block = *first->block;
        const unsigned warp = first->number >> 5;
        finding.mask = first->mask;
        finding.lanes = block.waiting_lanes[warp];
        for (const Thread& thread : block.threads) {  // a lane that it waits for, and that is elsewhere in its warp
            const bool missed = thread.number >> 5 == warp && (first->mask >> thread.lane() & 1) && &thread != first;
            if (missed && thread.state != State::done && !(thread.state == State::at_warp && thread.mask == first->mask &&
                                                           thread.what == first->what)) {
                finding.there = side_of(thread, thread.place);
                break;
            }
        }
    }
    finding.argument = int(first->state);
    launch->fail(finding);
}

// Nobody is left who could give what this thread asks for.
void Worker::report_waiting(const Thread& asking) {
    Finding finding{};
    finding.kind = Kind::deadlock;
    finding.here = side_of(asking, asking.place);
    finding.argument = int(State::ready);
    const uint64_t begun = launch->next_block.load(), count = launch->blocks();
    finding.lanes = launch->request.cooperative || begun >= count ? 0 : count - begun;  // blocks whose turn comes only after these
    for (const auto& block : blocks) {
        for (const Thread& thread : block->threads) {  // one that waits elsewhere
            const bool waits = thread.state != State::fresh && thread.state != State::done;
            if (finding.there.known || !waits || thread.place == asking.place) continue;
            finding.there = side_of(thread, thread.place);
        }
    }
    launch->fail(finding);
}

}  // namespace emulator
