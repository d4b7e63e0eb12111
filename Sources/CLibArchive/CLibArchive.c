#include "CLibArchive.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

// The ABI of all versions 3.
#if ARCHIVE_VERSION_NUMBER < 3000000 || ARCHIVE_VERSION_NUMBER >= 4000000
#error "libarchive.so.13 is version 3 of libarchive"
#endif
static const char *const name = "libarchive.so.13";

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct clibarchive functions;
static int is_loaded, is_stopped;
static char failure[512];

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

static void load(void) {
  // Bound at once: a process that is locked in later cannot be told of a symbol that is missing.
  void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  is_loaded = library ? resolve(library) : fail();
}

static void stop(void) {
  is_stopped = 1;
  snprintf(failure, sizeof failure, "%s is not to be loaded any more", name);
}

const struct clibarchive *clibarchive_functions(void) {
  pthread_once(&once, load);
  return is_loaded ? &functions : NULL;
}

const char *clibarchive_failure(void) { return failure; }

void clibarchive_stop_loading(void) { pthread_once(&once, stop); }

int clibarchive_is_stopped(void) { return is_stopped; }
