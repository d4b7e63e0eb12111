#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// <linux/openat2.h>, which some C libraries' headers clash with or lack. The number of the call is the same on every
// architecture.
enum {
  NR_OPENAT2 = 437,

  BENEATH_NO_MAGICLINKS = 0x08 | 0x02,
  NO_SYMLINKS = 0x04,

  // The kernel's MAXSYMLINKS, path_resolution(7)
  MOST_LINKS = 40,
};

struct open_how {
  uint64_t flags, mode, resolve;
};

static void close_keeping_errno(int file) {
  int error = errno;
  close(file);
  errno = error;
}

int clinux_make_file(int directory, const char *name, mode_t mode) {
  return openat(directory, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, mode);
}

static int open_beneath(int directory, const char *path, uint64_t flags, mode_t mode, uint64_t resolve) {
  struct open_how how = {.flags = flags | O_CLOEXEC, .mode = flags & O_CREAT ? mode : 0, .resolve = resolve};
  return (int)syscall(NR_OPENAT2, directory, path, &how, sizeof how);
}

int clinux_open_beneath(int directory, const char *path, uint64_t flags, mode_t mode) {
  return open_beneath(directory, path, flags, mode, BENEATH_NO_MAGICLINKS | NO_SYMLINKS);
}

// A path that is followed: `at` is where its components so far lead, `rest` the others, which end the buffer.
struct walk {
  int at, links;
  const char *place;
  char *rest;
  char buffer[(MOST_LINKS + 1) * PATH_MAX];
};

static int refuse(int error) {
  errno = error;
  return -1;
}

static int is_same_directory(int one, int other) {
  struct stat first, second;
  if (fstat(one, &first) < 0 || fstat(other, &second) < 0) return -1;
  return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

// Puts the link's target in front of the rest.
static int follow_link(struct walk *walk, int link, int top) {
  char target[PATH_MAX];
  ssize_t length = readlinkat(link, "", target, sizeof target);
  if (length < 0) return -1;
  if (++walk->links > MOST_LINKS) return refuse(ELOOP);
  const char *from = target;
  if (*target == '/') {
    if (!walk->place) return refuse(EXDEV);
    size_t count = strlen(walk->place);
    if ((size_t)length < count || memcmp(target, walk->place, count) != 0 ||
        ((size_t)length > count && target[count] != '/'))
      return refuse(EXDEV);
    from += count;
    length -= (ssize_t)count;
    int start = openat(top, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (start < 0) return -1;
    close(walk->at);
    walk->at = start;
  }
  walk->rest -= length;
  memcpy(walk->rest, from, (size_t)length);
  return 0;
}

// Goes on to the first component of the rest.
static int take_step(struct walk *walk, int top) {
  char name[NAME_MAX + 1];
  size_t length = strcspn(walk->rest, "/");
  if (length > NAME_MAX) return refuse(ENAMETOOLONG);
  memcpy(name, walk->rest, length);
  name[length] = 0;
  if (strcmp(name, "..") == 0) {
    int is_top = is_same_directory(walk->at, top);
    if (is_top < 0) return -1;
    // A root directory is its own parent.
    if (is_top && walk->place && !*walk->place) {
      walk->rest += length;
      return 0;
    }
    if (is_top) return refuse(EXDEV);
  }
  int next = openat(walk->at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (next < 0) return -1;
  walk->rest += length;
  struct stat status;
  int result = fstat(next, &status);
  if (result == 0 && S_ISLNK(status.st_mode)) {
    result = follow_link(walk, next, top);
  } else if (result == 0 && *walk->rest && !S_ISDIR(status.st_mode)) {
    result = refuse(ENOTDIR);
  } else if (result == 0) {
    int before = walk->at;
    walk->at = next;
    next = before;
  }
  close_keeping_errno(next);
  return result;
}

int clinux_walk_beneath(int directory, const char *path, const char *place) {
  size_t length = strlen(path);
  if (!length) return refuse(ENOENT);
  if (*path == '/') return refuse(EXDEV);
  if (length >= PATH_MAX) return refuse(ENAMETOOLONG);
  struct walk *walk = malloc(sizeof *walk);
  if (!walk) return -1;
  walk->links = 0;
  walk->place = place;
  walk->rest = walk->buffer + sizeof walk->buffer - length - 1;
  memcpy(walk->rest, path, length + 1);
  walk->at = openat(directory, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  while (walk->at >= 0 && *(walk->rest += strspn(walk->rest, "/"))) {
    if (take_step(walk, directory) == 0) continue;
    close_keeping_errno(walk->at);
    walk->at = -1;
  }
  int at = walk->at, error = errno;
  free(walk);
  errno = error;
  return at;
}

int clinux_follow_beneath(int directory, const char *path) {
  int file, tries = 0;
  while ((file = open_beneath(directory, path, O_PATH, 0, BENEATH_NO_MAGICLINKS)) < 0 && errno == EAGAIN && ++tries < 10)
    sched_yield();
  if (file >= 0 || (errno != EAGAIN && errno != ELOOP)) return file;
  return clinux_walk_beneath(directory, path, NULL);
}
