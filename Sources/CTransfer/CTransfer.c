#define _GNU_SOURCE
#include "CTransfer.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// <curl/curl.h>: the ABI of libcurl.so.4, whose numbers never change. 10,000: objects; 20,000: functions.
enum {
  URL = 10002, WRITEDATA = 10001, ERRORBUFFER = 10010, USERAGENT = 10018, HTTPHEADER = 10023, HEADERDATA = 10029,
  CAINFO = 10065, CAPATH = 10097, WRITEFUNCTION = 20011, HEADERFUNCTION = 20079, LOW_SPEED_LIMIT = 19,
  LOW_SPEED_TIME = 20, FOLLOWLOCATION = 52, MAXREDIRS = 68, NOSIGNAL = 99, CONNECTTIMEOUT_MS = 156, PROTOCOLS = 181,
  REDIR_PROTOCOLS = 182,
};
enum { RESPONSE_CODE = 0x200002, GLOBAL_ALL = 3, ERROR_SIZE = 256, OUT_OF_MEMORY = 27, WRITE_ERROR = 23 };
enum { HTTP = 1, HTTPS = 2 };
enum { LARGEST_HEADER = 64 << 10 };

static struct {
  int (*global_init)(long);
  void *(*easy_init)(void);
  int (*easy_setopt)(void *, int, ...);
  int (*easy_perform)(void *);
  int (*easy_getinfo)(void *, int, ...);
  void (*easy_cleanup)(void *);
  const char *(*easy_strerror)(int);
  void *(*slist_append)(void *, const char *);
  void (*slist_free_all)(void *);
} curl;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int is_loaded;
static char load_failure[256];
static _Thread_local char failure[ERROR_SIZE];

struct ctransfer {
  void *handle;
  char *header;
  size_t header_count;
  char *body;
  size_t size, count;
  int is_longer, is_too_long;
};

static void load(void) {
  // Debian has both; git needs the second one.
  void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (!library) library = dlopen("libcurl-gnutls.so.4", RTLD_NOW | RTLD_LOCAL);
  const char *names[] = {
      "curl_global_init", "curl_easy_init", "curl_easy_setopt", "curl_easy_perform", "curl_easy_getinfo",
      "curl_easy_cleanup", "curl_easy_strerror", "curl_slist_append", "curl_slist_free_all"};
  void **functions = (void **)&curl;
  for (size_t index = 0; library && index < sizeof names / sizeof *names; index++)
    if (!(functions[index] = dlsym(library, names[index]))) library = NULL;
  if (!library) {
    const char *text = dlerror();
    snprintf(load_failure, sizeof load_failure, "%s", text ? text : "libcurl.so.4");
    return;
  }
  is_loaded = curl.global_init(GLOBAL_ALL) == 0;
}

ctransfer *ctransfer_open(void) {
  pthread_once(&once, load);
  ctransfer *transfer = is_loaded ? calloc(1, sizeof *transfer) : NULL;
  if (transfer && (transfer->header = malloc(LARGEST_HEADER)) && (transfer->handle = curl.easy_init()))
    return transfer;
  snprintf(failure, sizeof failure, "%s", is_loaded ? "out of memory" : load_failure);
  if (transfer) free(transfer->header);
  free(transfer);
  return NULL;
}

const char *ctransfer_failure(void) { return failure; }

void ctransfer_close(ctransfer *transfer) {
  curl.easy_cleanup(transfer->handle);
  free(transfer->header);
  free(transfer);
}

static size_t take_header(char *line, size_t size, size_t count, void *user) {
  ctransfer *transfer = user;
  count *= size;
  // An answer after another one: a redirection's, or one that is not final.
  if (count >= 5 && memcmp(line, "HTTP/", 5) == 0) transfer->header_count = 0;
  if (count > LARGEST_HEADER - transfer->header_count) return 0;
  memcpy(transfer->header + transfer->header_count, line, count);
  transfer->header_count += count;
  return count;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *user) {
  ctransfer *transfer = user;
  long status = 0;
  curl.easy_getinfo(transfer->handle, RESPONSE_CODE, &status);
  count *= size;
  // The rest of a file is not wanted, and a redirection's text is passed over by libcurl.
  if (status != 206) return status >= 300 && status < 400 ? count : 0;
  if (count > transfer->size - transfer->count) {
    transfer->is_longer = 1;
    return 0;
  }
  memcpy(transfer->body + transfer->count, bytes, count);
  transfer->count += count;
  return count;
}

int ctransfer_get(
    ctransfer *transfer, const char *address, const char *const *lines, void *buffer, size_t size,
    struct ctransfer_answer *answer) {
  void *list = NULL;
  for (; *lines; lines++) {
    void *longer = curl.slist_append(list, *lines);
    if (!longer) {
      curl.slist_free_all(list);
      snprintf(failure, sizeof failure, "out of memory");
      return OUT_OF_MEMORY;
    }
    list = longer;
  }
  transfer->body = buffer;
  transfer->size = size;
  transfer->header_count = transfer->count = 0;
  transfer->is_longer = 0;
  failure[0] = 0;
  void *handle = transfer->handle;
  const char *file = secure_getenv("SSL_CERT_FILE"), *directory = secure_getenv("SSL_CERT_DIR");
  int is_plain = strncasecmp(address, "http:", 5) == 0;
  curl.easy_setopt(handle, URL, address);
  curl.easy_setopt(handle, HTTPHEADER, list);
  curl.easy_setopt(handle, USERAGENT, "memarchive");
  curl.easy_setopt(handle, WRITEFUNCTION, take_body);
  curl.easy_setopt(handle, WRITEDATA, transfer);
  curl.easy_setopt(handle, HEADERFUNCTION, take_header);
  curl.easy_setopt(handle, HEADERDATA, transfer);
  curl.easy_setopt(handle, ERRORBUFFER, failure);
  curl.easy_setopt(handle, NOSIGNAL, 1L);
  curl.easy_setopt(handle, FOLLOWLOCATION, 1L);
  curl.easy_setopt(handle, MAXREDIRS, 10L);
  curl.easy_setopt(handle, PROTOCOLS, (long)(HTTP | HTTPS));
  curl.easy_setopt(handle, REDIR_PROTOCOLS, is_plain ? (long)(HTTP | HTTPS) : (long)HTTPS);
  curl.easy_setopt(handle, CONNECTTIMEOUT_MS, 30000L);
  // Less than a byte a second for 30 seconds.
  curl.easy_setopt(handle, LOW_SPEED_LIMIT, 1L);
  curl.easy_setopt(handle, LOW_SPEED_TIME, 30L);
  if (file) curl.easy_setopt(handle, CAINFO, file);
  if (directory) curl.easy_setopt(handle, CAPATH, directory);
  int error = curl.easy_perform(handle);
  curl.slist_free_all(list);
  *answer = (struct ctransfer_answer){
      .header = transfer->header, .header_count = transfer->header_count, .count = transfer->count,
      .is_longer = transfer->is_longer};
  curl.easy_getinfo(handle, RESPONSE_CODE, &answer->status);
  // Ended here, because the body is not wanted.
  if (error == WRITE_ERROR && answer->status != 0 && (answer->status != 206 || answer->is_longer)) error = 0;
  if (error && !failure[0]) snprintf(failure, sizeof failure, "%s", curl.easy_strerror(error));
  return error;
}
