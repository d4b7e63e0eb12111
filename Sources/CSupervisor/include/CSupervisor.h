// Starts a worker process and waits for it in the host's place; README.md explains why this is right.
//
// A child of the host's own would raise SIGCHLD when it ends and be found by wait(2), because execve(2) resets the signal that
// a process ends with. So the host starts a supervisor, without an exit signal, which never executes anything; the worker is
// the supervisor's child. The supervisor runs on the host's memory, as a child of vfork(2) does, for as long as the worker
// lives: a copy, as fork(2) makes it, would cost a large host its page tables and a fault for each page that it writes to
// meanwhile. The supervisor has none of the host's descriptors, blocks all signals, and only makes system calls.
#ifndef CSUPERVISOR_H
#define CSUPERVISOR_H

#include "CTemplate.h"

struct csupervisor;

enum { CSUPERVISOR_ENDED_UNKNOWN, CSUPERVISOR_ENDED_EXIT, CSUPERVISOR_ENDED_SIGNAL };

// Starts the program at `path` with the socket as descriptor CLINUX_WORKER_SOCKET, /dev/null as 0, 1 and 2, no other
// descriptor, a session of its own and all signals at their defaults. It is killed when its supervisor ends. NULL and errno
// where it cannot be started or executed; nothing is left then.
struct csupervisor *csupervisor_start(
    const char *path, const char *const *arguments, const char *const *environment, int socket);

// A descriptor that becomes readable once the worker and its supervisor have ended; it stays the supervisor's.
int csupervisor_descriptor(const struct csupervisor *supervisor);

// Kills the worker unless it has ended, waits for both, and reports how the worker ended, with its exit status or signal:
// unknown where the supervisor was killed. Frees everything.
void csupervisor_end(struct csupervisor *supervisor, int *how, int *status);

#endif
