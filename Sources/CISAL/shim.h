// ISA-L's inflate through functions that Swift can call: its state is a struct of 90 KiB with arrays that Swift cannot import.
#ifndef CISAL_SHIM_H
#define CISAL_SHIM_H

#if !__has_include(<isa-l.h>)
#error "<isa-l.h> is missing: apt-get install libisal-dev, or take MemArchive without its trait FastDecoders"
#endif
#include <isa-l.h>
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <stdlib.h>

static inline struct inflate_state *cisal_create(void) {
  struct inflate_state *state = malloc(sizeof *state);
  if (state) isal_inflate_init(state);
  return state;
}

static inline void cisal_destroy(struct inflate_state *state) { free(state); }

static inline void cisal_reset(struct inflate_state *state) { isal_inflate_reset(state); }

static inline void cisal_set_dictionary(struct inflate_state *state, const uint8_t *bytes, uint32_t count) {
  isal_inflate_set_dict(state, (uint8_t *)bytes, count);
}

// Decodes raw deflate. `used` counts down what was read ahead once the stream has ended, so it may be negative.
static inline int cisal_inflate(
    struct inflate_state *state, const void *input, uint32_t input_count, void *output, uint32_t output_count,
    int64_t *used, int64_t *produced, int *is_last) {
  state->next_in = (uint8_t *)input;
  state->avail_in = input_count;
  state->next_out = output;
  state->avail_out = output_count;
  int status = isal_inflate(state);
  *produced = (int64_t)output_count - state->avail_out;
  *used = (int64_t)input_count - state->avail_in;
  *is_last = state->block_state == ISAL_BLOCK_FINISH;
  if (*is_last) *used -= state->read_in_length / 8;
  return status;
}

static inline uint32_t cisal_crc32(uint32_t value, const void *bytes, uint64_t count) {
  return crc32_gzip_refl(value, (const uint8_t *)bytes, count);
}

#endif
