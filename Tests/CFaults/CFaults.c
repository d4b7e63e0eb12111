#define _GNU_SOURCE
#include "CFaults.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MADV_COLLAPSE_ 25
#define ADD_SEALS 1033
#define GET_SEALS 1034

// What the supervisor does must not allocate: a stopped thread may hold the allocator's lock.

static const int watched[] = {
  SYS_memfd_create, SYS_pwrite64, SYS_pread64, SYS_read, SYS_ftruncate, SYS_fcntl, SYS_madvise, SYS_fchmod,
  SYS_fallocate, SYS_clone, SYS_clone3, SYS_openat, SYS_newfstatat, SYS_fstat, SYS_lseek, SYS_close,
  SYS_sched_getaffinity, SYS_prlimit64, SYS_ppoll,
#ifdef SYS_poll
  SYS_poll, SYS_stat,
#endif
};

// The kind of a call, or -1.
static int kind_of(const struct seccomp_data *call) {
  const uint64_t *a = (const uint64_t *)call->args;
  switch (call->nr) {
  case SYS_memfd_create: return CFAULTS_MEMFD_CREATE;
  case SYS_pwrite64: return CFAULTS_PWRITE;
  case SYS_pread64: return CFAULTS_PREAD;
  case SYS_read: return CFAULTS_READ;
  case SYS_ftruncate: return CFAULTS_FTRUNCATE;
  case SYS_fcntl:
    switch ((int)a[1]) {
    case ADD_SEALS: return CFAULTS_ADD_SEALS;
    case GET_SEALS: return CFAULTS_GET_SEALS;
    case F_DUPFD:
    case F_DUPFD_CLOEXEC: return CFAULTS_DUPLICATE;
    default: return -1;
    }
  case SYS_mmap:
    if (!(a[3] & MAP_ANONYMOUS)) return CFAULTS_MAP_FILE;
    if (a[3] & MAP_STACK) return CFAULTS_MAP_STACK;
    // Of the library's own address ranges; the allocator's are of powers of two.
    if (a[3] & MAP_NORESERVE && a[2] == PROT_NONE && a[1] % (2 << 20) == 0 && a[1] & (a[1] - 1))
      return CFAULTS_MAP_RESERVE;
    return -1;
  case SYS_madvise: return (int)a[2] == MADV_COLLAPSE_ ? CFAULTS_COLLAPSE : -1;
  case SYS_fchmod: return CFAULTS_FCHMOD;
  case SYS_fallocate: return CFAULTS_PUNCH_HOLE;
  case SYS_clone:
  case SYS_clone3: return CFAULTS_START_THREAD;
  case SYS_openat: return CFAULTS_OPEN;
  case SYS_newfstatat:
  case SYS_fstat: return CFAULTS_STATUS;
  case SYS_lseek: return CFAULTS_SEEK;
  case SYS_ppoll: return CFAULTS_POLL;
#ifdef SYS_poll
  case SYS_poll: return CFAULTS_POLL;
  case SYS_stat: return CFAULTS_STATUS;
#endif
  case SYS_close: return CFAULTS_CLOSE;
  case SYS_sched_getaffinity: return CFAULTS_AFFINITY;
  case SYS_prlimit64: return CFAULTS_LIMIT;
  default: return -1;
  }
}

// Puts the filter on the calling thread and returns the supervisor's descriptor, or -1.
static int install(void) {
  enum { count = sizeof watched / sizeof *watched };
  struct sock_filter code[count + 8];
  int n = 0;
  code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  // Of mmap, what the allocator asks for is passed by: its lock is held then, and without memory Swift ends.
  code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 4);
  code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3]));
  code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_ANONYMOUS, 0, count + 3);
  code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_STACK | MAP_NORESERVE, count + 2, 0);
  code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  for (int i = 0; i < count; i++)
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)watched[i], (uint8_t)(count - i), 0);
  code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
  struct sock_fprog program = {.len = (unsigned short)n, .filter = code};
  long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  if (listener < 0 && errno == EACCES && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
    listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  return (int)listener;
}

struct run {
  void (*body)(void *);
  void *context;
  sem_t ready;
  int listener, error;
};

static void *filtered_thread(void *argument) {
  struct run *run = argument;
  run->listener = install();
  run->error = run->listener < 0 ? errno : 0;
  sem_post(&run->ready);
  if (run->listener >= 0) run->body(run->context);
  return NULL;
}

static int is_chosen(const struct cfaults_plan *plan, const struct seccomp_notif *call, int kind, int *seen) {
  if (kind != plan->kind) return 0;
  if (plan->bits && !(call->data.args[plan->bits_argument] & plan->bits)) return 0;
  if (plan->path) {
    int at = call->data.nr == SYS_openat || call->data.nr == SYS_newfstatat ? 1 : 0;
    const char *path = (const char *)(uintptr_t)call->data.args[at];
    if (!path || strncmp(path, plan->path, strlen(plan->path)) != 0) return 0;
  }
  int index = (*seen)++;
  return index >= plan->first && index - plan->first < plan->count;
}

// The call itself, done by the supervisor, which shares memory and descriptors with the thread that asked.
static long perform(const struct seccomp_data *call, size_t count) {
  void *buffer = (void *)(uintptr_t)call->args[1];
  int descriptor = (int)call->args[0];
  switch (call->nr) {
  case SYS_pread64: return pread(descriptor, buffer, count, (off_t)call->args[3]);
  case SYS_pwrite64: return pwrite(descriptor, buffer, count, (off_t)call->args[3]);
  case SYS_read: return read(descriptor, buffer, count);
  case SYS_close: return close(descriptor);
  default: errno = ENOSYS; return -1;
  }
}

static void overwrite(int descriptor) {
  char junk[512];
  memset(junk, 0xA5, sizeof junk);
  off_t end = lseek(descriptor, 0, SEEK_END);
  for (off_t at = 0; at < end; at += (off_t)sizeof junk) {
    size_t count = end - at < (off_t)sizeof junk ? (size_t)(end - at) : sizeof junk;
    if (pwrite(descriptor, junk, count, at) < 0) return;
  }
}

static void answer(const struct cfaults_plan *plan, const struct seccomp_notif *call, struct seccomp_notif_resp *reply) {
  const struct seccomp_data *data = &call->data;
  size_t asked = (size_t)data->args[2];
  reply->flags = 0;
  switch (plan->action) {
  case CFAULTS_FAIL: reply->error = -plan->error; return;
  case CFAULTS_RETURN: reply->val = plan->error; return;
  case CFAULTS_HALF:
  case CFAULTS_ONE_BYTE: {
    long value = perform(data, plan->action == CFAULTS_ONE_BYTE ? (asked > 0) : (asked + 1) / 2);
    if (value < 0) reply->error = -errno;
    else reply->val = value;
    return;
  }
  case CFAULTS_DO_AND_FAIL:
    perform(data, asked);
    reply->error = -plan->error;
    return;
  case CFAULTS_TRUNCATE_FIRST:
    if (ftruncate(plan->descriptor, plan->size) != 0) {}
    break;
  case CFAULTS_OVERWRITE_FIRST: overwrite(plan->descriptor); break;
  }
  reply->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
}

int cfaults_run(const struct cfaults_plan *plan, void (*body)(void *), void *context, struct cfaults_result *result) {
  memset(result, 0, sizeof *result);
  struct run run = {.body = body, .context = context, .listener = -1};
  sem_init(&run.ready, 0, 0);
  pthread_t thread;
  int error = pthread_create(&thread, NULL, filtered_thread, &run);
  if (error) return error;
  while (sem_wait(&run.ready) != 0) {}
  int seen = 0, idle = 0;
  while (run.listener >= 0) {
    struct pollfd request = {.fd = run.listener, .events = POLLIN};
    int ready = poll(&request, 1, 1000);
    // Hung up: no process with the filter is left.
    if (ready > 0 && request.revents & POLLHUP) break;
    if (ready <= 0) {
      // Ten seconds without a call after the body's end, or thirty at any time, mean a hang.
      idle += ready == 0;
      int ended = thread && pthread_tryjoin_np(thread, NULL) == 0;
      if (ended) thread = 0;
      if (idle >= (thread ? 30 : 10)) {
        result->left_thread = 1;
        break;
      }
      continue;
    }
    idle = 0;
    struct seccomp_notif call;
    struct seccomp_notif_resp reply;
    memset(&call, 0, sizeof call);
    memset(&reply, 0, sizeof reply);
    if (ioctl(run.listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) continue;
    reply.id = call.id;
    reply.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    int kind = kind_of(&call.data);
    if (kind >= 0) result->calls[kind]++;
    // Only with our own memory and descriptors: a child's path or buffer is somewhere else.
    int is_ours = syscall(SYS_tgkill, getpid(), call.pid, 0) == 0 || plan->children;
    if (is_ours && is_chosen(plan, &call, kind, &seen)) {
      result->changed++;
      answer(plan, &call, &reply);
    }
    ioctl(run.listener, SECCOMP_IOCTL_NOTIF_SEND, &reply);
  }
  if (run.listener >= 0) close(run.listener);
  if (thread && !result->left_thread) pthread_join(thread, NULL);
  sem_destroy(&run.ready);
  return run.error;
}

int cfaults_open_descriptors(void) {
  int count = 0;
  for (int descriptor = 0; descriptor < 1024; descriptor++) count += fcntl(descriptor, F_GETFD) >= 0;
  return count;
}

pid_t cfaults_fork(void) { return fork(); }

pid_t cfaults_fork_idle(void) {
  pid_t child = fork();
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;) pause();
}

int cfaults_memory_mappings(void) {
  int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (maps < 0) return -1;
  char window[65536 + 8];
  size_t kept = 0;
  int count = 0;
  static const char word[] = "/memfd:";
  const size_t length = sizeof word - 1;
  for (;;) {
    ssize_t more = read(maps, window + kept, 65536);
    if (more <= 0) break;
    size_t size = kept + (size_t)more;
    for (char *at = window; (at = memmem(at, (size_t)(window + size - at), word, length)); at += length) count++;
    kept = size < length - 1 ? size : length - 1;
    memmove(window, window + size - kept, kept);
  }
  close(maps);
  return count;
}

int cfaults_refuse(int number, uint32_t bits) {
  struct sock_filter lines[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 3),
    // Little-endian: the lower half comes first.
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  if (bits == 0) lines[3] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
  struct sock_fprog program = {.len = sizeof lines / sizeof *lines, .filter = lines};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 ? 0 : errno;
}
