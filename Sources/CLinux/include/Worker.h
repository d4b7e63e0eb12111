// A process of our own that is started with nothing, and packets with descriptors to and from it.
#ifndef CLINUX_WORKER_H
#define CLINUX_WORKER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
  // The worker's end of the socket.
  CLINUX_WORKER_SOCKET = 3,
  // SCM_MAX_FD: as many descriptors as one packet can carry.
  CLINUX_MOST_DESCRIPTORS = 253,
};

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

// Sends one packet with these descriptors; -1 and errno. Never raises SIGPIPE.
ssize_t clinux_send_packet(
    int socket, const void *bytes, size_t count, const int *descriptors, size_t descriptor_count);

enum { CLINUX_PACKET_WHOLE, CLINUX_PACKET_CUT, CLINUX_PACKET_DESCRIPTORS_LOST };

// Receives one packet: bytes, descriptors (close-on-exec, of which there may be CLINUX_MOST_DESCRIPTORS) and whether
// anything of it is missing. 0 at the end, -1 and errno.
ssize_t clinux_receive_packet(
    int socket, void *bytes, size_t capacity, int *descriptors, size_t *descriptor_count, int *state);

// Ends this process as soon as the peer's end of the socket is closed. Returns after so many milliseconds otherwise.
void clinux_exit_with_peer(int socket, int milliseconds);

// getenv(3) where the program was not given other rights than its caller's, and NULL otherwise.
const char *clinux_secure_environment(const char *name);
// The path that this program was executed by, getauxval(3) with AT_EXECFN.
const char *clinux_executed_path(void);
// Opens a pipe that is open already for reading alone, by its path in /proc; never waits for a writer.
int clinux_reopen_pipe(const char *path);
// The file system that a descriptor lies in, fstatfs(2); 0 where it cannot be told.
uint64_t clinux_file_system(int descriptor);
// F_GETFL: the access mode, O_RDONLY, O_WRONLY or O_RDWR; -1 and errno.
int clinux_access_mode(int descriptor);

#endif
