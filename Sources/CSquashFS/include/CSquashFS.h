#ifndef CSQUASHFS_H
#define CSQUASHFS_H

#include <stddef.h>
#include <stdint.h>

// libsquashfs of squashfs-tools-ng, loaded when it is first needed: few archives are images, and few systems have it.

/// Whether it is loaded, which this tries. If it is not, errno(3) says why if a system call failed, and is 0 otherwise.
int csquashfs_load(void);

/// After `csquashfs_load` has returned 0 to this thread, why, as in dlerror(3).
const char *csquashfs_failure(void);

/// If it is not loaded yet, it cannot be from here on: for a process that may soon not open files any more.
void csquashfs_stop_loading(void);

/// Fills the buffer from an offset of the image on; returns 0, or -1 where that is impossible.
typedef int csquashfs_read(void *source, uint64_t offset, void *buffer, size_t size);

/// The kinds of what a call may return below 0.
enum {
  CSQUASHFS_MEMORY = -1,
  /// The source's function has failed.
  CSQUASHFS_SOURCE = -2,
  CSQUASHFS_UNSUPPORTED = -3,
  CSQUASHFS_CORRUPT = -4,
};

/// An open image, for one thread at a time.
struct csquashfs;

/// What the image says of a file, a directory or anything else in it; freed by csquashfs_release.
struct csquashfs_inode;

struct csquashfs_status {
  /// Kind and permissions, as st_mode has them, inode(7).
  uint32_t mode;
  /// Two names with one number are one file.
  uint32_t number;
  uint32_t user;
  uint32_t group;
  uint32_t links;
  /// Seconds since 1970.
  uint32_t modified;
  uint64_t size;
};

/// Opens an image of `size` bytes. NULL and an error's number; the library must be loaded.
struct csquashfs *csquashfs_open(csquashfs_read *read, void *source, uint64_t size, int *error);
void csquashfs_close(struct csquashfs *image);

/// The bytes of a block of content, at most 1 MiB.
size_t csquashfs_block_size(const struct csquashfs *image);

/// The top directory; 0 or an error.
int csquashfs_root(struct csquashfs *image, struct csquashfs_inode **inode);
/// Begins to list a directory, and ends the listing before; 0 or an error.
int csquashfs_list(struct csquashfs *image, const struct csquashfs_inode *directory);
/// The next name of the directory, in a buffer of 256 bytes or more, without a zero, and its inode. 1, 0 at the end, or an error.
int csquashfs_next(struct csquashfs *image, char *name, size_t *length, struct csquashfs_inode **inode);
void csquashfs_release(struct csquashfs_inode *inode);

/// 0 or an error.
int csquashfs_describe(const struct csquashfs *image, const struct csquashfs_inode *inode, struct csquashfs_status *status);
/// Where a symbolic link leads, without a zero at its end, for as long as the inode; NULL for anything else.
const char *csquashfs_target(const struct csquashfs_inode *inode, size_t *length);
/// Whether a block of a file's content is a hole.
int csquashfs_is_hole(const struct csquashfs_inode *inode, size_t block);
/// Reads content; the number of bytes, fewer than `size` only at its end, or an error.
int64_t csquashfs_read_content(
    struct csquashfs *image, const struct csquashfs_inode *inode, uint64_t offset, void *buffer, uint32_t size);

/// Calls `take` with each extended attribute of an inode until that returns another number than 0; 0 or an error.
typedef int csquashfs_attribute(void *context, const char *name, const uint8_t *value, size_t size);
int csquashfs_attributes(
    struct csquashfs *image, const struct csquashfs_inode *inode, csquashfs_attribute *take, void *context);

#endif
