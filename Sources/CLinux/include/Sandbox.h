// What a worker gives up before it looks at an archive, step by step. Unless stated otherwise, each returns 0 or an error
// number.
#ifndef CLINUX_SANDBOX_H
#define CLINUX_SANDBOX_H

#include <stddef.h>
#include <stdint.h>

// Upper bounds for the worker.
struct clinux_resources {
  // Size of a file in bytes. SIGXFSZ is ignored, so that a write beyond it is an error.
  uint64_t largest_file;
  uint64_t descriptors;
  // Processor time of all threads; SIGXCPU ends the process.
  uint64_t seconds;
  // Bytes of private writable memory, used or not: the heap, stacks, mappings without a file.
  uint64_t data;
};

// setrlimit(2); also forbids core dumps.
int clinux_limit_resources(const struct clinux_resources *resources);
// The hard limit on the number of descriptors of the process.
uint64_t clinux_hard_descriptor_limit(void);
// Makes the kernel kill this process before others when memory runs out: proc(5), oom_score_adj.
int clinux_prefer_for_oom(void);
// prctl(2), PR_SET_DUMPABLE: no core, no ptrace(2) by other processes of the same user.
int clinux_forbid_dumps(void);
// prctl(2), PR_SET_NO_NEW_PRIVS.
int clinux_forbid_privileges(void);
// capset(2): drops all capabilities of this thread and of those that it starts.
int clinux_drop_capabilities(void);
// Returns a number above all open descriptors, with no free number below: every descriptor made from now on has it or a higher
// one. -1 and errno on failure.
int clinux_close_ranks(void);
// Landlock without a rule: no file, no TCP and no signal to others for this thread and those that it starts. Stores Landlock's
// version in `abi`.
int clinux_landlock_nothing(int *abi);

// One heap for all threads (mallopt(3), M_ARENA_MAX), and time zone `zone` (environ(7), TZ) loaded for good.
void clinux_settle_heap_and_zone(const char *zone);

// Every second, by a timer (setitimer(2), SIGALRM), sends `packet` of `count` bytes on `socket` if the number of type size_t at
// `progress` has changed, and exits if the peer has closed its end. Returns 0 or an error number.
int clinux_show_life(int socket, const uint8_t *packet, size_t count, const void *progress);

// Opens the conversions between character sets that names may need, and the one from `encoding` unless that is NULL.
void clinux_open_conversions(const char *encoding);

// The filter can be written for either architecture.
enum { CLINUX_X86_64 = 0xC000003E, CLINUX_AARCH64 = 0xC00000B7 };

struct clinux_filter_settings {
  // One of the two above, or 0 for this program's own.
  uint32_t architecture;
  // Whether memory files may become executable.
  int allows_executable;
  // Whether the kernel knows MFD_NOEXEC_SEAL.
  int has_noexec_seal;
  // The lowest number of a descriptor that may be changed, written to or closed.
  int first_own;
  // The process ID: the process may send signals to itself.
  uint32_t process;
  // The pipe that may be read with read(2), or -1.
  int pipe;
  // The socket on which the host is asked for the archive, or 0.
  int source;
  // The lower half of the only address at which it may wait for another process, or CLINUX_NO_WINDOW.
  uint32_t window;
};

// No number lies at an odd address, so that the kernel refuses to wait there: EINVAL, futex(2).
static const uint32_t CLINUX_NO_WINDOW = 1;

// One instruction of the filter, as in <linux/filter.h>.
struct clinux_instruction {
  uint16_t code;
  uint8_t if_true, if_false;
  uint32_t value;
};

enum { CLINUX_MOST_INSTRUCTIONS = 512 };

// Writes the filter and returns its number of instructions; 0 for an architecture without a table.
size_t clinux_build_filter(
    const struct clinux_filter_settings *settings,
    struct clinux_instruction instructions[CLINUX_MOST_INSTRUCTIONS]);
// The name of a system call by its number on this architecture, or NULL for one that is not in the tables.
const char *clinux_call_name(uint32_t number);

// Installs the filter on all threads, seccomp(2). A refused call ends the process, after a last packet on `socket` with `before`
// and the call's number, four bytes little-endian.
int clinux_lock_calls(
    const struct clinux_filter_settings *settings, int socket, const uint8_t *before, size_t count);

// Installs a filter on all threads; 0 or an error number. A test's worker replaces it.
extern int (*clinux_install_filter)(const struct clinux_instruction *instructions, size_t count);

#endif
