#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

// The filter's table: each system call that a locked worker may make, with its number on each architecture and the conditions
// on its arguments. Any other call ends the worker.

enum { MOST_CONDITIONS = 3 };
enum kind { END, ONE_OF, NO_BITS_BUT, AT_LEAST };

struct condition {
  enum kind kind;
  int argument;
  int count;
  uint32_t values[8];
};

// `answer`: 0 allows the call, EACCES fails it with that error, and NOTHING pretends success, without making it.
enum { NOTHING = -1 };

struct rule {
  const char *name;
  uint32_t x86_64, aarch64;
  int answer;
  struct condition conditions[MOST_CONDITIONS];
};

// Numbers known when the filter is written.
enum { SOCKET = CLINUX_WORKER_SOCKET, FINAL_SEALS = 0xF, PUNCH_HOLE = 3 };

#define ANY {{END}}
#define ARG_IS(number, value) {ONE_OF, number, 1, {value}}
// A descriptor made after the process was locked in: the numbers below are the archive, the socket and the standard streams.
#define OWN {AT_LEAST, 0, 1, {(uint32_t)settings->first_own}}
#define PRIVATE(operation) ((operation) | FUTEX_PRIVATE_FLAG)

static size_t write_rules(const struct clinux_filter_settings *settings, struct rule *rules) {
  const uint32_t base = CLINUX_MFD_CLOEXEC | CLINUX_MFD_ALLOW_SEALING;
  const uint32_t sealed = base | (settings->has_noexec_seal ? CLINUX_MFD_NOEXEC_SEAL : 0);
  const uint32_t executable = base | (settings->has_noexec_seal ? CLINUX_MFD_EXEC : 0);
  const uint32_t source = settings->source > 0 ? (uint32_t)settings->source : SOCKET;
  const int executables = settings->allows_executable ? 2 : 1;
  const struct rule all[] = {
      // The archive, and the files made from it.
      {"pread64", 17, 67, 0, ANY},
      {"pwrite64", 18, 68, 0, {OWN}},
      {"memfd_create", 319, 279, 0, {{ONE_OF, 1, executables, {sealed, executable}}}},
      {"fchmod", 91, 52, 0, {OWN, {ONE_OF, 1, executables, {0444, 0555}}}},
      {"ftruncate", 77, 46, 0, {OWN}},
      {"fallocate", 285, 47, 0, {OWN, ARG_IS(1, PUNCH_HOLE)}},
      {"fcntl", 72, 25, 0, {OWN, ARG_IS(1, F_ADD_SEALS), ARG_IS(2, FINAL_SEALS)}},
      {"fcntl", 72, 25, 0, {OWN, ARG_IS(1, F_GET_SEALS)}},
      {"close", 3, 57, 0, {OWN}},
      // Memory, which can never be executed, locked or taken from the pool of huge pages.
      {"mmap", 9, 222, 0,
       {{NO_BITS_BUT, 2, 1, {PROT_READ | PROT_WRITE}},
        {NO_BITS_BUT, 3, 1,
         {MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK | MAP_POPULATE}}}},
      {"munmap", 11, 215, 0, ANY},
      {"mprotect", 10, 226, 0, {{NO_BITS_BUT, 2, 1, {PROT_READ | PROT_WRITE}}}},
      {"mremap", 25, 216, 0, {ARG_IS(3, MREMAP_MAYMOVE)}},
      {"madvise", 28, 233, 0,
       {{ONE_OF, 2, 5, {MADV_DONTNEED, MADV_FREE, MADV_HUGEPAGE, MADV_DONTFORK, CLINUX_MADV_COLLAPSE}}}},
      {"brk", 12, 214, 0, ANY},
      // The parent, also where it is asked for the archive.
      {"sendmsg", 46, 211, 0, {{ONE_OF, 0, 2, {SOCKET, source}}}},
      {"recvmsg", 47, 212, 0, {{ONE_OF, 0, 2, {SOCKET, source}}}},
      {"ppoll", 271, 73, 0, {ARG_IS(1, 1)}},
      // The archive where it is a pipe; otherwise a number that no descriptor has.
      {"read", 0, 63, 0, {ARG_IS(0, (uint32_t)settings->pipe)}},
      // Threads that have been started already, and time. glibc's pthread_cond_wait(3) uses the operation with the clock.
      {"futex", 202, 98, 0,
       {{ONE_OF, 1, 8,
         {PRIVATE(FUTEX_WAIT), PRIVATE(FUTEX_WAKE), PRIVATE(FUTEX_WAIT_BITSET),
          PRIVATE(FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME), PRIVATE(FUTEX_LOCK_PI), PRIVATE(FUTEX_UNLOCK_PI),
          PRIVATE(FUTEX_TRYLOCK_PI), PRIVATE(13 /* FUTEX_LOCK_PI2, Linux 5.14 */)}}}},
      // Until the host has copied what is in the window.
      {"futex", 202, 98, 0, {ARG_IS(0, settings->window), ARG_IS(1, FUTEX_WAIT)}},
      {"sched_yield", 24, 124, 0, ANY},
      {"clock_gettime", 228, 113, 0, ANY},
      {"getrandom", 318, 278, 0, ANY},
      // The C library looks for a file where a character set's module is missing: it is told that it may not.
      {"openat", 257, 56, EACCES, ANY},
      {"newfstatat", 262, 79, EACCES, ANY},
      // Exiting, also by a runtime that detects an inconsistency.
      {"exit", 60, 93, 0, ANY},
      {"exit_group", 231, 94, 0, ANY},
      {"rt_sigreturn", 15, 139, 0, ANY},
      // Blocking signals only seems to succeed: the C library blocks all of them where it starts a process or a thread, and a
      // refused call while SIGSYS is blocked would end the process without reporting its name.
      {"rt_sigprocmask", 14, 135, 0, {ARG_IS(0, SIG_UNBLOCK)}},
      {"rt_sigprocmask", 14, 135, NOTHING, ANY},
      {"getpid", 39, 172, 0, ANY},
      {"gettid", 186, 178, 0, ANY},
      {"tgkill", 234, 131, 0, {ARG_IS(0, settings->process)}},
      {"write", 1, 64, 0, {ARG_IS(0, 2)}},
  };
  memcpy(rules, all, sizeof all);
  return sizeof all / sizeof *all;
}

// <linux/bpf_common.h>, <linux/seccomp.h>, <linux/audit.h>
enum { LOAD = 0x20, JUMP_EQUAL = 0x15, JUMP_AT_LEAST = 0x35, JUMP_SET = 0x45, RETURN = 0x06 };
enum { ALLOW = 0x7FFF0000, TRAP = 0x00030000, REFUSE = 0x00050000 };
#define KILL_PROCESS 0x80000000U
// Offsets in struct seccomp_data; of the arguments, the lower halves.
enum { NUMBER = 0, ARCHITECTURE = 4, ARGUMENTS = 16 };

// Written from its end to its beginning: a jump only leads forward, so what it leads to has a place already, and all rules can share
// the returns at the end. The kernel's time to prepare a filter goes by its length, for each worker.
struct program {
  struct clinux_instruction *instructions;
  // Of the instruction written last; everything after it is complete.
  size_t first;
  int is_too_long;
};

static size_t emit(struct program *program, uint16_t code, uint32_t value) {
  if (program->first == 0) program->is_too_long = 1;
  else program->first--;
  program->instructions[program->first] = (struct clinux_instruction){.code = code, .value = value};
  return program->first;
}

static size_t emit_jump(struct program *program, uint16_t code, uint32_t value, size_t if_true, size_t if_false) {
  size_t place = emit(program, code, value);
  size_t distances[] = {if_true - place - 1, if_false - place - 1};
  if (distances[0] > UINT8_MAX || distances[1] > UINT8_MAX) program->is_too_long = 1;
  program->instructions[place].if_true = (uint8_t)distances[0];
  program->instructions[place].if_false = (uint8_t)distances[1];
  return place;
}

// Where a filter ends.
struct answers {
  size_t allow, trap, kill, nothing, denied;
};

// Returns where a rule begins, whose number the call has. Where a condition is not met, what is at `otherwise` decides.
static size_t emit_rule(
    struct program *program, const struct rule *rule, const struct answers *answers, size_t otherwise) {
  size_t next = rule->answer == 0 ? answers->allow : rule->answer == NOTHING ? answers->nothing : answers->denied;
  int count = 0;
  while (count < MOST_CONDITIONS && rule->conditions[count].kind != END) count++;
  while (count-- > 0) {
    const struct condition *condition = &rule->conditions[count];
    const uint32_t *values = condition->values;
    size_t unequal = otherwise;
    switch (condition->kind) {
    case END: break;
    case ONE_OF:
      for (int index = condition->count; index-- > 0;)
        unequal = emit_jump(program, JUMP_EQUAL, values[index], next, unequal);
      break;
    case NO_BITS_BUT: emit_jump(program, JUMP_SET, ~values[0], otherwise, next); break;
    case AT_LEAST: emit_jump(program, JUMP_AT_LEAST, values[0], next, otherwise); break;
    }
    next = emit(program, LOAD, (uint32_t)(ARGUMENTS + 8 * condition->argument));
  }
  return next;
}

struct numbered {
  uint32_t number;
  const struct rule *rule;
};

// The rules of one number or, where there are several numbers, a comparison and two halves: when a filter is installed, the
// kernel runs it for each number that there is (seccomp_cache_prepare), and afterwards for each call that has conditions.
static size_t emit_rules(
    struct program *program, const struct numbered *rules, size_t count, const struct answers *answers) {
  if (rules[0].number == rules[count - 1].number) {
    size_t next = answers->trap;
    for (size_t index = count; index-- > 0;) next = emit_rule(program, rules[index].rule, answers, next);
    return emit_jump(program, JUMP_EQUAL, rules[0].number, next, answers->trap);
  }
  size_t half = count / 2;
  while (rules[half].number == rules[0].number) half++;
  while (rules[half].number == rules[half - 1].number) half--;
  size_t upper = emit_rules(program, rules + half, count - half, answers);
  size_t lower = emit_rules(program, rules, half, answers);
  return emit_jump(program, JUMP_AT_LEAST, rules[half].number, upper, lower);
}

static int by_number(const void *left, const void *right) {
  const struct numbered *one = left, *other = right;
  // Rules of one number stay in the table's order.
  if (one->number == other->number) return one->rule < other->rule ? -1 : 1;
  return one->number < other->number ? -1 : 1;
}

#if defined(__x86_64__)
#define OWN_ARCHITECTURE CLINUX_X86_64
_Static_assert(SYS_pread64 == 17 && SYS_memfd_create == 319 && SYS_fcntl == 72 && SYS_mmap == 9, "the table's x86-64");
#elif defined(__aarch64__)
#define OWN_ARCHITECTURE CLINUX_AARCH64
_Static_assert(SYS_pread64 == 67 && SYS_memfd_create == 279 && SYS_fcntl == 25 && SYS_mmap == 222, "the table's aarch64");
#else
#define OWN_ARCHITECTURE 0
#endif

size_t clinux_build_filter(
    const struct clinux_filter_settings *settings,
    struct clinux_instruction instructions[CLINUX_MOST_INSTRUCTIONS]) {
  uint32_t architecture = settings->architecture ? settings->architecture : OWN_ARCHITECTURE;
  if (architecture != CLINUX_X86_64 && architecture != CLINUX_AARCH64) return 0;
  struct rule rules[64];
  size_t count = write_rules(settings, rules);
  struct numbered sorted[sizeof rules / sizeof *rules];
  for (size_t index = 0; index < count; index++)
    sorted[index] = (struct numbered){
        architecture == CLINUX_X86_64 ? rules[index].x86_64 : rules[index].aarch64, &rules[index]};
  qsort(sorted, count, sizeof *sorted, by_number);
  struct program program = {instructions, CLINUX_MOST_INSTRUCTIONS, 0};
  const struct answers answers = {
      .allow = emit(&program, RETURN, ALLOW),
      .trap = emit(&program, RETURN, TRAP),
      .kill = emit(&program, RETURN, KILL_PROCESS),
      .nothing = emit(&program, RETURN, REFUSE),
      .denied = emit(&program, RETURN, REFUSE | EACCES),
  };
  emit_rules(&program, sorted, count, &answers);
  size_t number = emit(&program, LOAD, NUMBER);
  emit_jump(&program, JUMP_EQUAL, architecture, number, answers.kill);
  emit(&program, LOAD, ARCHITECTURE);
  // A filter that is too long is none.
  if (program.is_too_long) return 0;
  size_t length = CLINUX_MOST_INSTRUCTIONS - program.first;
  memmove(instructions, instructions + program.first, length * sizeof *instructions);
  return length;
}

const char *clinux_call_name(uint32_t number) {
  static const struct {
    uint32_t number;
    const char *name;
  } others[] = {
      {SYS_execve, "execve"}, {SYS_socket, "socket"}, {SYS_connect, "connect"}, {SYS_clone, "clone"},
      {SYS_clone3, "clone3"}, {SYS_lseek, "lseek"}, {SYS_ptrace, "ptrace"}, {SYS_kill, "kill"},
      {SYS_prctl, "prctl"}, {SYS_ioctl, "ioctl"}, {SYS_unlinkat, "unlinkat"}, {SYS_fstat, "fstat"},
      {SYS_nanosleep, "nanosleep"}, {SYS_clock_nanosleep, "clock_nanosleep"}, {SYS_rt_sigaction, "rt_sigaction"},
      {SYS_prlimit64, "prlimit64"}, {SYS_sched_getaffinity, "sched_getaffinity"}, {SYS_readlinkat, "readlinkat"},
  };
  const struct clinux_filter_settings settings = {.pipe = -1};
  struct rule rules[64];
  size_t count = write_rules(&settings, rules);
  for (size_t index = 0; index < count; index++)
    if ((OWN_ARCHITECTURE == CLINUX_X86_64 ? rules[index].x86_64 : rules[index].aarch64) == number)
      return rules[index].name;
  for (size_t index = 0; index < sizeof others / sizeof *others; index++)
    if (others[index].number == number) return others[index].name;
  return NULL;
}
