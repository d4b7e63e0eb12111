// liblzma's decoders, started: its flags are macros that Swift does not see.
#ifndef CLZMA_SHIM_H
#define CLZMA_SHIM_H

#include <lzma.h>
#include <stdlib.h>
#include <string.h>

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

// Makes a decoder of xz start all its threads now, which it does otherwise as blocks come: gives it a stream with a block
// for each thread, long enough that none is done before the last has begun. What it is given next is decoded as if nothing
// had been before. 0 where it cannot be done.
static inline int clzma_start_threads(lzma_stream *stream, uint32_t threads) {
  enum { SIZE = 1 << 20, ROOM = 64 << 10 };
  lzma_options_lzma options;
  if (lzma_lzma_preset(&options, 0)) return 0;
  lzma_filter filters[] = {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, NULL}};
  lzma_stream_flags flags = {.check = LZMA_CHECK_CRC32};
  // Its header says both sizes, without which no thread gets it.
  lzma_block block = {.check = LZMA_CHECK_CRC32, .filters = filters};
  lzma_index *index = lzma_index_init(NULL);
  size_t room = (threads + 1) * (size_t)ROOM;
  uint8_t *content = calloc(1, SIZE), *coded = malloc(ROOM), *all = malloc(room);
  size_t count = 0, end = LZMA_STREAM_HEADER_SIZE;
  int done = index && content && coded && all && lzma_stream_header_encode(&flags, all) == LZMA_OK &&
    lzma_block_buffer_encode(&block, NULL, content, SIZE, coded, &count, ROOM) == LZMA_OK;
  for (uint32_t thread = 0; done && thread < threads; thread++) {
    memcpy(all + end, coded, count);
    end += count;
    done = lzma_index_append(index, NULL, lzma_block_unpadded_size(&block), SIZE) == LZMA_OK;
  }
  done = done && lzma_index_buffer_encode(index, all, &end, room - LZMA_STREAM_HEADER_SIZE) == LZMA_OK;
  if (done) {
    flags.backward_size = lzma_index_size(index);
    done = lzma_stream_footer_encode(&flags, all + end) == LZMA_OK;
    stream->next_in = all;
    stream->avail_in = end + LZMA_STREAM_HEADER_SIZE;
  }
  while (done && (stream->avail_in > 0 || stream->total_out < threads * (uint64_t)SIZE)) {
    stream->next_out = content;
    stream->avail_out = SIZE;
    done = lzma_code(stream, LZMA_RUN) == LZMA_OK;
  }
  lzma_index_end(index, NULL);
  free(all), free(coded), free(content);
  return done;
}

static inline lzma_ret clzma_start_lzma(lzma_stream *stream, uint64_t memory) {
  return lzma_alone_decoder(stream, memory);
}

static inline lzma_ret clzma_start_lzip(lzma_stream *stream, uint64_t memory) {
  return lzma_lzip_decoder(stream, memory, LZMA_CONCATENATED);
}

#endif
