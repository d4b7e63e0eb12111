// What a worker gives up before it looks at an archive, step by step; each returns 0, or an error number.
#ifndef CLINUX_SANDBOX_H
#define CLINUX_SANDBOX_H

#include <stddef.h>
#include <stdint.h>

// What it may have at most.
struct clinux_resources {
  // Bytes of a file. SIGXFSZ is ignored, so that a write beyond is an error.
  uint64_t largest_file;
  uint64_t descriptors;
  // Processor time of all threads; SIGXCPU ends the process.
  uint64_t seconds;
  // Bytes of private memory that can be written to, used or not: the heap, stacks, what is mapped without a file.
  uint64_t data;
};

// setrlimit(2); no core dump besides.
int clinux_limit_resources(const struct clinux_resources *resources);
// How many descriptors the process may have at most.
uint64_t clinux_hard_descriptor_limit(void);
// Has the kernel kill this process before others when memory runs out: proc(5), oom_score_adj.
int clinux_prefer_for_oom(void);
// prctl(2), PR_SET_DUMPABLE: no core, no ptrace by others of the same user.
int clinux_forbid_dumps(void);
// prctl(2), PR_SET_NO_NEW_PRIVS.
int clinux_forbid_privileges(void);
// capset(2): none is left to this thread, nor to those that it starts.
int clinux_drop_capabilities(void);
// The number above those of all open descriptors, so that each one that is made from now on has it or a higher one; -1
// where that cannot be had.
int clinux_close_ranks(void);
// Landlock without a rule: for this thread and those that it starts, no file, no TCP, no signal to others. The
// version of it goes to `abi`.
int clinux_landlock_nothing(int *abi);

// One heap for all threads (mallopt(3), M_ARENA_MAX), and time zone `zone` (environ(7), TZ) read for good.
void clinux_settle_heap_and_zone(const char *zone);

// Opens the conversions between character sets that names may need, and that from `encoding` unless it is NULL.
void clinux_open_conversions(const char *encoding);

// The same filter is written for each architecture.
enum { CLINUX_X86_64 = 0xC000003E, CLINUX_AARCH64 = 0xC00000B7 };

struct clinux_filter_settings {
  // One of the two above; 0 for this program's own.
  uint32_t architecture;
  // Whether memory files may become executable.
  int allows_executable;
  // Whether the kernel knows MFD_NOEXEC_SEAL.
  int has_noexec_seal;
  // The least number of a descriptor that may be changed, written to or closed.
  int first_own;
  // The process, which may send a signal to itself.
  uint32_t process;
  // The pipe that may be read with read(2); -1 for none.
  int pipe;
};

// One instruction of the filter, as in <linux/filter.h>.
struct clinux_instruction {
  uint16_t code;
  uint8_t if_true, if_false;
  uint32_t value;
};

enum { CLINUX_MOST_INSTRUCTIONS = 512 };

// Writes the filter and returns how many instructions it has; 0 for an architecture without a table.
size_t clinux_build_filter(
    const struct clinux_filter_settings *settings,
    struct clinux_instruction instructions[CLINUX_MOST_INSTRUCTIONS]);
// The name of a system call by its number on this architecture, where it is one that is told apart; NULL otherwise.
const char *clinux_call_name(uint32_t number);

// Installs the filter on all threads, seccomp(2). A call that it refuses ends the process, after a last packet on
// `socket` that holds `before` and the call's number, four bytes little-endian.
int clinux_lock_calls(
    const struct clinux_filter_settings *settings, int socket, const uint8_t *before, size_t count);

// Installs a filter on all threads; 0, or an error number. A test's worker has another one.
extern int (*clinux_install_filter)(const struct clinux_instruction *instructions, size_t count);

#endif
