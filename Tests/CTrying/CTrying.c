#define _GNU_SOURCE
#include "CTrying.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <CLinux.h>

enum { RETURNED = 200 };

static long words[7];
static int word_count, blocks;
static int report = -1;
static int (*install)(const struct clinux_instruction *, size_t);

static int install_and_try(const struct clinux_instruction *instructions, size_t count) {
  int error = install(instructions, count);
  if (error) return error;
  sigset_t all;
  sigfillset(&all);
  if (blocks) sigprocmask(SIG_BLOCK, &all, NULL);
  long result = syscall(words[0], words[1], words[2], words[3], words[4], words[5], words[6]);
  _exit(result < 0 ? errno : RETURNED);
}

// A system call from one place in memory, by which the filter knows it.
long ctrying_call(long number, long a, long b, long c, long d, long e, long f);
extern const char ctrying_behind_call[];

#if defined(__x86_64__)
__asm__(
    ".text\n"
    ".globl ctrying_call, ctrying_behind_call\n"
    "ctrying_call:\n"
    "mov %rdi, %rax\n"
    "mov %rsi, %rdi\n"
    "mov %rdx, %rsi\n"
    "mov %rcx, %rdx\n"
    "mov %r8, %r10\n"
    "mov %r9, %r8\n"
    "mov 8(%rsp), %r9\n"
    "syscall\n"
    "ctrying_behind_call:\n"
    "ret\n");
#define ARGUMENT(context, index) \
  ((context)->uc_mcontext.gregs[(const int[]){REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9}[index]])
#define RESULT(context) ((context)->uc_mcontext.gregs[REG_RAX])
#elif defined(__aarch64__)
__asm__(
    ".text\n"
    ".globl ctrying_call, ctrying_behind_call\n"
    "ctrying_call:\n"
    "mov x8, x0\n"
    "mov x0, x1\n"
    "mov x1, x2\n"
    "mov x2, x3\n"
    "mov x3, x4\n"
    "mov x4, x5\n"
    "mov x5, x6\n"
    "svc #0\n"
    "ctrying_behind_call:\n"
    "ret\n");
#define ARGUMENT(context, index) ((long)(context)->uc_mcontext.regs[index])
#define RESULT(context) ((context)->uc_mcontext.regs[0])
#endif

static void note(long number) {
  char line[24];
  int length = 0;
  do line[length++] = (char)('0' + number % 10);
  while ((number /= 10) > 0);
  for (int index = 0; index < length / 2; index++) {
    char digit = line[index];
    line[index] = line[length - 1 - index];
    line[length - 1 - index] = digit;
  }
  line[length++] = '\n';
  ctrying_call(SYS_write, report, (long)line, length, 0, 0, 0);
}

static void go_on(int signal, siginfo_t *info, void *context) {
  (void)signal;
  ucontext_t *here = context;
  note(info->si_syscall);
  switch (info->si_syscall) {
  case SYS_clone:
  case SYS_clone3:
  case SYS_execve:
    // A second one would run on this stack.
    RESULT(here) = -EAGAIN;
    return;
  default:
    RESULT(here) = ctrying_call(
        info->si_syscall, ARGUMENT(here, 0), ARGUMENT(here, 1), ARGUMENT(here, 2), ARGUMENT(here, 3), ARGUMENT(here, 4),
        ARGUMENT(here, 5));
  }
}

static void (*before_report)(void);

void ctrying_before_report(void (*action)(void)) { before_report = action; }

static int install_and_report(const struct clinux_instruction *instructions, size_t count) {
  static struct clinux_instruction all[CLINUX_MOST_INSTRUCTIONS + 6];
  enum { LOAD = 0x20, JUMP_EQUAL = 0x15, RETURN = 0x06, ALLOW = 0x7FFF0000 };
  if (before_report) before_report();
  uint64_t behind = (uint64_t)(uintptr_t)ctrying_behind_call;
  // Where struct seccomp_data has the instruction pointer, its lower half first.
  all[0] = (struct clinux_instruction){LOAD, 0, 0, 8};
  all[1] = (struct clinux_instruction){JUMP_EQUAL, 0, 3, (uint32_t)behind};
  all[2] = (struct clinux_instruction){LOAD, 0, 0, 12};
  all[3] = (struct clinux_instruction){JUMP_EQUAL, 0, 1, (uint32_t)(behind >> 32)};
  all[4] = (struct clinux_instruction){RETURN, 0, 0, ALLOW};
  memcpy(all + 5, instructions, count * sizeof *instructions);
  struct sigaction action = {.sa_sigaction = go_on, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGSYS, &action, NULL) != 0) return errno;
  int error = install(all, count + 5);
  if (!error && word_count > 0) syscall(words[0]);
  return error;
}

void ctrying_prepare(void) {
  static char path[PATH_MAX], words_text[256];
  snprintf(path, sizeof path, "%s", (const char *)getauxval(AT_EXECFN));
  const char *name = strrchr(path, '/');
  snprintf(words_text, sizeof words_text, "%s", name ? name + 1 : path);
  char *rest = words_text, *word = strsep(&rest, ",");
  blocks = strcmp(word, "block") == 0;
  int tries = blocks || strcmp(word, "try") == 0;
  while ((word = strsep(&rest, ",")) && word_count < 7) words[word_count++] = strtol(word, NULL, 0);
  install = clinux_install_filter;
  if (tries) {
    clinux_install_filter = install_and_try;
  } else {
    strncat(path, ".calls", sizeof path - strlen(path) - 1);
    report = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    clinux_install_filter = install_and_report;
  }
}

int ctrying_use_processors(int count) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return errno;
  for (int processor = 0; processor < CPU_SETSIZE; processor++)
    if (CPU_ISSET(processor, &set) && count-- <= 0) CPU_CLR(processor, &set);
  return sched_setaffinity(0, sizeof set, &set) == 0 ? 0 : errno;
}
