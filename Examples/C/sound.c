// The sounds of an archive by libsndfile, one entry at a time: only one of them is in memory.
//
// pkg-config: memarchive sndfile
#include <memarchive.h>
#include <sndfile.h>
#include <stdio.h>
#include <string.h>

// Prints what a sound file has; 0 if libsndfile does not read it.
static int describe(const char *name, const char *path) {
  SF_INFO info;
  memset(&info, 0, sizeof info);
  SNDFILE *sound = sf_open(path, SFM_READ, &info);
  if (!sound) return 0;
  double loudest = 0;
  sf_command(sound, SFC_CALC_NORM_SIGNAL_MAX, &loudest, sizeof loudest);
  printf(
      "%s: %d Hz, %d channel%s, %lld frames, loudest %.2f\n", name, info.samplerate, info.channels,
      info.channels == 1 ? "" : "s", (long long)info.frames, loudest);
  sf_close(sound);
  return 1;
}

int main(int count, char **arguments) {
  if (count != 2) return 64;
  memarchive_archive *archive = NULL;
  memarchive_stream *stream = NULL;
  memarchive_error *error = NULL;
  const memarchive_entry *entry = NULL;

  memarchive_code code = memarchive_open_path(arguments[1], NULL, &archive, &error);
  if (code == MEMARCHIVE_OK) code = memarchive_stream_new(archive, &stream, &error);
  while (code == MEMARCHIVE_OK && (code = memarchive_stream_next(stream, &entry, &error)) == MEMARCHIVE_OK && entry) {
    if (!entry->has_content) continue;
    memarchive_file *file = NULL;
    const char *path = NULL;
    code = memarchive_stream_extract(stream, &file, &error);
    if (code == MEMARCHIVE_OK) code = memarchive_file_path(file, &path, &error);
    if (code == MEMARCHIVE_OK && !describe(memarchive_file_name(file).data, path))
      fprintf(stderr, "%s: no sound\n", memarchive_file_name(file).data);
    memarchive_file_free(file);
  }

  if (code != MEMARCHIVE_OK) fprintf(stderr, "%s\n", error->message);
  memarchive_error_free(error);
  memarchive_stream_free(stream);
  memarchive_archive_free(archive);
  return code == MEMARCHIVE_OK ? 0 : 1;
}
