// A process of our own that is started with nothing, and one that waits for it in the host's place.
//
// A child of the host's own would raise SIGCHLD there when it ends, and be found by wait(2): an exec resets the signal
// that a process ends with. So the host starts a supervisor, without an exit signal, which never executes anything; the worker
// is the supervisor's child. The supervisor runs on the host's memory, as a child of vfork(2) does, and as long as the worker
// lives: a copy, as fork(2) makes it, would cost a large host its page tables and a fault for each page that it
// writes to meanwhile. It has none of the host's descriptors, all signals blocked, and makes system calls alone.
#ifndef CLINUX_SUPERVISOR_H
#define CLINUX_SUPERVISOR_H

struct clinux_supervisor;

enum { CLINUX_ENDED_UNKNOWN, CLINUX_ENDED_EXIT, CLINUX_ENDED_SIGNAL };

// Starts the program at `path` with the socket as descriptor CLINUX_WORKER_SOCKET, /dev/null as 0, 1 and 2, no other
// descriptor, a session of its own and all signals at their defaults. It is killed when its supervisor ends. NULL and errno
// where it cannot be started or executed (all is gone by then).
struct clinux_supervisor *clinux_start_supervisor(
    const char *path, const char *const *arguments, const char *const *environment, int socket);

// Can be read once the worker has ended, and its supervisor too.
int clinux_supervisor_descriptor(const struct clinux_supervisor *supervisor);

// Kills the worker unless it has ended, waits for both, and says how the worker ended, and its exit status or signal:
// unknown where the supervisor was killed. Frees everything.
void clinux_end_supervisor(struct clinux_supervisor *supervisor, int *how, int *status);

#endif
