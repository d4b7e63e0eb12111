// Changes the outcome of single system calls of a thread, of the threads that it starts and of their children, so that
// a test can ask what becomes of an extraction for each of them.
//
// A seccomp filter stops each call of the kinds below and tells a supervisor (seccomp_unotify(2)), which lets it go on,
// fails it, or does less of it than was asked. Raw system calls are caught too, as a preloaded library's are not.
#ifndef CFAULTS_H
#define CFAULTS_H

#include <stdint.h>
#include <sys/types.h>

// fcntl(2), which Swift's Glibc module lacks.
enum { CFAULTS_F_SETPIPE_SZ = 1031 };

// The kinds of calls that are counted and can be changed.
enum {
  CFAULTS_MEMFD_CREATE,
  CFAULTS_PWRITE,
  CFAULTS_PREAD,
  CFAULTS_READ,
  CFAULTS_FTRUNCATE,
  CFAULTS_ADD_SEALS,
  CFAULTS_GET_SEALS,
  CFAULTS_DUPLICATE,
  CFAULTS_MAP_FILE,
  CFAULTS_MAP_STACK,
  CFAULTS_MAP_RESERVE,
  CFAULTS_COLLAPSE,
  CFAULTS_FCHMOD,
  CFAULTS_PUNCH_HOLE,
  CFAULTS_START_THREAD,
  CFAULTS_OPEN,
  CFAULTS_STATUS,
  CFAULTS_SEEK,
  CFAULTS_POLL,
  CFAULTS_CLOSE,
  CFAULTS_AFFINITY,
  CFAULTS_LIMIT,
  CFAULTS_KINDS,
};

// What is done to a call.
enum {
  // It fails with `error`.
  CFAULTS_FAIL,
  // It reads or writes half of what was asked.
  CFAULTS_HALF,
  // It reads or writes one byte.
  CFAULTS_ONE_BYTE,
  // It returns `error` as its value, and does nothing.
  CFAULTS_RETURN,
  // It is done, and fails with `error` all the same.
  CFAULTS_DO_AND_FAIL,
  // It goes on as it is, after `descriptor` was truncated to `size` bytes.
  CFAULTS_TRUNCATE_FIRST,
  // It goes on as it is, after everything in `descriptor` was overwritten.
  CFAULTS_OVERWRITE_FIRST,
};

struct cfaults_plan {
  // The kind of the calls that are changed; -1: none is.
  int kind;
  // The first that is, from 0, and how many from there on.
  int first, count;
  int action, error;
  int descriptor;
  off_t size;
  // Only calls whose argument with this index has one of these bits; 0: all.
  uint64_t bits;
  int bits_argument;
  // Only calls whose path begins so; NULL: all.
  const char *path;
  // Whether calls of processes started in the meantime are changed too: they can only be failed, and not by path.
  int children;
};

struct cfaults_result {
  // The calls of each kind.
  int calls[CFAULTS_KINDS];
  // How many were changed.
  int changed;
  // Whether a thread that was started was still there ten seconds after the end.
  int left_thread;
};

// Runs `body` on a thread of its own under `plan`, and waits until it and all that it has started have ended.
// Returns 0, or the errno of what could not be set up.
int cfaults_run(const struct cfaults_plan *plan, void (*body)(void *), void *context, struct cfaults_result *result);

// The descriptors of the process that are open, and its mappings of memory files.
int cfaults_open_descriptors(void);
int cfaults_memory_mappings(void);

// fork(2), which Swift does not let one call.
pid_t cfaults_fork(void);
// The same for a child that does nothing until it is killed, or this process ends. Its process id, or -1.
pid_t cfaults_fork_idle(void);

// Has the calling thread, and what it starts from now on, get EPERM for a call of this number; where `bits` is not 0, only
// if its first argument has one of them. Returns 0, or an errno.
int cfaults_refuse(int number, uint32_t bits);

#endif
