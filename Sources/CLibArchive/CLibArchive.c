#define _GNU_SOURCE
#include "CLibArchive.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

// The ABI of all versions 3.
#if ARCHIVE_VERSION_NUMBER < 3000000 || ARCHIVE_VERSION_NUMBER >= 4000000
#error "libarchive.so.13 is version 3 of libarchive"
#endif
static const char *const name = "libarchive.so.13";

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct clibarchive functions;
static atomic_bool is_loaded, is_stopped;
static _Thread_local char failure[512];

static int fail(void) {
  const char *text = dlerror();
  snprintf(failure, sizeof failure, "%s", text ? text : name);
  return 0;
}

static int resolve(void *library) {
#define CLIBARCHIVE_RESOLVE(name) \
  if (!(functions.name = (__typeof__(name) *)dlsym(library, #name))) return fail();
  CLIBARCHIVE_FUNCTIONS(CLIBARCHIVE_RESOLVE)
  return 1;
}

static int load(void) {
  if (is_stopped) {
    errno = 0;
    snprintf(failure, sizeof failure, "%s is not to be loaded any more", name);
    return 0;
  }
  errno = 0;
  // Bound at once: a process that is locked in later cannot be told of a symbol that is missing.
  void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (!library) return fail();
  if (resolve(library)) return 1;
  dlclose(library);
  errno = 0;
  return 0;
}

const struct clibarchive *clibarchive_functions(void) {
  if (is_loaded) return &functions;
  pthread_mutex_lock(&lock);
  // A shortage may pass, so that a failure is not for good.
  if (!is_loaded) is_loaded = load();
  pthread_mutex_unlock(&lock);
  return is_loaded ? &functions : NULL;
}

const char *clibarchive_failure(void) { return failure; }

void clibarchive_stop_loading(void) { is_stopped = 1; }

int clibarchive_is_out_of_reach(void) { return is_stopped && !is_loaded; }
