// For `memarchive run`, on its way to executing the command.
#ifndef CLINUX_HOLDER_H
#define CLINUX_HOLDER_H

#include <stddef.h>
#include <sys/types.h>

// Starts a process that keeps these descriptors open, under the same numbers, and nothing else, until the calling process has
// ended, whatever that executes meanwhile. It is not the caller's child, has its own session and blocks all signals; process 1
// has to reap it. Returns its number in the mounted /proc (0 where `count` is 0), or -1 with errno.
pid_t clinux_hold(const int *descriptors, size_t count);

// fexecve(3) with the current environment; returns -1, and only when it fails.
int clinux_execute(int descriptor, char *const *arguments);

#endif
