#define _GNU_SOURCE
#include "CLinux.h"
#include "Identity.h"

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
#include <sys/xattr.h>
#include <unistd.h>

// <linux/mount.h>, which clashes with some C libraries' headers or is missing. The numbers of the calls are the same on every
// architecture.
enum {
  NR_OPEN_TREE = 428,
  NR_MOVE_MOUNT = 429,
  NR_FSOPEN = 430,
  NR_FSCONFIG = 431,
  NR_FSMOUNT = 432,
  NR_MOUNT_SETATTR = 442,

  FS_CLOEXEC = 1,
  SET_STRING = 1,
  CREATE = 6,
  ATTR_RDONLY = 1,
  ATTR_NOSUID = 2,
  ATTR_NODEV = 4,
  CLONE_TREE = 1,
  FROM_EMPTY_PATH = 4,
};

struct attributes {
  uint64_t set, clear, propagation, user_namespace;
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
  // Whether the helper has a copy of the memory, and whether it does without a user namespace.
  int is_copy, is_root;
  struct clinux_tree *tree;
  // For an overlay, with its mount options.
  struct clinux_overlay *overlay;
  char layers[2304];
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

// Without privilege, a group can be mapped only after setgroups(2) is denied, user_namespaces(7).
const char *clinux_map_identity(const char *user, const char *group) {
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
  const char *call = clinux_map_identity(plan->user, plan->group);
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
static int run_helper(int (*body)(void *), struct plan *plan, int namespaces) {
  char stack[32 << 10] __attribute__((aligned(16)));
  // No handler of the host's may run in the helper, which has the host's memory but not its process ID. The raw call also
  // blocks the signals that the C library keeps for itself.
  uint64_t all = ~(uint64_t)0, before = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof all);
  // No exit signal: the host gets no SIGCHLD, and its wait(2) ignores such a child.
  int flags = CLONE_VFORK | CLONE_FILES | namespaces | (plan->is_copy ? 0 : CLONE_VM);
  pid_t child = clone(body, stack + sizeof stack, flags, plan);
  int error = errno;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
  errno = error;
  if (child < 0) return -1;
  // A host that waits for all children (__WALL) may have reaped it already: ECHILD.
  while (waitpid(child, NULL, __WCLONE) < 0 && errno == EINTR) {}
  return 0;
}

// A process that has changed its user is not dumpable, so that its files in /proc belong to root, prctl(2). Its helper gets a
// copy of the memory, which can be made dumpable without changing the host.
static int must_copy(void) { return IS_COUNTING_ACCESSES || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 1; }

void clinux_tree_make_in_helper(const struct clinux_tree_options *options, struct clinux_tree *tree) {
  struct plan plan;
  prepare(&plan, options, tree);
  plan.is_copy = must_copy();
  if (plan.is_copy) {
    plan.tree = mmap(NULL, sizeof *tree, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (plan.tree == MAP_FAILED) {
      refused(tree, "mmap");
      return;
    }
    *plan.tree = *tree;
  }
  if (run_helper(helper, &plan, CLONE_NEWUSER | CLONE_NEWNS) < 0) {
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
    *call = clinux_map_identity(user, group);
    if (*call) return -1;
  }
  // Mounts made here must not appear anywhere else.
  *call = "mount";
  return mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL);
}

// Layers are named, and so are directories, by three digits each; that is also where the options of one mount end.
enum { LAYER_NAME = 3, MOST_LAYERS = 500 };

static int prepare_overlay(struct plan *plan, struct clinux_overlay *overlay, struct clinux_tree *tree) {
  prepare(plan, &overlay->limits, tree);
  plan->overlay = overlay;
  overlay->mount = overlay->changes = -1;
  overlay->call = NULL;
  if (overlay->layer_count > MOST_LAYERS) {
    errno = E2BIG;
    return -1;
  }
  char *end = stpcpy(plan->layers, "lowerdir=");
  for (size_t i = 0; i < overlay->layer_count; i++) end += sprintf(end, i ? ":%03zu" : "%03zu", i);
  strcpy(end, ",upperdir=changes,workdir=work,redirect_dir=nofollow,index=off,metacopy=off");
  return 0;
}

// Mounts a copy of each layer on its directory. In the working directory, which is the top of a tmpfs that nothing covers.
static const char *mount_layers(const struct plan *plan) {
  const struct clinux_overlay *overlay = plan->overlay;
  if (mkdir("tree", 0700) < 0) return "mkdir";
  if (clinux_attach_mount(overlay->lower, "tree") < 0) return "move_mount";
  const char *names = plan->layers + strlen("lowerdir=");
  for (size_t i = 0; i < overlay->layer_count; i++, names += LAYER_NAME + 1) {
    char name[LAYER_NAME + 1] = "";
    memcpy(name, names, LAYER_NAME);
    if (mkdir(name, 0700) < 0) return "mkdir";
    int layer = clinux_clone_mount(overlay->lower, overlay->layers[i]);
    if (layer < 0) return "open_tree";
    int result = clinux_attach_mount(layer, name);
    close_keeping_errno(layer);
    if (result < 0) return "move_mount";
  }
  return NULL;
}

// In the working directory, like `mount_layers`.
static const char *mount_overlay(struct plan *plan) {
  const char *call = mount_layers(plan);
  if (call) return call;
  struct clinux_overlay *overlay = plan->overlay;
  if (mkdir("changes", overlay->limits.mode) < 0 || mkdir("work", 0700) < 0 || mkdir("all", 0700) < 0) return "mkdir";
  // Its own marks need a privilege over the whole system. Without that it takes the marks of users, which tmpfs has from Linux
  // 6.6 on; and where there are neither, a directory of the tree cannot be replaced by another.
  if (setxattr("changes", "trusted.memarchive", "", 0, 0) < 0) {
    strcat(plan->layers, ",userxattr");
  } else {
    removexattr("changes", "trusted.memarchive");
  }
  if (mount("memarchive", "all", "overlay", MS_NOSUID | MS_NODEV, plan->layers) < 0) return "mount (overlayfs)";
  overlay->changes = open("changes", O_PATH | O_DIRECTORY | O_CLOEXEC);
  overlay->mount = clinux_clone_mount(AT_FDCWD, "all");
  return overlay->mount < 0 || overlay->changes < 0 ? "open_tree" : NULL;
}

// Makes the overlay in a tmpfs on `place`, which is uncovered again. Async-signal-safe.
static void make_overlay(struct plan *plan, const char *place) {
  struct clinux_overlay *overlay = plan->overlay;
  int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  int mount = make_tmpfs(plan);
  if (mount < 0) {
    overlay->call = plan->tree->call;
  } else if (clinux_attach_mount(mount, place) < 0) {
    overlay->call = "move_mount";
  } else {
    overlay->call = fchdir(mount) < 0 ? "fchdir" : mount_overlay(plan);
    int error = errno;
    if (before >= 0 && fchdir(before) < 0 && !overlay->call) {
      overlay->call = "fchdir";
      error = errno;
    }
    clinux_detach_mount(place);
    errno = error;
  }
  overlay->error = errno;
  if (mount >= 0) close(mount);
  if (before >= 0) close(before);
  if (!overlay->call) return;
  if (overlay->mount >= 0) close(overlay->mount);
  if (overlay->changes >= 0) close(overlay->changes);
  overlay->mount = overlay->changes = -1;
}

static void refuse_overlay(struct clinux_overlay *overlay, const char *call) {
  overlay->error = errno;
  overlay->call = call;
}

void clinux_overlay_make(struct clinux_overlay *overlay, const char *place) {
  struct clinux_tree tree;
  struct plan plan;
  if (prepare_overlay(&plan, overlay, &tree) < 0) return refuse_overlay(overlay, "mount");
  make_overlay(&plan, place);
}

// As `helper`. With the host's memory it must not leave anything in it but the result.
static int overlay_helper(void *argument) {
  struct plan *plan = argument;
  if (plan->is_copy) prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  const char *call = plan->is_root ? NULL : clinux_map_identity(plan->user, plan->group);
  // Mounts made here must not appear anywhere else.
  if (!call && mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0) call = "mount";
  if (call) {
    refuse_overlay(plan->overlay, call);
  } else {
    make_overlay(plan, "/");
  }
  return 0;
}

void clinux_overlay_make_in_helper(struct clinux_overlay *overlay) {
  struct clinux_tree tree;
  struct plan plan;
  if (prepare_overlay(&plan, overlay, &tree) < 0) return refuse_overlay(overlay, "mount");
  struct clinux_overlay *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return refuse_overlay(overlay, "mmap");
  *shared = *overlay;
  plan.overlay = shared;
  plan.is_copy = must_copy();
  // Root does without a user namespace, in which other users' files could not be copied.
  plan.is_root = 1;
  if (run_helper(overlay_helper, &plan, CLONE_NEWNS) < 0) {
    plan.is_root = 0;
    if (run_helper(overlay_helper, &plan, CLONE_NEWNS | CLONE_NEWUSER) < 0) refuse_overlay(shared, "clone");
  }
  if (!shared->call && shared->mount < 0) {
    // The helper was killed.
    errno = EINTR;
    refuse_overlay(shared, "clone");
  }
  *overlay = *shared;
  munmap(shared, sizeof *shared);
}

int clinux_is_opaque(int directory) {
  char value = 0;
  return (fgetxattr(directory, "trusted.overlay.opaque", &value, 1) == 1 ||
          fgetxattr(directory, "user.overlay.opaque", &value, 1) == 1) && value == 'y';
}
