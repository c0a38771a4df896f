#include "signals.hpp"

#include <signal.h>
#include <stdlib.h>
#include <ucontext.h>

#include <mutex>

namespace emulator {

namespace {

// To break off a kernel from outside: a signal that programs ignore unless they ask for it.
constexpr int STOP = SIGURG;
constexpr int CAUGHT[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, STOP};
constexpr int COUNT = sizeof CAUGHT / sizeof *CAUGHT;

std::mutex lock;
int catching = 0;
struct sigaction before[COUNT];

// Just behind the start of the instruction that faulted, as a call's return address is behind the call.
const void* code_address(void* context) {
    const mcontext_t& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
    return reinterpret_cast<const void*>(machine.gregs[REG_RIP] + 1);
#elif defined(__aarch64__)
    return reinterpret_cast<const void*>(machine.pc + 1);
#else
    return nullptr;
#endif
}

// A fault that is not a kernel's goes where it would have gone without us.
void pass_on(int signal, siginfo_t* info, void* context) {
    for (int i = 0; i < COUNT; i++) {
        if (CAUGHT[i] != signal) continue;
        if (before[i].sa_flags & SA_SIGINFO) {
            before[i].sa_sigaction(signal, info, context);
        } else if (before[i].sa_handler == SIG_DFL) {
            if (signal == STOP) return;
            sigaction(signal, &before[i], nullptr);  // and the instruction faults again
        } else if (before[i].sa_handler != SIG_IGN) {
            before[i].sa_handler(signal);
        }
    }
}

void handle(int signal, siginfo_t* info, void* context) {
    Worker* const running = worker;
    if (!running || !running->launch || !running->current) return pass_on(signal, info, context);
    Launch& launch = *running->launch;
    if (signal == STOP) {
        if (launch.over() && !running->in_runtime) siglongjmp(running->escape, 1);
        return;
    }
    Finding finding{};
    finding.here = side_of(*running->current, Site(code_address(context)));
    finding.kind = signal == SIGFPE                            ? Kind::division
                   : running->fibers.is_guard(info->si_addr)   ? Kind::stack_overflow
                                                               : Kind::crash;
    finding.offset = int64_t(reinterpret_cast<intptr_t>(info->si_addr));
    launch.fail(finding);
    siglongjmp(running->escape, 1);
}

}  // namespace

Catching::Catching() {
    std::lock_guard<std::mutex> hold(lock);
    if (catching++) return;
    struct sigaction action {};
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < COUNT; i++) sigaction(CAUGHT[i], &action, &before[i]);
}

Catching::~Catching() {
    std::lock_guard<std::mutex> hold(lock);
    if (--catching) return;
    for (int i = 0; i < COUNT; i++) sigaction(CAUGHT[i], &before[i], nullptr);
}

void prepare_this_thread() {
    stack_t stack{};
    stack.ss_size = 64 << 10;
    stack.ss_sp = malloc(stack.ss_size);  // as long as the thread, which does not end
    sigaltstack(&stack, nullptr);
    sigset_t others;
    sigfillset(&others);
    for (int signal : CAUGHT) sigdelset(&others, signal);
    pthread_sigmask(SIG_SETMASK, &others, nullptr);
}

void interrupt(Worker& running) { pthread_kill(running.system_thread, STOP); }

}  // namespace emulator
