#if DEBUG
import Foundation
import Glibc
import SystemPackage

@testable import MemArchive

/// The product's worker under a path of its own, by which its processes are told from those of other tests.
final class NamedWorker {
  private let path = FileManager.default.temporaryDirectory.appending(path: "worker-\(UUID().uuidString)")
    .path

  init() throws {
    let program = try WorkerLocator.program(ExtractionOptions()).path
    if symlink(program, path) != 0 { throw Errno(rawValue: errno) }
  }

  deinit { unlink(path) }

  var options: ExtractionOptions { ExtractionOptions(sandbox: .required, worker: FilePath(path)) }

  /// Those that were started and are not reaped.
  var processes: [pid_t] { Family.workers(named: path).map(\.worker) }
}
#endif
