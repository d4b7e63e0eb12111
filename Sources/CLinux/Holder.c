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
#include <time.h>
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

// What the holder waits for, one after the other: the end of the command, of another process, and of everybody who has
// inherited the token, which is the writing end of a pipe. -1 where there is none.
struct ends {
  int command, other, token;
};

static void wait_for(int descriptor) {
  struct pollfd request = {.fd = descriptor, .events = POLLIN};
  while (descriptor >= 0 && poll(&request, 1, -1) < 0 && errno == EINTR) {}
}

// Whether anybody has the file open or mapped by its path: only its sole opener gets a write lease, fcntl(2).
static int is_open_elsewhere(int file) {
  char path[32] = "/proc/self/fd/";
  char digits[12];
  size_t count = 0, length = strlen(path);
  for (unsigned rest = (unsigned)file; count == 0 || rest > 0; rest /= 10) digits[count++] = (char)('0' + rest % 10);
  while (count > 0) path[length++] = digits[--count];
  int own = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (own < 0) return 0;
  int is_open = fcntl(own, F_SETLEASE, F_WRLCK) < 0 && errno == EAGAIN;
  close(own);
  return is_open;
}

// Makes only calls that are safe after a fork in a process of several threads.
static _Noreturn void keep(const int *files, size_t file_count, const int *kept, size_t count, struct ends ends, int report) {
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
  pid_t own = file_count > 0 ? clinux_number_in_proc() : 0;
  if (own < 0) own = -errno;
  if (write(report, &own, sizeof own) != sizeof own || own < 0) _exit(1);
  close(report);
  wait_for(ends.command);
  wait_for(ends.other);
  wait_for(ends.token);
  // Nothing reports when a file is closed, so the holder looks, less and less often.
  struct timespec pause = {.tv_nsec = 50000000};
  for (size_t i = 0; i < file_count; i++) {
    while (is_open_elsewhere(files[i])) {
      nanosleep(&pause, NULL);
      if (pause.tv_sec == 0 && (pause.tv_nsec *= 2) >= 800000000) pause = (struct timespec){.tv_sec = 1};
    }
  }
  _exit(0);
}

pid_t clinux_hold(const int *descriptors, size_t count, pid_t other, int *token) {
  int pipes[2] = {-1, -1}, tokens[2] = {-1, -1}, failure = 0;
  pid_t holder = -1, between = -1;
  struct ends ends = {.command = (int)syscall(SYS_pidfd_open, getpid(), 0), .other = -1};
  int *kept = malloc((count + 4) * sizeof *kept);
  if (ends.command < 0 || !kept || pipe2(pipes, O_CLOEXEC) != 0) goto failed;
  if (other > 0 && (ends.other = (int)syscall(SYS_pidfd_open, other, 0)) < 0) goto failed;
  if (token && pipe2(tokens, O_CLOEXEC) != 0) goto failed;
  ends.token = tokens[0];

  if (count > 0) memcpy(kept, descriptors, count * sizeof *kept);
  size_t all = count;
  const int others[] = {ends.command, ends.other, ends.token, pipes[1]};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (others[i] >= 0) kept[all++] = others[i];
  qsort(kept, all, sizeof *kept, ascending);

  // By a process in between: otherwise the command would have a child that it never started, and could wait for it forever.
  between = fork_silently();
  if (between == 0) {
    pid_t grandchild = fork_silently();
    if (grandchild == 0) keep(descriptors, count, kept, all, ends, pipes[1]);
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
  if (got == sizeof holder && holder >= 0) {
    // Never 0, 1 or 2, and for the command to inherit.
    if (!token || (*token = fcntl(tokens[1], F_DUPFD, 3)) >= 0) goto done;
    goto failed;
  }
  errno = got == sizeof holder ? -holder : EAGAIN;

failed:
  failure = errno;
  holder = -1;
done:
  free(kept);
  if (ends.command >= 0) close(ends.command);
  if (ends.other >= 0) close(ends.other);
  if (tokens[0] >= 0) close(tokens[0]);
  if (tokens[1] >= 0) close(tokens[1]);
  if (pipes[0] >= 0) close(pipes[0]);
  if (pipes[1] >= 0) close(pipes[1]);
  errno = failure;
  return holder;
}

// The signals that were blocked before clinux_fork_command.
static sigset_t before;

pid_t clinux_fork_command(void) {
  sigset_t most;
  sigfillset(&most);
  const int job_control[] = {SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT};
  for (size_t i = 0; i < sizeof job_control / sizeof *job_control; i++) sigdelset(&most, job_control[i]);
  // Before the command is there, so that no signal gets lost in between.
  sigprocmask(SIG_BLOCK, &most, &before);
  // Whoever ignores this one gets no status of a child.
  struct sigaction children = {.sa_handler = SIG_DFL}, own;
  sigaction(SIGCHLD, &children, &own);
  pid_t command = fork();
  if (command <= 0) {
    int error = errno;
    sigaction(SIGCHLD, &own, NULL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = error;
  }
  return command;
}

int clinux_wait_for_command(pid_t command) {
  sigset_t blocked;
  sigprocmask(SIG_BLOCK, NULL, &blocked);
  for (;;) {
    int status;
    siginfo_t info;
    pid_t ended = waitpid(command, &status, WNOHANG);
    if (ended == command) {
      // Those that are pending came while the command ran, and were for it.
      const struct timespec none = {0};
      while (sigtimedwait(&blocked, &info, &none) > 0 || errno == EINTR) {}
      sigprocmask(SIG_SETMASK, &before, NULL);
      return status;
    }
    if (ended < 0 && errno != EINTR) return -1;
    int number = sigwaitinfo(&blocked, &info);
    if (number > 0 && number != SIGCHLD && info.si_code != SI_KERNEL) kill(command, number);
  }
}

void clinux_end_by(int number) {
  // The command has left its own.
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  signal(number, SIG_DFL);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, number);
  kill(getpid(), number);
  sigprocmask(SIG_UNBLOCK, &one, NULL);
}
