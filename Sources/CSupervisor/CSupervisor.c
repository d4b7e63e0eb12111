// The process between the host and a worker; CSupervisor.h says what it is for, README.md why it is right.
#define _GNU_SOURCE
#include "CSupervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "CLinux.h"

// Missing from the headers of older distributions; the numbers are the same on every architecture.
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif

enum { PIDFD = 3 /* P_PIDFD */, WORKER_STACK = 64 << 10, SUPERVISOR_STACK = 32 << 10, SIGNALS = 8 /* sizeof(sigset) */ };

// <asm/signal.h>, with room for the fields that only some architectures have.
struct signal_action {
  void *handler;
  unsigned long flags, words[4];
};

// Lies at the bottom of the memory made for the supervisor; the stacks are above it.
struct csupervisor {
  // Used by the host alone.
  int descriptor, control;
  // What to start.
  const char *path;
  const char *const *arguments, *const *environment;
  int socket, null, peer, host_process;
  pid_t host;
  // Set by the supervisor.
  pid_t self;
  int worker;
  // Whether the worker no longer runs on this memory.
  volatile int is_alone;
  volatile int failure, how, status;
  // The supervisor's variables; once it has started the worker it uses no memory but this page and its stack.
  struct signal_action action;
  struct pollfd requests[3];
  siginfo_t info;
  int kept[5];
};

_Static_assert(sizeof(struct csupervisor) <= 4096, "it fits into a page");
enum { SIZE = 4096 + WORKER_STACK + SUPERVISOR_STACK };

// Code that runs on the host's memory must not touch what belongs to one of its threads: no errno, no canary of the stack
// protector, nothing that a sanitizer instruments. It makes system calls and nothing else, without the C library.
#define ON_SHARED_MEMORY __attribute__((noinline, disable_sanitizer_instrumentation, no_stack_protector))
#ifndef __clang__
#undef ON_SHARED_MEMORY
#define ON_SHARED_MEMORY __attribute__((noinline, no_sanitize("address", "thread", "undefined"), optimize("no-stack-protector")))
#endif

#if defined(__x86_64__)

#define HAS_SUPERVISOR 1
static inline __attribute__((always_inline)) long call(long number, long a, long b, long c, long d, long e) {
  register long fourth __asm__("r10") = d, fifth __asm__("r8") = e;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth)
                   : "rcx", "r11", "memory");
  return result;
}

// clone(2): the child calls `run` on a stack of its own. `run` must not return.
static inline __attribute__((always_inline)) long start(
    unsigned long flags, void *stack, int *descriptor, void (*run)(struct csupervisor *),
    struct csupervisor *supervisor) {
  register void *function __asm__("r12") = (void *)run;
  register void *argument __asm__("r13") = supervisor;
  long result;
  __asm__ volatile("syscall\n\t"
                   "test %%rax, %%rax\n\t"
                   "jnz 1f\n\t"
                   "mov %%r13, %%rdi\n\t"
                   "call *%%r12\n\t"
                   "ud2\n"
                   "1:"
                   : "=a"(result)
                   : "a"((long)SYS_clone), "D"(flags), "S"(stack), "d"(descriptor), "r"(function), "r"(argument)
                   : "rcx", "r11", "memory", "cc");
  return result;
}

#elif defined(__aarch64__)

#define HAS_SUPERVISOR 1
static inline __attribute__((always_inline)) long call(long number, long a, long b, long c, long d, long e) {
  register long first __asm__("x0") = a, second __asm__("x1") = b, third __asm__("x2") = c;
  register long fourth __asm__("x3") = d, fifth __asm__("x4") = e, eighth __asm__("x8") = number;
  __asm__ volatile("svc #0"
                   : "+r"(first)
                   : "r"(second), "r"(third), "r"(fourth), "r"(fifth), "r"(eighth)
                   : "memory", "cc");
  return first;
}

static inline __attribute__((always_inline)) long start(
    unsigned long flags, void *stack, int *descriptor, void (*run)(struct csupervisor *),
    struct csupervisor *supervisor) {
  register long first __asm__("x0") = (long)flags, number __asm__("x8") = SYS_clone;
  register void *second __asm__("x1") = stack;
  register int *third __asm__("x2") = descriptor;
  register void *function __asm__("x20") = (void *)run;
  register void *argument __asm__("x21") = supervisor;
  __asm__ volatile("svc #0\n\t"
                   "cbnz x0, 1f\n\t"
                   "mov x29, xzr\n\t"
                   "mov x0, x21\n\t"
                   "blr x20\n\t"
                   "brk #1\n"
                   "1:"
                   : "+r"(first)
                   : "r"(second), "r"(third), "r"(number), "r"(function), "r"(argument)
                   : "memory", "cc");
  return first;
}

#endif

#ifdef HAS_SUPERVISOR

static inline __attribute__((always_inline)) long call3(long number, long a, long b, long c) {
  return call(number, a, b, c, 0, 0);
}

static inline __attribute__((always_inline, noreturn)) void leave(int status) {
  for (;;) call3(SYS_exit_group, status, 0, 0);
}

// Closes all descriptors except the first `count` of `kept`, which it sorts.
static inline __attribute__((always_inline)) void close_others(struct csupervisor *supervisor, int count) {
  int *kept = supervisor->kept;
  for (int index = 1; index < count; index++) {
    for (int at = index; at > 0 && kept[at - 1] > kept[at]; at--) {
      int other = kept[at];
      kept[at] = kept[at - 1];
      kept[at - 1] = other;
    }
  }
  long next = 0;
  for (int index = 0; index <= count; index++) {
    long last = index < count ? kept[index] - 1L : 0xFFFFFFFFL;
    if (last >= next && call3(SYS_close_range, next, last, 0) != 0) {
      // Before Linux 5.9.
      struct rlimit limit = {.rlim_cur = 1024};
      call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit, 0);
      for (; next <= last && next < (long)limit.rlim_cur; next++) call3(SYS_close, next, 0, 0);
    }
    next = last + 2;
  }
}

// The future worker: until it executes its program, it runs on this memory.
ON_SHARED_MEMORY static void become_worker(struct csupervisor *supervisor) {
  long error = 0;
  // Ends the worker with the supervisor. The supervisor may have been killed before this call: then the parent is another.
  call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (call3(SYS_getppid, 0, 0, 0) != supervisor->self) leave(127);
  for (int number = 1; number < NSIG; number++) {
    if (number == SIGKILL || number == SIGSTOP) continue;
    // An ignored signal would stay ignored after execve(2), and a handler of the host's must not run here.
    struct signal_action *action = &supervisor->action;
    if (call(SYS_rt_sigaction, number, 0, (long)action, SIGNALS, 0) != 0 || action->handler == SIG_DFL) continue;
    action->handler = SIG_DFL;
    action->flags = 0;
    call(SYS_rt_sigaction, number, (long)action, 0, SIGNALS, 0);
  }
  call3(SYS_setsid, 0, 0, 0);
  // Out of the way of the numbers that the worker is to have.
  long socket = call3(SYS_fcntl, supervisor->socket, F_DUPFD_CLOEXEC, CLINUX_WORKER_SOCKET + 1);
  long null = call3(SYS_fcntl, supervisor->null, F_DUPFD_CLOEXEC, CLINUX_WORKER_SOCKET + 1);
  if (socket < 0 || null < 0) {
    error = socket < 0 ? socket : null;
    // There may be no such number at all.
    if (error == -EINVAL) error = -EMFILE;
  } else {
    for (long number = 0; number < 3 && error >= 0; number++) error = call3(SYS_dup3, null, number, 0);
    if (error >= 0) error = call3(SYS_dup3, socket, CLINUX_WORKER_SOCKET, 0);
  }
  if (error >= 0) {
    supervisor->kept[0] = 0, supervisor->kept[1] = 1, supervisor->kept[2] = 2, supervisor->kept[3] = CLINUX_WORKER_SOCKET;
    close_others(supervisor, 4);
    uint64_t none = 0;
    call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&none, 0, SIGNALS, 0);
    error = call3(SYS_execve, (long)supervisor->path, (long)supervisor->arguments, (long)supervisor->environment);
  }
  supervisor->failure = (int)-error;
  leave(127);
}

// Waits until the worker has ended, or the host has ended or closed its socket, in which case it kills the worker.
ON_SHARED_MEMORY static void watch(struct csupervisor *supervisor) {
  struct pollfd *requests = supervisor->requests;
  requests[0].fd = supervisor->worker;
  requests[1].fd = supervisor->peer;
  requests[2].fd = supervisor->host_process;
  for (int index = 0; index < 3; index++) requests[index].events = POLLIN;
  requests[1].events = POLLIN | POLLRDHUP;
  long count;
  do count = call(SYS_ppoll, (long)requests, 3, 0, 0, SIGNALS);
  while (count == -EINTR);
  if (count < 0 || (requests[1].revents | requests[2].revents) != 0)
    call(SYS_pidfd_send_signal, supervisor->worker, SIGKILL, 0, 0, 0);
  long result;
  do result = call(SYS_waitid, PIDFD, supervisor->worker, (long)&supervisor->info, WEXITED, 0);
  while (result == -EINTR);
  if (result == 0) {
    supervisor->status = supervisor->info.si_status;
    supervisor->how = supervisor->info.si_code == CLD_EXITED ? CSUPERVISOR_ENDED_EXIT : CSUPERVISOR_ENDED_SIGNAL;
  }
  leave(0);
}

ON_SHARED_MEMORY static void guard(struct csupervisor *supervisor) {
  call(SYS_prctl, PR_SET_NAME, (long)"memarchive-ward", 0, 0, 0);
  supervisor->self = (pid_t)call3(SYS_getpid, 0, 0, 0);
  // Where the host ignores SIGCHLD, the worker's status would be discarded.
  supervisor->action.handler = SIG_DFL;
  call(SYS_rt_sigaction, SIGCHLD, (long)&supervisor->action, 0, SIGNALS, 0);
  supervisor->host_process = (int)call3(SYS_pidfd_open, supervisor->host, 0, 0);
  if (supervisor->host_process < 0) {
    supervisor->is_alone = 1;
    supervisor->failure = -supervisor->host_process;
    leave(1);
  }
  int *kept = supervisor->kept;
  kept[0] = supervisor->socket, kept[1] = supervisor->null, kept[2] = supervisor->peer, kept[3] = supervisor->host_process;
  close_others(supervisor, 4);
  long worker = start(
      CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, (char *)supervisor + 4096 + WORKER_STACK, &supervisor->worker,
      become_worker, supervisor);
  // By now the worker has executed its program or has ended.
  supervisor->is_alone = 1;
  if (worker < 0) {
    supervisor->failure = (int)-worker;
    leave(1);
  }
  kept[0] = supervisor->worker, kept[1] = supervisor->peer, kept[2] = supervisor->host_process;
  close_others(supervisor, 3);
  // Lets the host go on. From here on the thread that started this process may end, and its stack and TLS be freed.
  uint8_t word = 1;
  call(SYS_sendto, supervisor->peer, (long)&word, 1, MSG_NOSIGNAL, 0);
  watch(supervisor);
}

// For the worker's standard streams. An appliance may have no /dev; an empty file that nobody can write to will do.
static int open_nothing(void) {
  int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nothing >= 0) return nothing;
  nothing = clinux_memfd_create("nothing", CLINUX_MFD_CLOEXEC | CLINUX_MFD_ALLOW_SEALING);
  if (nothing >= 0)
    clinux_add_seals(nothing, CLINUX_F_SEAL_WRITE | CLINUX_F_SEAL_GROW | CLINUX_F_SEAL_SHRINK | CLINUX_F_SEAL_SEAL);
  return nothing;
}

struct csupervisor *csupervisor_start(
    const char *path, const char *const *arguments, const char *const *environment, int socket) {
  int null = -1, sockets[2] = {-1, -1}, error;
  struct csupervisor *supervisor = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (supervisor == MAP_FAILED) return NULL;
  if (clinux_packet_sockets(sockets) != 0 || (null = open_nothing()) < 0) goto failed;
  supervisor->path = path, supervisor->arguments = arguments, supervisor->environment = environment;
  supervisor->socket = socket, supervisor->null = null, supervisor->peer = sockets[1];
  supervisor->control = sockets[0];
  supervisor->host = getpid();
  // All signals, including those of the C library, which pthread_sigmask(3) leaves out: no handler may run in the other
  // process on this memory.
  uint64_t all = ~0ULL, before = 0;
  call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)&before, SIGNALS, 0);
  int descriptor = -1;
  // Without an exit signal: no SIGCHLD, and a plain wait(2) does not find it.
  long process = start(CLONE_VM | CLONE_PIDFD, (char *)supervisor + SIZE, &descriptor, guard, supervisor);
  supervisor->descriptor = descriptor;
  if (process > 0) {
    struct pollfd requests[2] = {{.fd = sockets[0], .events = POLLIN}, {.fd = descriptor, .events = POLLIN}};
    long count;
    do count = call(SYS_ppoll, (long)requests, 2, 0, 0, SIGNALS);
    while (count == -EINTR);
  }
  call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&before, 0, SIGNALS, 0);
  close(null);
  null = -1;
  close(sockets[1]);
  sockets[1] = -1;
  if (process < 0) {
    errno = (int)-process;
    goto failed;
  }
  uint8_t word = 0;
  if (supervisor->failure == 0 && recv(sockets[0], &word, 1, MSG_DONTWAIT) == 1) {
    // Never the number of a standard stream that the host was started without.
    supervisor->descriptor = clinux_above_streams(descriptor);
    return supervisor;
  }
  error = supervisor->failure != 0 ? supervisor->failure : ECHILD;
  int how, status;
  csupervisor_end(supervisor, &how, &status);
  errno = error;
  return NULL;
failed:
  error = errno;
  if (null >= 0) close(null);
  for (int index = 0; index < 2; index++)
    if (sockets[index] >= 0) close(sockets[index]);
  munmap(supervisor, SIZE);
  errno = error;
  return NULL;
}

void csupervisor_end(struct csupervisor *supervisor, int *how, int *status) {
  // Reaches the supervisor even where a child of the host holds a copy of this end.
  shutdown(supervisor->control, SHUT_RDWR);
  siginfo_t info;
  int result;
  do result = waitid((idtype_t)PIDFD, (id_t)supervisor->descriptor, &info, WEXITED | __WALL);
  while (result != 0 && errno == EINTR);
  if (result != 0) {
    // The host has reaped it by waiting for all children (__WALL). The descriptor reports its end as well.
    struct pollfd request = {.fd = supervisor->descriptor, .events = POLLIN};
    while (poll(&request, 1, -1) < 0 && errno == EINTR) {}
  }
  *how = supervisor->how;
  *status = supervisor->status;
  close(supervisor->control);
  close(supervisor->descriptor);
  // Where the supervisor was killed earlier, the worker may still run on this memory: it is left allocated.
  if (supervisor->is_alone) munmap(supervisor, SIZE);
}

#else

struct csupervisor *csupervisor_start(
    const char *path, const char *const *arguments, const char *const *environment, int socket) {
  (void)path, (void)arguments, (void)environment, (void)socket;
  errno = ENOSYS;
  return NULL;
}

void csupervisor_end(struct csupervisor *supervisor, int *how, int *status) { (void)supervisor, (void)how, (void)status; }

#endif

int csupervisor_descriptor(const struct csupervisor *supervisor) { return supervisor->descriptor; }
