#define _GNU_SOURCE
#include "CSquashFS.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The ABI of all versions 1. What the library is told, and what it returns, is declared in its headers, which a system that only
// builds this need not have: then there is nothing to call.
static const char *const library_name = "libsquashfs.so.1";

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool is_loaded, is_stopped;
static _Thread_local char failure[512];

const char *csquashfs_failure(void) { return failure; }

void csquashfs_stop_loading(void) { is_stopped = 1; }

#if __has_include(<sqfs/super.h>)
#include <sqfs/block.h>
#include <sqfs/compressor.h>
#include <sqfs/data_reader.h>
#include <sqfs/dir.h>
#include <sqfs/dir_reader.h>
#include <sqfs/error.h>
#include <sqfs/id_table.h>
#include <sqfs/inode.h>
#include <sqfs/io.h>
#include <sqfs/super.h>
#include <sqfs/xattr.h>
#include <sqfs/xattr_reader.h>

#define FUNCTIONS(X) \
  X(sqfs_compressor_config_init) \
  X(sqfs_compressor_create) \
  X(sqfs_data_reader_create) \
  X(sqfs_data_reader_load_fragment_table) \
  X(sqfs_data_reader_read) \
  X(sqfs_dir_reader_create) \
  X(sqfs_dir_reader_get_inode) \
  X(sqfs_dir_reader_get_root_inode) \
  X(sqfs_dir_reader_open_dir) \
  X(sqfs_dir_reader_read) \
  X(sqfs_free) \
  X(sqfs_get_xattr_prefix) \
  X(sqfs_id_table_create) \
  X(sqfs_id_table_index_to_id) \
  X(sqfs_id_table_read) \
  X(sqfs_inode_get_file_size) \
  X(sqfs_inode_get_xattr_index) \
  X(sqfs_super_read) \
  X(sqfs_xattr_reader_create) \
  X(sqfs_xattr_reader_get_desc) \
  X(sqfs_xattr_reader_load) \
  X(sqfs_xattr_reader_read_key) \
  X(sqfs_xattr_reader_read_value) \
  X(sqfs_xattr_reader_seek_kv)

#define FIELD(name) __typeof__(name) *name;
static struct {
  FUNCTIONS(FIELD)
} call;

static int fail(void) {
  const char *text = dlerror();
  snprintf(failure, sizeof failure, "%s", text ? text : library_name);
  return 0;
}

static int resolve(void *library) {
#define RESOLVE(name) \
  if (!(call.name = (__typeof__(name) *)dlsym(library, #name))) return fail();
  FUNCTIONS(RESOLVE)
  return 1;
}

static int load(void) {
  errno = 0;
  if (is_stopped) {
    snprintf(failure, sizeof failure, "%s is not to be loaded any more", library_name);
    return 0;
  }
  // Bound at once: a process that is locked in later cannot be told of a symbol that is missing.
  void *library = dlopen(library_name, RTLD_NOW | RTLD_LOCAL);
  if (!library) return fail();
  if (resolve(library)) return 1;
  dlclose(library);
  errno = 0;
  return 0;
}

// What the library reads from: its first member is what the library sees.
struct source {
  sqfs_file_t file;
  csquashfs_read *read;
  void *source;
  uint64_t size;
};

struct csquashfs {
  struct source source;
  sqfs_super_t super;
  sqfs_compressor_t *compressor;
  sqfs_id_table_t *ids;
  sqfs_dir_reader_t *directories;
  sqfs_data_reader_t *contents;
  // NULL where the image has no attributes.
  sqfs_xattr_reader_t *attributes;
};

static int kind(int error) {
  switch (error) {
    case SQFS_ERROR_ALLOC: return CSQUASHFS_MEMORY;
    case SQFS_ERROR_IO: return CSQUASHFS_SOURCE;
    case SQFS_ERROR_UNSUPPORTED:
    case SFQS_ERROR_SUPER_VERSION: return CSQUASHFS_UNSUPPORTED;
    default: return CSQUASHFS_CORRUPT;
  }
}

static int read_at(sqfs_file_t *file, sqfs_u64 offset, void *buffer, size_t size) {
  struct source *source = (struct source *)file;
  if (offset > source->size || size > source->size - offset) return SQFS_ERROR_OUT_OF_BOUNDS;
  return source->read(source->source, offset, buffer, size) ? SQFS_ERROR_IO : 0;
}

static int write_at(sqfs_file_t *file, sqfs_u64 offset, const void *buffer, size_t size) {
  (void)file, (void)offset, (void)buffer, (void)size;
  return SQFS_ERROR_IO;
}

static int truncate_to(sqfs_file_t *file, sqfs_u64 size) {
  (void)file, (void)size;
  return SQFS_ERROR_IO;
}

static sqfs_u64 get_size(const sqfs_file_t *file) { return ((const struct source *)file)->size; }

// The image owns it.
static void destroy_nothing(sqfs_object_t *object) { (void)object; }

static int open_parts(struct csquashfs *image) {
  sqfs_file_t *file = &image->source.file;
  int error = call.sqfs_super_read(&image->super, file);
  if (error) return error;
  sqfs_compressor_config_t config;
  error = call.sqfs_compressor_config_init(
      &config, image->super.compression_id, image->super.block_size, SQFS_COMP_FLAG_UNCOMPRESS);
  if (error) return SQFS_ERROR_UNSUPPORTED;
  if ((error = call.sqfs_compressor_create(&config, &image->compressor))) return error;
  if (image->super.flags & SQFS_FLAG_COMPRESSOR_OPTIONS &&
      (error = image->compressor->read_options(image->compressor, file)))
    return error;
  if (!(image->ids = call.sqfs_id_table_create(0))) return SQFS_ERROR_ALLOC;
  if ((error = call.sqfs_id_table_read(image->ids, file, &image->super, image->compressor))) return error;
  image->directories = call.sqfs_dir_reader_create(&image->super, image->compressor, file, 0);
  if (!image->directories) return SQFS_ERROR_ALLOC;
  image->contents = call.sqfs_data_reader_create(file, image->super.block_size, image->compressor, 0);
  if (!image->contents) return SQFS_ERROR_ALLOC;
  if ((error = call.sqfs_data_reader_load_fragment_table(image->contents, &image->super))) return error;
  if (image->super.flags & SQFS_FLAG_NO_XATTRS) return 0;
  if (!(image->attributes = call.sqfs_xattr_reader_create(0))) return SQFS_ERROR_ALLOC;
  return call.sqfs_xattr_reader_load(image->attributes, &image->super, file, image->compressor);
}

struct csquashfs *csquashfs_open(csquashfs_read *read, void *source, uint64_t size, int *error) {
  struct csquashfs *image = calloc(1, sizeof *image);
  if (!image) {
    *error = CSQUASHFS_MEMORY;
    return NULL;
  }
  image->source = (struct source){
      .file = {
          .base = {.destroy = destroy_nothing},
          .read_at = read_at,
          .write_at = write_at,
          .get_size = get_size,
          .truncate = truncate_to,
      },
      .read = read,
      .source = source,
      .size = size,
  };
  *error = open_parts(image);
  if (!*error) return image;
  *error = kind(*error);
  csquashfs_close(image);
  return NULL;
}

void csquashfs_close(struct csquashfs *image) {
  sqfs_destroy(image->attributes);
  sqfs_destroy(image->contents);
  sqfs_destroy(image->directories);
  sqfs_destroy(image->ids);
  sqfs_destroy(image->compressor);
  free(image);
}

size_t csquashfs_block_size(const struct csquashfs *image) { return image->super.block_size; }

// Both are the library's own.
static const sqfs_inode_generic_t *generic(const struct csquashfs_inode *inode) {
  return (const sqfs_inode_generic_t *)inode;
}

int csquashfs_root(struct csquashfs *image, struct csquashfs_inode **inode) {
  sqfs_inode_generic_t *root;
  int error = call.sqfs_dir_reader_get_root_inode(image->directories, &root);
  if (error) return kind(error);
  *inode = (struct csquashfs_inode *)root;
  return 0;
}

int csquashfs_list(struct csquashfs *image, const struct csquashfs_inode *directory) {
  int error = call.sqfs_dir_reader_open_dir(image->directories, generic(directory), 0);
  return error ? kind(error) : 0;
}

int csquashfs_next(struct csquashfs *image, char *name, size_t *length, struct csquashfs_inode **inode) {
  sqfs_dir_entry_t *entry;
  int result = call.sqfs_dir_reader_read(image->directories, &entry);
  if (result > 0) return 0;
  if (result < 0) return kind(result);
  // One less is stored; the format has at most 256.
  size_t count = (size_t)entry->size + 1;
  if (count <= 256) memcpy(name, entry->name, count);
  call.sqfs_free(entry);
  if (count > 256) return CSQUASHFS_CORRUPT;
  *length = count;
  sqfs_inode_generic_t *found;
  result = call.sqfs_dir_reader_get_inode(image->directories, &found);
  if (result) return kind(result);
  *inode = (struct csquashfs_inode *)found;
  return 1;
}

void csquashfs_release(struct csquashfs_inode *inode) { call.sqfs_free(inode); }

static uint32_t link_count(const sqfs_inode_generic_t *inode) {
  switch (inode->base.type) {
    case SQFS_INODE_EXT_FILE: return inode->data.file_ext.nlink;
    case SQFS_INODE_SLINK: return inode->data.slink.nlink;
    case SQFS_INODE_EXT_SLINK: return inode->data.slink_ext.nlink;
    default: return 1;
  }
}

// The kind is told twice: by the inode's type, which the library goes by, and by its mode.
static int kind_of_type(int type) {
  static const uint16_t kinds[] = {
      SQFS_INODE_MODE_DIR, SQFS_INODE_MODE_REG, SQFS_INODE_MODE_LNK, SQFS_INODE_MODE_BLK, SQFS_INODE_MODE_CHR,
      SQFS_INODE_MODE_FIFO, SQFS_INODE_MODE_SOCK,
  };
  if (type < SQFS_INODE_DIR || type > SQFS_INODE_EXT_SOCKET) return -1;
  return kinds[(type - 1) % 7];
}

int csquashfs_describe(const struct csquashfs *image, const struct csquashfs_inode *described, struct csquashfs_status *status) {
  const sqfs_inode_generic_t *inode = generic(described);
  int type = kind_of_type(inode->base.type);
  if (type < 0) return CSQUASHFS_CORRUPT;
  *status = (struct csquashfs_status){
      .mode = (uint32_t)type | (inode->base.mode & 07777),
      .number = inode->base.inode_number,
      .links = link_count(inode),
      .modified = inode->base.mod_time,
  };
  if (call.sqfs_id_table_index_to_id(image->ids, inode->base.uid_idx, &status->user) ||
      call.sqfs_id_table_index_to_id(image->ids, inode->base.gid_idx, &status->group))
    return CSQUASHFS_CORRUPT;
  sqfs_u64 size;
  if (type == SQFS_INODE_MODE_REG) {
    if (call.sqfs_inode_get_file_size(inode, &size)) return CSQUASHFS_CORRUPT;
    status->size = size;
  }
  return 0;
}

const char *csquashfs_target(const struct csquashfs_inode *link, size_t *length) {
  const sqfs_inode_generic_t *inode = generic(link);
  switch (inode->base.type) {
    case SQFS_INODE_SLINK: *length = inode->data.slink.target_size; break;
    case SQFS_INODE_EXT_SLINK: *length = inode->data.slink_ext.target_size; break;
    default: return NULL;
  }
  return *length <= inode->payload_bytes_used ? (const char *)inode->extra : NULL;
}

int csquashfs_is_hole(const struct csquashfs_inode *inode, size_t block) {
  return block < sqfs_inode_get_file_block_count(generic(inode)) && SQFS_IS_SPARSE_BLOCK(generic(inode)->extra[block]);
}

int64_t csquashfs_read_content(
    struct csquashfs *image, const struct csquashfs_inode *inode, uint64_t offset, void *buffer, uint32_t size) {
  sqfs_s32 count = call.sqfs_data_reader_read(image->contents, generic(inode), offset, buffer, size);
  return count < 0 ? kind(count) : count;
}

static int pass_attribute(struct csquashfs *image, csquashfs_attribute *take, void *context, int *is_enough) {
  sqfs_xattr_entry_t *key;
  int error = call.sqfs_xattr_reader_read_key(image->attributes, &key);
  if (error) return error;
  sqfs_xattr_value_t *value;
  error = call.sqfs_xattr_reader_read_value(image->attributes, key, &value);
  if (!error) {
    // The key has its prefix, and a zero at its end.
    *is_enough = take(context, (const char *)key->key, value->value, value->size);
    call.sqfs_free(value);
  }
  call.sqfs_free(key);
  return error;
}

int csquashfs_attributes(
    struct csquashfs *image, const struct csquashfs_inode *inode, csquashfs_attribute *take, void *context) {
  sqfs_u32 index;
  if (!image->attributes || call.sqfs_inode_get_xattr_index(generic(inode), &index) || index == 0xFFFFFFFF) return 0;
  sqfs_xattr_id_t set;
  int error = call.sqfs_xattr_reader_get_desc(image->attributes, index, &set);
  if (!error) error = call.sqfs_xattr_reader_seek_kv(image->attributes, &set);
  int is_enough = 0;
  for (uint32_t i = 0; !error && !is_enough && i < set.count; i++)
    error = pass_attribute(image, take, context, &is_enough);
  return error ? kind(error) : 0;
}

#else

static int load(void) {
  snprintf(failure, sizeof failure, "this was built without libsquashfs-dev, whose headers declare it");
  errno = 0;
  return 0;
}

// None of these is called, because nothing is ever loaded.
struct csquashfs *csquashfs_open(csquashfs_read *read, void *source, uint64_t size, int *error) {
  (void)read, (void)source, (void)size;
  *error = CSQUASHFS_UNSUPPORTED;
  return NULL;
}
void csquashfs_close(struct csquashfs *image) { (void)image; }
size_t csquashfs_block_size(const struct csquashfs *image) { return (void)image, 0; }
int csquashfs_root(struct csquashfs *image, struct csquashfs_inode **inode) {
  return (void)image, (void)inode, CSQUASHFS_UNSUPPORTED;
}
int csquashfs_list(struct csquashfs *image, const struct csquashfs_inode *directory) {
  return (void)image, (void)directory, CSQUASHFS_UNSUPPORTED;
}
int csquashfs_next(struct csquashfs *image, char *name, size_t *length, struct csquashfs_inode **inode) {
  return (void)image, (void)name, (void)length, (void)inode, CSQUASHFS_UNSUPPORTED;
}
void csquashfs_release(struct csquashfs_inode *inode) { (void)inode; }
int csquashfs_describe(
    const struct csquashfs *image, const struct csquashfs_inode *inode, struct csquashfs_status *status) {
  return (void)image, (void)inode, (void)status, CSQUASHFS_UNSUPPORTED;
}
const char *csquashfs_target(const struct csquashfs_inode *inode, size_t *length) { return (void)inode, (void)length, NULL; }
int csquashfs_is_hole(const struct csquashfs_inode *inode, size_t block) { return (void)inode, (void)block, 0; }
int64_t csquashfs_read_content(
    struct csquashfs *image, const struct csquashfs_inode *inode, uint64_t offset, void *buffer, uint32_t size) {
  return (void)image, (void)inode, (void)offset, (void)buffer, (void)size, CSQUASHFS_UNSUPPORTED;
}
int csquashfs_attributes(
    struct csquashfs *image, const struct csquashfs_inode *inode, csquashfs_attribute *take, void *context) {
  return (void)image, (void)inode, (void)take, (void)context, CSQUASHFS_UNSUPPORTED;
}
#endif

int csquashfs_load(void) {
  if (is_loaded) return 1;
  pthread_mutex_lock(&lock);
  // A shortage may pass, so that a failure is not for good.
  if (!is_loaded) is_loaded = load();
  pthread_mutex_unlock(&lock);
  return is_loaded;
}
