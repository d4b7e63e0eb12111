// Entries found by libarchive, while a thread of its own decodes.

#include <archive.h>
#include <archive_entry.h>
#include <pthread.h>

#include "limit.h"

enum { BUFFERS = 4, BUFFER_SIZE = 512 << 10 };

struct ring {
  struct decoder *decoder;
  uint8_t *buffers[BUFFERS];
  ssize_t sizes[BUFFERS];
  /// How many were filled, and how many given back; guarded by the mutex.
  unsigned filled, emptied;
  bool stopped;
  /// Whether the parser has one at hand.
  bool lent;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
};

static void *decode(void *context) {
  struct ring *ring = context;
  for (ssize_t count = 1; count > 0;) {
    pthread_mutex_lock(&ring->mutex);
    while (ring->filled - ring->emptied == BUFFERS && !ring->stopped) pthread_cond_wait(&ring->changed, &ring->mutex);
    bool stopped = ring->stopped;
    unsigned index = ring->filled % BUFFERS;
    pthread_mutex_unlock(&ring->mutex);
    if (stopped) break;
    count = ring->decoder->produce(ring->decoder, ring->buffers[index], BUFFER_SIZE);
    pthread_mutex_lock(&ring->mutex);
    ring->sizes[index] = count;
    ring->filled++;
    pthread_cond_broadcast(&ring->changed);
    pthread_mutex_unlock(&ring->mutex);
  }
  return NULL;
}

static la_ssize_t take(struct archive *archive, void *context, const void **bytes) {
  struct ring *ring = context;
  (void)archive;
  pthread_mutex_lock(&ring->mutex);
  if (ring->lent) {
    ring->lent = false;
    ring->emptied++;
    pthread_cond_broadcast(&ring->changed);
  }
  while (ring->filled == ring->emptied) pthread_cond_wait(&ring->changed, &ring->mutex);
  unsigned index = ring->emptied % BUFFERS;
  ssize_t size = ring->sizes[index];
  // The last one stays, so that the end can be asked for again.
  ring->lent = size > 0;
  pthread_mutex_unlock(&ring->mutex);
  *bytes = ring->buffers[index];
  return size;
}

static int64_t read_entries(struct archive *archive) {
  struct archive_entry *entry;
  int64_t total = 0;
  int status;
  while ((status = archive_read_next_header(archive, &entry)) >= ARCHIVE_WARN && status != ARCHIVE_EOF) {
    const void *bytes;
    size_t count;
    la_int64_t offset;
    while ((status = archive_read_data_block(archive, &bytes, &count, &offset)) == ARCHIVE_OK) total += count;
    if (status != ARCHIVE_EOF) return LIMIT_FAILED;
  }
  return status == ARCHIVE_EOF ? total : LIMIT_FAILED;
}

int64_t limit_parse(struct decoder *decoder, const char *path) {
  static struct warm buffers;
  struct ring ring = {.decoder = decoder, .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
  struct archive *archive = archive_read_new();
  if (!archive || !warm_reserve(&buffers, BUFFERS * BUFFER_SIZE)) return LIMIT_FAILED;
  archive_read_support_format_tar(archive);
  archive_read_support_format_7zip(archive);
  int64_t result = LIMIT_FAILED;
  if (!decoder) {
    if (archive_read_open_filename(archive, path, 1 << 20) == ARCHIVE_OK) result = read_entries(archive);
  } else {
    for (int index = 0; index < BUFFERS; index++) ring.buffers[index] = buffers.bytes + index * BUFFER_SIZE;
    pthread_t thread;
    if (pthread_create(&thread, NULL, decode, &ring) == 0) {
      if (archive_read_open(archive, &ring, NULL, take, NULL) == ARCHIVE_OK) result = read_entries(archive);
      pthread_mutex_lock(&ring.mutex);
      ring.stopped = true;
      pthread_cond_broadcast(&ring.changed);
      pthread_mutex_unlock(&ring.mutex);
      pthread_join(thread, NULL);
    }
  }
  archive_read_free(archive);
  return result;
}
