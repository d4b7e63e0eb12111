#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int clinux_memfd_create(const char *name, unsigned int flags) {
  return (int)syscall(SYS_memfd_create, name, flags);
}

int clinux_add_seals(int descriptor, int seals) {
  return fcntl(descriptor, F_ADD_SEALS, seals);
}

int clinux_get_seals(int descriptor) {
  return fcntl(descriptor, F_GET_SEALS);
}

pid_t clinux_number_in_proc(void) {
  char text[16];
  ssize_t count = readlink("/proc/self", text, sizeof text);
  if (count < 0) return -1;
  pid_t number = 0;
  for (ssize_t at = 0; at < count && text[at] >= '0' && text[at] <= '9' && number < 100000000; at++)
    number = 10 * number + (text[at] - '0');
  if (number > 0) return number;
  errno = ENOENT;
  return -1;
}

size_t clinux_thread_count(void) {
  struct stat status;
  // A directory has two links of its own, and one for each directory in it.
  return stat("/proc/self/task", &status) == 0 && status.st_nlink > 2 ? status.st_nlink - 2 : 0;
}

int clinux_processor_count(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return CPU_COUNT(&set);
}

void clinux_name_thread(const char *name) {
  pthread_setname_np(pthread_self(), name);
}

int clinux_punch_hole(int descriptor, off_t offset, off_t count) {
  return fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, count);
}

// Never 0, 1 or 2: a caller that was started without them would take the copy for a standard stream.
int clinux_duplicate(int descriptor, int close_on_exec) {
  return fcntl(descriptor, close_on_exec ? F_DUPFD_CLOEXEC : F_DUPFD, 3);
}

ssize_t clinux_send_file(int source, off_t from, int target, off_t to, size_t count) {
  if (lseek(target, to, SEEK_SET) < 0) return -1;
  return sendfile(target, source, &from, count);
}

int clinux_open_read_only(const char *path) {
  return open(path, O_RDONLY | O_CLOEXEC);
}

static int argument_count;
static char **arguments;

// glibc hands main's arguments to constructors too.
__attribute__((constructor)) static void keep_arguments(int count, char **values) {
  argument_count = count;
  arguments = values;
}

int clinux_argument_count(void) { return argument_count; }

const char *clinux_argument(int index) { return arguments[index]; }

// One locale object each for the life of the process: newlocale(3) reads files, so it is called once.
static pthread_once_t locales_once = PTHREAD_ONCE_INIT;
static locale_t utf8_locale, c_locale;

static void open_locales(void) {
  static const char *const names[] = {"C.UTF-8", "C.utf8", "en_US.UTF-8"};
  for (size_t i = 0; i < sizeof names / sizeof *names && !utf8_locale; i++)
    utf8_locale = newlocale(LC_CTYPE_MASK, names[i], (locale_t)0);
  c_locale = newlocale(LC_CTYPE_MASK, "C", (locale_t)0);
}

static void *enter(const locale_t *locale) {
  pthread_once(&locales_once, open_locales);
  return *locale ? (void *)uselocale(*locale) : NULL;
}

void *clinux_enter_utf8_locale(void) { return enter(&utf8_locale); }

void *clinux_enter_c_locale(void) { return enter(&c_locale); }

void clinux_restore_locale(void *previous) {
  if (previous) uselocale((locale_t)previous);
}

int clinux_has_utf8_locale(void) {
  pthread_once(&locales_once, open_locales);
  return utf8_locale != NULL;
}

int clinux_has_noexec_seal(void) {
  // Asked once, before the process is locked in: afterwards the call is refused.
  enum { UNKNOWN = -1 };
  static _Atomic int known = UNKNOWN;
  if (known != UNKNOWN) return known;
  int descriptor = clinux_memfd_create("probe", CLINUX_MFD_CLOEXEC | CLINUX_MFD_NOEXEC_SEAL);
  if (descriptor < 0 && errno != EINVAL) return UNKNOWN;
  known = descriptor >= 0;
  if (descriptor >= 0) close(descriptor);
  return known;
}

int clinux_next_descriptor(void) {
  // The kind that costs least.
  int next = eventfd(0, EFD_CLOEXEC);
  if (next >= 0) close(next);
  return next;
}

int clinux_has_collapse(void) {
  // For an empty range the kernel checks only the advice: EINVAL where it does not know it.
  return madvise(NULL, 0, CLINUX_MADV_COLLAPSE) == 0;
}

int clinux_landlock_abi(void) {
#ifdef SYS_landlock_create_ruleset
  long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1 /* LANDLOCK_CREATE_RULESET_VERSION */);
  return abi < 0 ? 0 : (int)abi;
#else
  return 0;
#endif
}

int clinux_has_user_namespaces(void) {
  // unshare(2) of a user namespace needs a process of its own. The raw clone runs no atfork handlers, and the child leaves
  // at once. Having no exit signal, it raises no SIGCHLD in the host; __WCLONE is needed to reap it.
  long child = syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWNS, 0, 0, 0, 0);
  if (child == 0) _exit(0);
  if (child < 0) return 0;
  while (waitpid((pid_t)child, NULL, __WCLONE) < 0 && errno == EINTR) {}
  return 1;
}
