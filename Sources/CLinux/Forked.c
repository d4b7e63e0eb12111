#include "Forked.h"

#include <pthread.h>

static __thread int has_locked, is_forked;

static void note_fork(void) { is_forked |= has_locked; }

static void prepare(void) { pthread_atfork(NULL, NULL, note_fork); }

int clinux_is_forked_thread(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, prepare);
  has_locked = 1;
  return is_forked;
}

struct work {
  void (*body)(void *context);
  void *context;
};

static void *run(void *given) {
  struct work *work = given;
  work->body(work->context);
  return NULL;
}

void clinux_run_apart(void (*body)(void *context), void *context) {
  struct work work = {body, context};
  pthread_t thread;
  if (pthread_create(&thread, NULL, run, &work) == 0) pthread_join(thread, NULL);
  else body(context);
}
