// What a test's worker does once its filter is in place, by the file name that it was started by (a symbolic link):
//
// - try,CALL,A,B,…: makes the system call of this number with these arguments. Where it returns, the worker ends with the
//   error number as its status, or with 200.
// - block,CALL,A,B,…: the same, after it has blocked all signals.
// - report: calls that the filter refuses are noted, by their numbers, in a file beside it (NAME.calls), and made all the same.
// - report,CALL: makes a call of its own besides.
// - contend: reports too, after two of its threads have wanted the same global of Swift's at once.
#ifndef CTRYING_H
#define CTRYING_H

#include <sys/syscall.h>

// Numbers of system calls, which Swift's Glibc has not.
enum {
  CTRYING_FCHMOD = SYS_fchmod,
  CTRYING_FTRUNCATE = SYS_ftruncate,
  CTRYING_FALLOCATE = SYS_fallocate,
  CTRYING_FCNTL = SYS_fcntl,
  CTRYING_PWRITE64 = SYS_pwrite64,
  CTRYING_CLOSE = SYS_close,
  CTRYING_MMAP = SYS_mmap,
  CTRYING_SOCKET = SYS_socket,
  CTRYING_CLONE = SYS_clone,
  CTRYING_CLONE3 = SYS_clone3,
  CTRYING_EXECVE = SYS_execve,
  CTRYING_PTRACE = SYS_ptrace,
  CTRYING_KILL = SYS_kill,
  CTRYING_PRCTL = SYS_prctl,
  CTRYING_IOCTL = SYS_ioctl,
  CTRYING_MEMFD_CREATE = SYS_memfd_create,
  CTRYING_DUP = SYS_dup,
  CTRYING_OPENAT = SYS_openat,
  CTRYING_FUTEX = SYS_futex,
  CTRYING_GETPPID = SYS_getppid,
};

// To be called first.
void ctrying_prepare(void);

// Has `action` called in a worker that reports, before it is locked in.
void ctrying_before_report(void (*action)(void));

// Leaves the process so many of its processors, where it has as many; 0, or an error number.
int ctrying_use_processors(int count);

#endif
