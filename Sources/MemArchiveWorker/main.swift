import Glibc
import MemArchive

// The worker that reads an archive for another process, and is of no use to anybody else.
MemArchiveWorker.runIfRequested()
fputs("memarchive-worker is started by programs that use MemArchive.\n", stderr)
exit(2)
