// Parts of liblzma that Swift cannot import: macros, and structures whose pointers have to stay valid.
#ifndef CLZMA_SHIM_H
#define CLZMA_SHIM_H

#if !__has_include(<lzma.h>)
#error "<lzma.h> is missing: apt-get install liblzma-dev, or take MemArchive without its trait FastDecoders"
#endif
#include <lzma.h>
#include <stdlib.h>

static inline lzma_stream *clzma_create(void) { return calloc(1, sizeof(lzma_stream)); }

static inline void clzma_destroy(lzma_stream *stream) {
  lzma_end(stream);
  free(stream);
}

static inline lzma_ret clzma_start_lzma(lzma_stream *stream, uint64_t memory) {
  return lzma_alone_decoder(stream, memory);
}

static inline lzma_ret clzma_start_lzip(lzma_stream *stream, uint64_t memory) {
  return lzma_lzip_decoder(stream, memory, LZMA_CONCATENATED);
}

// One block of .xz being decoded; the decoder keeps pointers to all of it.
struct clzma_block {
  lzma_stream stream;
  lzma_block block;
  lzma_filter filters[LZMA_FILTERS_MAX + 1];
  // The memory that its decoder takes, in bytes.
  uint64_t memory;
};

static inline void clzma_destroy_block(struct clzma_block *block) {
  lzma_end(&block->stream);
  for (size_t index = 0; block->filters[index].id != LZMA_VLI_UNKNOWN; index++) free(block->filters[index].options);
  free(block);
}

// A decoder for the block with this complete header; NULL with the reason in `status`.
static inline struct clzma_block *clzma_create_block(
    const uint8_t *header, lzma_check check, uint64_t most_memory, lzma_ret *status) {
  struct clzma_block *block = calloc(1, sizeof *block);
  if (!block) {
    *status = LZMA_MEM_ERROR;
    return NULL;
  }
  block->filters[0].id = LZMA_VLI_UNKNOWN;
  block->block.version = 1;
  block->block.check = check;
  block->block.filters = block->filters;
  block->block.header_size = lzma_block_header_size_decode(header[0]);
  // The caller has checked that the check is supported: an unsupported one would be ignored.
  *status = lzma_block_header_decode(&block->block, NULL, header);
  if (*status == LZMA_OK) {
    block->memory = lzma_raw_decoder_memusage(block->filters);
    if (block->memory == UINT64_MAX) *status = LZMA_OPTIONS_ERROR;
    else if (block->memory > most_memory) *status = LZMA_MEMLIMIT_ERROR;
    else *status = lzma_block_decoder(&block->stream, &block->block);
  } else {
    block->filters[0].id = LZMA_VLI_UNKNOWN;
  }
  if (*status == LZMA_OK) return block;
  clzma_destroy_block(block);
  return NULL;
}

// One step of decoding: `*in` and `*out` change from the available to the remaining number of bytes.
static inline lzma_ret clzma_decode(
    struct clzma_block *block, const uint8_t *packed, size_t *in, uint8_t *content, size_t *out, int is_all) {
  block->stream.next_in = packed;
  block->stream.avail_in = *in;
  block->stream.next_out = content;
  block->stream.avail_out = *out;
  lzma_ret status = lzma_code(&block->stream, is_all ? LZMA_FINISH : LZMA_RUN);
  *in = block->stream.avail_in;
  *out = block->stream.avail_out;
  return status;
}

static inline lzma_vli clzma_unpadded_size(const struct clzma_block *block) {
  return lzma_block_unpadded_size(&block->block);
}

// Whether the header states the block's sizes, packed and unpacked.
static inline int clzma_has_sizes(const struct clzma_block *block) {
  return block->block.compressed_size != LZMA_VLI_UNKNOWN && block->block.uncompressed_size != LZMA_VLI_UNKNOWN;
}

// The number of bytes after the header, with padding and check, if the header states it.
static inline uint64_t clzma_packed_size(const struct clzma_block *block) {
  return lzma_block_total_size(&block->block) - block->block.header_size;
}

// Filters, and the LZMA or LZMA2 before them, as .7z and .zip store them: without any header.
struct clzma_chain {
  lzma_stream stream;
  size_t count;
  lzma_filter filters[LZMA_FILTERS_MAX + 1];
  union {
    lzma_options_delta delta;
    lzma_options_bcj bcj;
  } options[LZMA_FILTERS_MAX];
  lzma_options_lzma lzma;
};

static inline struct clzma_chain *clzma_create_chain(void) { return calloc(1, sizeof(struct clzma_chain)); }

static inline lzma_stream *clzma_chain_stream(struct clzma_chain *chain) { return &chain->stream; }

static inline void clzma_destroy_chain(struct clzma_chain *chain) {
  lzma_end(&chain->stream);
  free(chain);
}

// Adds the filter that is applied to what those before it are applied to, at most LZMA_FILTERS_MAX - 1.
static inline void clzma_add_filter(struct clzma_chain *chain, lzma_vli id, uint32_t distance, uint32_t start) {
  size_t index = chain->count++;
  chain->filters[index].id = id;
  if (id == LZMA_FILTER_DELTA) {
    chain->options[index].delta.type = LZMA_DELTA_TYPE_BYTE;
    chain->options[index].delta.dist = distance;
    chain->filters[index].options = &chain->options[index];
  } else if (start != 0) {
    chain->options[index].bcj.start_offset = start;
    chain->filters[index].options = &chain->options[index];
  }
}

// Begins to decode `size` bytes of LZMA whose parameters are in `parameters`, or LZMA2 if that is negative.
static inline lzma_ret clzma_start_chain(
    struct clzma_chain *chain, int parameters, uint32_t dictionary, uint64_t size) {
  lzma_filter *last = &chain->filters[chain->count];
  chain->lzma.dict_size = dictionary;
  last->options = &chain->lzma;
  if (parameters < 0) {
    last->id = LZMA_FILTER_LZMA2;
  } else {
    last->id = LZMA_FILTER_LZMA1EXT;
    chain->lzma.lc = (uint32_t)parameters % 9;
    chain->lzma.lp = (uint32_t)parameters / 9 % 5;
    chain->lzma.pb = (uint32_t)parameters / 45;
    chain->lzma.ext_flags = LZMA_LZMA1EXT_ALLOW_EOPM;
    lzma_set_ext_size(chain->lzma, size);
  }
  last[1].id = LZMA_VLI_UNKNOWN;
  return lzma_raw_decoder(&chain->stream, chain->filters);
}

#endif
