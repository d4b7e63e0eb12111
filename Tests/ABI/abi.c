/*
 * Every function of memarchive.h, as C11 and as C++17, in each sandbox, with what it is meant for and what it must refuse.
 *
 *   abi DIRECTORY FIXTURES              DIRECTORY has what archives.py wrote
 *
 * It exits with 1 at the first thing that is wrong.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <memarchive.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *part = "the beginning";

#define CHECK(condition)                                                                                                \
  do {                                                                                                                  \
    if (!(condition)) {                                                                                                 \
      fprintf(stderr, "%s:%d: %s: not so: %s\n", __FILE__, __LINE__, part, #condition);                                 \
      exit(1);                                                                                                          \
    }                                                                                                                   \
  } while (0)

/* The call succeeds, and sets the error to NULL. */
#define OK(call)                                                                                                        \
  do {                                                                                                                  \
    memarchive_error *error = (memarchive_error *)&error;                                                               \
    memarchive_code code = (call);                                                                                      \
    if (code != MEMARCHIVE_OK) {                                                                                        \
      fprintf(stderr, "%s:%d: %s: %s: %s\n", __FILE__, __LINE__, part, #call, error->message);                          \
      exit(1);                                                                                                          \
    }                                                                                                                   \
    CHECK(error == NULL);                                                                                               \
  } while (0)

/* The call fails with this code; what is wrong is compared where `reason` is not NULL. */
#define FAILS(expected, wanted, call)                                                                                   \
  do {                                                                                                                  \
    memarchive_error *error = NULL;                                                                                     \
    memarchive_code code = (call);                                                                                      \
    check_error(__LINE__, #call, code, error, expected, wanted);                                                        \
    memarchive_error_free(error);                                                                                       \
  } while (0)

static void check_error(
    int line, const char *call, memarchive_code code, const memarchive_error *error, memarchive_code expected,
    const char *reason) {
  if (code == expected && error && error->code == code && strcmp(error->code_name, memarchive_code_name(code)) == 0 &&
      error->reason && error->advice && *error->advice && strstr(error->message, error->advice) &&
      !strchr(error->message, '\n') && (!reason || strstr(error->reason, reason)))
    return;
  fprintf(
      stderr, "abi.c:%d: %s: %s: %s, not %s: %s\n", line, part, call, memarchive_code_name(code),
      memarchive_code_name(expected), error ? error->message : "no error");
  exit(1);
}

static const char *directory, *fixtures;
static int sandbox;

static char *place(char *path, const char *where, const char *name) {
  snprintf(path, 4096, "%s/%s", where, name);
  return path;
}

/* Options for this sandbox. */
static memarchive_options options(void) {
  memarchive_options options;
  memarchive_options_init(&options, sizeof options);
  CHECK(options.struct_size == sizeof options && options.sandbox == MEMARCHIVE_SANDBOX_REQUIRED && !options.cancellation);
  options.sandbox = sandbox;
  return options;
}

static memarchive_archive *opened_with(const char *name, const memarchive_options *given) {
  char path[4096];
  memarchive_archive *archive = NULL;
  OK(memarchive_open_path(place(path, directory, name), given, &archive, &error));
  CHECK(archive);
  return archive;
}

static memarchive_archive *opened(const char *name) {
  memarchive_options given = options();
  return opened_with(name, &given);
}

static memarchive_files *extracted(memarchive_archive *archive) {
  memarchive_files *files = NULL;
  OK(memarchive_extract(archive, NULL, &files, &error));
  CHECK(files);
  return files;
}

static memarchive_text text(const char *string) {
  memarchive_text text = {string, MEMARCHIVE_ZERO_TERMINATED};
  return text;
}

static int is(memarchive_text text, const char *string) {
  return text.data && text.length == strlen(string) && memcmp(text.data, string, text.length + 1) == 0;
}

static char *slurp(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  CHECK(file);
  char *bytes = (char *)malloc(1 << 20);
  CHECK(bytes);
  *size = fread(bytes, 1, 1 << 20, file);
  CHECK(!ferror(file));
  fclose(file);
  return bytes;
}

static int count_descriptors(void) {
  int count = 0;
  DIR *all = opendir("/proc/self/fd");
  CHECK(all);
  while (readdir(all)) count++;
  closedir(all);
  return count;
}

/* ---------------------------------------------------------------------------------------------------------------------- */

static void test_library(void) {
  part = "the library";
  CHECK(strcmp(memarchive_version(), MEMARCHIVE_VERSION) == 0);
  CHECK(memarchive_version_number() == MEMARCHIVE_VERSION_NUMBER);
  CHECK(strcmp(memarchive_code_name(MEMARCHIVE_CORRUPT), "corrupt") == 0);
  CHECK(strcmp(memarchive_code_name(MEMARCHIVE_OK), "ok") == 0);
  CHECK(strcmp(memarchive_code_name(-5), "unknown") == 0);
  /* Each number up to the last has a name of its own. */
  for (int code = 0; code <= MEMARCHIVE_SYSTEM; code++)
    for (int other = 0; other < code; other++)
      CHECK(strcmp(memarchive_code_name(code), memarchive_code_name(other)) != 0);

  memarchive_platform *platform = memarchive_platform_new();
  CHECK(platform && strstr(platform->description, MEMARCHIVE_VERSION) && *platform->kernel);
  CHECK(platform->has_worker == 1 && strstr(platform->sandbox, "memarchive-worker"));
  CHECK(platform->feature_count > 3 && platform->features[0]->is_available == 1 && *platform->features[0]->meaning);
  memarchive_platform_free(platform);
}

static void test_files(void) {
  part = "files";
  memarchive_archive *archive = opened("basic.zip");
  memarchive_files *files = extracted(archive);
  memarchive_archive_free(archive);
  CHECK(memarchive_files_count(files) == 5 && !memarchive_files_at(files, 5) && !memarchive_files_at(files, SIZE_MAX));

  memarchive_file *file = memarchive_files_find(files, "a.txt", MEMARCHIVE_ZERO_TERMINATED);
  CHECK(file && file == memarchive_files_at(files, 0) && file == memarchive_files_find(files, "./a.txt", 7));
  CHECK(file == memarchive_files_find(files, "a.txtmore", 5));
  CHECK(!memarchive_files_find(files, "none", 4) && !memarchive_files_find(files, "a.txt\0", 6));
  CHECK(is(memarchive_file_name(file), "a.txt"));
  CHECK(memarchive_file_size(file) == 600 && memarchive_file_mode(file) == 0640);

  const memarchive_entry *entry = memarchive_file_entry(file);
  CHECK(entry && entry == memarchive_file_entry(file) && is(entry->name, "a.txt") && entry->size == 600);

  const char *path = NULL, *again = NULL;
  OK(memarchive_file_path(file, &path, &error));
  OK(memarchive_file_path(file, &again, &error));
  CHECK(path == again);
  size_t size;
  char *content = slurp(path, &size);
  CHECK(size == 600 && memcmp(content, "hello hello ", 12) == 0);

  const void *bytes = NULL;
  OK(memarchive_file_bytes(file, &bytes, &size, &error));
  CHECK(size == 600 && memcmp(bytes, content, size) == 0);
  free(content);

  int32_t borrowed = -1, own = -1, fresh = -1;
  char byte = 0;
  OK(memarchive_file_descriptor(file, &borrowed, &error));
  CHECK(pread(borrowed, &byte, 1, 4) == 1 && byte == 'o' && write(borrowed, "x", 1) < 0);
  OK(memarchive_file_duplicate(file, 1, &own, &error));
  CHECK(own != borrowed && fcntl(own, F_GETFD) == FD_CLOEXEC && close(own) == 0);
  OK(memarchive_file_duplicate(file, 0, &own, &error));
  CHECK(fcntl(own, F_GETFD) == 0);
  OK(memarchive_file_reopen(file, &fresh, &error));
  CHECK(lseek(own, 5, SEEK_SET) == 5 && lseek(fresh, 0, SEEK_CUR) == 0 && close(fresh) == 0);

  /* An empty file's bytes are somewhere, too. */
  memarchive_file *empty = memarchive_files_find(files, "dir/empty", MEMARCHIVE_ZERO_TERMINATED);
  OK(memarchive_file_bytes(empty, &bytes, &size, &error));
  CHECK(bytes && size == 0 && memarchive_file_size(empty) == 0);

  /* A name that is not UTF-8, by its bytes. */
  memarchive_file *latin = memarchive_files_find(files, "caf\xe9.txt", MEMARCHIVE_ZERO_TERMINATED);
  CHECK(latin && is(memarchive_file_name(latin), "caf\xe9.txt"));
  CHECK(!memarchive_files_find(files, "caf\xc3\xa9.txt", MEMARCHIVE_ZERO_TERMINATED));

  /* A link is another name of what it leads to. */
  memarchive_file *link = memarchive_files_find(files, "dir/link", MEMARCHIVE_ZERO_TERMINATED);
  CHECK(link && is(memarchive_file_name(link), "dir/link") && memarchive_file_size(link) == 1);

  const memarchive_listing *listing = memarchive_files_listing(files);
  CHECK(listing && listing == memarchive_files_listing(files) && listing->entry_count == 5);
  CHECK(listing->error_count == 0 && !listing->errors);
  CHECK((listing->protection != NULL) == (sandbox != MEMARCHIVE_SANDBOX_OFF));

  /* What is retained stays when the others go; the descriptor of one's own stays when all is gone. */
  CHECK(memarchive_file_retain(file) == file);
  memarchive_files_free(files);
  CHECK(memarchive_file_size(file) == 600);
  content = slurp(path, &size);
  CHECK(size == 600);
  free(content);
  memarchive_file_free(file);
  CHECK(fcntl(borrowed, F_GETFD) < 0 && errno == EBADF);
  CHECK(pread(own, &byte, 1, 4) == 1 && byte == 'o' && close(own) == 0);

  part = "a file of one's own";
  OK(memarchive_file_new("caf\xe9", MEMARCHIVE_ZERO_TERMINATED, "bytes", 5, &file, &error));
  CHECK(is(memarchive_file_name(file), "caf\xe9") && memarchive_file_size(file) == 5);
  CHECK(memarchive_file_mode(file) == -1 && !memarchive_file_entry(file));
  OK(memarchive_file_bytes(file, &bytes, &size, &error));
  CHECK(size == 5 && memcmp(bytes, "bytes", 5) == 0);
  memarchive_file_free(file);
  OK(memarchive_file_new("", 0, NULL, 0, &file, &error));
  CHECK(memarchive_file_size(file) == 0);
  memarchive_file_free(file);
}

static void test_storage(void) {
  part = "storage";
  for (int storage = MEMARCHIVE_STORAGE_AUTOMATIC; storage <= MEMARCHIVE_STORAGE_PACKED; storage++) {
    memarchive_options given = options();
    given.storage = storage;
    given.parallelism = storage + 1;
    given.descriptor_budget = -1;
    memarchive_archive *archive = opened_with("many.zip", &given);
    if (storage == MEMARCHIVE_STORAGE_DEDICATED) {
      memarchive_archive_free(archive);
      given.executable = 1;
      given.mode = 0700;
      archive = opened_with("basic.zip", &given);
    }
    int before = count_descriptors();
    memarchive_files *files = extracted(archive);
    if (storage == MEMARCHIVE_STORAGE_DEDICATED) {
      const char *path = NULL;
      struct stat status;
      OK(memarchive_file_path(memarchive_files_at(files, 0), &path, &error));
      CHECK(stat(path, &status) == 0 && (status.st_mode & 07777) == 0700);
    } else {
      /* Packed: fewer descriptors than files. */
      CHECK(count_descriptors() < before + 100);
      for (size_t index = 0; index < memarchive_files_count(files); index += 100) {
        memarchive_file *file = memarchive_files_at(files, index);
        char expected[24];
        const void *bytes = NULL;
        size_t size = 0;
        snprintf(expected, sizeof expected, "%zu", index);
        OK(memarchive_file_bytes(file, &bytes, &size, &error));
        CHECK(size == strlen(expected) && memcmp(bytes, expected, size) == 0);
        const char *path = NULL;
        OK(memarchive_file_path(file, &path, &error));
        char *content = slurp(path, &size);
        CHECK(size == strlen(expected) && memcmp(content, bytes, size) == 0);
        free(content);
      }
    }
    memarchive_files_free(files);
    memarchive_archive_free(archive);
  }
}

static void test_entries(void) {
  part = "entries";
  memarchive_archive *archive = opened("basic.zip");
  memarchive_listing *listing = NULL;
  OK(memarchive_list(archive, NULL, &listing, &error));
  CHECK(listing->entry_count == 5 && listing->skipped_count == 0);
  const memarchive_entry *entry = listing->entries[0];
  CHECK(entry->kind == MEMARCHIVE_KIND_FILE && entry->mode == 0640 && entry->size == 600 && entry->has_content == 1);
  CHECK(entry->compressed_size > 0 && entry->compressed_size < 600 && entry->has_crc32 == 1 && entry->crc32 != 0);
  CHECK(strcmp(entry->compression, "deflate") == 0 && is(entry->comment, "the first") && entry->is_encrypted == 0);
  CHECK(entry->modified.nanoseconds >= 0 && entry->modified.seconds > 1709100000 && entry->accessed.nanoseconds == -1);
  CHECK(!entry->link.data && !entry->user.data && entry->user_id == -1 && entry->is_safe_relative == 1);
  entry = listing->entries[3];
  CHECK(entry->kind == MEMARCHIVE_KIND_SYMLINK && is(entry->name, "dir/link") && is(entry->link, "b.txt"));
  entry = listing->entries[4];
  CHECK(is(entry->name, "caf\xe9.txt") && is(entry->raw_name, "caf\xe9.txt"));
  memarchive_listing_free(listing);
  memarchive_archive_free(archive);

  memarchive_options given = options();
  given.encoding = "ISO-8859-1";
  archive = opened_with("basic.zip", &given);
  OK(memarchive_list(archive, NULL, &listing, &error));
  CHECK(is(listing->entries[4]->name, "caf\xc3\xa9.txt") && is(listing->entries[4]->raw_name, "caf\xe9.txt"));
  memarchive_listing_free(listing);
  memarchive_archive_free(archive);

  archive = opened("owned.tar.gz");
  OK(memarchive_list(archive, NULL, &listing, &error));
  entry = listing->entries[0];
  CHECK(entry->user_id == 1234 && entry->group_id == 5678 && is(entry->user, "someone") && is(entry->group, "somegroup"));
  CHECK(entry->modified.seconds == 1700000000 && entry->has_crc32 == 0 && entry->compressed_size == -1);
  memarchive_listing_free(listing);
  memarchive_archive_free(archive);
}

static void test_selection(void) {
  part = "selection";
  memarchive_archive *archive = opened("basic.zip");
  memarchive_text names[] = {text("a.txt"), text("caf\xe9.txt")}, patterns[] = {text("*.txt")}, excluded[] = {text("dir/*")};
  memarchive_selection selection;
  memset(&selection, 0, sizeof selection);
  selection.struct_size = sizeof selection;
  memarchive_files *files = NULL;
  OK(memarchive_extract(archive, &selection, &files, &error));
  CHECK(memarchive_files_count(files) == 5);
  memarchive_files_free(files);

  selection.names = names;
  selection.name_count = 2;
  OK(memarchive_extract(archive, &selection, &files, &error));
  CHECK(memarchive_files_count(files) == 2 && is(memarchive_file_name(memarchive_files_at(files, 1)), "caf\xe9.txt"));
  memarchive_files_free(files);

  selection.patterns = patterns;
  selection.pattern_count = 1;
  FAILS(MEMARCHIVE_INVALID_ARGUMENT, "not both", memarchive_extract(archive, &selection, &files, &error));
  CHECK(!files);
  selection.name_count = 0;
  selection.excluded = excluded;
  selection.excluded_count = 1;
  memarchive_listing *listing = NULL;
  OK(memarchive_list(archive, &selection, &listing, &error));
  CHECK(listing->entry_count == 2);
  memarchive_listing_free(listing);

  patterns[0] = text("*.none");
  FAILS(MEMARCHIVE_NO_SUCH_ENTRY, "*.none", memarchive_list(archive, &selection, &listing, &error));
  CHECK(!listing);
  memarchive_archive_free(archive);

  memarchive_options given = options();
  given.allow_unmatched = 1;
  archive = opened_with("basic.zip", &given);
  OK(memarchive_extract(archive, &selection, &files, &error));
  const memarchive_listing *all = memarchive_files_listing(files);
  CHECK(memarchive_files_count(files) == 0 && all->warning_count == 1 && all->entry_count == 5);
  CHECK(strcmp(all->warnings[0]->code_name, "noMatch") == 0 && *all->warnings[0]->text && !all->warnings[0]->entry.data);
  memarchive_files_free(files);
  memarchive_archive_free(archive);

  names[0].length = 3;
  selection.pattern_count = selection.excluded_count = 0;
  selection.name_count = 1;
  archive = opened("basic.zip");
  memarchive_error *error = NULL;
  CHECK(memarchive_extract(archive, &selection, &files, &error) == MEMARCHIVE_NO_SUCH_ENTRY);
  CHECK(is(error->entry, "a.t") && error->error_number == 0 && !error->call && !error->path && strstr(error->message, "a.t"));
  memarchive_error_free(error);
  memarchive_archive_free(archive);
}

struct source {
  const char *bytes;
  int64_t size;
  /* What it returns at the end of `size` bytes in place of 0, and how much at once. */
  int64_t end;
  int64_t most;
  int calls;
};

static int64_t read_source(void *user, int64_t offset, void *buffer, size_t count) {
  struct source *source = (struct source *)user;
  source->calls++;
  if (source->most < 0) return (int64_t)count + 1;
  if (offset >= source->size) return source->end;
  if ((int64_t)count > source->size - offset) count = (size_t)(source->size - offset);
  if (source->most && (int64_t)count > source->most) count = (size_t)source->most;
  memcpy(buffer, source->bytes + offset, count);
  return (int64_t)count;
}

static void test_sources(void) {
  part = "sources";
  char path[4096];
  memarchive_options given = options();
  size_t size;
  char *bytes = slurp(place(path, directory, "basic.zip"), &size);
  memarchive_archive *archive = NULL;

  char *copy = (char *)malloc(size);
  CHECK(copy);
  memcpy(copy, bytes, size);
  OK(memarchive_open_bytes(copy, size, &given, &archive, &error));
  memset(copy, 0, size);
  free(copy);
  memarchive_files *files = extracted(archive);
  CHECK(memarchive_files_count(files) == 5);
  memarchive_files_free(files);
  memarchive_archive_free(archive);

  int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  CHECK(descriptor >= 0 && lseek(descriptor, 10, SEEK_SET) == 10);
  OK(memarchive_open_descriptor(descriptor, &given, &archive, &error));
  close(descriptor);
  for (int twice = 0; twice < 2; twice++) {
    files = extracted(archive);
    CHECK(memarchive_files_count(files) == 5);
    memarchive_files_free(files);
  }
  memarchive_archive_free(archive);

  /* A pipe, once. */
  int pipes[2];
  CHECK(pipe2(pipes, O_CLOEXEC) == 0 && write(pipes[1], bytes, size) == (ssize_t)size);
  close(pipes[1]);
  OK(memarchive_open_descriptor(pipes[0], &given, &archive, &error));
  close(pipes[0]);
  memarchive_files_free(extracted(archive));
  FAILS(MEMARCHIVE_SOURCE_CONSUMED, NULL, memarchive_extract(archive, NULL, &files, &error));
  memarchive_archive_free(archive);

  const char *halves[2];
  char first[4096], second[4096];
  halves[0] = place(first, directory, "first-half");
  halves[1] = place(second, directory, "second-half");
  for (int half = 0; half < 2; half++) {
    FILE *output = fopen(halves[half], "wb");
    CHECK(output && fwrite(bytes + (half ? size / 2 : 0), half ? size - size / 2 : size / 2, 1, output) == 1);
    fclose(output);
  }
  OK(memarchive_open_paths(halves, 2, &given, &archive, &error));
  memarchive_files_free(extracted(archive));
  memarchive_archive_free(archive);

  struct source state = {bytes, (int64_t)size, 0, 7, 0};
  memarchive_source source = {sizeof source, read_source, &state, (int64_t)size, 0};
  for (int known = 0; known < 2; known++) {
    source.size = known ? (int64_t)size : -1;
    OK(memarchive_open_source(&source, &given, &archive, &error));
    files = extracted(archive);
    CHECK(memarchive_files_count(files) == 5 && state.calls > 2);
    memarchive_files_free(files);
    memarchive_archive_free(archive);
  }
  part = "sources that fail";
  source.size = (int64_t)size + 1;
  FAILS(MEMARCHIVE_TRUNCATED, "the source ends", memarchive_open_source(&source, &given, &archive, &error));
  CHECK(!archive);
  state.end = -EIO;
  memarchive_error *failure = NULL;
  CHECK(memarchive_open_source(&source, &given, &archive, &failure) == MEMARCHIVE_CALLBACK_FAILED);
  CHECK(failure->error_number == EIO && strstr(failure->reason, "offset"));
  memarchive_error_free(failure);
  state.end = INT64_MIN;
  FAILS(MEMARCHIVE_CALLBACK_FAILED, NULL, memarchive_open_source(&source, &given, &archive, &error));
  state.most = -1;
  FAILS(MEMARCHIVE_CALLBACK_FAILED, "more than", memarchive_open_source(&source, &given, &archive, &error));
  state.most = 0;
  given.limit_held_bytes = 100;
  FAILS(MEMARCHIVE_LIMIT_EXCEEDED, "heldBytes", memarchive_open_source(&source, &given, &archive, &error));
  FAILS(MEMARCHIVE_LIMIT_EXCEEDED, "heldBytes", memarchive_open_bytes(bytes, size, &given, &archive, &error));

  part = "sources on demand";
  given = options();
  source.on_demand = 1;
  source.size = (int64_t)size;
  state.end = 0;
  state.calls = 0;
  for (int most = 0; most < 8; most += 7) {
    state.most = most;
    OK(memarchive_open_source(&source, &given, &archive, &error));
    /* Nothing has been read yet, and each call reads it anew. */
    CHECK(state.calls == 0);
    for (int round = 0; round < 2; round++) {
      files = extracted(archive);
      CHECK(memarchive_files_count(files) == 5 && state.calls > 0);
      memarchive_files_free(files);
    }
    memarchive_archive_free(archive);
    state.calls = 0;
  }
  state.most = 0;
  source.size = (int64_t)size + 1;
  state.end = -EIO;
  OK(memarchive_open_source(&source, &given, &archive, &error));
  CHECK(memarchive_extract(archive, NULL, &files, &failure) == MEMARCHIVE_SOURCE_FAILED && !files);
  CHECK(failure->error_number == EIO && strstr(failure->reason, "offset"));
  memarchive_error_free(failure);
  state.end = 0;
  FAILS(MEMARCHIVE_TRUNCATED, NULL, memarchive_extract(archive, NULL, &files, &error));
  state.most = -1;
  FAILS(MEMARCHIVE_SOURCE_FAILED, "more than", memarchive_extract(archive, NULL, &files, &error));
  memarchive_archive_free(archive);
  state.most = 0;
  source.size = -1;
  FAILS(MEMARCHIVE_INVALID_ARGUMENT, "its size", memarchive_open_source(&source, &given, &archive, &error));
  free(bytes);

  part = "sources that are none";
  given = options();
  FAILS(MEMARCHIVE_SYSTEM, NULL, memarchive_open_descriptor(-1, &given, &archive, &error));
  FAILS(MEMARCHIVE_SYSTEM, NULL, memarchive_open_descriptor(INT32_MAX, &given, &archive, &error));
  FAILS(MEMARCHIVE_SYSTEM, NULL, memarchive_open_path("", &given, &archive, &error));
  FAILS(MEMARCHIVE_SYSTEM, NULL, memarchive_open_path("/", &given, &archive, &error));
  CHECK(memarchive_open_path("/no/such/file", &given, &archive, &failure) == MEMARCHIVE_SYSTEM && !archive);
  CHECK(failure->error_number == ENOENT && strcmp(failure->call, "open") == 0);
  CHECK(strcmp(failure->path, "/no/such/file") == 0 && !failure->entry.data);
  memarchive_error_free(failure);
  CHECK(memarchive_open_path("/no/such/file", &given, &archive, NULL) == MEMARCHIVE_SYSTEM);
  OK(memarchive_open_bytes("no archive", 10, &given, &archive, &error));
  FAILS(MEMARCHIVE_UNRECOGNIZED_FORMAT, NULL, memarchive_extract(archive, NULL, &files, &error));
  memarchive_archive_free(archive);
  /* Nothing at all is an archive of nothing. */
  OK(memarchive_open_bytes(NULL, 0, &given, &archive, &error));
  files = extracted(archive);
  CHECK(memarchive_files_count(files) == 0);
  memarchive_files_free(files);
  memarchive_archive_free(archive);

  part = "an archive in an archive";
  archive = opened("nested.zip");
  files = extracted(archive);
  memarchive_archive *inner = NULL;
  OK(memarchive_open_file(memarchive_files_at(files, 0), &given, &inner, &error));
  memarchive_files_free(files);
  memarchive_archive_free(archive);
  files = extracted(inner);
  CHECK(memarchive_files_count(files) == 5);
  memarchive_files_free(files);
  memarchive_archive_free(inner);
  given.nested = 1;
  archive = opened_with("nested.zip", &given);
  files = extracted(archive);
  CHECK(memarchive_files_find(files, "inner.zip/caf\xe9.txt", MEMARCHIVE_ZERO_TERMINATED));
  memarchive_files_free(files);
  memarchive_archive_free(archive);
}

struct blocks {
  memarchive_stream *stream;
  int64_t seen;
  int32_t answer;
};

static int32_t take_block(void *user, const void *block, size_t size, int64_t offset) {
  struct blocks *blocks = (struct blocks *)user;
  CHECK(offset == blocks->seen && memcmp(block, "hello ", 6) == 0);
  blocks->seen += (int64_t)size;
  /* It may call anything but what is for this stream. */
  const memarchive_entry *entry = (const memarchive_entry *)&entry;
  FAILS(MEMARCHIVE_INVALID_ARGUMENT, "in use", memarchive_stream_next(blocks->stream, &entry, &error));
  CHECK(!entry && !memarchive_stream_listing(blocks->stream));
  memarchive_archive *archive = opened("many.zip");
  memarchive_files_free(extracted(archive));
  memarchive_archive_free(archive);
  return blocks->answer;
}

static void test_stream(void) {
  part = "a stream";
  memarchive_archive *archive = opened("basic.zip");
  memarchive_stream *stream = NULL;
  OK(memarchive_stream_new(archive, &stream, &error));
  memarchive_archive_free(archive);
  const memarchive_entry *entry = NULL;
  OK(memarchive_stream_next(stream, &entry, &error));
  CHECK(is(entry->name, "a.txt") && entry->size == 600);
  struct blocks blocks = {stream, 0, 0};
  int64_t size = -1;
  OK(memarchive_stream_blocks(stream, take_block, &blocks, &size, &error));
  CHECK(size == 600 && blocks.seen == 600);
  FAILS(MEMARCHIVE_NO_SUCH_ENTRY, NULL, memarchive_stream_blocks(stream, take_block, &blocks, NULL, &error));
  OK(memarchive_stream_next(stream, &entry, &error));
  memarchive_file *file = NULL;
  OK(memarchive_stream_extract(stream, &file, &error));
  CHECK(is(memarchive_file_name(file), "dir/b.txt") && memarchive_file_size(file) == 1);
  memarchive_file *again = NULL;
  FAILS(MEMARCHIVE_NO_SUCH_ENTRY, NULL, memarchive_stream_extract(stream, &again, &error));
  OK(memarchive_stream_next(stream, &entry, &error));
  OK(memarchive_stream_next(stream, &entry, &error));
  CHECK(entry->kind == MEMARCHIVE_KIND_SYMLINK);
  FAILS(MEMARCHIVE_NOT_A_FILE, NULL, memarchive_stream_extract(stream, &again, &error));
  OK(memarchive_stream_next(stream, &entry, &error));
  CHECK(is(entry->name, "caf\xe9.txt"));
  OK(memarchive_stream_next(stream, &entry, &error));
  CHECK(!entry);
  const memarchive_listing *listing = memarchive_stream_listing(stream);
  CHECK(listing && listing->entry_count == 0 && (listing->protection != NULL) == (sandbox != MEMARCHIVE_SANDBOX_OFF));
  memarchive_stream_free(stream);
  memarchive_file_free(file);

  part = "a stream whose callback stops";
  archive = opened("basic.zip");
  OK(memarchive_stream_new(archive, &stream, &error));
  OK(memarchive_stream_next(stream, &entry, &error));
  struct blocks stopping = {stream, 0, 42};
  memarchive_error *failure = NULL;
  CHECK(memarchive_stream_blocks(stream, take_block, &stopping, &size, &failure) == MEMARCHIVE_CALLBACK_FAILED);
  CHECK(failure->error_number == 42 && size == 0);
  memarchive_error_free(failure);
  OK(memarchive_stream_next(stream, &entry, &error));
  CHECK(is(entry->name, "dir/b.txt"));
  memarchive_stream_free(stream);
  memarchive_archive_free(archive);

  part = "a stream behind damage";
  archive = opened("bad.zip");
  OK(memarchive_stream_new(archive, &stream, &error));
  OK(memarchive_stream_next(stream, &entry, &error));
  OK(memarchive_stream_next(stream, &entry, &error));
  FAILS(MEMARCHIVE_CORRUPT, NULL, memarchive_stream_extract(stream, &file, &error));
  OK(memarchive_stream_next(stream, &entry, &error));
  CHECK(is(entry->name, "fine"));
  OK(memarchive_stream_extract(stream, &file, &error));
  memarchive_file_free(file);
  memarchive_stream_free(stream);
  memarchive_archive_free(archive);

  part = "a zip that arrives";
  size_t count;
  char path[4096], *bytes = slurp(place(path, directory, "many.zip"), &count);
  char *index = (char *)memmem(bytes, count, "PK\1\2", 4);
  CHECK(index);
  size_t before = (size_t)(index - bytes);
  int pipes[2];
  CHECK(pipe2(pipes, O_CLOEXEC) == 0 && fcntl(pipes[1], F_SETPIPE_SZ, 1 << 20) > 0);
  CHECK(write(pipes[1], bytes, before) == (ssize_t)before);
  memarchive_options given = options();
  given.arriving_zips = 1;
  /* What waits for the directory does not come back. */
  given.timeout_milliseconds = 120000;
  OK(memarchive_open_descriptor(pipes[0], &given, &archive, &error));
  OK(memarchive_stream_new(archive, &stream, &error));
  OK(memarchive_stream_next(stream, &entry, &error));
  CHECK(is(entry->name, "0000"));
  OK(memarchive_stream_extract(stream, &file, &error));
  CHECK(memarchive_file_size(file) == 1);
  memarchive_file_free(file);
  /* A directory that has an entry of another name instead. */
  char *name = (char *)memmem(index, count - before, "0000PK", 6);
  CHECK(name);
  memcpy(name, "evil", 4);
  CHECK(write(pipes[1], index, count - before) == (ssize_t)(count - before));
  close(pipes[1]);
  for (int number = 1; number < 2000; number++) OK(memarchive_stream_next(stream, &entry, &error));
  CHECK(is(entry->name, "1999"));
  FAILS(MEMARCHIVE_CORRUPT, NULL, memarchive_stream_next(stream, &entry, &error));
  memarchive_stream_free(stream);
  memarchive_archive_free(archive);
  close(pipes[0]);
  free(bytes);
}

static void test_trees(void) {
  part = "a tree";
  memarchive_archive *archive = opened("basic.zip");
  memarchive_tree *tree = NULL;
  memarchive_error *failure = NULL;
  if (memarchive_tree_new(archive, NULL, 0, &tree, &failure) == MEMARCHIVE_TREE_UNAVAILABLE) {
    printf("no trees here: %s\n", failure->message);
    memarchive_error_free(failure);
    memarchive_archive_free(archive);
    return;
  }
  CHECK(tree && !failure);
  const char *top = NULL, *path = NULL, *again = NULL;
  size_t size;
  OK(memarchive_tree_path(tree, NULL, 0, &top, &error));
  OK(memarchive_tree_path(tree, "caf\xe9.txt", MEMARCHIVE_ZERO_TERMINATED, &path, &error));
  OK(memarchive_tree_path(tree, "caf\xe9.txt", 8, &again, &error));
  CHECK(path == again && strncmp(path, top, strlen(top)) == 0 && strstr(path, "/caf\xe9.txt"));
  free(slurp(path, &size));
  CHECK(size == 6);
  OK(memarchive_tree_path(tree, "dir/link", MEMARCHIVE_ZERO_TERMINATED, &path, &error));
  free(slurp(path, &size));
  CHECK(size == 1);
  CHECK(access(top, W_OK) < 0 && fcntl(memarchive_tree_descriptor(tree), F_GETFD) == FD_CLOEXEC);
  FAILS(MEMARCHIVE_NO_SUCH_ENTRY, NULL, memarchive_tree_path(tree, "none", 4, &path, &error));
  CHECK(!path);
  CHECK(memarchive_tree_listing(tree)->entry_count == 5 && memarchive_tree_listing(tree)->skipped_count == 0);
  memarchive_tree_free(tree);
  OK(memarchive_tree_new(archive, NULL, 1, &tree, &error));
  OK(memarchive_tree_path(tree, "dir/b.txt", MEMARCHIVE_ZERO_TERMINATED, &path, &error));
  int changed = open(path, O_WRONLY | O_CLOEXEC);
  CHECK(changed >= 0 && write(changed, "c", 1) == 1 && close(changed) == 0);
  memarchive_tree_free(tree);
  memarchive_archive_free(archive);

  archive = opened("outward.zip");
  OK(memarchive_tree_new(archive, NULL, 0, &tree, &error));
  CHECK(memarchive_tree_listing(tree)->skipped_count == 1);
  CHECK(is(memarchive_tree_listing(tree)->skipped[0]->entry, "../out"));
  memarchive_tree_free(tree);
  memarchive_archive_free(archive);
  memarchive_options given = options();
  given.reject_insecure_names = 1;
  archive = opened_with("outward.zip", &given);
  FAILS(MEMARCHIVE_INSECURE_NAME, NULL, memarchive_tree_new(archive, NULL, 0, &tree, &error));
  CHECK(!tree);
  memarchive_archive_free(archive);
}

static void test_passing(void) {
  part = "passing";
  int sockets[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
  memarchive_archive *archive = opened("basic.zip");
  memarchive_files *files = extracted(archive), *received = NULL;
  memarchive_archive_free(archive);
  OK(memarchive_files_send(files, sockets[0], &error));
  OK(memarchive_receive(sockets[1], NULL, &received, &error));
  CHECK(memarchive_files_count(received) == 5 && memarchive_files_listing(received)->entry_count == 0);
  memarchive_file *file = memarchive_files_find(received, "caf\xe9.txt", MEMARCHIVE_ZERO_TERMINATED);
  CHECK(file && memarchive_file_size(file) == 6 && !memarchive_file_entry(file));
  memarchive_files_free(received);

  OK(memarchive_file_send(memarchive_files_at(files, 0), sockets[0], &error));
  memarchive_options given = options();
  given.limit_entry_bytes = 599;
  FAILS(MEMARCHIVE_LIMIT_EXCEEDED, NULL, memarchive_receive(sockets[1], &given, &received, &error));
  CHECK(!received);
  close(sockets[0]);
  OK(memarchive_receive(sockets[1], NULL, &received, &error));
  CHECK(!received);
  FAILS(MEMARCHIVE_SYSTEM, NULL, memarchive_file_send(memarchive_files_at(files, 0), sockets[1], &error));
  close(sockets[1]);
  CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
  CHECK(write(sockets[0], "what is this, please?", 21) == 21);
  FAILS(MEMARCHIVE_UNTRUSTED, NULL, memarchive_receive(sockets[1], NULL, &received, &error));
  FAILS(MEMARCHIVE_SYSTEM, NULL, memarchive_files_send(files, -1, &error));
  FAILS(MEMARCHIVE_SYSTEM, NULL, memarchive_receive(-1, NULL, &received, &error));
  close(sockets[0]);
  close(sockets[1]);
  memarchive_files_free(files);
}

static void test_errors(void) {
  part = "errors";
  memarchive_files *files = NULL;
  memarchive_archive *archive = opened("bad.zip");
  memarchive_error *failure = NULL;
  CHECK(memarchive_extract(archive, NULL, &files, &failure) == MEMARCHIVE_CORRUPT && !files);
  CHECK(is(failure->entry, "bad") && strstr(failure->message, "bad"));
  memarchive_error_free(failure);
  memarchive_archive_free(archive);

  memarchive_options given = options();
  given.keep_going = 1;
  archive = opened_with("bad.zip", &given);
  files = extracted(archive);
  const memarchive_listing *listing = memarchive_files_listing(files);
  CHECK(memarchive_files_count(files) == 2 && listing->error_count == 1);
  CHECK(listing->errors[0]->code == MEMARCHIVE_CORRUPT && is(listing->errors[0]->entry, "bad"));
  memarchive_files_free(files);
  memarchive_archive_free(archive);

  archive = opened("cut.zip");
  FAILS(MEMARCHIVE_TRUNCATED, NULL, memarchive_extract(archive, NULL, &files, &error));
  memarchive_archive_free(archive);
  archive = opened("text");
  FAILS(MEMARCHIVE_UNRECOGNIZED_FORMAT, NULL, memarchive_extract(archive, NULL, &files, &error));
  memarchive_stream *stream = NULL;
  FAILS(MEMARCHIVE_UNRECOGNIZED_FORMAT, NULL, memarchive_stream_new(archive, &stream, &error));
  CHECK(!stream);
  memarchive_archive_free(archive);

  given = options();
  given.formats = MEMARCHIVE_FORMAT_TAR;
  archive = opened_with("basic.zip", &given);
  CHECK(memarchive_extract(archive, NULL, &files, &failure) == MEMARCHIVE_UNSUPPORTED_FORMAT);
  CHECK(strstr(failure->advice, "the option formats"));
  memarchive_error_free(failure);
  memarchive_archive_free(archive);

  given = options();
  given.duplicates = MEMARCHIVE_DUPLICATES_REJECT;
  archive = opened_with("twice.zip", &given);
  FAILS(MEMARCHIVE_DUPLICATE_ENTRY, NULL, memarchive_extract(archive, NULL, &files, &error));
  memarchive_archive_free(archive);
  for (int first = 0; first < 2; first++) {
    given.duplicates = first ? MEMARCHIVE_DUPLICATES_FIRST : MEMARCHIVE_DUPLICATES_LAST;
    archive = opened_with("twice.zip", &given);
    files = extracted(archive);
    CHECK(memarchive_file_size(memarchive_files_find(files, "x", 1)) == (first ? 5 : 0));
    memarchive_files_free(files);
    memarchive_archive_free(archive);
  }

  part = "limits";
  struct { const char *name; size_t place; int64_t value; } limits[] = {
      {"totalBytes", offsetof(memarchive_options, limit_total_bytes), 500},
      {"heldBytes", offsetof(memarchive_options, limit_held_bytes), 500},
      {"entryBytes", offsetof(memarchive_options, limit_entry_bytes), 599},
      {"entries", offsetof(memarchive_options, limit_entries), 4},
      {"nameBytes", offsetof(memarchive_options, limit_name_bytes), 3},
      {"attributeBytes", offsetof(memarchive_options, limit_attribute_bytes), 8},
  };
  for (size_t index = 0; index < sizeof limits / sizeof *limits; index++) {
    const int64_t values[] = {-1, INT64_MAX, limits[index].value, -2, INT64_MIN};
    for (int which = 0; which < 5; which++) {
      given = options();
      memcpy((char *)&given + limits[index].place, &values[which], sizeof(int64_t));
      if (which > 2) {
        char path[4096];
        FAILS(
            MEMARCHIVE_INVALID_ARGUMENT, "limit_",
            memarchive_open_path(place(path, directory, "basic.zip"), &given, &archive, &error));
        continue;
      }
      archive = opened_with("basic.zip", &given);
      if (which == 2)
        FAILS(MEMARCHIVE_LIMIT_EXCEEDED, limits[index].name, memarchive_extract(archive, NULL, &files, &error));
      else
        memarchive_files_free(extracted(archive));
      memarchive_archive_free(archive);
    }
  }
  given = options();
  given.limit_depth = INT64_MAX;
  given.limit_ratio = 1e300;
  given.timeout_milliseconds = INT64_MAX;
  given.parallelism = INT32_MAX;
  given.descriptor_budget = INT32_MAX;
  archive = opened_with("owned.tar.gz", &given);
  memarchive_files_free(extracted(archive));
  memarchive_archive_free(archive);

  part = "passphrases";
  char path[4096];
  const char *passphrases[] = {"nonsense"};
  given = options();
  given.formats = MEMARCHIVE_FORMATS_ALL;
  for (int wrong = 0; wrong < 2; wrong++) {
    given.passphrases = passphrases;
    given.passphrase_count = (size_t)wrong;
    OK(memarchive_open_path(place(path, fixtures, "odd/7z/aes.7z"), &given, &archive, &error));
    FAILS(
        wrong ? MEMARCHIVE_WRONG_PASSPHRASE : MEMARCHIVE_PASSPHRASE_REQUIRED, NULL,
        memarchive_extract(archive, NULL, &files, &error));
    memarchive_archive_free(archive);
  }

  part = "the worker";
  given = options();
  given.worker = "/no/such/worker";
  if (sandbox == MEMARCHIVE_SANDBOX_REQUIRED) {
    archive = opened_with("basic.zip", &given);
    FAILS(MEMARCHIVE_SANDBOX_UNAVAILABLE, "/no/such/worker", memarchive_extract(archive, NULL, &files, &error));
    memarchive_archive_free(archive);
    given.sandbox = MEMARCHIVE_SANDBOX_BEST_EFFORT;
    archive = opened_with("basic.zip", &given);
    files = extracted(archive);
    listing = memarchive_files_listing(files);
    CHECK(!listing->protection && strcmp(listing->warnings[0]->code_name, "noSandbox") == 0);
    memarchive_files_free(files);
    memarchive_archive_free(archive);
  }
}

/* Each of these is refused, with a word that says what is meant. */
static void test_options(void) {
  part = "options";
  char path[4096];
  place(path, directory, "basic.zip");
  memarchive_archive *archive = NULL;
#define REFUSED(word, change)                                                                                           \
  do {                                                                                                                  \
    memarchive_options given = options();                                                                               \
    change;                                                                                                             \
    FAILS(MEMARCHIVE_INVALID_ARGUMENT, word, memarchive_open_path(path, &given, &archive, &error));                     \
    CHECK(!archive);                                                                                                    \
  } while (0)
  const char *none[] = {NULL}, *latin[] = {"caf\xe9"};
  REFUSED("struct_size", given.struct_size = 0);
  REFUSED("struct_size", given.struct_size = sizeof &given);
  REFUSED("struct_size", given.struct_size = sizeof given - 1);
  REFUSED("struct_size", given.struct_size = SIZE_MAX);
  REFUSED("sandbox", given.sandbox = 3);
  REFUSED("sandbox", given.sandbox = -1);
  REFUSED("storage", given.storage = 3);
  REFUSED("duplicates", given.duplicates = INT32_MIN);
  REFUSED("formats", given.formats = 0x4000);
  REFUSED("formats", given.formats = UINT32_MAX);
  REFUSED("parallelism", given.parallelism = -1);
  REFUSED("descriptor_budget", given.descriptor_budget = -2);
  REFUSED("mode", given.mode = 010000);
  REFUSED("executable", given.executable = 2);
  REFUSED("nested", given.nested = -1);
  REFUSED("keep_going", given.keep_going = 2);
  REFUSED("allow_unmatched", given.allow_unmatched = 2);
  REFUSED("reject_broken_links", given.reject_broken_links = 2);
  REFUSED("reject_insecure_names", given.reject_insecure_names = 2);
  REFUSED("allow_overlapping", given.allow_overlapping = 2);
  REFUSED("keep_outward_links", given.keep_outward_links = 2);
  REFUSED("arriving_zips", given.arriving_zips = 2);
  REFUSED("timeout_milliseconds", given.timeout_milliseconds = -1);
  REFUSED("limit_depth", given.limit_depth = -2);
  REFUSED("limit_ratio", given.limit_ratio = (double)NAN);
  REFUSED("limit_ratio", given.limit_ratio = -2);
  REFUSED("passphrases", given.passphrase_count = 1);
  REFUSED("passphrases", given.passphrase_count = SIZE_MAX);
  REFUSED("passphrase", (given.passphrases = none, given.passphrase_count = 1));
  REFUSED("UTF-8", (given.passphrases = latin, given.passphrase_count = 1));
  REFUSED("UTF-8", given.encoding = "caf\xe9");
  REFUSED("UTF-8", given.worker = "caf\xe9");

  part = "options of other versions";
  struct { memarchive_options known; char more[64]; } longer;
  memset(&longer, 0, sizeof longer);
  longer.known.struct_size = sizeof longer;
  longer.known.sandbox = sandbox;
  OK(memarchive_open_path(path, &longer.known, &archive, &error));
  memarchive_archive_free(archive);
  longer.more[63] = 1;
  FAILS(MEMARCHIVE_INVALID_ARGUMENT, "later version", memarchive_open_path(path, &longer.known, &archive, &error));

  part = "the beginning of options";
  char bytes[16];
  memset(bytes, 0x55, sizeof bytes);
  memarchive_options_init((memarchive_options *)(void *)bytes, 7);
  CHECK(bytes[0] == 0x55);
  memarchive_options_init(NULL, sizeof(memarchive_options));
}

struct stop {
  memarchive_cancellation *cancellation;
  int pipe;
};

/* Cancels in the middle of a zip. */
static void *stop(void *user) {
  struct stop *stop = (struct stop *)user;
  char path[4096];
  size_t size;
  char *bytes = slurp(place(path, directory, "basic.zip"), &size);
  /* More than a pipe holds, so some of it is being read when this has been written. */
  memset(bytes + size, 0, (1 << 20) - size);
  for (size_t written = 0; written < 1 << 20;) {
    ssize_t more = write(stop->pipe, bytes + written, (1 << 20) - written);
    CHECK(more > 0);
    written += (size_t)more;
  }
  free(bytes);
  memarchive_cancellation_cancel(stop->cancellation);
  return NULL;
}

static int32_t refuse(void *user, const memarchive_progress *progress) {
  CHECK(progress->bytes_total > 0 && progress->bytes_read >= 0 && progress->entries >= 0);
  ++*(int *)user;
  return 1;
}

static int64_t slow_source(void *user, int64_t offset, void *buffer, size_t count) {
  struct timespec start, now;
  (void)user, (void)offset;
  clock_gettime(CLOCK_MONOTONIC, &start);
  do clock_gettime(CLOCK_MONOTONIC, &now);
  while ((now.tv_sec - start.tv_sec) * 1000000000 + now.tv_nsec - start.tv_nsec < 2000000);
  memset(buffer, 0, count);
  return (int64_t)count;
}

static void test_stopping(void) {
  part = "cancellation";
  memarchive_options given = options();
  given.cancellation = memarchive_cancellation_new();
  CHECK(given.cancellation && memarchive_cancellation_is_cancelled(given.cancellation) == 0);
  int pipes[2];
  memarchive_archive *archive = NULL;
  memarchive_files *files = NULL;
  CHECK(pipe2(pipes, O_CLOEXEC) == 0);
  OK(memarchive_open_descriptor(pipes[0], &given, &archive, &error));
  struct stop stopping = {given.cancellation, pipes[1]};
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, stop, &stopping) == 0);
  /* The pipe's other end stays open: nothing else ends this. */
  FAILS(MEMARCHIVE_CANCELLED, NULL, memarchive_extract(archive, NULL, &files, &error));
  pthread_join(thread, NULL);
  close(pipes[0]);
  close(pipes[1]);
  CHECK(memarchive_cancellation_is_cancelled(given.cancellation) == 1 && !files);
  memarchive_archive_free(archive);
  /* What begins later does not. */
  archive = opened_with("basic.zip", &given);
  memarchive_cancellation_free(given.cancellation);
  memarchive_tree *tree = NULL;
  memarchive_stream *stream = NULL;
  memarchive_listing *listing = NULL;
  FAILS(MEMARCHIVE_CANCELLED, NULL, memarchive_list(archive, NULL, &listing, &error));
  FAILS(MEMARCHIVE_CANCELLED, NULL, memarchive_tree_new(archive, NULL, 0, &tree, &error));
  FAILS(MEMARCHIVE_CANCELLED, NULL, memarchive_stream_new(archive, &stream, &error));
  memarchive_archive_free(archive);

  part = "progress";
  int reports = 0;
  given = options();
  given.progress = refuse;
  given.user = &reports;
  archive = opened_with("many.zip", &given);
  FAILS(MEMARCHIVE_CANCELLED, NULL, memarchive_extract(archive, NULL, &files, &error));
  CHECK(reports > 0);
  memarchive_archive_free(archive);

  part = "time";
  given = options();
  given.timeout_milliseconds = 1;
  memarchive_source source = {sizeof source, slow_source, NULL, -1, 0};
  FAILS(MEMARCHIVE_TIMED_OUT, NULL, memarchive_open_source(&source, &given, &archive, &error));
}

static void *extract_often(void *user) {
  memarchive_archive *archive = (memarchive_archive *)user;
  for (int round = 0; round < 10; round++) {
    memarchive_files *files = extracted(archive);
    CHECK(memarchive_files_count(files) == 5);
    memarchive_files_free(files);
  }
  return NULL;
}

static void *use_files(void *user) {
  memarchive_files *files = (memarchive_files *)user;
  for (size_t index = 0; index < memarchive_files_count(files); index++) {
    memarchive_file *file = memarchive_file_retain(memarchive_files_at(files, index));
    const char *path = NULL;
    OK(memarchive_file_path(file, &path, &error));
    CHECK(access(path, R_OK) == 0 && memarchive_file_entry(file) && memarchive_files_listing(files));
    memarchive_file_free(file);
  }
  return NULL;
}

static void test_threads(void) {
  part = "threads";
  memarchive_archive *archive = opened("basic.zip");
  memarchive_files *files = extracted(archive);
  pthread_t threads[8];
  for (int index = 0; index < 8; index++) {
    void *(*body)(void *) = index % 2 ? extract_often : use_files;
    CHECK(pthread_create(&threads[index], NULL, body, index % 2 ? (void *)archive : (void *)files) == 0);
  }
  for (int index = 0; index < 8; index++) pthread_join(threads[index], NULL);
  memarchive_files_free(files);
  memarchive_archive_free(archive);
}

/* A child of fork(2) has this thread, which has used the library, and makes others. */
static void test_forks(void) {
  part = "forks";
  fflush(NULL);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    memarchive_options given = options();
    given.storage = MEMARCHIVE_STORAGE_PACKED;
    given.parallelism = 8;
    memarchive_archive *archive = opened_with("many.zip", &given);
    for (int round = 0; round < 20; round++) memarchive_files_free(extracted(archive));
    memarchive_archive_free(archive);
    test_threads();
    _exit(0);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static int32_t never(void *user, const void *block, size_t size, int64_t offset) {
  (void)user, (void)block, (void)size, (void)offset;
  abort();
}

static void test_nothing(void) {
  part = "NULL";
  memarchive_archive *archive = NULL;
  memarchive_files *files = NULL;
  memarchive_file *file = NULL;
  memarchive_tree *tree = NULL;
  memarchive_stream *stream = NULL;
  memarchive_listing *listing = NULL;
  const memarchive_entry *entry = NULL;
  const char *path = NULL;
  const void *bytes = NULL;
  size_t size = 1;
  int64_t count = 1;
  int32_t descriptor = 0;
#define NOTHING(call) FAILS(MEMARCHIVE_INVALID_ARGUMENT, "NULL", call)
  NOTHING(memarchive_open_path(NULL, NULL, &archive, &error));
  NOTHING(memarchive_open_path("/dev/null", NULL, NULL, &error));
  NOTHING(memarchive_open_paths(NULL, 1, NULL, &archive, &error));
  FAILS(MEMARCHIVE_INVALID_ARGUMENT, "no path", memarchive_open_paths(NULL, 0, NULL, &archive, &error));
  FAILS(MEMARCHIVE_INVALID_ARGUMENT, "out of range", memarchive_open_paths(&path, SIZE_MAX, NULL, &archive, &error));
  NOTHING(memarchive_open_paths(&path, 1, NULL, &archive, &error));
  NOTHING(memarchive_open_descriptor(0, NULL, NULL, &error));
  NOTHING(memarchive_open_bytes(NULL, 1, NULL, &archive, &error));
  NOTHING(memarchive_open_bytes("", SIZE_MAX, NULL, &archive, &error));
  NOTHING(memarchive_open_source(NULL, NULL, &archive, &error));
  memarchive_source source = {sizeof source, NULL, NULL, 0, 0};
  NOTHING(memarchive_open_source(&source, NULL, &archive, &error));
  source.read = slow_source;
  source.size = -2;
  FAILS(MEMARCHIVE_INVALID_ARGUMENT, "-1 or more", memarchive_open_source(&source, NULL, &archive, &error));
  NOTHING(memarchive_open_file(NULL, NULL, &archive, &error));
  CHECK(!archive);
  NOTHING(memarchive_list(NULL, NULL, &listing, &error));
  NOTHING(memarchive_extract(NULL, NULL, &files, &error));
  NOTHING(memarchive_tree_new(NULL, NULL, 0, &tree, &error));
  NOTHING(memarchive_stream_new(NULL, &stream, &error));
  archive = opened("basic.zip");
  NOTHING(memarchive_list(archive, NULL, NULL, &error));
  NOTHING(memarchive_extract(archive, NULL, NULL, &error));
  CHECK(memarchive_extract(archive, NULL, NULL, NULL) == MEMARCHIVE_INVALID_ARGUMENT);
  NOTHING(memarchive_tree_new(archive, NULL, 0, NULL, &error));
  NOTHING(memarchive_stream_new(archive, NULL, &error));

  CHECK(memarchive_files_count(NULL) == 0 && !memarchive_files_at(NULL, 0) && !memarchive_files_find(NULL, "a", 1));
  CHECK(!memarchive_files_listing(NULL) && !memarchive_file_retain(NULL) && !memarchive_file_name(NULL).data);
  CHECK(memarchive_file_size(NULL) == -1 && memarchive_file_mode(NULL) == -1 && !memarchive_file_entry(NULL));
  CHECK(memarchive_tree_descriptor(NULL) == -1 && !memarchive_tree_listing(NULL) && !memarchive_stream_listing(NULL));
  CHECK(memarchive_cancellation_is_cancelled(NULL) == 0);
  memarchive_cancellation_cancel(NULL);
  NOTHING(memarchive_file_new(NULL, 1, "", 0, &file, &error));
  NOTHING(memarchive_file_new("a", 1, NULL, 1, &file, &error));
  FAILS(MEMARCHIVE_INVALID_ARGUMENT, "length", memarchive_file_new("a", SIZE_MAX - 1, "", 0, &file, &error));
  FAILS(MEMARCHIVE_INVALID_ARGUMENT, "zero byte", memarchive_file_new("a\0b", 3, "", 0, &file, &error));
  FAILS(MEMARCHIVE_INVALID_ARGUMENT, "memarchive_files_find", memarchive_file_path(NULL, &path, &error));
  NOTHING(memarchive_file_descriptor(NULL, &descriptor, &error));
  CHECK(descriptor == -1);
  NOTHING(memarchive_file_duplicate(NULL, 1, &descriptor, &error));
  NOTHING(memarchive_file_reopen(NULL, &descriptor, &error));
  NOTHING(memarchive_file_bytes(NULL, &bytes, &size, &error));
  CHECK(size == 0 && !bytes);
  NOTHING(memarchive_file_send(NULL, 0, &error));
  NOTHING(memarchive_files_send(NULL, 0, &error));
  NOTHING(memarchive_receive(0, NULL, NULL, &error));
  NOTHING(memarchive_tree_path(NULL, "a", 1, &path, &error));
  NOTHING(memarchive_stream_next(NULL, &entry, &error));
  NOTHING(memarchive_stream_extract(NULL, &file, &error));
  NOTHING(memarchive_stream_blocks(NULL, never, NULL, &count, &error));
  CHECK(count == 0);
  OK(memarchive_stream_new(archive, &stream, &error));
  NOTHING(memarchive_stream_blocks(stream, NULL, NULL, &count, &error));
  NOTHING(memarchive_stream_next(stream, NULL, &error));
  FAILS(MEMARCHIVE_NO_SUCH_ENTRY, NULL, memarchive_stream_extract(stream, &file, &error));
  memarchive_stream_free(stream);

  part = "the wrong kind of handle";
  FAILS(
      MEMARCHIVE_INVALID_ARGUMENT, "another kind",
      memarchive_files_send((memarchive_files *)(void *)archive, 0, &error));
  CHECK(memarchive_files_count((memarchive_files *)(void *)archive) == 0);
  memarchive_files_free((memarchive_files *)(void *)archive);

  part = "selections";
  memarchive_text name = {NULL, 5};
  memarchive_selection selection = {sizeof selection, &name, 1, NULL, 0, NULL, 0};
  NOTHING(memarchive_list(archive, &selection, &listing, &error));
  selection.names = NULL;
  NOTHING(memarchive_list(archive, &selection, &listing, &error));
  selection.name_count = SIZE_MAX;
  FAILS(MEMARCHIVE_INVALID_ARGUMENT, "out of range", memarchive_list(archive, &selection, &listing, &error));
  selection.name_count = 0;
  selection.struct_size = sizeof &selection;
  FAILS(MEMARCHIVE_INVALID_ARGUMENT, "struct_size", memarchive_list(archive, &selection, &listing, &error));
  memarchive_archive_free(archive);

  memarchive_error_free(NULL);
  memarchive_cancellation_free(NULL);
  memarchive_archive_free(NULL);
  memarchive_files_free(NULL);
  memarchive_file_free(NULL);
  memarchive_tree_free(NULL);
  memarchive_stream_free(NULL);
  memarchive_listing_free(NULL);
  memarchive_platform_free(NULL);
}

static void test_all(void) {
  test_files();
  test_storage();
  test_entries();
  test_selection();
  test_sources();
  test_stream();
  test_trees();
  test_passing();
  test_errors();
  test_options();
  test_stopping();
  test_threads();
  test_forks();
  test_nothing();
}

int main(int count, char **arguments) {
  CHECK(count == 3);
  directory = arguments[1];
  fixtures = arguments[2];
  test_library();
  for (sandbox = MEMARCHIVE_SANDBOX_REQUIRED; sandbox <= MEMARCHIVE_SANDBOX_OFF; sandbox++) {
    test_all();
    /* Once more: nothing is left open, and the template is no longer counted. */
    part = "descriptors";
    memarchive_pool_end();
    int before = count_descriptors();
    test_all();
    part = "descriptors";
    memarchive_pool_end();
    CHECK(count_descriptors() == before);
  }
  /* What the library starts is no child of this process. */
  CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
  printf("abi: each function, in each sandbox\n");
  return 0;
}
