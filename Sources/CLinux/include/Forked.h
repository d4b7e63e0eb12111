// Threads that have come from another process by fork(2).
#ifndef CLINUX_FORKED_H
#define CLINUX_FORKED_H

// Swift's locks keep the number of the thread that first takes one. A process that is forked from that thread goes on with a number
// that is not its own, and is ended by Swift as soon as two of its threads want the same lock: the kernel lets nobody but its
// owner give back a lock that somebody waits for, futex(2) with FUTEX_UNLOCK_PI.

// 1 in such a thread, otherwise 0. To be called before a thread takes a lock of Swift's.
int clinux_is_forked_thread(void);
// Runs `body` on a thread of its own, and waits for it; on this one where no other can be started.
void clinux_run_apart(void (*body)(void *context), void *context);

#endif
