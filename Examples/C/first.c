// What an archive holds, and a path of each file.
//
//   cc first.c $(pkg-config --cflags --libs memarchive) -o first
//   ./first fonts.zip
//
// pkg-config: memarchive
#include <memarchive.h>
#include <stdio.h>

int main(int count, char **arguments) {
  if (count != 2) return 64;
  memarchive_archive *archive = NULL;
  memarchive_files *files = NULL;
  memarchive_error *error = NULL;

  memarchive_code code = memarchive_open_path(arguments[1], NULL, &archive, &error);
  if (code == MEMARCHIVE_OK) code = memarchive_extract(archive, NULL, &files, &error);
  for (size_t index = 0; code == MEMARCHIVE_OK && index < memarchive_files_count(files); index++) {
    memarchive_file *file = memarchive_files_at(files, index);
    const char *path = NULL;
    code = memarchive_file_path(file, &path, &error);
    // Any library can open the path, until `files` is freed.
    if (code == MEMARCHIVE_OK)
      printf("%s, %lld bytes: %s\n", memarchive_file_name(file).data, (long long)memarchive_file_size(file), path);
  }

  if (code != MEMARCHIVE_OK) fprintf(stderr, "%s\n", error->message);
  memarchive_error_free(error);
  memarchive_files_free(files);
  memarchive_archive_free(archive);
  return code == MEMARCHIVE_OK ? 0 : 1;
}
