internal import Synchronization
internal import SystemPackage

/// A library that is loaded when something first needs it: most processes never do.
struct LateLibrary: ~Copyable {
  let name: String
  /// Debian's.
  let package: String
  /// Why loading failed when files could still be opened.
  private let failureBefore = Mutex<ArchiveError?>(nil)

  init(_ name: String, package: String) { (self.name, self.package) = (name, package) }

  /// Loads it for a process that may soon not open files any more: then the loader would tell of what keeps it from looking.
  func loadEarly(_ load: () throws(ArchiveError) -> Void) {
    do throws(ArchiveError) { try load() } catch { failureBefore.withLock { $0 = error } }
  }

  /// The error for a failure to load it: `system`, and what stands for a shortage where there is one.
  ///
  /// - Parameter errno: 0 if no system call has failed.
  func failure(_ errno: Errno, _ reason: String) -> ArchiveError {
    failureBefore.withLock { $0 } ?? .exhausted("dlopen", errno, doing: "loading \(name)")
      ?? ArchiveError(
        .system, "\(name), by which this is read, cannot be loaded: \(reason)", call: "dlopen",
        advice: .other("Install it (on Debian: \(package))."))
  }
}
