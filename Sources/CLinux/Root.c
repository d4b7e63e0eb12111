#define _GNU_SOURCE
#include "CLinux.h"
#include "Identity.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
  NR_OPEN_TREE = 428,
  RECURSIVE = 0x8000,
  CLONE_TREE = 1,
};

static void close_keeping_errno(int file) {
  int error = errno;
  close(file);
  errno = error;
}

// Makes a directory and those above it, and enters it. A path of an image's: it must be followed before anything is mounted that
// leads out of the root, as links in /proc do.
static int enter_directory(const char *path) {
  char part[PATH_MAX];
  size_t length = strlen(path);
  if (length >= sizeof part) {
    errno = ENAMETOOLONG;
    return -1;
  }
  for (size_t end = 1; end <= length; end++) {
    if (path[end] && path[end] != '/') continue;
    memcpy(part, path, end);
    part[end] = 0;
    if (mkdir(part, 0755) < 0 && errno != EEXIST) return -1;
  }
  return chdir(path);
}

static const char *const devices[] = {"null", "zero", "full", "random", "urandom", "tty"};
enum { DEVICES = sizeof devices / sizeof *devices };

// What is taken along from the old root.
struct mounts {
  int proc, terminals, devices[DEVICES];
};

static void take(struct mounts *mounts) {
  mounts->proc = (int)syscall(NR_OPEN_TREE, AT_FDCWD, "/proc", CLONE_TREE | O_CLOEXEC | RECURSIVE);
  mounts->terminals = clinux_clone_mount(AT_FDCWD, "/dev/pts");
  for (size_t i = 0; i < DEVICES; i++) {
    char path[32];
    snprintf(path, sizeof path, "/dev/%s", devices[i]);
    mounts->devices[i] = clinux_clone_mount(AT_FDCWD, path);
  }
}

static void drop(const struct mounts *mounts) {
  close_keeping_errno(mounts->proc);
  close_keeping_errno(mounts->terminals);
  for (size_t i = 0; i < DEVICES; i++) close_keeping_errno(mounts->devices[i]);
}

// What the system lacks is left out.
static const char *make_devices(const struct mounts *mounts) {
  if (mount("memarchive", "/dev", "tmpfs", MS_NOSUID, "mode=755,size=64m") < 0)
    return errno == ENOENT || errno == ENOTDIR ? NULL : "mount";
  for (size_t i = 0; i < DEVICES; i++) {
    if (mounts->devices[i] < 0) continue;
    char path[32];
    snprintf(path, sizeof path, "/dev/%s", devices[i]);
    int file = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    if (file < 0) return "open";
    close(file);
    if (clinux_attach_mount(mounts->devices[i], path) < 0) return "move_mount";
  }
  if (mkdir("/dev/pts", 0755) < 0 || mkdir("/dev/shm", 0777) < 0) return "mkdir";
  if (chmod("/dev/shm", 01777) < 0) return "chmod";
  if (mounts->terminals >= 0 && clinux_attach_mount(mounts->terminals, "/dev/pts") < 0) return "move_mount";
  if (symlink("pts/ptmx", "/dev/ptmx") < 0 || symlink("/proc/self/fd", "/dev/fd") < 0 ||
      symlink("/proc/self/fd/0", "/dev/stdin") < 0 || symlink("/proc/self/fd/1", "/dev/stdout") < 0 ||
      symlink("/proc/self/fd/2", "/dev/stderr") < 0)
    return "symlink";
  return NULL;
}

static const char *enter(const char *place, const char *working_directory, const struct mounts *mounts) {
  if (chdir(place) < 0) return "chdir";
  // The old root lies over the new one afterwards, pivot_root(2), "pivot_root(".", ".")". The first root of a system cannot
  // be exchanged, nor can a directory that was made the root by chroot(2): there the new one is moved over it.
  if (syscall(SYS_pivot_root, ".", ".") == 0) {
    if (umount2(".", MNT_DETACH) < 0) return "umount2";
  } else {
    if (errno != EINVAL) return "pivot_root";
    if (mount(".", "/", NULL, MS_MOVE, NULL) < 0) return "mount";
    if (chroot(".") < 0) return "chroot";
  }
  if (chdir("/") < 0 || enter_directory(working_directory) < 0) return "chdir";
  if (mounts->proc >= 0 && clinux_attach_mount(mounts->proc, "/proc") < 0 && errno != ENOENT && errno != ENOTDIR)
    return "move_mount";
  return make_devices(mounts);
}

int clinux_enter_root(const char *place, const char *working_directory, const char **call) {
  struct mounts mounts;
  take(&mounts);
  *call = enter(place, working_directory, &mounts);
  drop(&mounts);
  return *call ? -1 : 0;
}

int clinux_maps_other_users(void) {
  FILE *file = fopen("/proc/self/uid_map", "re");
  // Without /proc nobody has mapped anything.
  if (!file) return 1;
  unsigned long inside, outside, count = 0, all = 0;
  while (fscanf(file, "%lu %lu %lu", &inside, &outside, &count) == 3) all += count;
  fclose(file);
  return all > 1;
}

int clinux_become(uid_t user, gid_t group, const gid_t *groups, size_t count, const char **call) {
  if (clinux_maps_other_users() && geteuid() == 0) {
    if (setgroups(count, groups) < 0) {
      *call = "setgroups";
    } else if (setresgid(group, group, group) < 0) {
      *call = "setresgid";
    } else if (setresuid(user, user, user) < 0) {
      *call = "setresuid";
    } else {
      return 0;
    }
    return -1;
  }
  if (user == geteuid() && group == getegid()) return 0;
  char users[40], all[40];
  snprintf(users, sizeof users, "%u %u 1", user, geteuid());
  snprintf(all, sizeof all, "%u %u 1", group, getegid());
  *call = "unshare";
  if (unshare(CLONE_NEWUSER) < 0) return -1;
  *call = clinux_map_identity(users, all);
  return *call ? -1 : 0;
}
