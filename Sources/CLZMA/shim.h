// liblzma's decoders, started: its flags are macros that Swift does not see.
#ifndef CLZMA_SHIM_H
#define CLZMA_SHIM_H

#include <lzma.h>
#include <stdlib.h>

static inline lzma_stream *clzma_create(void) { return calloc(1, sizeof(lzma_stream)); }

static inline void clzma_destroy(lzma_stream *stream) {
  lzma_end(stream);
  free(stream);
}

// .xz, one stream or several, on so many threads as long as they need no more than this memory together.
static inline lzma_ret clzma_start_xz(
    lzma_stream *stream, uint32_t threads, uint64_t threads_memory, uint64_t memory) {
  lzma_mt options = {
      .flags = LZMA_CONCATENATED | LZMA_TELL_UNSUPPORTED_CHECK,
      .threads = threads,
      .memlimit_threading = threads_memory,
      .memlimit_stop = memory,
  };
  return lzma_stream_decoder_mt(stream, &options);
}

// The same without any thread.
static inline lzma_ret clzma_start_xz_alone(lzma_stream *stream, uint64_t memory) {
  return lzma_stream_decoder(stream, memory, LZMA_CONCATENATED | LZMA_TELL_UNSUPPORTED_CHECK);
}

static inline lzma_ret clzma_start_lzma(lzma_stream *stream, uint64_t memory) {
  return lzma_alone_decoder(stream, memory);
}

static inline lzma_ret clzma_start_lzip(lzma_stream *stream, uint64_t memory) {
  return lzma_lzip_decoder(stream, memory, LZMA_CONCATENATED);
}

#endif
