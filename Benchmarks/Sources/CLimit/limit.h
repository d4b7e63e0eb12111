// What the files of this target share.

#ifndef LIMIT_H
#define LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "CLimit.h"

/// Memory that is kept between calls, so that the kernel has given its pages before time is taken.
struct warm {
  uint8_t *bytes;
  size_t size;
};

/// Grows it; false where there is no memory.
bool warm_reserve(struct warm *warm, size_t size);

/// pread(2) until all is there.
bool read_fully(int file, void *bytes, size_t count, off_t offset);

enum { MOST_THREADS = 64 };

/// One for each processor, MOST_THREADS at most.
unsigned thread_count(void);

/// Where one thread's bytes go: into a memory file for each entry or slab, or, with any other way, nowhere.
struct keeper {
  enum limit_way way;
  int file;
  off_t end;
};

/// An entry begins.
bool keeper_begin(struct keeper *keeper);
bool keeper_add(struct keeper *keeper, const uint8_t *bytes, size_t count);

int64_t limit_zip(int file, off_t size, enum limit_way way);

/// What decodes a stream; `produce` fills the buffer as far as it can, and returns 0 at the end and -1 on failure.
struct decoder {
  ssize_t (*produce)(struct decoder *, uint8_t *bytes, size_t capacity);
  void (*end)(struct decoder *);
  int file;
  off_t offset;
  bool at_end;
  /// Whether the stream is what the file has.
  bool is_stored;
  uint8_t *input;
  size_t input_size;
  void *state;
};

enum { INPUT_SIZE = 1 << 20 };

/// Picks the decoder for the stream's first bytes; what is not compressed is read as it is. There is none for bzip2.
bool decoder_start(struct decoder *decoder, int file);

/// gzip by libdeflate, in one piece.
int64_t limit_gzip_at_once(int file, off_t size);

/// libarchive reads what the decoder produces on a thread of its own, or the file itself where there is none.
int64_t limit_parse(struct decoder *decoder, const char *path);

/// The stream that the decoder produces, or the file itself where there is none, into memory files.
int64_t limit_keep(struct decoder *decoder, int file, off_t size, enum limit_way way);

#endif
