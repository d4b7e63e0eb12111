#if TESTABLE
import Glibc

@testable import MemArchive

// A worker that tells the lie by whose name it was started, and does nothing more until its host ends it.
let name = CommandLine.arguments[0].split(separator: "/").last.map { String($0) } ?? ""
guard let lie = Lie.named(name) else { exit(2) }
MemArchiveWorker.awaitArchive()
// It keeps the socket open.
let liar = try Liar()
try? lie.tell(liar)
while true { pause() }
#endif
