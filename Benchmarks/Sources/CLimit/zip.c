// A zip's entries, inflated on all processors.

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <libdeflate.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "limit.h"

enum { STEP = 256 << 10, SHARE = 16 };

struct entry {
  uint64_t offset, compressed, size;
  uint32_t crc;
  uint16_t method, name_size;
  bool is_directory;
};

struct job {
  int file;
  enum limit_way way;
  const struct entry *entries;
  size_t count;
  atomic_size_t next;
  atomic_bool failed;
  atomic_int_fast64_t produced;
};

struct worker {
  pthread_t thread;
  struct job *job;
  struct keeper keeper;
  struct warm input, output;
  struct inflate_state state;
  struct libdeflate_decompressor *decompressor;
};

static uint16_t get2(const uint8_t *bytes) { return bytes[0] | bytes[1] << 8; }
static uint32_t get4(const uint8_t *bytes) { return get2(bytes) | (uint32_t)get2(bytes + 2) << 16; }
static uint64_t get8(const uint8_t *bytes) { return get4(bytes) | (uint64_t)get4(bytes + 4) << 32; }

/// APPNOTE 4.3.12 and 4.5.3; good archives only.
static bool read_directory(int file, off_t size, struct warm *directory, struct warm *table, size_t *count) {
  static struct warm tail;
  size_t tail_size = size < 66000 ? size : 66000;
  if (!warm_reserve(&tail, 66000) || !read_fully(file, tail.bytes, tail_size, size - tail_size)) return false;
  const uint8_t *end = tail.bytes + tail_size - 22;
  while (end >= tail.bytes && get4(end) != 0x06054b50) end--;
  if (end < tail.bytes) return false;
  uint64_t entries = get2(end + 10), length = get4(end + 12), start = get4(end + 16);
  if (end - 20 >= tail.bytes && get4(end - 20) == 0x07064b50) {
    uint8_t record[56];
    if (!read_fully(file, record, sizeof record, get8(end - 20 + 8))) return false;
    entries = get8(record + 32), length = get8(record + 40), start = get8(record + 48);
  }
  if (!warm_reserve(directory, length) || !warm_reserve(table, entries * sizeof(struct entry))) return false;
  if (!read_fully(file, directory->bytes, length, start)) return false;
  struct entry *entry = (struct entry *)table->bytes;
  const uint8_t *header = directory->bytes;
  for (uint64_t index = 0; index < entries; index++, entry++) {
    *entry = (struct entry){
      .offset = get4(header + 42), .compressed = get4(header + 20), .size = get4(header + 24),
      .crc = get4(header + 16), .method = get2(header + 10), .name_size = get2(header + 28)};
    entry->is_directory = header[46 + entry->name_size - 1] == '/';
    const uint8_t *field = header + 46 + entry->name_size, *fields_end = field + get2(header + 30);
    for (; field + 4 <= fields_end; field += 4 + get2(field + 2)) {
      if (get2(field) != 1) continue;
      const uint8_t *value = field + 4;
      if (entry->size == UINT32_MAX) entry->size = get8(value), value += 8;
      if (entry->compressed == UINT32_MAX) entry->compressed = get8(value), value += 8;
      if (entry->offset == UINT32_MAX) entry->offset = get8(value);
    }
    header = fields_end + get2(header + 32);
  }
  *count = entries;
  return true;
}

static bool inflate_in_steps(struct worker *worker, const struct entry *entry, const uint8_t *data) {
  if (!warm_reserve(&worker->output, STEP)) return false;
  struct inflate_state *state = &worker->state;
  isal_inflate_init(state);
  state->next_in = (uint8_t *)data;
  state->avail_in = entry->compressed;
  uint32_t crc = 0;
  uint64_t total = 0;
  do {
    state->next_out = worker->output.bytes;
    state->avail_out = STEP;
    if (isal_inflate(state) != ISAL_DECOMP_OK || state->avail_out == STEP) break;
    size_t count = STEP - state->avail_out;
    crc = crc32_gzip_refl(crc, worker->output.bytes, count);
    if (!keeper_add(&worker->keeper, worker->output.bytes, count)) break;
    total += count;
  } while (state->block_state != ISAL_BLOCK_FINISH);
  return total == entry->size && crc == entry->crc;
}

static bool inflate_at_once(struct worker *worker, const struct entry *entry, const uint8_t *data) {
  if (!warm_reserve(&worker->output, entry->size + 1)) return false;
  size_t size;
  return libdeflate_deflate_decompress(
           worker->decompressor, data, entry->compressed, worker->output.bytes, worker->output.size, &size)
           == LIBDEFLATE_SUCCESS
         && size == entry->size && libdeflate_crc32(0, worker->output.bytes, size) == entry->crc;
}

static bool copy_in_steps(struct worker *worker, const struct entry *entry, off_t start) {
  if (!warm_reserve(&worker->output, STEP)) return false;
  uint32_t crc = 0;
  for (uint64_t done = 0, count; done < entry->size; done += count) {
    count = entry->size - done < STEP ? entry->size - done : STEP;
    if (!read_fully(worker->job->file, worker->output.bytes, count, start + done)) return false;
    if (!keeper_add(&worker->keeper, worker->output.bytes, count)) return false;
    crc = worker->job->way == LIMIT_FASTEST ? libdeflate_crc32(crc, worker->output.bytes, count)
                               : crc32_gzip_refl(crc, worker->output.bytes, count);
  }
  return crc == entry->crc;
}

static bool extract(struct worker *worker, const struct entry *entry) {
  if (!entry->is_directory && !keeper_begin(&worker->keeper)) return false;
  if (entry->size == 0) return true;
  int file = worker->job->file;
  uint8_t header[30];
  if (entry->method == 0) {
    return read_fully(file, header, sizeof header, entry->offset)
           && copy_in_steps(worker, entry, entry->offset + 30 + get2(header + 26) + get2(header + 28));
  }
  // One call for the header and the data where the extra fields are as short as usual.
  size_t count = 30 + entry->name_size + 64 + entry->compressed;
  if (!warm_reserve(&worker->input, count + UINT16_MAX)) return false;
  ssize_t got = pread(file, worker->input.bytes, count, entry->offset);
  if (got < 30) return false;
  size_t skipped = 30 + get2(worker->input.bytes + 26) + get2(worker->input.bytes + 28);
  size_t needed = skipped + entry->compressed;
  if ((size_t)got < needed
      && !read_fully(file, worker->input.bytes + got, needed - got, entry->offset + got)) return false;
  const uint8_t *data = worker->input.bytes + skipped;
  return worker->job->way == LIMIT_FASTEST ? inflate_at_once(worker, entry, data) : inflate_in_steps(worker, entry, data);
}

static void *work(void *context) {
  struct worker *worker = context;
  struct job *job = worker->job;
  int64_t produced = 0;
  for (size_t first; (first = atomic_fetch_add(&job->next, SHARE)) < job->count;) {
    for (size_t index = first; index < first + SHARE && index < job->count; index++) {
      if (!extract(worker, &job->entries[index])) atomic_store(&job->failed, true);
      produced += job->entries[index].size;
    }
  }
  atomic_fetch_add(&job->produced, produced);
  return NULL;
}

int64_t limit_zip(int file, off_t size, enum limit_way way) {
  static struct warm directory, table;
  static struct worker workers[MOST_THREADS];
  if (way == LIMIT_PARSED) return LIMIT_NONE;
  struct job job = {.file = file, .way = way};
  if (!read_directory(file, size, &directory, &table, &job.count)) return LIMIT_FAILED;
  job.entries = (const struct entry *)table.bytes;
  size_t threads = thread_count();
  // No thread for what one is done with before it has started.
  if (threads > (job.count + SHARE - 1) / SHARE) threads = (job.count + SHARE - 1) / SHARE;
  for (size_t index = 0; index < threads; index++) {
    workers[index].job = &job;
    workers[index].keeper = (struct keeper){.way = way};
    if (!workers[index].decompressor) workers[index].decompressor = libdeflate_alloc_decompressor();
  }
  size_t started = 1;
  while (started < threads && pthread_create(&workers[started].thread, NULL, work, &workers[started]) == 0) started++;
  work(&workers[0]);
  for (size_t index = 1; index < started; index++) pthread_join(workers[index].thread, NULL);
  return atomic_load(&job.failed) ? LIMIT_FAILED : atomic_load(&job.produced);
}
