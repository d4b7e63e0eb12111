#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <iconv.h>
#include <linux/capability.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

// `grace` is added to the hard limit of a resource whose hard limit ends the process by SIGKILL, which tells nobody why.
static int limit(int resource, uint64_t value, uint64_t grace) {
  struct rlimit now;
  if (getrlimit(resource, &now) != 0) return errno;
  struct rlimit limit = {.rlim_cur = value, .rlim_max = value + grace};
  if (limit.rlim_max > now.rlim_max) limit.rlim_max = now.rlim_max;
  if (limit.rlim_cur > limit.rlim_max) limit.rlim_cur = limit.rlim_max;
  return setrlimit(resource, &limit) == 0 ? 0 : errno;
}

int clinux_limit_resources(const struct clinux_resources *resources) {
  signal(SIGXFSZ, SIG_IGN);
  int error = limit(RLIMIT_FSIZE, resources->largest_file, 0);
  if (!error) error = limit(RLIMIT_NOFILE, resources->descriptors, 0);
  if (!error) error = limit(RLIMIT_CPU, resources->seconds, 10);
  if (!error) error = limit(RLIMIT_DATA, resources->data, 0);
  return error ? error : limit(RLIMIT_CORE, 0, 0);
}

uint64_t clinux_hard_descriptor_limit(void) {
  struct rlimit limit;
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : 1024;
}

int clinux_prefer_for_oom(void) {
  int descriptor = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) return errno;
  int error = write(descriptor, "1000", 4) == 4 ? 0 : errno;
  close(descriptor);
  return error;
}

int clinux_forbid_dumps(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : errno; }

int clinux_forbid_privileges(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : errno; }

int clinux_drop_capabilities(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
  return syscall(SYS_capset, &header, none) == 0 ? 0 : errno;
}

int clinux_close_ranks(void) {
  // The program was started with four descriptors and has received some dozens at the lowest free numbers.
  enum { MOST = 256 };
  struct pollfd requests[MOST];
  struct rlimit limit;
  // poll(2) takes no more requests than there may be descriptors.
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -1;
  int count = limit.rlim_cur < MOST ? (int)limit.rlim_cur : MOST, highest = -1;
  for (int number = 0; number < count; number++) requests[number] = (struct pollfd){.fd = number};
  if (poll(requests, (nfds_t)count, 0) < 0) return -1;
  for (int number = 0; number < count; number++)
    if (!(requests[number].revents & POLLNVAL)) highest = number;
  // A free number below would be given to the next descriptor.
  for (;;) {
    int next = dup(0);
    if (next < 0) return -1;
    if (next < highest) continue;
    close(next);
    return next;
  }
}

// <linux/landlock.h> as of ABI 6; older headers lack parts of it. The numbers are the same on every architecture.
struct landlock_rules {
  uint64_t files, network, scoped;
};
enum { CREATE_RULESET = 444, RESTRICT_SELF = 446, RULESET_VERSION = 1 };

int clinux_landlock_nothing(int *abi) {
  long version = syscall(CREATE_RULESET, NULL, 0, RULESET_VERSION);
  if (version < 1) return version < 0 ? errno : ENOSYS;
  *abi = (int)version;
  // What each version added: REFER, TRUNCATE, TCP, IOCTL_DEV, scopes.
  static const uint8_t file_rights[] = {13, 14, 15, 15, 16};
  int known = version > 5 ? 5 : (int)version;
  struct landlock_rules rules = {.files = (1ULL << file_rights[known - 1]) - 1};
  if (version >= 4) rules.network = 3;
  if (version >= 6) rules.scoped = 3;
  size_t size = version >= 6 ? sizeof rules : version >= 4 ? 16 : 8;
  int ruleset = (int)syscall(CREATE_RULESET, &rules, size, 0);
  if (ruleset < 0) return errno;
  int error = syscall(RESTRICT_SELF, ruleset, 0) == 0 ? 0 : errno;
  close(ruleset);
  return error;
}

void clinux_settle_heap_and_zone(const char *zone) {
  // A further heap is a further mapping, and a thread that first allocates late would ask for one.
  mallopt(M_ARENA_MAX, 1);
  // With TZ set, mktime(3) does not check whether /etc/localtime has changed.
  setenv("TZ", zone, 1);
  tzset();
  time_t now = 0;
  struct tm parts;
  localtime_r(&now, &parts);
  mktime(&parts);
}

// Sends a packet from a signal's handler, unless the socket is full.
static void send_now(int socket, uint8_t *bytes, size_t count) {
  struct iovec part = {.iov_base = bytes, .iov_len = count};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// What the handler of the timer needs.
static struct {
  int socket;
  const size_t *progress;
  size_t told, count;
  uint8_t packet[16];
} life;

static void show_life(int signal) {
  (void)signal;
  int error = errno;
  clinux_exit_with_peer(life.socket, 0);
  size_t now = __atomic_load_n(life.progress, __ATOMIC_RELAXED);
  // A socket that is full has signs enough.
  if (now != life.told) send_now(life.socket, life.packet, life.count);
  life.told = now;
  errno = error;
}

int clinux_show_life(int socket, const uint8_t *packet, size_t count, const void *progress) {
  if (count > sizeof life.packet) return EINVAL;
  life.socket = socket;
  life.progress = progress;
  life.count = count;
  memcpy(life.packet, packet, count);
  struct sigaction action = {.sa_handler = show_life, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGALRM, &action, NULL) != 0) return errno;
  sigset_t alarm;
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  sigprocmask(SIG_UNBLOCK, &alarm, NULL);
  struct itimerval each = {.it_interval = {.tv_sec = 1}, .it_value = {.tv_sec = 1}};
  return setitimer(ITIMER_REAL, &each, NULL) == 0 ? 0 : errno;
}

static int report_socket;
static uint8_t report[64];
static size_t report_count;

// Handles a refused call: tells the parent which it was, and ends the process, in which there is nothing to save.
static void refuse(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)context;
  uint32_t number = (uint32_t)info->si_syscall;
  for (int index = 0; index < 4; index++) report[report_count + index] = (uint8_t)(number >> (8 * index));
  send_now(report_socket, report, report_count + 4);
  syscall(SYS_exit_group, 128 + SIGSYS);
}

// <linux/seccomp.h>
enum { SET_MODE_FILTER = 1, FLAG_TSYNC = 1 };

static int install(const struct clinux_instruction *instructions, size_t count) {
  struct {
    unsigned short count;
    const struct clinux_instruction *instructions;
  } program = {(unsigned short)count, instructions};
  long result = syscall(SYS_seccomp, SET_MODE_FILTER, FLAG_TSYNC, &program);
  // A positive result is the thread that could not be brought under the filter.
  return result == 0 ? 0 : result > 0 ? ESRCH : errno;
}

int (*clinux_install_filter)(const struct clinux_instruction *instructions, size_t count) = install;

int clinux_lock_calls(
    const struct clinux_filter_settings *settings, int socket, const uint8_t *before, size_t count) {
  static struct clinux_instruction instructions[CLINUX_MOST_INSTRUCTIONS];
  size_t length = clinux_build_filter(settings, instructions);
  if (length == 0 || count + 4 > sizeof report) return ENOSYS;
  memcpy(report, before, count);
  report_count = count;
  report_socket = socket;
  struct sigaction action = {.sa_sigaction = refuse, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGSYS, &action, NULL) != 0) return errno;
  return clinux_install_filter(instructions, length);
}

void clinux_open_conversions(const char *encoding) {
  // Kept open for the life of the process: a module in use is not looked up again. The last one can be named by lha's code
  // page header.
  static const char *const from[] = {"UTF-8", "UTF-16LE", "UTF-16BE", "ANSI_X3.4-1968", "CP932"};
  static const char *const to[] = {"UTF-8", "ANSI_X3.4-1968"};
  static int are_open;
  for (size_t source = 0; source < sizeof from / sizeof *from; source++)
    for (size_t target = 0; target < sizeof to / sizeof *to; target++)
      if (!are_open && strcmp(from[source], to[target]) != 0) (void)!iconv_open(to[target], from[source]);
  are_open = 1;
  if (encoding) (void)!iconv_open("UTF-8", encoding);
}
