// The kernel's part of extracting: memory files get the bytes.

#define _GNU_SOURCE

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "limit.h"

enum { SLAB_SIZE = 16 << 20, BUFFERS = 8, BUFFER_SIZE = 1 << 20, BLOCK = 512 };

/// All memory files, until `limit_release`.
static struct {
  pthread_mutex_t mutex;
  int *files;
  size_t count, room;
} kept = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/// A new one; negative where there is no descriptor or memory for it.
static int keep_file(void) {
  int file = memfd_create("limit", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (file < 0) return file;
  pthread_mutex_lock(&kept.mutex);
  if (kept.count == kept.room) {
    size_t room = kept.room ? 2 * kept.room : 1024;
    int *files = realloc(kept.files, room * sizeof *files);
    if (!files) abort();
    kept.files = files, kept.room = room;
  }
  kept.files[kept.count++] = file;
  pthread_mutex_unlock(&kept.mutex);
  return file;
}

void limit_release(void) {
  for (size_t index = 0; index < kept.count; index++) close(kept.files[index]);
  kept.count = 0;
}

bool keeper_begin(struct keeper *keeper) {
  if (keeper->way != LIMIT_DEDICATED) return true;
  keeper->file = keep_file();
  keeper->end = 0;
  return keeper->file >= 0;
}

bool keeper_add(struct keeper *keeper, const uint8_t *bytes, size_t count) {
  if (keeper->way == LIMIT_PACKED && (keeper->end == 0 || keeper->end + (off_t)count > SLAB_SIZE)) {
    keeper->file = keep_file();
    keeper->end = 0;
    if (keeper->file < 0) return false;
  } else if (keeper->way != LIMIT_PACKED && keeper->way != LIMIT_DEDICATED) {
    return true;
  }
  while (count > 0) {
    ssize_t written = pwrite(keeper->file, bytes, count, keeper->end);
    if (written <= 0) return false;
    bytes += written, count -= written, keeper->end += written;
  }
  return true;
}

/// The size in a tar's header, octal or binary; good archives only.
static uint64_t tar_size(const uint8_t *header) {
  uint64_t size = 0;
  for (int index = 124; index < 136; index++) {
    if (header[124] & 0x80) size = index == 124 ? 0 : size << 8 | header[index];
    else if (header[index] >= '0' && header[index] <= '7') size = size << 3 | (header[index] - '0');
  }
  return size;
}

static bool is_file(const uint8_t *header) { return (header[156] == '0' || header[156] == 0) && header[0] != 0; }

/// What one thread keeps of a tar that comes in pieces: every entry that is its turn.
struct walk {
  uint8_t header[BLOCK];
  size_t have, entry;
  uint64_t content, padding;
  bool is_mine;
};

struct stream {
  struct decoder *decoder;
  enum limit_way way;
  int file;
  off_t size;
  unsigned threads;
  atomic_size_t next;
  atomic_bool failed;
  // Guarded by the mutex: the pieces that were decoded, and how many of them each thread has passed.
  uint8_t *buffers[BUFFERS];
  ssize_t sizes[BUFFERS];
  unsigned filled, passed[MOST_THREADS];
  pthread_mutex_t mutex;
  pthread_cond_t changed;
};

struct writer {
  struct stream *stream;
  unsigned turn;
  pthread_t thread;
  struct keeper keeper;
  struct walk walk;
};

static bool keep_entries(struct writer *writer, const uint8_t *bytes, size_t size) {
  struct walk *walk = &writer->walk;
  for (size_t count; size > 0; bytes += count, size -= count) {
    if (walk->content > 0) {
      count = walk->content < size ? walk->content : size;
      if (walk->is_mine && !keeper_add(&writer->keeper, bytes, count)) return false;
      walk->content -= count;
    } else if (walk->padding > 0) {
      count = walk->padding < size ? walk->padding : size;
      walk->padding -= count;
    } else {
      count = BLOCK - walk->have < size ? BLOCK - walk->have : size;
      memcpy(walk->header + walk->have, bytes, count);
      walk->have += count;
      if (walk->have < BLOCK) continue;
      walk->have = 0;
      walk->content = walk->header[0] ? tar_size(walk->header) : 0;
      walk->padding = -walk->content % BLOCK;
      walk->is_mine = is_file(walk->header) && walk->entry++ % writer->stream->threads == writer->turn;
      if (walk->is_mine && !keeper_begin(&writer->keeper)) return false;
    }
  }
  return true;
}

static unsigned slowest(const struct stream *stream) {
  unsigned least = stream->passed[0];
  for (unsigned index = 1; index < stream->threads; index++) {
    if (stream->passed[index] < least) least = stream->passed[index];
  }
  return least;
}

/// Every thread sees all pieces; it keeps each whose turn it is, or looks for its entries in all.
static void *write_pieces(void *context) {
  struct writer *writer = context;
  struct stream *stream = writer->stream;
  for (unsigned piece = 0;; piece++) {
    pthread_mutex_lock(&stream->mutex);
    while (stream->filled == piece) pthread_cond_wait(&stream->changed, &stream->mutex);
    const uint8_t *bytes = stream->buffers[piece % BUFFERS];
    ssize_t size = stream->sizes[piece % BUFFERS];
    pthread_mutex_unlock(&stream->mutex);
    if (size <= 0) return NULL;
    if (!atomic_load(&stream->failed)
        && !(stream->way == LIMIT_DEDICATED ? keep_entries(writer, bytes, size)
             : piece % stream->threads != writer->turn || keeper_add(&writer->keeper, bytes, size))) {
      atomic_store(&stream->failed, true);
    }
    pthread_mutex_lock(&stream->mutex);
    stream->passed[writer->turn]++;
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->mutex);
  }
}

static int64_t decode_pieces(struct stream *stream) {
  int64_t total = 0;
  for (ssize_t count = 1; count > 0; total += count > 0 ? count : 0) {
    pthread_mutex_lock(&stream->mutex);
    while (stream->filled - slowest(stream) == BUFFERS) pthread_cond_wait(&stream->changed, &stream->mutex);
    unsigned index = stream->filled % BUFFERS;
    pthread_mutex_unlock(&stream->mutex);
    count = stream->decoder->produce(stream->decoder, stream->buffers[index], BUFFER_SIZE);
    if (count < 0) atomic_store(&stream->failed, true);
    pthread_mutex_lock(&stream->mutex);
    stream->sizes[index] = count;
    stream->filled++;
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->mutex);
  }
  return total;
}

/// From the page cache into a memory file, without a copy in this process.
static bool copy_range(int from, off_t offset, uint64_t size) {
  int to = keep_file();
  while (to >= 0 && size > 0) {
    ssize_t count = sendfile(to, from, &offset, size);
    if (count <= 0) return false;
    size -= count;
  }
  return to >= 0;
}

/// A tar that is not compressed: a slab after another, or every entry that is this thread's turn.
static void *copy_ranges(void *context) {
  struct writer *writer = context;
  struct stream *stream = writer->stream;
  uint8_t header[BLOCK];
  off_t offset = 0;
  size_t entry = 0;
  bool is_good = true;
  if (stream->way == LIMIT_PACKED) {
    while (is_good && (offset = (off_t)atomic_fetch_add(&stream->next, 1) * SLAB_SIZE) < stream->size) {
      off_t rest = stream->size - offset;
      is_good = copy_range(stream->file, offset, rest < SLAB_SIZE ? rest : SLAB_SIZE);
    }
  }
  while (is_good && stream->way == LIMIT_DEDICATED && read_fully(stream->file, header, BLOCK, offset) && header[0]) {
    uint64_t size = tar_size(header);
    if (is_file(header) && entry++ % stream->threads == writer->turn) {
      is_good = copy_range(stream->file, offset + BLOCK, size);
    }
    offset += BLOCK + (size + BLOCK - 1) / BLOCK * BLOCK;
  }
  if (!is_good) atomic_store(&stream->failed, true);
  return NULL;
}

int64_t limit_keep(struct decoder *decoder, int file, off_t size, enum limit_way way) {
  static struct warm buffers;
  static struct writer writers[MOST_THREADS];
  struct stream stream = {
    .decoder = decoder, .way = way, .file = file, .size = size, .threads = thread_count(),
    .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
  if (decoder && !warm_reserve(&buffers, BUFFERS * BUFFER_SIZE)) return LIMIT_FAILED;
  for (int index = 0; index < BUFFERS; index++) stream.buffers[index] = buffers.bytes + index * BUFFER_SIZE;
  for (unsigned turn = 0; turn < stream.threads; turn++) {
    writers[turn] = (struct writer){.stream = &stream, .turn = turn, .keeper = {.way = way}};
    if (pthread_create(&writers[turn].thread, NULL, decoder ? write_pieces : copy_ranges, &writers[turn]) != 0) abort();
  }
  int64_t total = decoder ? decode_pieces(&stream) : size;
  for (unsigned turn = 0; turn < stream.threads; turn++) pthread_join(writers[turn].thread, NULL);
  return atomic_load(&stream.failed) ? LIMIT_FAILED : total;
}
