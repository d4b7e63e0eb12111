// The decoders of whole streams: ISA-L, libzstd, liblzma on all processors, and none.

#include <isa-l/igzip_lib.h>
#include <libdeflate.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "limit.h"

/// The next piece of input; false where the file cannot be read. At the end `input_size` is 0.
static bool refill(struct decoder *decoder) {
  ssize_t count = pread(decoder->file, decoder->input, INPUT_SIZE, decoder->offset);
  if (count < 0) return false;
  decoder->input_size = count;
  decoder->offset += count;
  return true;
}

static void end(struct decoder *decoder) {
  // The input's buffer stays warm.
  (void)decoder;
}

static ssize_t copy(struct decoder *decoder, uint8_t *bytes, size_t capacity) {
  ssize_t count = pread(decoder->file, bytes, capacity, decoder->offset);
  if (count > 0) decoder->offset += count;
  return count;
}

static ssize_t gunzip(struct decoder *decoder, uint8_t *bytes, size_t capacity) {
  struct inflate_state *state = decoder->state;
  state->next_out = bytes;
  state->avail_out = capacity;
  while (state->avail_out > 0) {
    if (state->avail_in == 0) {
      bool is_between = state->block_state == ISAL_BLOCK_FINISH;
      if (!refill(decoder)) return -1;
      if (decoder->input_size == 0) return is_between ? (ssize_t)(capacity - state->avail_out) : -1;
      state->next_in = decoder->input;
      state->avail_in = decoder->input_size;
    }
    if (state->block_state == ISAL_BLOCK_FINISH) {
      // Another member.
      isal_inflate_reset(state);
      state->crc_flag = ISAL_GZIP;
    }
    // With the checksum of the trailer.
    if (isal_inflate(state) != ISAL_DECOMP_OK) return -1;
  }
  return capacity - state->avail_out;
}

static void gunzip_end(struct decoder *decoder) { free(decoder->state); }

struct zstd_state {
  ZSTD_DCtx *context;
  ZSTD_inBuffer input;
  size_t expected;
};

static ssize_t unzstd(struct decoder *decoder, uint8_t *bytes, size_t capacity) {
  struct zstd_state *state = decoder->state;
  ZSTD_outBuffer output = {bytes, capacity, 0};
  while (output.pos < capacity) {
    if (state->input.pos == state->input.size && !decoder->at_end) {
      if (!refill(decoder)) return -1;
      state->input = (ZSTD_inBuffer){decoder->input, decoder->input_size, 0};
      decoder->at_end = decoder->input_size == 0;
    }
    size_t before = output.pos;
    size_t result = ZSTD_decompressStream(state->context, &output, &state->input);
    if (ZSTD_isError(result)) return -1;
    if (decoder->at_end && output.pos == before) return state->expected == 0 || output.pos > 0 ? (ssize_t)output.pos : -1;
    state->expected = result;
  }
  return output.pos;
}

static void unzstd_end(struct decoder *decoder) {
  ZSTD_freeDCtx(((struct zstd_state *)decoder->state)->context);
  free(decoder->state);
}

static ssize_t unxz(struct decoder *decoder, uint8_t *bytes, size_t capacity) {
  lzma_stream *stream = decoder->state;
  stream->next_out = bytes;
  stream->avail_out = capacity;
  while (stream->avail_out > 0 && !decoder->at_end) {
    if (stream->avail_in == 0) {
      if (!refill(decoder)) return -1;
      stream->next_in = decoder->input;
      stream->avail_in = decoder->input_size;
    }
    lzma_ret status = lzma_code(stream, decoder->input_size == 0 ? LZMA_FINISH : LZMA_RUN);
    if (status == LZMA_STREAM_END) decoder->at_end = true;
    else if (status != LZMA_OK) return -1;
  }
  return capacity - stream->avail_out;
}

static void unxz_end(struct decoder *decoder) {
  lzma_end(decoder->state);
  free(decoder->state);
}

bool decoder_start(struct decoder *decoder, int file) {
  static struct warm input;
  uint8_t magic[6];
  if (!warm_reserve(&input, INPUT_SIZE) || !read_fully(file, magic, sizeof magic, 0)) return false;
  *decoder = (struct decoder){.produce = copy, .end = end, .file = file, .input = input.bytes};
  if (memcmp(magic, "\x1F\x8B", 2) == 0) {
    struct inflate_state *state = malloc(sizeof *state);
    if (!state) return false;
    isal_inflate_init(state);
    state->crc_flag = ISAL_GZIP;
    state->avail_in = 0;
    decoder->produce = gunzip, decoder->end = gunzip_end, decoder->state = state;
  } else if (memcmp(magic, "\x28\xB5\x2F\xFD", 4) == 0 || memcmp(magic + 1, "\x2A\x4D\x18", 3) == 0) {
    // A frame, or a skippable one in front.
    struct zstd_state *state = calloc(1, sizeof *state);
    if (!state) return false;
    state->context = ZSTD_createDCtx();
    decoder->produce = unzstd, decoder->end = unzstd_end, decoder->state = state;
  } else if (memcmp(magic, "\xFD" "7zXZ\0", 6) == 0) {
    lzma_stream *stream = malloc(sizeof *stream);
    if (!stream) return false;
    *stream = (lzma_stream)LZMA_STREAM_INIT;
    lzma_mt options = {
      .threads = thread_count(), .memlimit_threading = 1 << 30, .memlimit_stop = 1 << 30};
    if (lzma_stream_decoder_mt(stream, &options) != LZMA_OK) return false;
    decoder->produce = unxz, decoder->end = unxz_end, decoder->state = stream;
  }
  decoder->is_stored = decoder->state == NULL;
  return true;
}

int64_t limit_gzip_at_once(int file, off_t size) {
  static struct warm input, output;
  static struct libdeflate_decompressor *decompressor;
  uint32_t length;
  if (!decompressor) decompressor = libdeflate_alloc_decompressor();
  if (!decompressor || !warm_reserve(&input, size) || !read_fully(file, input.bytes, size, 0)) return LIMIT_FAILED;
  // RFC 1952: the size modulo 4 GiB.
  memcpy(&length, input.bytes + size - 4, 4);
  size_t produced;
  if (!warm_reserve(&output, length)) return LIMIT_FAILED;
  enum libdeflate_result result = libdeflate_gzip_decompress(
    decompressor, input.bytes, size, output.bytes, length, &produced);
  return result == LIBDEFLATE_SUCCESS ? (int64_t)produced : LIMIT_FAILED;
}
