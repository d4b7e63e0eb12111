/*
 * memarchive.h - unpacks archives into sealed files in memory, each with a path that any library can open.
 *
 *   memarchive_archive *archive = NULL;
 *   memarchive_files *files = NULL;
 *   memarchive_error *error = NULL;
 *   if (memarchive_open_path("fonts.zip", NULL, &archive, &error) == MEMARCHIVE_OK &&
 *       memarchive_extract(archive, NULL, &files, &error) == MEMARCHIVE_OK) {
 *     memarchive_file *file = memarchive_files_find(files, "serif.ttf", MEMARCHIVE_ZERO_TERMINATED);
 *     const char *path = NULL;
 *     if (memarchive_file_path(file, &path, &error) == MEMARCHIVE_OK) use_a_path(path);
 *   }
 *   if (error) fprintf(stderr, "%s\n", error->message);
 *   memarchive_error_free(error);
 *   memarchive_files_free(files);
 *   memarchive_archive_free(archive);
 *
 * Nothing is written to a disk. By default an archive is read by a worker, a process that can open, send and execute
 * nothing; see memarchive_sandbox.
 *
 * FUNCTIONS THAT CAN FAIL return a memarchive_code, MEMARCHIVE_OK (0) when they succeed, store their result through a
 * pointer, and take a `memarchive_error **` last. That may be NULL; otherwise it is set to NULL on success, and on
 * failure to an error that the caller frees with memarchive_error_free. A result is NULL, 0 or -1 after a failure, and
 * nothing is left behind. A NULL argument that is not said to be allowed, and a size, count or value that makes no
 * sense, is MEMARCHIVE_INVALID_ARGUMENT; a function without a code returns NULL, 0 or -1 then. Only a pointer to
 * memory that is not what it should be cannot be noticed.
 *
 * OWNERSHIP. Each handle has one function that frees it; each accepts NULL. What a handle was made from may be freed
 * before it: files stay when their archive goes. `const` pointers to structs and text belong to the handle that gave
 * them, and are valid until it is freed, or as long as their function says. Structs that the library returns may
 * become longer in later versions: never copy one by its size, or make an array of them. Text is followed by a zero
 * byte, which its length does not count.
 *
 * NAMES are bytes, usually UTF-8, always without zero bytes, and compared byte by byte; none is ever altered to fit a
 * character set. Where a length is passed, MEMARCHIVE_ZERO_TERMINATED stands for strlen(3).
 *
 * THREADS. Handles may be used by several threads at once, but for memarchive_stream, which refuses that
 * (MEMARCHIVE_INVALID_ARGUMENT). Freeing a handle while another thread uses it is an error that cannot be noticed.
 * Callbacks are called by a thread that is inside of a call to this library, unless stated otherwise, and must return:
 * no longjmp(3), no C++ exception, no Python exception through them. They may call any function but those for the
 * handle that called them.
 *
 * PROCESSES. The library changes no signal disposition, locale, umask, limit or environment variable, and its child
 * processes are not reported by SIGCHLD or wait(2). After fork(2) without execve(2) the child may use it, and what was
 * opened and extracted before, if no call of another thread was running; in that one thread that has come from the parent
 * each call takes some microseconds more, and callbacks are called by another. A failed malloc(3) of a few bytes ends
 * the process, as in any program in Swift; content of archives is never such memory.
 *
 * Linux 5.10 or later, x86_64 or aarch64. Symbols have the version MEMARCHIVE_0; what 0.x releases add, they add
 * without changing what is here.
 */
#ifndef MEMARCHIVE_H
#define MEMARCHIVE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MEMARCHIVE_API __attribute__((visibility("default")))
#else
#define MEMARCHIVE_API
#endif

/* The version of this header. */
#define MEMARCHIVE_VERSION "0.1.0"
/* 10000 * major + 100 * minor + patch. */
#define MEMARCHIVE_VERSION_NUMBER 100

/* For the length of a name: it ends before its first zero byte. */
#define MEMARCHIVE_ZERO_TERMINATED SIZE_MAX

/* ---------------------------------------------------------------------------------------------------------------------
 * Handles
 */

/* Where an archive is, and how it is read. */
typedef struct memarchive_archive memarchive_archive;
/* Extracted files, in the archive's order. */
typedef struct memarchive_files memarchive_files;
/* One sealed file in memory. */
typedef struct memarchive_file memarchive_file;
/* All entries under their names in a file system in memory. */
typedef struct memarchive_tree memarchive_tree;
/* An archive that is read entry by entry. */
typedef struct memarchive_stream memarchive_stream;
/* Stops what runs, from another thread. */
typedef struct memarchive_cancellation memarchive_cancellation;

/* A name. `data` is NULL where there is none. */
typedef struct memarchive_text {
  const char *data;
  size_t length;
} memarchive_text;

/* ---------------------------------------------------------------------------------------------------------------------
 * Errors
 */

/* What went wrong. Later versions may have more; none changes its number. */
typedef int32_t memarchive_code;
enum {
  MEMARCHIVE_OK = 0,
  /* The bytes are not an archive that any reader recognizes. */
  MEMARCHIVE_UNRECOGNIZED_FORMAT = 1,
  /* The format is known and not read, or not among those that the options allow. */
  MEMARCHIVE_UNSUPPORTED_FORMAT = 2,
  /* The format is read, but not this compression, encryption or extension. */
  MEMARCHIVE_UNSUPPORTED_FEATURE = 3,
  /* Bytes contradict their checksum, their size or the format's rules. */
  MEMARCHIVE_CORRUPT = 4,
  /* The archive ends before its content does. */
  MEMARCHIVE_TRUNCATED = 5,
  MEMARCHIVE_PASSPHRASE_REQUIRED = 6,
  MEMARCHIVE_WRONG_PASSPHRASE = 7,
  /* The archive needs more than the limits allow. */
  MEMARCHIVE_LIMIT_EXCEEDED = 8,
  /* Archives or compressions lie in each other more deeply than limit_depth. */
  MEMARCHIVE_TOO_MANY_LAYERS = 9,
  MEMARCHIVE_NO_SUCH_ENTRY = 10,
  /* A directory, a device or another kind without content. */
  MEMARCHIVE_NOT_A_FILE = 11,
  MEMARCHIVE_DUPLICATE_ENTRY = 12,
  /* A link leads to no file. */
  MEMARCHIVE_LINK_TARGET_UNAVAILABLE = 13,
  /* A name or link leads out of the directory that it would be unpacked in. */
  MEMARCHIVE_INSECURE_NAME = 14,
  MEMARCHIVE_CANCELLED = 15,
  MEMARCHIVE_TIMED_OUT = 16,
  /* No worker can be started, or not with all its protection; `reason` says what is missing. */
  MEMARCHIVE_SANDBOX_UNAVAILABLE = 17,
  /* The worker did what reading an archive never does, and was killed. */
  MEMARCHIVE_SANDBOX_VIOLATION = 18,
  /* The worker crashed; this process is unharmed. */
  MEMARCHIVE_WORKER_FAILED = 19,
  /* In a tree, a file is where a directory must be. */
  MEMARCHIVE_NAME_CONFLICT = 20,
  /* A name is longer than a file system takes: 255 bytes for a component, 4,000 in all. */
  MEMARCHIVE_NAME_TOO_LONG = 21,
  /* EMFILE, ENFILE. */
  MEMARCHIVE_DESCRIPTOR_LIMIT = 22,
  /* EAGAIN from clone(2). */
  MEMARCHIVE_PROCESS_LIMIT = 23,
  /* ENOMEM, ENOSPC. */
  MEMARCHIVE_OUT_OF_MEMORY = 24,
  /* /proc is not mounted, so that a descriptor has no path. */
  MEMARCHIVE_PATH_UNAVAILABLE = 25,
  /* The system refuses a tree; `call` says which call, the advice what to change. */
  MEMARCHIVE_TREE_UNAVAILABLE = 26,
  /* A pipe that has been read already. */
  MEMARCHIVE_SOURCE_CONSUMED = 27,
  /* What came over a socket is not a sealed file in memory, or not the one that it claims to be. */
  MEMARCHIVE_UNTRUSTED = 28,
  /* Another system call failed; `call` and `error_number` say which and why. */
  MEMARCHIVE_SYSTEM = 29,
  /* An archive is not the one that a checksum or a signature is for. */
  MEMARCHIVE_NOT_VERIFIED = 30,
  /* The archive is not what it was when it was listed. */
  MEMARCHIVE_ARCHIVE_CHANGED = 31,
  /* A source that is read on demand failed, or returned what it must not; `error_number` is what it returned. */
  MEMARCHIVE_SOURCE_FAILED = 32,
  /* An argument is NULL that must not be, or makes no sense; `reason` names it. */
  MEMARCHIVE_INVALID_ARGUMENT = 100,
  /* A callback of the caller's returned that it failed; `error_number` is what it returned. */
  MEMARCHIVE_CALLBACK_FAILED = 101,
  /* A code of the library that this interface has no number for; code_name says which. */
  MEMARCHIVE_UNKNOWN = 102
};

/* Why something failed. Immutable; any thread may read it. */
typedef struct memarchive_error {
  memarchive_code code;
  /* errno of the failed call, or what a callback returned; 0 where there is none. */
  int32_t error_number;
  /* The code as text, such as "corrupt". */
  const char *code_name;
  /* The entry concerned; NULL for the archive as a whole. */
  memarchive_text entry;
  /* What happened, without the entry and the advice: UTF-8, as all texts here. */
  const char *reason;
  /* The failed system call or library function, such as "mmap"; NULL where there is none. */
  const char *call;
  /* What can be done, in one or two sentences. */
  const char *advice;
  /* All of it for a person, in one line that is safe for a terminal and a log: control characters are escaped. */
  const char *message;
  /* The archive that cannot be opened: its path, or "descriptor 7"; NULL for any other error. */
  const char *path;
} memarchive_error;

/* Frees an error; NULL is allowed. */
MEMARCHIVE_API void memarchive_error_free(memarchive_error *error);

/* The code as text, such as "corrupt"; "unknown" for a number that is none. Never freed. */
MEMARCHIVE_API const char *memarchive_code_name(memarchive_code code);

/* ---------------------------------------------------------------------------------------------------------------------
 * Cancellation
 */

/* Makes a token, to be given to memarchive_options. The caller frees it; archives that were opened with it keep it as
 * long as they need it. Never NULL. */
MEMARCHIVE_API memarchive_cancellation *memarchive_cancellation_new(void);

/* Stops all that runs with this token, at its next block, and whatever begins with it later: MEMARCHIVE_CANCELLED. Any
 * thread may call it, at any time; a signal handler may not. NULL is allowed. */
MEMARCHIVE_API void memarchive_cancellation_cancel(memarchive_cancellation *cancellation);

/* 1 after memarchive_cancellation_cancel, otherwise 0. */
MEMARCHIVE_API int32_t memarchive_cancellation_is_cancelled(const memarchive_cancellation *cancellation);

/* Frees the caller's reference, without cancelling anything; NULL is allowed. */
MEMARCHIVE_API void memarchive_cancellation_free(memarchive_cancellation *cancellation);

/* ---------------------------------------------------------------------------------------------------------------------
 * Options: 0 is the default of each
 */

/* Where the archive is read. Whatever is chosen, what is returned is verified: seals, sizes, checksums. */
typedef int32_t memarchive_sandbox;
enum {
  /* By a worker with all its protection (Landlock and seccomp, Linux 5.13), or not at all:
   * MEMARCHIVE_SANDBOX_UNAVAILABLE. The worker is the program that options.worker names, or MEMARCHIVE_WORKER in the
   * environment; otherwise the first memarchive-worker that nobody but root and this user can change: in the directory
   * that this library is in, in ../libexec/memarchive and ../../libexec/memarchive of that, beside the running program, in
   * /usr/local/libexec/memarchive, in /usr/libexec/memarchive. */
  MEMARCHIVE_SANDBOX_REQUIRED = 0,
  /* By a worker with as much protection as there is, and in this process where none can be started; warnings say so. */
  MEMARCHIVE_SANDBOX_BEST_EFFORT = 1,
  /* In this process. An archive that finds a defect of a decoder has then found it here. */
  MEMARCHIVE_SANDBOX_OFF = 2
};

/* Where content is kept. */
typedef int32_t memarchive_storage;
enum {
  /* A memory file each while descriptors last, and packed after that. */
  MEMARCHIVE_STORAGE_AUTOMATIC = 0,
  /* A memory file each, with a descriptor each. */
  MEMARCHIVE_STORAGE_DEDICATED = 1,
  /* Many in one memory file, until the descriptor or path of one is requested. Fastest for many small files. */
  MEMARCHIVE_STORAGE_PACKED = 2
};

/* Two entries of one name. */
typedef int32_t memarchive_duplicates;
enum {
  MEMARCHIVE_DUPLICATES_LAST = 0,
  MEMARCHIVE_DUPLICATES_FIRST = 1,
  /* MEMARCHIVE_DUPLICATE_ENTRY. */
  MEMARCHIVE_DUPLICATES_REJECT = 2
};

/* Formats, to be combined by |. */
enum {
  MEMARCHIVE_FORMAT_TAR = 1 << 0,
  MEMARCHIVE_FORMAT_ZIP = 1 << 1,
  MEMARCHIVE_FORMAT_7Z = 1 << 2,
  MEMARCHIVE_FORMAT_CPIO = 1 << 3,
  MEMARCHIVE_FORMAT_AR = 1 << 4,
  /* A lone compressed file, such as notes.txt.xz. */
  MEMARCHIVE_FORMAT_FILE = 1 << 5,
  MEMARCHIVE_FORMAT_RAR4 = 1 << 6,
  MEMARCHIVE_FORMAT_RAR5 = 1 << 7,
  MEMARCHIVE_FORMAT_CAB = 1 << 8,
  MEMARCHIVE_FORMAT_LHA = 1 << 9,
  MEMARCHIVE_FORMAT_ISO = 1 << 10,
  MEMARCHIVE_FORMAT_XAR = 1 << 11,
  MEMARCHIVE_FORMAT_WARC = 1 << 12,
  MEMARCHIVE_FORMAT_SQUASHFS = 1 << 13,
  /* Those whose readers are sound enough for any input, and the default. */
  MEMARCHIVE_FORMATS_STANDARD = 0x3F,
  /* Every format. Outside the sandbox, only for archives that are trusted. */
  MEMARCHIVE_FORMATS_ALL = 0x3FFF
};

/* How far reading is. Valid while the callback runs. */
typedef struct memarchive_progress {
  /* Bytes of the archive read so far, and in all: -1 for a pipe. */
  int64_t bytes_read;
  int64_t bytes_total;
  /* Entries read so far, and the name of the current one. */
  int64_t entries;
  memarchive_text entry;
} memarchive_progress;

/* Called at most ten times a second, by one thread at a time, which may be another than the caller's. Other than 0
 * cancels: MEMARCHIVE_CANCELLED. */
typedef int32_t (*memarchive_progress_callback)(void *user, const memarchive_progress *progress);

/* How archives are read. Set struct_size and leave everything else 0 for the defaults, which memarchive_options_init
 * does. Copied when an archive is opened, with all texts; only `user` and `cancellation` are kept. */
typedef struct memarchive_options {
  /* sizeof(memarchive_options). */
  size_t struct_size;

  memarchive_sandbox sandbox;
  memarchive_storage storage;
  memarchive_duplicates duplicates;
  /* The formats that may be read; 0: MEMARCHIVE_FORMATS_STANDARD. */
  uint32_t formats;
  /* Threads that may work on one extraction, including the calling one; 0: as many as there are processors, divided
   * among the extractions that run. At most 64, or four for each processor if that is more, are used. */
  int32_t parallelism;
  /* Descriptors that files of one extraction may have with MEMARCHIVE_STORAGE_AUTOMATIC; 0: as RLIMIT_NOFILE leaves,
   * less 64; -1: none. */
  int32_t descriptor_budget;
  /* Permissions of all files, such as 0600; 0: the entry's, without those to write. Those to execute need
   * `executable`. */
  uint32_t mode;

  /* From here on, 0: no; 1: yes. */
  /* The files may be executed, execve(2). */
  int32_t executable;
  /* Archives inside the archive are read too: data.tar.xz/usr/share/x. Not by a stream. */
  int32_t nested;
  /* What is intact is returned, with the errors of the rest in the listing; exceeded limits and a failing system still
   * fail. */
  int32_t keep_going;
  /* A name or pattern that selects nothing is a warning; otherwise MEMARCHIVE_NO_SUCH_ENTRY. */
  int32_t allow_unmatched;
  /* A link that leads nowhere fails; otherwise it is a warning, unless selected by name. */
  int32_t reject_broken_links;
  /* A name that leads out of the directory it would be unpacked in fails: MEMARCHIVE_INSECURE_NAME. */
  int32_t reject_insecure_names;
  /* Entries of a zip that overlap, as in a zip bomb, are read; otherwise MEMARCHIVE_CORRUPT. */
  int32_t allow_overlapping;
  /* Symbolic links that lead out of a tree are made; otherwise left out. */
  int32_t keep_outward_links;
  /* A zip that comes through a pipe is read by its entries' local headers while it arrives; otherwise it is kept in memory
   * until its directory is there. Provisionally: the directory is compared at the end with all that has come out, and what
   * differs is MEMARCHIVE_CORRUPT, or MEMARCHIVE_UNSUPPORTED_FEATURE for a symbolic link. Permissions are unknown. */
  int32_t arriving_zips;

  /* Milliseconds that one operation may take in all; 0: no limit. Then MEMARCHIVE_TIMED_OUT. Only a worker can be
   * stopped in whatever it does. */
  int64_t timeout_milliseconds;

  /* Limits. 0: the default; -1: none. Content that an operation may produce in all, in bytes; by default no limit. */
  int64_t limit_total_bytes;
  /* Bytes held at once: content, names, warnings. By default three quarters of the memory that is left, also by the
   * control group. */
  int64_t limit_held_bytes;
  /* Content of one entry, in bytes; by default no limit. */
  int64_t limit_entry_bytes;
  /* Entries; by default 10,000,000. */
  int64_t limit_entries;
  /* Bytes of a name; by default 65,536. */
  int64_t limit_name_bytes;
  /* Bytes of an entry's extended attributes, access control list, comment and owners; by default 4 MiB. */
  int64_t limit_attribute_bytes;
  /* Archives or compressions around each other; by default 4. */
  int64_t limit_depth;
  /* Content for each byte of the archive, beyond the first 16 MiB; by default no limit. */
  double limit_ratio;

  /* Passphrases to try, in this order: zero-terminated UTF-8. */
  const char *const *passphrases;
  size_t passphrase_count;
  /* The character set of names that are not UTF-8, as iconv(3) calls it; NULL keeps their bytes. */
  const char *encoding;
  /* The path of the worker program, used whoever can change it; NULL looks for it. */
  const char *worker;

  /* May be NULL. */
  memarchive_progress_callback progress;
  /* Handed to `progress`; must stay valid until all that was made with these options is freed. */
  void *user;
  /* May be NULL. */
  memarchive_cancellation *cancellation;
} memarchive_options;

/* Sets struct_size, and everything else to 0, in `struct_size` bytes. NULL, or a size of less than sizeof(size_t):
 * nothing. */
MEMARCHIVE_API void memarchive_options_init(memarchive_options *options, size_t struct_size);

/* ---------------------------------------------------------------------------------------------------------------------
 * Archives: memarchive_archive_free frees what memarchive_open_... returns
 *
 * `options` may be NULL: the defaults. Opening reads nothing of the archive, unless stated otherwise: what is no archive
 * is noticed when it is read. An archive may be read several times, and at the same time, unless it is a pipe.
 */

/* An archive in a file, which is opened by each call that reads it. A named pipe can be read once. The path is copied.
 *
 * MEMARCHIVE_SYSTEM where there is no such file, or it may not be read. Calls stat(2), access(2). */
MEMARCHIVE_API memarchive_code memarchive_open_path(
    const char *path, const memarchive_options *options, memarchive_archive **archive, memarchive_error **error);

/* An archive in several files, in this order: volumes of a rar, parts of a split file. `count` is at least 1. */
MEMARCHIVE_API memarchive_code memarchive_open_paths(
    const char *const *paths, size_t count, const memarchive_options *options, memarchive_archive **archive,
    memarchive_error **error);

/* An archive in an open file, socket or pipe. The descriptor is duplicated, so the caller may close its own at once. A
 * regular file is read by position from its beginning, whatever its offset, which is not moved; anything else from
 * where it is, and once.
 *
 * MEMARCHIVE_SYSTEM, MEMARCHIVE_DESCRIPTOR_LIMIT. Calls fcntl(2) with F_DUPFD_CLOEXEC. */
MEMARCHIVE_API memarchive_code memarchive_open_descriptor(
    int32_t descriptor, const memarchive_options *options, memarchive_archive **archive, memarchive_error **error);

/* An archive in memory. The bytes are copied, into a sealed file: the caller may free them at once. `bytes` may be
 * NULL if `size` is 0.
 *
 * MEMARCHIVE_OUT_OF_MEMORY, MEMARCHIVE_DESCRIPTOR_LIMIT, and MEMARCHIVE_LIMIT_EXCEEDED beyond limit_held_bytes. */
MEMARCHIVE_API memarchive_code memarchive_open_bytes(
    const void *bytes, size_t size, const memarchive_options *options, memarchive_archive **archive,
    memarchive_error **error);

/* Reads up to `count` bytes at an offset: returns their number, 0 only at the end, or a negative errno such as -EIO. */
typedef int64_t (*memarchive_read_callback)(void *user, int64_t offset, void *buffer, size_t count);

/* An archive that the caller reads: over a network, from a database. */
typedef struct memarchive_source {
  /* sizeof(memarchive_source). */
  size_t struct_size;
  memarchive_read_callback read;
  /* Handed to `read`. */
  void *user;
  /* Bytes in all; -1 if that is unknown. A source that ends elsewhere is MEMARCHIVE_TRUNCATED, or not read further. */
  int64_t size;
  /* 0: all of it is read now. 1: it is read when it is needed, and where; its size must be known. */
  int32_t on_demand;
} memarchive_source;

/* An archive read through callbacks. The struct is copied.
 *
 * With on_demand 0 the calling thread reads all of it now, in order, into a sealed file in memory, within
 * limit_held_bytes, the timeout and the cancellation. MEMARCHIVE_CALLBACK_FAILED with the errno;
 * MEMARCHIVE_LIMIT_EXCEEDED, MEMARCHIVE_TRUNCATED, MEMARCHIVE_TIMED_OUT, MEMARCHIVE_CANCELLED.
 *
 * With on_demand 1 nothing is read yet. Each call that reads the archive has a thread of the library's own call `read`,
 * at any offset, for up to 1 MiB, some of it ahead, and keeps 16 MiB: the directory of a zip and one entry take a few
 * calls. Two calls that read at the same time call it from two threads at the same time. `source->user` must stay valid
 * until the archive and its streams are freed; a `read` that does not return by the timeout or the cancellation is left
 * behind, and must find it valid until it returns. Errors are those of the calls that read: MEMARCHIVE_SOURCE_FAILED
 * with the errno, MEMARCHIVE_TRUNCATED. */
MEMARCHIVE_API memarchive_code memarchive_open_source(
    const memarchive_source *source, const memarchive_options *options, memarchive_archive **archive,
    memarchive_error **error);

/* An archive that is itself a file in memory, such as the data.tar.xz of a Debian package. The file is kept as long as
 * it is needed. */
MEMARCHIVE_API memarchive_code memarchive_open_file(
    memarchive_file *file, const memarchive_options *options, memarchive_archive **archive, memarchive_error **error);

/* Frees an archive. Files, trees and streams from it stay. NULL is allowed. */
MEMARCHIVE_API void memarchive_archive_free(memarchive_archive *archive);

/* ---------------------------------------------------------------------------------------------------------------------
 * Entries
 */

/* The kind of an entry. */
typedef int32_t memarchive_kind;
enum {
  MEMARCHIVE_KIND_FILE = 0,
  MEMARCHIVE_KIND_DIRECTORY = 1,
  MEMARCHIVE_KIND_SYMLINK = 2,
  MEMARCHIVE_KIND_HARDLINK = 3,
  MEMARCHIVE_KIND_FIFO = 4,
  MEMARCHIVE_KIND_SOCKET = 5,
  MEMARCHIVE_KIND_CHARACTER = 6,
  MEMARCHIVE_KIND_BLOCK = 7
};

/* A time, since 1970-01-01 00:00 UTC. */
typedef struct memarchive_time {
  int64_t seconds;
  /* 0 to 999,999,999; -1 where the archive records no such time, and seconds is 0. */
  int32_t nanoseconds;
} memarchive_time;

/* What an entry's header says. Nothing of it is verified but what has been extracted. */
typedef struct memarchive_entry {
  /* The name by which it is looked up: the bytes in the archive, in UTF-8 where options.encoding converted them. */
  memarchive_text name;
  /* The bytes in the archive. */
  memarchive_text raw_name;
  /* What a symlink or hardlink leads to; NULL for other kinds. */
  memarchive_text link;
  memarchive_kind kind;
  /* Permission bits, without the kind; -1 where there are none. */
  int32_t mode;
  /* Bytes of content, as declared; -1 where the header has no size. */
  int64_t size;
  /* Bytes that it takes in the archive; -1 where that is not recorded. */
  int64_t compressed_size;
  memarchive_time modified;
  memarchive_time accessed;
  memarchive_time changed;
  memarchive_time created;
  /* Owner by number, -1 where not recorded, and by name, NULL where not. */
  int64_t user_id;
  int64_t group_id;
  memarchive_text user;
  memarchive_text group;
  memarchive_text comment;
  /* What the content is compressed by, such as "deflate"; NULL where not recorded. */
  const char *compression;
  /* CRC-32 of the content, if has_crc32 is 1. */
  uint32_t crc32;
  int32_t has_crc32;
  int32_t is_encrypted;
  /* 1 if the entry has content: a file, or the hard link of a format that puts it there. */
  int32_t has_content;
  /* 1 if the name stays below the directory that it would be unpacked in. */
  int32_t is_safe_relative;
} memarchive_entry;

/* Something odd that did not prevent anything. */
typedef struct memarchive_warning {
  /* Its kind: "oddity", "dataAfterEnd", "missingEnd", "duplicate", "brokenLink", "equivalentNames", "noMatch",
   * "leftOut", "noSandbox", "weakSandbox", "others"; later versions may have more. */
  const char *code_name;
  /* The entry concerned; NULL for the archive as a whole. */
  memarchive_text entry;
  /* What is odd. */
  const char *text;
} memarchive_warning;

/* What was in the archive, and what happened. The lists are NULL where their count is 0. */
typedef struct memarchive_listing {
  /* Entries of every kind, extracted or not, in the archive's order. */
  const memarchive_entry *const *entries;
  size_t entry_count;
  const memarchive_warning *const *warnings;
  size_t warning_count;
  /* What could not be extracted, with options.keep_going. Not to be freed. */
  const memarchive_error *const *errors;
  size_t error_count;
  /* What was left out of a tree. */
  const memarchive_warning *const *skipped;
  size_t skipped_count;
  /* The protection in effect, for a person; NULL if the archive was read in this process. */
  const char *protection;
  /* The comment on the archive as a whole, of a stream; NULL where there is none. */
  memarchive_text comment;
} memarchive_listing;

/* Which entries: by name or by pattern, with the targets of links among them. All 0, or a NULL selection: all. Used
 * only during the call. */
typedef struct memarchive_selection {
  /* sizeof(memarchive_selection). */
  size_t struct_size;
  /* Exactly these names; lengths may be MEMARCHIVE_ZERO_TERMINATED. Not together with patterns. */
  const memarchive_text *names;
  size_t name_count;
  /* Names that match one of these patterns, fnmatch(3), in which * and ? match / too. */
  const memarchive_text *patterns;
  size_t pattern_count;
  /* Not those that match one of these. */
  const memarchive_text *excluded;
  size_t excluded_count;
} memarchive_selection;

/* The selected entries, without extracting any. Everything is read before it returns, so damage anywhere fails. The
 * listing has entries alone: what is warned of, and what protection held, is told with extracted files.
 *
 * Errors: any of the archive; MEMARCHIVE_NO_SUCH_ENTRY. The caller frees the listing with memarchive_listing_free. */
MEMARCHIVE_API memarchive_code memarchive_list(
    memarchive_archive *archive, const memarchive_selection *selection, memarchive_listing **listing,
    memarchive_error **error);

/* Frees a listing of memarchive_list, never one that belongs to files, a tree or a stream. NULL is allowed. */
MEMARCHIVE_API void memarchive_listing_free(memarchive_listing *listing);

/* ---------------------------------------------------------------------------------------------------------------------
 * Files
 */

/* Extracts the selected entries, each into a sealed file in memory. All or nothing, but with options.keep_going. When
 * it returns, every checksum has been verified.
 *
 * Errors: any of the archive; MEMARCHIVE_NO_SUCH_ENTRY, MEMARCHIVE_DUPLICATE_ENTRY, MEMARCHIVE_LIMIT_EXCEEDED. The
 * caller frees the files with memarchive_files_free. */
MEMARCHIVE_API memarchive_code memarchive_extract(
    memarchive_archive *archive, const memarchive_selection *selection, memarchive_files **files,
    memarchive_error **error);

/* The number of names; a hard link, and a symbolic link that ends at a file, is another name of its target's content.
 */
MEMARCHIVE_API size_t memarchive_files_count(const memarchive_files *files);

/* The file at an index, in the archive's order; NULL beyond the last. It is valid until `files` is freed, or longer by
 * memarchive_file_retain. Takes the same time for each. */
MEMARCHIVE_API memarchive_file *memarchive_files_at(memarchive_files *files, size_t index);

/* The file of this name, compared byte by byte ("./x" is "x"); NULL if there is none. Valid as that of
 * memarchive_files_at. */
MEMARCHIVE_API memarchive_file *memarchive_files_find(memarchive_files *files, const char *name, size_t length);

/* What was in the archive, and what happened. Made on the first call; valid until `files` is freed. Empty for received
 * files. */
MEMARCHIVE_API const memarchive_listing *memarchive_files_listing(memarchive_files *files);

/* Frees the files but those that were retained; their descriptors, paths and mappings end with them. NULL is allowed.
 */
MEMARCHIVE_API void memarchive_files_free(memarchive_files *files);

/* Makes a sealed file from bytes, which are copied. `name` is what /proc/PID/maps shows; it names no file anywhere.
 * The caller frees it with memarchive_file_free.
 *
 * MEMARCHIVE_OUT_OF_MEMORY, MEMARCHIVE_DESCRIPTOR_LIMIT, MEMARCHIVE_SYSTEM. Calls memfd_create(2), fcntl(2) with
 * F_ADD_SEALS. */
MEMARCHIVE_API memarchive_code memarchive_file_new(
    const char *name, size_t length, const void *bytes, size_t size, memarchive_file **file, memarchive_error **error);

/* Adds a reference, which memarchive_file_free gives back, and returns the file. NULL is allowed. */
MEMARCHIVE_API memarchive_file *memarchive_file_retain(memarchive_file *file);

/* Gives back a reference: of memarchive_file_retain, memarchive_file_new or memarchive_stream_extract, never of
 * memarchive_files_at or memarchive_files_find. With the last one, and that of the files it came from, its descriptor
 * is closed, its path leads nowhere, its bytes are unmapped. NULL is allowed. */
MEMARCHIVE_API void memarchive_file_free(memarchive_file *file);

/* The name by which it was found. Valid until the file is freed. */
MEMARCHIVE_API memarchive_text memarchive_file_name(const memarchive_file *file);

/* The exact number of bytes; -1 for NULL. */
MEMARCHIVE_API int64_t memarchive_file_size(const memarchive_file *file);

/* The permissions that the archive has for it, such as 0755; -1 where it has none. */
MEMARCHIVE_API int32_t memarchive_file_mode(const memarchive_file *file);

/* What the archive says of it, valid until the file is freed; NULL for received files and those of
 * memarchive_file_new. */
MEMARCHIVE_API const memarchive_entry *memarchive_file_entry(memarchive_file *file);

/* A path that opens the file: /proc/self/fd/N. It is valid in this process alone, and until the file is freed (see
 * memarchive_file_free): afterwards it leads nowhere, or to another file. Hold the file for as long as a library may
 * open the path, again too. For a child process, see memarchive_file_duplicate. The text is valid as long.
 *
 * MEMARCHIVE_PATH_UNAVAILABLE where /proc is not mounted; for a packed file also as memarchive_file_descriptor. */
MEMARCHIVE_API memarchive_code memarchive_file_path(
    memarchive_file *file, const char **path, memarchive_error **error);

/* The file's descriptor, borrowed: never close it; valid until the file is freed. Its offset is shared by all users, so
 * read by position, pread(2). A packed file gets a memory file of its own when this is first called.
 *
 * For a packed file: MEMARCHIVE_DESCRIPTOR_LIMIT, MEMARCHIVE_LIMIT_EXCEEDED, MEMARCHIVE_OUT_OF_MEMORY. */
MEMARCHIVE_API memarchive_code memarchive_file_descriptor(
    memarchive_file *file, int32_t *descriptor, memarchive_error **error);

/* Another descriptor for the same open file, the caller's to close, valid when the file is gone. It shares its offset
 * with the borrowed one. With close_on_exec 0 an executed program inherits it: /proc/self/fd/N is then a path there
 * too, N being its number.
 *
 * MEMARCHIVE_DESCRIPTOR_LIMIT; otherwise as memarchive_file_descriptor. Calls fcntl(2). */
MEMARCHIVE_API memarchive_code memarchive_file_duplicate(
    memarchive_file *file, int32_t close_on_exec, int32_t *descriptor, memarchive_error **error);

/* The file opened anew, read-only and close-on-exec, with an offset of its own: a descriptor that is the caller's to
 * close.
 *
 * As memarchive_file_path, and MEMARCHIVE_DESCRIPTOR_LIMIT. Calls open(2). */
MEMARCHIVE_API memarchive_code memarchive_file_reopen(
    memarchive_file *file, int32_t *descriptor, memarchive_error **error);

/* The content, mapped into memory when this is first called and until the file is freed. Nobody can change it: writing
 * to it is a segmentation fault. The pointer is not NULL, even for an empty file. No copy is made, of a packed file
 * neither.
 *
 * MEMARCHIVE_OUT_OF_MEMORY where the address space or the number of mappings is used up. Calls mmap(2). */
MEMARCHIVE_API memarchive_code memarchive_file_bytes(
    memarchive_file *file, const void **bytes, size_t *size, memarchive_error **error);

/* ---------------------------------------------------------------------------------------------------------------------
 * One entry at a time
 */

/* Begins to read an archive entry by entry. Only what the caller keeps is held. The caller frees the stream with
 * memarchive_stream_free.
 *
 * Errors: those of opening the archive and reading its beginning. */
MEMARCHIVE_API memarchive_code memarchive_stream_new(
    memarchive_archive *archive, memarchive_stream **stream, memarchive_error **error);

/* The next entry; NULL at the end, together with MEMARCHIVE_OK. It is valid until the next call for this stream. After
 * an error of one entry the next call continues behind it; after one that ends the reading, it returns the end.
 * Checksums around the archive, such as gzip's, are verified only once the end is returned. */
MEMARCHIVE_API memarchive_code memarchive_stream_next(
    memarchive_stream *stream, const memarchive_entry **entry, memarchive_error **error);

/* The content of the entry that was returned last, once for each. The caller frees the file with memarchive_file_free.
 *
 * MEMARCHIVE_NO_SUCH_ENTRY when it has been taken already, MEMARCHIVE_NOT_A_FILE; otherwise any error of an entry. */
MEMARCHIVE_API memarchive_code memarchive_stream_extract(
    memarchive_stream *stream, memarchive_file **file, memarchive_error **error);

/* Takes a block of content and its offset; other than 0 stops. The block is valid while it runs. */
typedef int32_t (*memarchive_block_callback)(void *user, const void *block, size_t size, int64_t offset);

/* Hands the content of the entry that was returned last to `callback`, block by block, in order, keeping none. Bytes
 * between blocks, and after the last up to `size`, are zero. The entry's checksum is verified only once this has
 * returned MEMARCHIVE_OK.
 *
 * `size` may be NULL; otherwise it is set to the exact size. MEMARCHIVE_CALLBACK_FAILED when the callback returned
 * other than 0; otherwise as memarchive_stream_extract. */
MEMARCHIVE_API memarchive_code memarchive_stream_blocks(
    memarchive_stream *stream, memarchive_block_callback callback, void *user, int64_t *size,
    memarchive_error **error);

/* Warnings, protection and comment so far; no entries. Valid until the next call for this stream; NULL for NULL, or
 * while another call runs. */
MEMARCHIVE_API const memarchive_listing *memarchive_stream_listing(memarchive_stream *stream);

/* Ends reading. Extracted files stay. NULL is allowed. */
MEMARCHIVE_API void memarchive_stream_free(memarchive_stream *stream);

/* ---------------------------------------------------------------------------------------------------------------------
 * Trees
 */

/* Extracts the selected entries into a file system in memory of their own, under their real names, with directories,
 * modes, times and links: for code that looks at extensions, opens siblings or lists directories. Names and links that
 * lead out of it are left out, see listing.skipped. With `writable` other than 0, files in it can be changed; it is
 * gone with the tree. Needs Linux 5.12, and either root or user namespaces.
 *
 * MEMARCHIVE_TREE_UNAVAILABLE, MEMARCHIVE_NAME_CONFLICT, MEMARCHIVE_NAME_TOO_LONG; otherwise as memarchive_extract.
 * The caller frees it with memarchive_tree_free. */
MEMARCHIVE_API memarchive_code memarchive_tree_new(
    memarchive_archive *archive, const memarchive_selection *selection, int32_t writable, memarchive_tree **tree,
    memarchive_error **error);

/* The path of an entry in the tree, or of the top with a NULL name: valid in this process alone, and until the tree is
 * freed, as the text is. realpath(3) and getcwd(3) fail in it, for the tree has no place in the hierarchy. The name
 * may be any bytes.
 *
 * MEMARCHIVE_NO_SUCH_ENTRY, MEMARCHIVE_PATH_UNAVAILABLE. */
MEMARCHIVE_API memarchive_code memarchive_tree_path(
    memarchive_tree *tree, const char *name, size_t length, const char **path, memarchive_error **error);

/* The descriptor of the tree's mount, borrowed: valid until the tree is freed; -1 for NULL. A child process that
 * inherits it under the same number can use the tree's paths. */
MEMARCHIVE_API int32_t memarchive_tree_descriptor(const memarchive_tree *tree);

/* What was in the archive, and what happened. Made on the first call; valid until the tree is freed. */
MEMARCHIVE_API const memarchive_listing *memarchive_tree_listing(memarchive_tree *tree);

/* Frees the tree; its files go once nobody has one of them open or mapped. NULL is allowed. */
MEMARCHIVE_API void memarchive_tree_free(memarchive_tree *tree);

/* ---------------------------------------------------------------------------------------------------------------------
 * Passing files on
 */

/* Sends a file with its name over a connected Unix socket, which stays the caller's, to a process that receives it
 * with memarchive_receive. Nothing is copied. Waits while the socket is full.
 *
 * MEMARCHIVE_DESCRIPTOR_LIMIT, MEMARCHIVE_SYSTEM (EPIPE when the other side is gone; no signal is raised). Calls
 * sendmsg(2) with SCM_RIGHTS. */
MEMARCHIVE_API memarchive_code memarchive_file_send(memarchive_file *file, int32_t socket, memarchive_error **error);

/* Sends all files as one batch, otherwise as memarchive_file_send. */
MEMARCHIVE_API memarchive_code memarchive_files_send(memarchive_files *files, int32_t socket, memarchive_error **error);

/* Receives one batch: all files of memarchive_files_send, or the one of memarchive_file_send. Each is verified before
 * anything about it is believed: seals, kind, file system, size, limits. Waits until something arrives. NULL files,
 * together with MEMARCHIVE_OK, when the other side has closed the socket. Of `options`, which may be NULL, only the
 * limits count. After an error, close the socket. The caller frees the files.
 *
 * MEMARCHIVE_UNTRUSTED, MEMARCHIVE_LIMIT_EXCEEDED, MEMARCHIVE_TRUNCATED, MEMARCHIVE_DESCRIPTOR_LIMIT,
 * MEMARCHIVE_SYSTEM. Calls recvmsg(2). */
MEMARCHIVE_API memarchive_code memarchive_receive(
    int32_t socket, const memarchive_options *options, memarchive_files **files, memarchive_error **error);

/* ---------------------------------------------------------------------------------------------------------------------
 * The library and the system
 */

/* The library's version, such as "0.1.0"; never freed. */
MEMARCHIVE_API const char *memarchive_version(void);

/* The same as a number, as MEMARCHIVE_VERSION_NUMBER. */
MEMARCHIVE_API int32_t memarchive_version_number(void);

/* A feature of the kernel. */
typedef struct memarchive_feature {
  const char *name;
  /* What it means for this library. */
  const char *meaning;
  /* 1, 0, or -1 where it is unknown. */
  int32_t is_available;
} memarchive_feature;

/* What the system has, for a bug report, or a decision before an archive is read. */
typedef struct memarchive_platform {
  /* The version, the libraries beneath, the kernel and what it lacks, in one line. */
  const char *description;
  const char *kernel;
  /* The worker, or why there is none. */
  const char *sandbox;
  /* 1 if a worker was found; whether it can be locked in, the feature "Landlock" says. */
  int32_t has_worker;
  size_t feature_count;
  const memarchive_feature *const *features;
} memarchive_platform;

/* Asks the libraries and the kernel, with one child process that ends at once. The caller frees it with
 * memarchive_platform_free. Never NULL. */
MEMARCHIVE_API memarchive_platform *memarchive_platform_new(void);

/* NULL is allowed. */
MEMARCHIVE_API void memarchive_platform_free(memarchive_platform *platform);

/* Ends the process that workers are forked from, which the first sandboxed extraction started: 3 descriptors, about 10
 * MB. All extractions of a process share it, and threads and memory too. It ends with the process anyway; call this
 * before execve(2), or before the library is left alone for long. When it is needed again it is started again. */
MEMARCHIVE_API void memarchive_pool_end(void);

#ifdef __cplusplus
}
#endif

#endif
