// The least that reading an archive can take: what every way of extracting is measured by.

#ifndef CLIMIT_H
#define CLIMIT_H

#include <stdint.h>

enum limit_way {
  /// The library's decoders on all processors that the format lets work: into one warm buffer, every checksum verified,
  /// nothing kept. Of a tar that is its bytes; its headers are not looked at.
  LIMIT_DECODED,
  /// The same, and libarchive finds the entries of a tar while it is decoded.
  LIMIT_PARSED,
  /// The fastest decoder known, where that is another: libdeflate, which needs the whole output in memory.
  LIMIT_FASTEST,
  /// `LIMIT_DECODED`, and the kernel's part: the bytes are copied into memory files of 16 MiB, or into one for each entry, on
  /// all processors; nothing is named, sealed or mapped. What is stored goes there by sendfile(2).
  LIMIT_PACKED,
  LIMIT_DEDICATED,
};

enum { LIMIT_NONE = -1, LIMIT_FAILED = -2 };

/// Reads the archive at `path` and returns how many bytes came out; `LIMIT_NONE` where the format has no such way,
/// `LIMIT_FAILED` where something is wrong. Buffers stay for the next call; one call at a time.
int64_t limit_run(const char *path, enum limit_way way);

/// Closes the memory files that calls have made.
void limit_release(void);

#endif
