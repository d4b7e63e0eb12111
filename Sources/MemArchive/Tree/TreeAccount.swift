internal import Synchronization

/// What a tree's files cost their ledger, given back when the tree goes.
final class TreeAccount: Sendable {
  /// An inode of a tmpfs with its directory entry takes about this much of the kernel's memory.
  static let inodeSize: Int64 = 1024
  /// Content takes whole pages.
  private static let pageSize: Int64 = 4096
  /// What is kept of them besides.
  let entries: EntryAccount
  private let charge: Mutex<Charge>

  init(_ ledger: Ledger) {
    entries = EntryAccount(ledger)
    charge = Mutex(Charge(ledger, entry: "tree"))
  }

  /// Counts a further file, directory or link.
  func addInode(entry: String) throws(ArchiveError) { try entries.hold(Self.inodeSize, entry: entry) }

  /// Takes over what a file of `size` bytes is charged with, and counts what its last page has too much.
  func take(_ other: inout Charge, size: Int64, entry: String) throws(ArchiveError) {
    try other.hold(Self.rounded(size) - size, entry: entry)
    charge.withLock { other.move(to: &$0) }
  }

  /// Gives back what a file of this size was charged with.
  func giveBack(size: Int64) { charge.withLock { $0.giveBack(Self.rounded(size)) } }

  private static func rounded(_ size: Int64) -> Int64 {
    let (sum, overflow) = size.addingReportingOverflow(pageSize - 1)
    return overflow ? size : sum / pageSize * pageSize
  }
}
