// What Python calls: start a launch, wait for it, stop it, and read what was found. Kernels run on threads of the runtime's own,
// so that Python's thread can wait in pieces and be interrupted.
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <condition_variable>
#include <deque>

#include "profiler.hpp"
#include "signals.hpp"
#include "tracer.hpp"

namespace emulator {

namespace {

struct Running {
    explicit Running(const Request& request) : launch(request) {
        switch (request.mode) {
            case Mode::fast: break;
            case Mode::checked: launch.observer = make_checker(launch); break;
            case Mode::profile: launch.observer = make_profiler(launch); break;
            case Mode::trace: launch.observer = make_tracer(launch); break;
        }
    }
    Launch launch;
    std::vector<LineUse> lines;  // when they have been asked for
    Catching catching;
    int workers = 0;  // that have not ended their share
    std::vector<Worker*> busy;
};

// The threads that run kernels. Never destroyed: they may be asleep in it when the process ends.
struct Crew {
    std::mutex lock;
    std::condition_variable work, done;
    std::deque<Running*> waiting;  // once for each worker that it asks for
    int idle = 0;
};

Crew* crew = new Crew;

void work() {
    prepare_this_thread();
    worker = new Worker;
    std::unique_lock<std::mutex> hold(crew->lock);
    for (;;) {
        crew->idle++;
        crew->work.wait(hold, [] { return !crew->waiting.empty(); });
        crew->idle--;
        Running* const running = crew->waiting.front();
        crew->waiting.pop_front();
        running->busy.push_back(worker);
        hold.unlock();
        worker->run(running->launch);
        hold.lock();
        running->busy.erase(std::find(running->busy.begin(), running->busy.end(), worker));
        if (--running->workers == 0) crew->done.notify_all();
    }
}

void* work_forever(void*) {
    work();
    return nullptr;
}

// False where the system gives no thread.
bool start_worker() {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 1 << 20);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);  // no signal may come before the thread is prepared for it
    pthread_t thread;
    const bool started = pthread_create(&thread, &attributes, work_forever, nullptr) == 0;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_attr_destroy(&attributes);
    return started;
}

// A forked child has none of its parent's threads, and perhaps a lock that one of them held.
void forget_after_fork() { crew = new Crew; }

struct AtLoad {
    AtLoad() { pthread_atfork(nullptr, nullptr, forget_after_fork); }
} at_load;

}  // namespace

extern "C" {

EMULATOR_API void* emulator_new(const Request* request) {
    return new Running(*request);
}

// 0 started, 1 where the system gives no thread.
EMULATOR_API int emulator_start(void* handle) {
    Running* running = static_cast<Running*>(handle);
    const int wanted = running->launch.request.workers;
    std::unique_lock<std::mutex> hold(crew->lock);
    for (int i = 0; i < wanted; i++) {
        // More are waited for than sleep: another thread.
        if (crew->idle <= int(crew->waiting.size()) && !start_worker()) {
            if (running->workers == 0) return 1;
            break;
        }
        running->workers++;
        running->launch.workers++;
        crew->waiting.push_back(running);
    }
    hold.unlock();
    crew->work.notify_all();
    return 0;
}

// Whether it has ended within so many milliseconds.
EMULATOR_API int emulator_wait(void* handle, int milliseconds) {
    Running* running = static_cast<Running*>(handle);
    std::unique_lock<std::mutex> hold(crew->lock);
    return crew->done.wait_for(hold, std::chrono::milliseconds(milliseconds), [&] { return running->workers == 0; });
}

// Ask it to end; to be asked again until it has.
EMULATOR_API void emulator_stop(void* handle) {
    Running* running = static_cast<Running*>(handle);
    std::lock_guard<std::mutex> hold(crew->lock);
    running->launch.stopping = true;
    for (Worker* one : running->busy) interrupt(*one);
}

EMULATOR_API int emulator_finding_count(void* handle) { return int(static_cast<Running*>(handle)->launch.findings.size()); }
EMULATOR_API const Finding* emulator_findings(void* handle) { return static_cast<Running*>(handle)->launch.findings.data(); }
EMULATOR_API int emulator_failed(void* handle) { return static_cast<Running*>(handle)->launch.failed; }

// What a profile or a trace recorded: how much of it, where it is, and how much more there would have been.
EMULATOR_API uint64_t emulator_recorded(void* handle, const void** records, uint64_t* left_out) {
    Running& running = *static_cast<Running*>(handle);
    if (running.launch.request.mode == Mode::trace) {
        Tracer& tracer = static_cast<Tracer&>(*running.launch.observer);
        tracer.settle();
        *records = tracer.events.data(), *left_out = tracer.left_out;
        return tracer.events.size();
    }
    const Profiler& profiler = static_cast<const Profiler&>(*running.launch.observer);
    running.lines = profiler.lines();
    *records = running.lines.data(), *left_out = profiler.left_out;
    return running.lines.size();
}

EMULATOR_API void emulator_free(void* handle) { delete static_cast<Running*>(handle); }

EMULATOR_API uint64_t emulator_layout() {  // what Python's mirror of these structures must give as well
    return ((sizeof(Request) * 1000u + sizeof(Finding)) * 1000u + sizeof(LineUse)) * 1000u + sizeof(Event) + sizeof(Buffer) * 7u;
}

}  // extern "C"

}  // namespace emulator
