// For `memarchive run`, on its way to executing the command.
#ifndef CLINUX_HOLDER_H
#define CLINUX_HOLDER_H

#include <stddef.h>
#include <sys/types.h>

// Starts a process that keeps these descriptors open, under the same numbers, and nothing else, until the calling process,
// whatever it executes meanwhile, has ended, and the process `other` too where it is not 0. Where `token` is given, it
// gets a descriptor for the command to inherit: the files also stay until every process that has it is gone, and while
// anybody has one of them open. The process is not the caller's child, has its own session and blocks all signals; process 1 has
// to reap it. Returns its number in the mounted /proc (0 where `count` is 0), or -1 with errno: ESRCH where there is no `other`.
pid_t clinux_hold(const int *descriptors, size_t count, pid_t other, int *token);

// fork(2) for a command that its parent waits for: 0 in the child, which executes it, and its number in the parent, where all
// signals but those of job control are blocked until clinux_wait_for_command has returned.
pid_t clinux_fork_command(void);

// Waits until the command has ended, and passes on signals to it: not those that a terminal sends to all its processes. Later
// ones end this process as they would have before. Returns what waitpid(2) says, or -1.
int clinux_wait_for_command(pid_t command);

// Ends the calling process by a signal, without a core file.
void clinux_end_by(int signal);

// fexecve(3) with the current environment; returns -1, and only when it fails.
int clinux_execute(int descriptor, char *const *arguments);

#endif
