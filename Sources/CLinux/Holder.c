#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int clinux_execute(int descriptor, char *const *arguments) {
  return fexecve(descriptor, arguments, environ);
}

// fork(2) without an exit signal: no SIGCHLD, not even a pending one, in a caller that is about to execute another program.
static pid_t fork_silently(void) {
  return (pid_t)syscall(SYS_clone, 0, 0, 0, 0, 0);
}

static int ascending(const void *left, const void *right) {
  int a = *(const int *)left, b = *(const int *)right;
  return (a > b) - (a < b);
}

// Makes only calls that are safe after a fork in a process of several threads.
static _Noreturn void keep(const int *kept, size_t count, int ends, int report) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL);
  // This process must not keep a terminal, directory, stream or lock of the caller's alive after the command has ended.
  setsid();
  if (chdir("/") != 0) _exit(1);
  prctl(PR_SET_NAME, "memarchive-hold");
  unsigned next = 0;
  for (size_t i = 0; i < count; i++) {
    if ((unsigned)kept[i] > next) syscall(SYS_close_range, next, (unsigned)kept[i] - 1, 0);
    next = (unsigned)kept[i] + 1;
  }
  syscall(SYS_close_range, next, ~0U, 0);

  // Where it keeps no descriptor of the caller's, nobody needs a path into it.
  pid_t own = count > 2 ? clinux_number_in_proc() : 0;
  if (own < 0) own = -errno;
  if (write(report, &own, sizeof own) != sizeof own || own < 0) _exit(1);
  close(report);
  struct pollfd command = {.fd = ends, .events = POLLIN};
  while (poll(&command, 1, -1) < 0 && errno == EINTR) {}
  _exit(0);
}

pid_t clinux_hold(const int *descriptors, size_t count) {
  int pipes[2] = {-1, -1}, failure = 0;
  pid_t holder = -1, between = -1;
  int ends = (int)syscall(SYS_pidfd_open, getpid(), 0);
  int *kept = malloc((count + 2) * sizeof *kept);
  if (ends < 0 || !kept || pipe2(pipes, O_CLOEXEC) != 0) goto failed;

  if (count > 0) memcpy(kept, descriptors, count * sizeof *kept);
  kept[count] = ends;
  kept[count + 1] = pipes[1];
  qsort(kept, count + 2, sizeof *kept, ascending);

  // By a process in between: otherwise the command would have a child that it never started, and could wait for it forever.
  between = fork_silently();
  if (between == 0) {
    pid_t grandchild = fork_silently();
    if (grandchild == 0) keep(kept, count + 2, ends, pipes[1]);
    _exit(grandchild < 0);
  }
  if (between < 0) goto failed;
  while (waitpid(between, NULL, __WCLONE) < 0 && errno == EINTR) {}
  close(pipes[1]);
  pipes[1] = -1;
  ssize_t got;
  while ((got = read(pipes[0], &holder, sizeof holder)) < 0 && errno == EINTR) {}
  // Up to the end of the pipe: from then on the holder has the descriptors and nothing else.
  char more;
  while (got == sizeof holder && read(pipes[0], &more, 1) < 0 && errno == EINTR) {}
  if (got == sizeof holder && holder >= 0) goto done;
  errno = got == sizeof holder ? -holder : EAGAIN;

failed:
  failure = errno;
  holder = -1;
done:
  free(kept);
  if (ends >= 0) close(ends);
  if (pipes[0] >= 0) close(pipes[0]);
  if (pipes[1] >= 0) close(pipes[1]);
  errno = failure;
  return holder;
}
