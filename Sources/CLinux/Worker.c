#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int clinux_above_streams(int descriptor) {
  if (descriptor > 2) return descriptor;
  int moved = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
  if (moved < 0) return descriptor;
  close(descriptor);
  return moved;
}

int clinux_packet_sockets(int sockets[2]) {
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) return -1;
  for (int index = 0; index < 2; index++) sockets[index] = clinux_above_streams(sockets[index]);
  return 0;
}

int clinux_is_packet_socket(int descriptor) {
  int kind = 0;
  socklen_t size = sizeof kind;
  return getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &kind, &size) == 0 && kind == SOCK_SEQPACKET;
}

int clinux_wait(int descriptor, int events, int milliseconds) {
  struct pollfd request = {.fd = descriptor, .events = (short)events};
  struct timespec time = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000L};
  return ppoll(&request, 1, milliseconds < 0 ? NULL : &time, NULL);
}

void clinux_exit_with_peer(int socket, int milliseconds) {
  // Asks for no event; the peer's end is reported unasked (poll(2), POLLHUP).
  if (clinux_wait(socket, 0, milliseconds) > 0) _exit(0);
}

const char *clinux_secure_environment(const char *name) { return secure_getenv(name); }

const char *clinux_executed_path(void) { return (const char *)getauxval(AT_EXECFN); }

int clinux_object_path(char *path, size_t size) {
  FILE *maps = fopen("/proc/self/maps", "re");
  if (!maps) return errno;
  // The loader's own name for it may be relative to a directory that the process has left.
  uintptr_t here = (uintptr_t)&clinux_object_path;
  char *line = NULL;
  size_t capacity = 0;
  ssize_t length;
  int result = ENOENT;
  while (result == ENOENT && (length = getline(&line, &capacity, maps)) > 0) {
    uintptr_t start, end;
    int name = 0;
    if (line[length - 1] == '\n') line[length - 1] = 0;
    if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*s %*s %*s %*s %n", &start, &end, &name) < 2) continue;
    if (here < start || here >= end) continue;
    result = line[name] != '/' ? EINVAL : strlen(line + name) >= size ? ENAMETOOLONG : 0;
    if (result == 0) strcpy(path, line + name);
  }
  free(line);
  fclose(maps);
  return result;
}

int clinux_reopen_pipe(const char *path) {
  // Without O_NONBLOCK, open(2) would wait for a writer once the last one has gone.
  int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (descriptor >= 0) fcntl(descriptor, F_SETFL, 0);
  return descriptor;
}
