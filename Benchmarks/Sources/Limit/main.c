// The limit as a process of its own, to be timed as one.
//
//     limit [--packed|--dedicated] ARCHIVE

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "CLimit.h"

int main(int count, char **arguments) {
  enum limit_way way = LIMIT_DECODED;
  if (count == 3 && strcmp(arguments[1], "--packed") == 0) way = LIMIT_PACKED;
  else if (count == 3 && strcmp(arguments[1], "--dedicated") == 0) way = LIMIT_DEDICATED;
  else if (count != 2) return 2;
  // As `memarchive test --storage dedicated` does.
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  int64_t bytes = limit_run(arguments[count - 1], way);
  if (bytes >= 0) return 0;
  fputs(bytes == LIMIT_NONE ? "not for this format\n" : "it could not be decoded, or kept\n", stderr);
  return 1;
}
