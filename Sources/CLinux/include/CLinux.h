// Calls and constants that Swift's Glibc module hides: GNU extensions, variadic calls, macros that
// are not plain numbers, and numbers newer than the C library's headers.
#ifndef CLINUX_H
#define CLINUX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "Forked.h"
#include "Holder.h"
#include "HugeCode.h"
#include "Passing.h"
#include "Processes.h"
#include "Sandbox.h"
#include "Tree.h"
#include "Worker.h"

// memfd_create(2), <linux/memfd.h>. glibc 2.36 does not know the last two (kernel 6.3).
enum {
  CLINUX_MFD_CLOEXEC = 0x1,
  CLINUX_MFD_ALLOW_SEALING = 0x2,
  CLINUX_MFD_NOEXEC_SEAL = 0x8,
  CLINUX_MFD_EXEC = 0x10,
};

// fcntl(2), "File sealing". F_SEAL_EXEC is kernel 6.3.
enum {
  CLINUX_F_SEAL_SEAL = 0x1,
  CLINUX_F_SEAL_SHRINK = 0x2,
  CLINUX_F_SEAL_GROW = 0x4,
  CLINUX_F_SEAL_WRITE = 0x8,
  CLINUX_F_SEAL_FUTURE_WRITE = 0x10,
  CLINUX_F_SEAL_EXEC = 0x20,
};

// madvise(2). MADV_COLLAPSE is kernel 6.1.
enum {
  CLINUX_MADV_COLLAPSE = 25,
};

int clinux_memfd_create(const char *name, unsigned int flags);
int clinux_add_seals(int descriptor, int seals);
int clinux_get_seals(int descriptor);
// fallocate(2) with FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE.
int clinux_punch_hole(int descriptor, off_t offset, off_t count);
// The number of processors that the calling thread may run on; 1 where that is unknown.
int clinux_processor_count(void);
// The number of threads of the process; 0 where /proc does not say.
size_t clinux_thread_count(void);
// Names the calling thread; at most 15 bytes.
void clinux_name_thread(const char *name);
// This process's number in the mounted /proc, which after `unshare -p` (unshare(1)) is not getpid(2)'s. -1 and errno where
// there is none. Safe between fork(2) and execve(2).
pid_t clinux_number_in_proc(void);
int clinux_duplicate(int descriptor, int close_on_exec);
// The number of the next descriptor, which is the lowest free one (open(2)); -1 and errno where there is none.
int clinux_next_descriptor(void);
// sendfile(2) from one offset to another.
ssize_t clinux_send_file(int source, off_t from, int target, off_t to, size_t count);

// Numbers in memory that processes share: an acquiring load, a releasing store.
uint32_t clinux_load_shared(const uint32_t *number);
void clinux_store_shared(uint32_t *number, uint32_t value);
// futex(2), FUTEX_WAIT and FUTEX_WAKE in shared memory: waits while the number is `value`, or not at all; wakes all who wait.
void clinux_wait_shared(const uint32_t *number, uint32_t value);
void clinux_wake_shared(const uint32_t *number);
int clinux_open_read_only(const char *path);

// The program's arguments at its start. Swift reads its own from /proc, which may be missing.
int clinux_argument_count(void);
const char *clinux_argument(int index);

// Sets the character set of the calling thread alone to UTF-8, or to that of "C". Returns the locale to restore with
// clinux_restore_locale, or NULL, with nothing changed, where no UTF-8 locale is installed.
void *clinux_enter_utf8_locale(void);
void *clinux_enter_c_locale(void);
void clinux_restore_locale(void *previous);
// Whether the system has a UTF-8 locale for the first of these: 1 or 0.
int clinux_has_utf8_locale(void);

// Kernel features, tested without side effects: 1 yes, 0 no, -1 unknown.
int clinux_has_noexec_seal(void);
int clinux_has_collapse(void);
int clinux_landlock_abi(void);
int clinux_has_user_namespaces(void);

#endif
