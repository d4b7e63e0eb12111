// A tmpfs without a mount point, and a mount namespace of the process's own: calls newer than the C library's headers, and
// the few lines that run in a helper process.
#ifndef CLINUX_TREE_H
#define CLINUX_TREE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// The limits of a new tmpfs, tmpfs(5), in bytes and inodes, 0 for none; and the mode of its root directory.
struct clinux_tree_options {
  uint64_t bytes;
  uint64_t inodes;
  unsigned int mode;
};

// A mount without a mount point: a writable and a read-only descriptor of it, or the call that was refused and its error number.
// A descriptor that was not made is -1.
struct clinux_tree {
  int writable;
  int readonly;
  const char *call;
  int error;
};

// Makes it in this process, which needs CAP_SYS_ADMIN over its mount namespace. `readonly` is -1; call clinux_make_readonly at
// the end. fsopen(2), fsconfig(2), fsmount(2)
void clinux_tree_make(const struct clinux_tree_options *options, struct clinux_tree *tree);

// Makes it in a helper process with its own user and mount namespaces, which has ended when this returns. The tmpfs belongs to
// the effective user and group of this process.
void clinux_tree_make_in_helper(const struct clinux_tree_options *options, struct clinux_tree *tree);

// An overlay, which takes changes to a finished tree: overlayfs in the kernel's documentation.
struct clinux_overlay {
  // Given. A mount without a mount point, which can be looked into but not mounted afterwards; paths of directories below its
  // top, "" for the top, the first over the others; the limits of what changes.
  int lower;
  const char *const *layers;
  size_t layer_count;
  struct clinux_tree_options limits;
  // Made: a mount without a mount point, and the directory that has what was changed; or the call that was refused and its
  // error number.
  int mount;
  int changes;
  const char *call;
  int error;
};

// Makes it in this process, which needs CAP_SYS_ADMIN over its mount namespace. Covers the directory `place` and changes the
// working directory meanwhile.
void clinux_overlay_make(struct clinux_overlay *overlay, const char *place);
// Makes it in a helper process with a mount namespace of its own, which has ended when this returns.
void clinux_overlay_make_in_helper(struct clinux_overlay *overlay);

// Whether a directory among the changes hides what is below it.
int clinux_is_opaque(int directory);

// mount_setattr(2), MOUNT_ATTR_RDONLY
int clinux_make_readonly(int mount);

// Moves the calling process, which must have one thread, to a mount namespace of its own that propagates nothing to the one
// before, and to a user namespace of its own where that needs one. User and group stay. unshare(2); -1 and the call that was
// refused.
int clinux_enter_mount_namespace(const char **call);

// Whether the process's user namespace has more than one user, so that files can be given to others.
int clinux_maps_other_users(void);

// Makes the directory `place`, on which something is mounted, the root of this process's mount namespace, with what a
// program expects there: the system's /proc, and a /dev of its own with null, zero, full, random, urandom, tty, pts and shm,
// where the root has directories of these names. The working directory is made, if it is missing, and entered. For a process
// that has called clinux_enter_mount_namespace. -1 and the call that was refused. pivot_root(2)
int clinux_enter_root(const char *place, const char *working_directory, const char **call);

// Takes on a user, a group and further groups for good; where the user namespace has but one user, that is shown under these
// numbers in a namespace of its own. -1 and the call that was refused.
int clinux_become(uid_t user, gid_t group, const gid_t *groups, size_t count, const char **call);

// Another mount of the directory `path` below `mount`, without a mount point. open_tree(2), OPEN_TREE_CLONE
int clinux_clone_mount(int mount, const char *path);
// move_mount(2)
int clinux_attach_mount(int mount, const char *path);
// umount2(2), MNT_DETACH
int clinux_detach_mount(const char *path);

// openat(2) of a new file, for writing; `name` is one component.
int clinux_make_file(int directory, const char *name, mode_t mode);
// openat2(2) with RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS; `path` has no "..".
int clinux_open_beneath(int directory, const char *path, uint64_t flags, mode_t mode);
// openat2(2) with O_PATH and RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS. The way is walked by calls of our own, which is as good
// in a directory in which nobody else renames anything, where the kernel
// - says EAGAIN: something was renamed or mounted anywhere in the system, so that it cannot tell whether ".." was still
//   beneath. Where the way is long, it says so however often it is asked.
// - says ELOOP: where a way leads out, it may start again and count the links twice (6.18 does), so that one through more
//   than 20 links would seem to lead nowhere.
int clinux_follow_beneath(int directory, const char *path);
// The second half of `clinux_follow_beneath`; its errors are openat2(2)'s. Where `place` is given, links to it and to what is
// below it lead to `directory`, which will be mounted there; it ends without a slash, and is "" for a directory that will be the
// root: then nothing leads out of it.
int clinux_walk_beneath(int directory, const char *path, const char *place);
// A flag of open(2) that Glibc does not show to Swift.
enum {
  CLINUX_O_PATH = 010000000,
};

#endif
