internal import Synchronization

/// Warnings in order: the first ones are kept and the others counted, because an archive may cause millions.
struct WarningList: Sendable {
  private(set) var kept: [ArchiveWarning] = []
  /// The number of warnings that are not kept.
  private(set) var others = 0
  private var bytes: Int64 = 0
  private let account: EntryAccount?

  /// Upper bounds of kept warnings, and of their bytes.
  static let mostKept = 1000
  static let mostBytes: Int64 = 1 << 20

  /// - Parameter account: Charged for kept warnings; once it is used up, further ones are only counted.
  init(_ account: EntryAccount? = nil) { self.account = account }

  /// The kept warnings, and the number of others.
  var all: [ArchiveWarning] { others == 0 ? kept : kept + [.others(others)] }

  mutating func add(_ warning: ArchiveWarning) {
    guard warning.others == 0 else { return count(warning.others) }
    let cost = warning.cost
    guard others == 0, kept.count < Self.mostKept, cost <= Self.mostBytes - bytes,
      (try? account?.hold(cost, entry: warning.entry)) != nil || account == nil
    else { return count(1) }
    bytes += cost
    kept.append(warning)
  }

  mutating func add(_ warnings: [ArchiveWarning]) {
    for warning in warnings { add(warning) }
  }

  mutating func count(_ more: Int) {
    let (sum, overflow) = others.addingReportingOverflow(more)
    others = overflow ? .max : sum
  }
}

/// The warnings of all stages of one extraction.
final class WarningLog: Sendable {
  private let warnings: Mutex<WarningList>
  private let added = Atomic<Int>(0)

  init(_ ledger: Ledger) { warnings = Mutex(WarningList(EntryAccount(ledger))) }

  func add(_ text: String, entry: String? = nil) { add(ArchiveWarning(.oddity, entry: entry, text)) }

  func addGarbage(after filter: Filter) {
    add(ArchiveWarning(.dataAfterEnd, "garbage after the end of the \(filter) stream was ignored"))
  }

  func addDataAfterEnd() {
    add(ArchiveWarning(.dataAfterEnd, "data after the end of the archive was ignored"))
  }

  func addMissingEnd() { add(ArchiveWarning(.missingEnd, "the end-of-archive marker is missing")) }

  func add(_ warning: ArchiveWarning) {
    warnings.withLock { $0.add(warning) }
    added.wrappingAdd(1, ordering: .releasing)
  }

  /// The number of warnings ever added: read after each entry, where a lock would cost too much.
  var count: Int { added.load(ordering: .acquiring) }

  var list: WarningList { warnings.withLock { $0 } }
}
