#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// <linux/mount.h> and <linux/openat2.h>, which clash with some C libraries' headers or are missing. The numbers of the calls
// are the same on every architecture.
enum {
  NR_OPEN_TREE = 428,
  NR_MOVE_MOUNT = 429,
  NR_FSOPEN = 430,
  NR_FSCONFIG = 431,
  NR_FSMOUNT = 432,
  NR_OPENAT2 = 437,
  NR_MOUNT_SETATTR = 442,

  FS_CLOEXEC = 1,
  SET_STRING = 1,
  CREATE = 6,
  ATTR_RDONLY = 1,
  ATTR_NOSUID = 2,
  ATTR_NODEV = 4,
  CLONE_TREE = 1,
  FROM_EMPTY_PATH = 4,

  BENEATH_NO_MAGICLINKS = 0x08 | 0x02,
  NO_SYMLINKS = 0x04,

  // The kernel's MAXSYMLINKS, path_resolution(7)
  MOST_LINKS = 40,
};

struct attributes {
  uint64_t set, clear, propagation, user_namespace;
};

struct open_how {
  uint64_t flags, mode, resolve;
};

// The thread sanitizer keeps its records of each thread in memory, which two processes must not share.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define IS_COUNTING_ACCESSES 1
#endif
#endif
#ifndef IS_COUNTING_ACCESSES
#define IS_COUNTING_ACCESSES 0
#endif

// The helper's input: everything that needs formatting is formatted before it starts.
struct plan {
  char bytes[24];
  char inodes[24];
  char mode[16];
  char user[40];
  char group[40];
  // Whether the helper has a copy of the memory.
  int is_copy;
  struct clinux_tree *tree;
};

static void prepare(struct plan *plan, const struct clinux_tree_options *options, struct clinux_tree *tree) {
  snprintf(plan->bytes, sizeof plan->bytes, "%llu", (unsigned long long)options->bytes);
  snprintf(plan->inodes, sizeof plan->inodes, "%llu", (unsigned long long)options->inodes);
  snprintf(plan->mode, sizeof plan->mode, "%o", options->mode);
  snprintf(plan->user, sizeof plan->user, "%u %u 1", geteuid(), geteuid());
  snprintf(plan->group, sizeof plan->group, "%u %u 1", getegid(), getegid());
  plan->is_copy = 0;
  *tree = (struct clinux_tree){.writable = -1, .readonly = -1};
  plan->tree = tree;
}

static int refused(struct clinux_tree *tree, const char *call) {
  tree->error = errno;
  tree->call = call;
  return -1;
}

static int set_option(int context, const char *key, const char *value) {
  return (int)syscall(NR_FSCONFIG, context, SET_STRING, key, value, 0);
}

// Makes a tmpfs and returns a descriptor of its only mount. Async-signal-safe.
static int make_tmpfs(const struct plan *plan) {
  struct clinux_tree *tree = plan->tree;
  int context = (int)syscall(NR_FSOPEN, "tmpfs", FS_CLOEXEC);
  if (context < 0) return refused(tree, "fsopen");
  int mount = -1;
  if (set_option(context, "size", plan->bytes) < 0 || set_option(context, "nr_inodes", plan->inodes) < 0 ||
      set_option(context, "mode", plan->mode) < 0 || set_option(context, "source", "memarchive") < 0) {
    refused(tree, "fsconfig");
  } else {
    // A kernel without huge pages does not know the option; small pages will do.
    set_option(context, "huge", "within_size");
    if (syscall(NR_FSCONFIG, context, CREATE, NULL, NULL, 0) < 0) {
      refused(tree, "fsconfig");
    } else {
      mount = (int)syscall(NR_FSMOUNT, context, FS_CLOEXEC, ATTR_NOSUID | ATTR_NODEV);
      if (mount < 0) refused(tree, "fsmount");
    }
  }
  close(context);
  return mount;
}

void clinux_tree_make(const struct clinux_tree_options *options, struct clinux_tree *tree) {
  struct plan plan;
  prepare(&plan, options, tree);
  tree->writable = make_tmpfs(&plan);
}

int clinux_make_readonly(int mount) {
  struct attributes attributes = {.set = ATTR_RDONLY};
  return (int)syscall(NR_MOUNT_SETATTR, mount, "", AT_EMPTY_PATH, &attributes, sizeof attributes);
}

int clinux_clone_mount(int mount, const char *path) {
  return (int)syscall(NR_OPEN_TREE, mount, path, CLONE_TREE | O_CLOEXEC | (*path ? 0 : AT_EMPTY_PATH));
}

int clinux_attach_mount(int mount, const char *path) {
  return (int)syscall(NR_MOVE_MOUNT, mount, "", AT_FDCWD, path, FROM_EMPTY_PATH);
}

int clinux_detach_mount(const char *path) { return umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW); }

static void close_keeping_errno(int file) {
  int error = errno;
  close(file);
  errno = error;
}

static int write_file(const char *path, const char *text) {
  int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return -1;
  ssize_t written = write(file, text, strlen(text));
  close_keeping_errno(file);
  return written < 0 ? -1 : 0;
}

// A new user namespace maps no identities: the process's one user and group are mapped to themselves. Without privilege, a
// group can be mapped only after setgroups(2) is denied, user_namespaces(7).
static const char *map_identity(const char *user, const char *group) {
  if (write_file("/proc/self/setgroups", "deny") < 0) return "setgroups";
  if (write_file("/proc/self/uid_map", user) < 0) return "uid_map";
  if (write_file("/proc/self/gid_map", group) < 0) return "gid_map";
  return NULL;
}

// Shares this process's memory and descriptors while the thread that started it is suspended, as with vfork(2), and only makes
// system calls. It leaves two mounts of one tmpfs. A mount can be copied only if it is attached in the helper's own namespace;
// that place is of no further use, and goes with the helper.
static int helper(void *argument) {
  const struct plan *plan = argument;
  struct clinux_tree *tree = plan->tree;
  if (plan->is_copy) prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  const char *call = map_identity(plan->user, plan->group);
  if (call) return refused(tree, call);
  int mount = make_tmpfs(plan);
  if (mount < 0) return -1;
  if (clinux_attach_mount(mount, "/") < 0) {
    refused(tree, "move_mount");
  } else if ((tree->writable = clinux_clone_mount(mount, "")) < 0) {
    refused(tree, "open_tree");
  } else if ((tree->readonly = clinux_clone_mount(mount, "")) < 0) {
    refused(tree, "open_tree");
  } else if (clinux_make_readonly(tree->readonly) < 0) {
    refused(tree, "mount_setattr");
  }
  close(mount);
  return 0;
}

// Starts the helper and waits until it has ended; -1 where it could not be started.
static int run_helper(struct plan *plan) {
  char stack[32 << 10] __attribute__((aligned(16)));
  // No handler of the host's may run in the helper, which has the host's memory but not its process ID. The raw call also
  // blocks the signals that the C library keeps for itself.
  uint64_t all = ~(uint64_t)0, before = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof all);
  // No exit signal: the host gets no SIGCHLD, and its wait(2) ignores such a child.
  int flags = CLONE_VFORK | CLONE_FILES | CLONE_NEWUSER | CLONE_NEWNS | (plan->is_copy ? 0 : CLONE_VM);
  pid_t child = clone(helper, stack + sizeof stack, flags, plan);
  int error = errno;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
  errno = error;
  if (child < 0) return -1;
  // A host that waits for all children (__WALL) may have reaped it already: ECHILD.
  while (waitpid(child, NULL, __WCLONE) < 0 && errno == EINTR) {}
  return 0;
}

void clinux_tree_make_in_helper(const struct clinux_tree_options *options, struct clinux_tree *tree) {
  struct plan plan;
  prepare(&plan, options, tree);
  // A process that has changed its user is not dumpable, so that its files in /proc belong to root, prctl(2). Its helper gets
  // a copy of the memory, which can be made dumpable without changing the host.
  plan.is_copy = IS_COUNTING_ACCESSES || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 1;
  if (plan.is_copy) {
    plan.tree = mmap(NULL, sizeof *tree, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (plan.tree == MAP_FAILED) {
      refused(tree, "mmap");
      return;
    }
    *plan.tree = *tree;
  }
  if (run_helper(&plan) < 0) {
    refused(plan.tree, "clone");
  } else if (!plan.tree->call && plan.tree->readonly < 0) {
    // The helper was killed.
    errno = EINTR;
    refused(plan.tree, "clone");
  }
  if (plan.is_copy) {
    *tree = *plan.tree;
    munmap(plan.tree, sizeof *tree);
  }
  if (!tree->call) return;
  if (tree->writable >= 0) close(tree->writable);
  if (tree->readonly >= 0) close(tree->readonly);
  tree->writable = tree->readonly = -1;
}

int clinux_enter_mount_namespace(const char **call) {
  char user[40], group[40];
  snprintf(user, sizeof user, "%u %u 1", geteuid(), geteuid());
  snprintf(group, sizeof group, "%u %u 1", getegid(), getegid());
  *call = "unshare";
  if (unshare(CLONE_NEWNS) < 0) {
    if (errno != EPERM || unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) return -1;
    *call = map_identity(user, group);
    if (*call) return -1;
  }
  // Mounts made here must not appear anywhere else.
  *call = "mount";
  return mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL);
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
static int follow_link(struct walk *walk, int link) {
  char target[PATH_MAX];
  ssize_t length = readlinkat(link, "", target, sizeof target);
  if (length < 0) return -1;
  if (++walk->links > MOST_LINKS) return refuse(ELOOP);
  if (*target == '/') return refuse(EXDEV);
  walk->rest -= length;
  memcpy(walk->rest, target, (size_t)length);
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
    if (is_top) return is_top < 0 ? -1 : refuse(EXDEV);
  }
  int next = openat(walk->at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (next < 0) return -1;
  walk->rest += length;
  struct stat status;
  int result = fstat(next, &status);
  if (result == 0 && S_ISLNK(status.st_mode)) {
    result = follow_link(walk, next);
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

int clinux_walk_beneath(int directory, const char *path) {
  size_t length = strlen(path);
  if (!length) return refuse(ENOENT);
  if (*path == '/') return refuse(EXDEV);
  if (length >= PATH_MAX) return refuse(ENAMETOOLONG);
  struct walk *walk = malloc(sizeof *walk);
  if (!walk) return -1;
  walk->links = 0;
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
  return clinux_walk_beneath(directory, path);
}
