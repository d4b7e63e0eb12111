#define _GNU_SOURCE
#include "CTemplate.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "CLinux.h"
#include "CSupervisor.h"

struct worker {
  pid_t process;
  // Where its end is said; the host closes the other end to have it killed.
  int control;
  int is_killed;
};

static const char NAME[] = "memarchive-tmpl";

// A host with fewer archives would not get back the 3 ms that it takes to copy the code.
enum { MANY = 24 };

static struct worker *workers;
static struct pollfd *requests;
static size_t count, capacity;

static void wake(int signal) { (void)signal; }

static void say(int control, int how, int status) {
  struct ctemplate_end end = {how, status};
  // A host that has closed its end does not ask.
  (void)!send(control, &end, sizeof end, MSG_NOSIGNAL | MSG_DONTWAIT);
  close(control);
}

static void reap(void) {
  int status;
  for (pid_t process; (process = waitpid(-1, &status, WNOHANG)) > 0;) {
    for (size_t index = 0; index < count; index++) {
      if (workers[index].process != process) continue;
      if (WIFSIGNALED(status)) say(workers[index].control, CSUPERVISOR_ENDED_SIGNAL, WTERMSIG(status));
      else say(workers[index].control, CSUPERVISOR_ENDED_EXIT, WEXITSTATUS(status));
      workers[index] = workers[--count];
      break;
    }
  }
}

// The two descriptors of the next packet. 0 where there is none, -1 when the host is gone.
static int receive(int descriptors[2]) {
  char byte;
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(2 * sizeof(int))];
  } control;
  struct iovec part = {.iov_base = &byte, .iov_len = 1};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t length = recvmsg(CLINUX_WORKER_SOCKET, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (length < 0) return errno == EAGAIN || errno == EINTR ? 0 : -1;
  if (length == 0) return -1;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (!header || header->cmsg_type != SCM_RIGHTS) return 0;
  memcpy(descriptors, CMSG_DATA(header), 2 * sizeof(int));
  if (header->cmsg_len == CMSG_LEN(2 * sizeof(int))) return 1;
  // The table is full: closing what came tells the host.
  close(descriptors[0]);
  return 0;
}

static int has_room(void) {
  if (count < capacity) return 1;
  size_t more = capacity ? 2 * capacity : 16;
  struct worker *larger = realloc(workers, more * sizeof *workers);
  if (!larger) return 0;
  workers = larger;
  struct pollfd *longer = realloc(requests, (more + 1) * sizeof *requests);
  if (!longer) return 0;
  requests = longer;
  capacity = more;
  return 1;
}

static void leave(void) {
  for (size_t index = 0; index < count; index++) kill(workers[index].process, SIGKILL);
  while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) {}
  _exit(0);
}

static void become_worker(pid_t template, int socket, int control, const sigset_t *signals) {
  prctl(PR_SET_NAME, "memarchive-work");
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // It may have been killed before that.
  if (getppid() != template) _exit(127);
  for (size_t index = 0; index < count; index++) close(workers[index].control);
  close(control);
  dup2(socket, CLINUX_WORKER_SOCKET);
  close(socket);
  signal(SIGCHLD, SIG_DFL);
  sigprocmask(SIG_SETMASK, signals, NULL);
}

static void run(void *body) { (*(void (**)(void))body)(); }

static struct {
  void (*body)(void);
  sigset_t signals;
} start;

static void *begin(void *unused) {
  (void)unused;
  pthread_sigmask(SIG_SETMASK, &start.signals, NULL);
  start.body();
  _exit(0);
}

void ctemplate_run(void (*body)(void)) {
  prctl(PR_SET_NAME, NAME);
  start.body = body;
  // A heap of the thread's own would be two more mappings in each worker.
  mallopt(M_ARENA_MAX, 1);
  // Signals are for the other thread, which waits for them.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &start.signals);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 8 << 20);
  pthread_t thread;
  if (pthread_create(&thread, &attributes, begin, NULL) != 0) begin(NULL);
  for (;;) pause();
}

void ctemplate_serve(void (*warm)(void)) {
  pid_t self = getpid();
  prctl(PR_SET_NAME, NAME);
  sigset_t child, before, waiting;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, &before);
  waiting = before;
  sigdelset(&waiting, SIGCHLD);
  struct sigaction action = {.sa_handler = wake, .sa_flags = SA_NOCLDSTOP};
  sigaction(SIGCHLD, &action, NULL);
  if (!has_room()) _exit(1);
  for (unsigned long started = 0;;) {
    requests[0] = (struct pollfd){.fd = CLINUX_WORKER_SOCKET, .events = POLLIN};
    for (size_t index = 0; index < count; index++)
      // Nothing arrives there: the other end's end is reported unasked, or by POLLRDHUP.
      requests[index + 1] = (struct pollfd){
          .fd = workers[index].is_killed ? -1 : workers[index].control, .events = POLLRDHUP};
    if (ppoll(requests, count + 1, NULL, &waiting) < 0 && errno == EINTR) requests[0].revents = 0;
    for (size_t index = 0; index < count; index++) {
      if (requests[index + 1].revents == 0) continue;
      kill(workers[index].process, SIGKILL);
      workers[index].is_killed = 1;
    }
    reap();
    int descriptors[2];
    int received = requests[0].revents ? receive(descriptors) : 0;
    if (received < 0) leave();
    if (received == 0) continue;
    // Workers are forked from this thread, see Forked.h.
    if (started == 1) clinux_run_apart(run, &warm);
    if (started == MANY) clinux_use_huge_code();
    started++;
    pid_t process = has_room() ? fork() : -1;
    if (process == 0) return become_worker(self, descriptors[0], descriptors[1], &before);
    int error = errno;
    close(descriptors[0]);
    if (process < 0) say(descriptors[1], CTEMPLATE_NOT_STARTED, error);
    else workers[count++] = (struct worker){.process = process, .control = descriptors[1]};
  }
}
