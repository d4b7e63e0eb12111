import Libc
import MemArchive

// The worker that reads an archive for another process. It has no other use.
MemArchiveWorker.runIfRequested()
let text = "memarchive-worker is started by programs that use MemArchive.\n"
unsafe _ = write(STDERR_FILENO, text, text.utf8.count)
exit(2)
