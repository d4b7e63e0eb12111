// A process of our own that is started with nothing.
#ifndef CLINUX_WORKER_H
#define CLINUX_WORKER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// The worker's end of the socket.
enum { CLINUX_WORKER_SOCKET = 3 };

// Starts the program at `path` with the socket as descriptor 3, /dev/null as 0, 1 and 2, no other descriptor, a session of
// its own and all signals at their defaults. Returns its process id and a descriptor that stands for it, close-on-exec;
// -1 and errno where it cannot be started or executed (the child is gone by then).
pid_t clinux_spawn_worker(
    const char *path, const char *const *arguments, const char *const *environment, int socket,
    int *process_descriptor);

// pidfd_send_signal(2) with SIGKILL.
int clinux_kill_process(int process_descriptor);

enum { CLINUX_ENDED_UNKNOWN, CLINUX_ENDED_EXIT, CLINUX_ENDED_SIGNAL };

// Waits for the process to end, and reaps it; how it ended and its exit status or signal. Somebody else of this
// process may have reaped it: unknown.
void clinux_await_process(int process_descriptor, int *how, int *status);

// Two connected sockets of the kind SEQPACKET, close-on-exec.
int clinux_packet_sockets(int sockets[2]);
// SO_TYPE of a socket: whether it is of that kind.
int clinux_is_packet_socket(int descriptor);

// Ends this process as soon as the peer's end of the socket is closed. Returns after so many milliseconds otherwise.
void clinux_exit_with_peer(int socket, int milliseconds);

// getenv(3) where the program was not given other rights than its caller's, and NULL otherwise.
const char *clinux_secure_environment(const char *name);
// The path that this program was executed by, getauxval(3) with AT_EXECFN.
const char *clinux_executed_path(void);
// Opens a pipe that is open already for reading alone, by its path in /proc; never waits for a writer.
int clinux_reopen_pipe(const char *path);

#endif
