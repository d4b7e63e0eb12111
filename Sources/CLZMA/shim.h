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
  const uint32_t flags = LZMA_CONCATENATED | LZMA_TELL_UNSUPPORTED_CHECK;
  // The other one starts a thread also where it may have only one.
  if (threads < 2) return lzma_stream_decoder(stream, memory, flags);
  lzma_mt options = {
      .flags = flags,
      .threads = threads,
      .memlimit_threading = threads_memory,
      .memlimit_stop = memory,
  };
  return lzma_stream_decoder_mt(stream, &options);
}

static inline lzma_ret clzma_start_lzma(lzma_stream *stream, uint64_t memory) {
  return lzma_alone_decoder(stream, memory);
}

static inline lzma_ret clzma_start_lzip(lzma_stream *stream, uint64_t memory) {
  return lzma_lzip_decoder(stream, memory, LZMA_CONCATENATED);
}

#endif
