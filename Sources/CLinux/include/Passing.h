// Descriptors sent to and received from other processes.
#ifndef CLINUX_PASSING_H
#define CLINUX_PASSING_H

#include <stddef.h>
#include <sys/types.h>

// The kernel's bound on descriptors in one message (SCM_MAX_FD, unix(7)).
enum { CLINUX_MOST_DESCRIPTORS = 253 };

// O_RDONLY, O_WRONLY or O_RDWR; O_PATH counts as O_WRONLY, since neither can be read.
int clinux_access_mode(int descriptor);
// fstatfs(2): 1 on tmpfs, 0 elsewhere.
int clinux_is_on_tmpfs(int descriptor);
// open(2) with O_RDONLY | O_CLOEXEC | O_NONBLOCK: EAGAIN where a lease would delay it.
int clinux_open_without_waiting(const char *path);

// sendmsg(2) with SCM_RIGHTS and without SIGPIPE: the number of bytes sent, with which the descriptors went too. EAGAIN where it
// would have to wait and must not.
ssize_t clinux_send_descriptors(
    int socket, const void *bytes, size_t size, const int *descriptors, size_t count, int waits);

// recvmsg(2) of at most CLINUX_MOST_DESCRIPTORS descriptors, which are close-on-exec and owned by the caller. Descriptors of
// other kinds of control messages are closed. `cut` reports which parts of the message were lost.
enum { CLINUX_CUT_BYTES = 1, CLINUX_CUT_DESCRIPTORS = 2 };
ssize_t clinux_receive_descriptors(int socket, void *bytes, size_t size, int *descriptors, size_t *count, int *cut);

// write(2), or send(2) to a socket, which does not wait; neither raises SIGPIPE.
ssize_t clinux_write_quietly(int descriptor, const void *bytes, size_t size, int is_socket);

#endif
