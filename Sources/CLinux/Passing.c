#define _GNU_SOURCE
#include "Passing.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04  // kernel 6.5
#endif

int clinux_access_mode(int descriptor) {
  int flags = fcntl(descriptor, F_GETFL);
  if (flags < 0) return flags;
  return flags & O_PATH ? O_WRONLY : flags & O_ACCMODE;
}

int clinux_is_on_tmpfs(int descriptor) {
  struct statfs status;
  if (fstatfs(descriptor, &status) != 0) return -1;
  return status.f_type == TMPFS_MAGIC;
}

int clinux_open_without_waiting(const char *path) {
  return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

ssize_t clinux_send_descriptors(
    int socket, const void *bytes, size_t size, const int *descriptors, size_t count, int waits) {
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(CLINUX_MOST_DESCRIPTORS * sizeof(int))];
  struct iovec content = {(void *)bytes, size};
  struct msghdr message = {.msg_iov = &content, .msg_iovlen = 1};
  if (count > CLINUX_MOST_DESCRIPTORS) {
    errno = EINVAL;
    return -1;
  }
  if (count > 0) {
    memset(control, 0, sizeof control);
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
  }
  return sendmsg(socket, &message, MSG_NOSIGNAL | (waits ? 0 : MSG_DONTWAIT));
}

ssize_t clinux_write_quietly(int descriptor, const void *bytes, size_t size, int is_socket) {
  if (is_socket) return send(descriptor, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  // write(2) has no such flag: the signal is held back, and taken away if it came from here.
  sigset_t broken, pending, before;
  sigemptyset(&broken);
  sigaddset(&broken, SIGPIPE);
  sigpending(&pending);
  pthread_sigmask(SIG_BLOCK, &broken, &before);
  ssize_t count = write(descriptor, bytes, size);
  int error = errno;
  if (count < 0 && error == EPIPE && !sigismember(&pending, SIGPIPE)) {
    struct timespec now = {0, 0};
    while (sigtimedwait(&broken, NULL, &now) < 0 && errno == EINTR) continue;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = error;
  return count;
}

ssize_t clinux_receive_descriptors(int socket, void *bytes, size_t size, int *descriptors, size_t *count, int *cut) {
  // With room for what else the socket's owner may have enabled (SO_PASSCRED, SO_PASSSEC, SO_PASSPIDFD): in a buffer that is
  // too short, descriptors would be lost.
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(CLINUX_MOST_DESCRIPTORS * sizeof(int)) + 1024];
  struct iovec content = {bytes, size};
  struct msghdr message = {
    .msg_iov = &content, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  *count = 0;
  *cut = 0;
  ssize_t received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  if (received < 0) return received;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET) continue;
    if (header->cmsg_type != SCM_RIGHTS && header->cmsg_type != SCM_PIDFD) continue;
    size_t here = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < here; i++) {
      int descriptor;
      memcpy(&descriptor, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      if (header->cmsg_type == SCM_RIGHTS && *count < CLINUX_MOST_DESCRIPTORS)
        descriptors[(*count)++] = descriptor;
      else if (descriptor >= 0)
        close(descriptor);
    }
  }
  if (message.msg_flags & MSG_TRUNC) *cut |= CLINUX_CUT_BYTES;
  if (message.msg_flags & MSG_CTRUNC) *cut |= CLINUX_CUT_DESCRIPTORS;
  return received;
}
