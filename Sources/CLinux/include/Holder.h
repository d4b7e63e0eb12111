// What `memarchive run` needs between its own end and the command's beginning.
#ifndef CLINUX_HOLDER_H
#define CLINUX_HOLDER_H

#include <stddef.h>
#include <sys/types.h>

// Starts a process that keeps these descriptors open, under the same numbers and nothing else, until the calling process
// has ended, whatever it executes meanwhile. It is nobody's child, of a session of its own, and takes no signal but
// SIGKILL; process 1 has to reap it then. Returns the number that it has in the /proc that is mounted (0 where `count` is 0),
// or -1 with errno.
pid_t clinux_hold(const int *descriptors, size_t count);

// fexecve(3) with the environment as it is: returns only when it fails, -1.
int clinux_execute(int descriptor, char *const *arguments);

#endif
