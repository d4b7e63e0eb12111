// For `memarchive each`, which starts many commands.
#ifndef CLINUX_PROCESSES_H
#define CLINUX_PROCESSES_H

#include <sys/types.h>

// environ(7).
char **clinux_environment(void);

// pipe2(2) with O_CLOEXEC: the end to read from and the end to write to. 0, or -1 with errno.
int clinux_pipe(int ends[2]);

// fcntl(2), O_NONBLOCK. 0, or -1 with errno.
int clinux_never_wait(int descriptor);

// pidfd_open(2): a descriptor, close-on-exec, that is readable once the process has ended, or -1 with errno.
int clinux_open_process(pid_t process);

// Opens /dev/null in place of each standard stream that is closed, so that no other file gets its number: the wrong way around,
// so that its use is still EBADF, and with O_CLOEXEC, so that it is closed in commands.
void clinux_reserve_streams(void);

// unix(7): a stream socket, close-on-exec, connected to this path, or -1 with errno.
int clinux_connect(const char *path);

// flock(2), LOCK_EX | LOCK_NB. 0, or -1 with errno: EWOULDBLOCK where another process has the lock.
int clinux_lock(int descriptor);

#endif
