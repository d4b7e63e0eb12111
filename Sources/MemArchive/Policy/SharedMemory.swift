internal import Synchronization

/// The memory that the ledgers of a pool share: each claims it in steps, ahead of what it charges.
final class SharedMemory: Sendable {
  private struct Account {
    var limit: Int64 = 0
    var claimed: Int64 = 0
    /// When the system was asked what it has, which takes a tenth of reading a small archive.
    var asked: ContinuousClock.Instant?
  }

  private let fixed: Int64?
  private let account: Mutex<Account>

  /// Bytes that a ledger claims at once: seldom enough that ledgers do not wait for each other.
  static let step: Int64 = 8 << 20

  /// - Parameter limit: nil: as much as the system has, whenever a ledger joins.
  init(_ limit: Int64?) {
    fixed = limit
    account = Mutex(Account(limit: limit ?? 0))
  }

  /// The most that one more ledger can come to hold.
  func join() -> Int64 {
    account.withLock { account in
      if let fixed { return fixed }
      let now = ContinuousClock.now
      if let asked = account.asked, now - asked < .milliseconds(20) { return account.limit }
      account.asked = now
      account.limit = MemoryBudget.default(claimed: account.claimed)
      return account.limit
    }
  }

  /// Claims at least `least` more bytes, and `step` if there are as many; nil if there are not.
  func claim(atLeast least: Int64) -> Int64? {
    account.withLock { account in
      let room = account.limit - account.claimed
      guard least <= room else { return nil }
      let count = min(room, max(least, Self.step))
      account.claimed += count
      return count
    }
  }

  func giveBack(_ count: Int64) { account.withLock { $0.claimed -= count } }
}
