// For both ends of the socket between host and worker.
#ifndef CLINUX_WORKER_H
#define CLINUX_WORKER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// The worker's end of the socket.
enum { CLINUX_WORKER_SOCKET = 3 };

// Moves a descriptor to a number above the standard streams, for a program that was started without these must not take it for
// one. Where no number is left, it stays where it is.
int clinux_above_streams(int descriptor);

// Two connected SOCK_SEQPACKET sockets, close-on-exec, above the standard streams.
int clinux_packet_sockets(int sockets[2]);
// Whether a descriptor is a SOCK_SEQPACKET socket (SO_TYPE).
int clinux_is_packet_socket(int descriptor);

// poll(2) for one descriptor, by ppoll(2), which a worker may call: 1 if an event, an error or a hangup is there within that many
// milliseconds, 0 if not, -1 and errno on failure. -1 milliseconds wait without a limit.
int clinux_wait(int descriptor, int events, int milliseconds);

// Exits this process as soon as the peer closes its end of the socket; otherwise returns after that many milliseconds.
void clinux_exit_with_peer(int socket, int milliseconds);

// getenv(3), or NULL in a program that runs with other privileges than its caller, secure_getenv(3).
const char *clinux_secure_environment(const char *name);
// The path by which this program was executed, getauxval(3) with AT_EXECFN.
const char *clinux_executed_path(void);
// The path of the file that has this code: the program's, or a shared object's. Returns 0 or an error number.
int clinux_object_path(char *path, size_t size);
// Opens a pipe that is already open anew, for reading only, by its path in /proc; never waits for a writer.
int clinux_reopen_pipe(const char *path);

#endif
