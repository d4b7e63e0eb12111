#ifndef CLIBARCHIVE_H
#define CLIBARCHIVE_H

#if !__has_include(<archive.h>)
#error "<archive.h> is missing: apt-get install libarchive-dev"
#endif
#include <archive.h>
#include <archive_entry.h>

// libarchive, loaded when it is first needed: it comes with libraries for XML and Unicode, which take longer to load than most
// archives to read.

#define CLIBARCHIVE_FUNCTIONS(X) \
  X(archive_entry_acl_from_text) \
  X(archive_entry_acl_to_text) \
  X(archive_entry_acl_types) \
  X(archive_entry_atime) \
  X(archive_entry_atime_is_set) \
  X(archive_entry_atime_nsec) \
  X(archive_entry_birthtime) \
  X(archive_entry_birthtime_is_set) \
  X(archive_entry_birthtime_nsec) \
  X(archive_entry_ctime) \
  X(archive_entry_ctime_is_set) \
  X(archive_entry_ctime_nsec) \
  X(archive_entry_filetype) \
  X(archive_entry_free) \
  X(archive_entry_gid) \
  X(archive_entry_gname) \
  X(archive_entry_hardlink) \
  X(archive_entry_hardlink_utf8) \
  X(archive_entry_is_encrypted) \
  X(archive_entry_mtime) \
  X(archive_entry_mtime_is_set) \
  X(archive_entry_mtime_nsec) \
  X(archive_entry_new) \
  X(archive_entry_nlink) \
  X(archive_entry_pathname) \
  X(archive_entry_perm) \
  X(archive_entry_set_filetype) \
  X(archive_entry_set_perm) \
  X(archive_entry_size) \
  X(archive_entry_size_is_set) \
  X(archive_entry_symlink) \
  X(archive_entry_symlink_utf8) \
  X(archive_entry_uid) \
  X(archive_entry_uname) \
  X(archive_entry_xattr_next) \
  X(archive_entry_xattr_reset) \
  X(archive_error_string) \
  X(archive_filter_bytes) \
  X(archive_format) \
  X(archive_read_add_passphrase) \
  X(archive_read_append_filter) \
  X(archive_read_data_block) \
  X(archive_read_free) \
  X(archive_read_header_position) \
  X(archive_read_new) \
  X(archive_read_next_header) \
  X(archive_read_open1) \
  X(archive_read_set_callback_data) \
  X(archive_read_set_read_callback) \
  X(archive_read_set_seek_callback) \
  X(archive_read_set_skip_callback) \
  X(archive_read_support_filter_compress) \
  X(archive_read_support_format_7zip) \
  X(archive_read_support_format_ar) \
  X(archive_read_support_format_cab) \
  X(archive_read_support_format_cpio) \
  X(archive_read_support_format_empty) \
  X(archive_read_support_format_iso9660) \
  X(archive_read_support_format_lha) \
  X(archive_read_support_format_rar) \
  X(archive_read_support_format_rar5) \
  X(archive_read_support_format_raw) \
  X(archive_read_support_format_tar) \
  X(archive_read_support_format_warc) \
  X(archive_read_support_format_xar) \
  X(archive_read_support_format_zip) \
  X(archive_version_details) \
  X(archive_write_add_filter_bzip2) \
  X(archive_write_add_filter_gzip) \
  X(archive_write_add_filter_xz) \
  X(archive_write_add_filter_zstd) \
  X(archive_write_close) \
  X(archive_write_data) \
  X(archive_write_fail) \
  X(archive_write_free) \
  X(archive_write_header) \
  X(archive_write_new) \
  X(archive_write_open) \
  X(archive_write_set_bytes_per_block) \
  X(archive_write_set_filter_option) \
  X(archive_write_set_format_raw)

#define CLIBARCHIVE_FIELD(name) __typeof__(name) *name;
/// The functions of libarchive that are used, each under its own name.
struct clibarchive {
  CLIBARCHIVE_FUNCTIONS(CLIBARCHIVE_FIELD)
};
#undef CLIBARCHIVE_FIELD

/// The functions, which stay valid; loads the library if it is not loaded yet. NULL if that fails, with errno(3) if a system call
/// did, and 0 otherwise.
const struct clibarchive *clibarchive_functions(void);

/// After `clibarchive_functions` has returned NULL to this thread, why, as in dlerror(3).
const char *clibarchive_failure(void);

/// If the library is not loaded yet, it cannot be from here on: for a process that may soon not open files any more.
void clibarchive_stop_loading(void);

/// Whether it cannot be loaded for that.
int clibarchive_is_out_of_reach(void);

#endif
