// A process that has loaded and warmed all that a worker needs, and forks one for each archive.
//
// It is started by csupervisor_start like any program, and asked by packets on the socket that it was started with. Each packet has
// two descriptors: the socket that the worker is to serve, and the end of a pair on which the template says how the worker ended.
// It has neither the archive nor anything that was made of one. It ends with its host; its workers end with it, PR_SET_PDEATHSIG.
#ifndef CTEMPLATE_H
#define CTEMPLATE_H

#include <stdint.h>

// How a worker ended, as the template says it in one packet: CSUPERVISOR_ENDED_EXIT or _SIGNAL and the status or signal, or
// CTEMPLATE_NOT_STARTED and an error number. Where the other end comes without it, the template was killed.
struct ctemplate_end {
  int32_t how, status;
};
enum { CTEMPLATE_NOT_STARTED = 3 };

// Runs `body`, in which ctemplate_serve is called, on a thread that has done nothing before, and never returns: whatever a worker is
// forked from has taken no lock of Swift's yet, of which the runtime itself takes some as the program starts (Forked.h).
__attribute__((noreturn)) void ctemplate_run(void (*body)(void));

// Serves, on the only thread that does anything, until the host closes its socket. Returns in each worker: its socket is descriptor
// CLINUX_WORKER_SOCKET, and it has no other but the standard streams. `warm` is called before the second is forked, so that a host with a
// single archive does not pay for it; for a host with many, the code that workers execute is in huge pages (HugeCode.h).
void ctemplate_serve(void (*warm)(void));

#endif
