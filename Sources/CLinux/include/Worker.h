// What both ends of the socket to a worker need.
#ifndef CLINUX_WORKER_H
#define CLINUX_WORKER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// The worker's end of the socket.
enum { CLINUX_WORKER_SOCKET = 3 };

// The same under a number that is no standard stream's: a program that was started without these must not take it for
// one. Where there is no other, it stays what it is.
int clinux_above_streams(int descriptor);

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
