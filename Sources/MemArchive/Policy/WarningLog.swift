internal import Synchronization

/// What was odd and did not prevent anything, collected from all stages of one extraction.
final class WarningLog: Sendable {
  private let warnings = Mutex<[ArchiveWarning]>([])

  func add(_ text: String, entry: String? = nil) {
    warnings.withLock { $0.append(ArchiveWarning(entry: entry, text: text)) }
  }

  func add(_ warning: ArchiveWarning) { warnings.withLock { $0.append(warning) } }

  var all: [ArchiveWarning] { warnings.withLock { $0 } }
}
