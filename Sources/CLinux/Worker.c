#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// The headers of older distributions lack them; the numbers are the same on every architecture.
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif

enum { PIDFD = 3 /* P_PIDFD */, STACK = 64 << 10, HIGH = 10 };

struct start {
  const char *path;
  const char *const *arguments, *const *environment;
  int socket, null;
  volatile int failure;
};

// The same under a number that is no standard stream's: a program that was started without these must not take it for
// one. Where there is no other, it stays what it is.
static int above_streams(int descriptor) {
  if (descriptor > 2) return descriptor;
  int moved = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
  if (moved < 0) return descriptor;
  close(descriptor);
  return moved;
}

// In the child, whose memory is the parent's until it executes: nothing but system calls.
static int begin(void *argument) {
  struct start *start = argument;
  struct sigaction ignored;
  for (int number = 1; number < NSIG; number++) {
    if (sigaction(number, NULL, &ignored) == 0 && ignored.sa_handler != SIG_DFL) {
      struct sigaction standard = {.sa_handler = SIG_DFL};
      sigaction(number, &standard, NULL);
    }
  }
  setsid();
  // Out of the way of the numbers that they are to have.
  int socket = fcntl(start->socket, F_DUPFD_CLOEXEC, HIGH), null = fcntl(start->null, F_DUPFD_CLOEXEC, HIGH);
  if (socket < 0 || null < 0) goto failed;
  for (int number = 0; number < 3; number++)
    if (dup2(null, number) < 0) goto failed;
  if (dup2(socket, CLINUX_WORKER_SOCKET) < 0) goto failed;
  if (syscall(SYS_close_range, CLINUX_WORKER_SOCKET + 1, ~0U, 0) != 0) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) goto failed;
    for (rlim_t number = CLINUX_WORKER_SOCKET + 1; number < limit.rlim_cur; number++) close((int)number);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  execve(start->path, (char *const *)start->arguments, (char *const *)start->environment);
failed:
  start->failure = errno;
  _exit(127);
}

pid_t clinux_spawn_worker(
    const char *path, const char *const *arguments, const char *const *environment, int socket,
    int *process_descriptor) {
  struct start start = {.path = path, .arguments = arguments, .environment = environment, .socket = socket};
  start.null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (start.null < 0) return -1;
  char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) {
    close(start.null);
    return -1;
  }
  // No handler of the host's may run in the child, on this memory.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  // As posix_spawn(3) does it, with a descriptor for the process from the first moment on: its number could go to
  // another process if somebody else reaps it. An exec resets the exit signal to SIGCHLD, so that one is asked for.
  int descriptor = -1;
  pid_t pid = clone(begin, stack + STACK, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &start, &descriptor);
  int error = errno;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  munmap(stack, STACK);
  close(start.null);
  if (pid >= 0 && start.failure != 0) {
    error = start.failure;
    int how, status;
    clinux_await_process(descriptor, &how, &status);
    close(descriptor);
    pid = -1;
  }
  if (pid >= 0) *process_descriptor = above_streams(descriptor);
  errno = error;
  return pid;
}

int clinux_kill_process(int process_descriptor) {
  return (int)syscall(SYS_pidfd_send_signal, process_descriptor, SIGKILL, NULL, 0);
}

void clinux_await_process(int process_descriptor, int *how, int *status) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  *how = CLINUX_ENDED_UNKNOWN;
  *status = 0;
  int result;
  do result = waitid((idtype_t)PIDFD, (id_t)process_descriptor, &info, WEXITED);
  while (result != 0 && errno == EINTR);
  if (result != 0) {
    // Reaped by the host, or by the kernel where the host ignores SIGCHLD: the descriptor tells its end too.
    struct pollfd request = {.fd = process_descriptor, .events = POLLIN};
    while (poll(&request, 1, -1) < 0 && errno == EINTR) {}
    return;
  }
  *how = info.si_code == CLD_EXITED ? CLINUX_ENDED_EXIT : CLINUX_ENDED_SIGNAL;
  *status = info.si_status;
}

int clinux_packet_sockets(int sockets[2]) {
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) return -1;
  for (int index = 0; index < 2; index++) sockets[index] = above_streams(sockets[index]);
  return 0;
}

int clinux_is_packet_socket(int descriptor) {
  int kind = 0;
  socklen_t size = sizeof kind;
  return getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &kind, &size) == 0 && kind == SOCK_SEQPACKET;
}

void clinux_exit_with_peer(int socket, int milliseconds) {
  // No event is asked for; what comes unasked is the peer's end (poll(2), POLLHUP).
  struct pollfd request = {.fd = socket, .events = 0};
  struct timespec time = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000L};
  int count = ppoll(&request, 1, &time, NULL);
  if (count > 0 && request.revents != 0) _exit(0);
}

const char *clinux_secure_environment(const char *name) { return secure_getenv(name); }

const char *clinux_executed_path(void) { return (const char *)getauxval(AT_EXECFN); }

int clinux_reopen_pipe(const char *path) {
  // Without O_NONBLOCK, open(2) would wait for a writer where the last one has gone.
  int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (descriptor >= 0) fcntl(descriptor, F_SETFL, 0);
  return descriptor;
}
