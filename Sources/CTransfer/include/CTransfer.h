// Requests by libcurl, which is loaded when the first is made: a program that makes none neither needs nor loads it.
#ifndef CTRANSFER_H
#define CTRANSFER_H

#include <stddef.h>
#include <stdint.h>

// Requests to one server, one after another, over the connections that they leave.
typedef struct ctransfer ctransfer;

// NULL if libcurl cannot be loaded, or has no memory; ctransfer_failure says why.
ctransfer *ctransfer_open(void);
// Of the calling thread; valid until its next call.
const char *ctransfer_failure(void);
void ctransfer_close(ctransfer *transfer);

struct ctransfer_answer {
  // The status after redirections; 0 for no answer.
  long status;
  // Lines of the last answer's header, each ended by \r\n; not terminated.
  const char *header;
  size_t header_count;
  // The body if the status is 206, into the caller's buffer.
  size_t count;
  // Whether the server sent more than the buffer takes.
  int is_longer;
};

// Sends a GET request with these lines of the header, the last of which is NULL. 0 and an answer, which is valid until the next call;
// otherwise libcurl's error number, and ctransfer_failure has its words.
//
// Redirections are followed ten times, from https to nothing else. Connecting may take 30 seconds, and so may any silence.
// Certificates are verified by the system's, or by the file or directory that SSL_CERT_FILE and SSL_CERT_DIR name.
int ctransfer_get(
    ctransfer *transfer, const char *address, const char *const *lines, void *buffer, size_t size,
    struct ctransfer_answer *answer);

#endif
