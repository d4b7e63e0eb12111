#include "limit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool warm_reserve(struct warm *warm, size_t size) {
  if (warm->size >= size) return true;
  free(warm->bytes);
  warm->bytes = malloc(size);
  warm->size = warm->bytes ? size : 0;
  if (warm->bytes) memset(warm->bytes, 0, size);
  return warm->bytes != NULL;
}

bool read_fully(int file, void *bytes, size_t count, off_t offset) {
  while (count > 0) {
    ssize_t got = pread(file, bytes, count, offset);
    if (got <= 0) return false;
    bytes = (uint8_t *)bytes + got;
    count -= got;
    offset += got;
  }
  return true;
}

unsigned thread_count(void) {
  long count = sysconf(_SC_NPROCESSORS_ONLN);
  return count < MOST_THREADS ? count : MOST_THREADS;
}

static int64_t decode(struct decoder *decoder) {
  static struct warm output;
  if (!warm_reserve(&output, 256 << 10)) return LIMIT_FAILED;
  int64_t total = 0;
  for (;;) {
    ssize_t count = decoder->produce(decoder, output.bytes, output.size);
    if (count <= 0) return count < 0 ? LIMIT_FAILED : total;
    total += count;
  }
}

int64_t limit_run(const char *path, enum limit_way way) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return LIMIT_FAILED;
  struct stat status;
  uint8_t magic[6];
  int64_t result = LIMIT_FAILED;
  if (fstat(file, &status) == 0 && read_fully(file, magic, sizeof magic, 0)) {
    struct decoder decoder;
    if (memcmp(magic, "PK", 2) == 0) {
      result = limit_zip(file, status.st_size, way);
    } else if (memcmp(magic, "7z\xBC\xAF\x27\x1C", 6) == 0) {
      // Its decoder is libarchive's own, and cannot be had without the parser.
      result = way == LIMIT_DECODED ? limit_parse(NULL, path) : LIMIT_NONE;
    } else if (way == LIMIT_FASTEST) {
      result = memcmp(magic, "\x1F\x8B", 2) == 0 ? limit_gzip_at_once(file, status.st_size) : LIMIT_NONE;
    } else if (memcmp(magic, "BZh", 3) == 0) {
      result = LIMIT_NONE;
    } else if (decoder_start(&decoder, file)) {
      if (way == LIMIT_PARSED) result = limit_parse(&decoder, NULL);
      else if (way == LIMIT_DECODED) result = decode(&decoder);
      else result = limit_keep(decoder.is_stored ? NULL : &decoder, file, status.st_size, way);
      decoder.end(&decoder);
    }
  }
  close(file);
  return result;
}
