internal import Synchronization

/// What was odd and did not prevent anything, collected from all stages of one extraction.
final class WarningLog: Sendable {
  private let warnings: Mutex<WarningList>

  init(_ ledger: Ledger) { warnings = Mutex(WarningList(EntryAccount(ledger))) }

  func add(_ text: String, entry: String? = nil) { add(ArchiveWarning(entry: entry, text: text)) }

  func add(_ warning: ArchiveWarning) { warnings.withLock { $0.add(warning) } }

  var list: WarningList { warnings.withLock { $0 } }
}
