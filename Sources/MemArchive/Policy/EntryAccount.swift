internal import Synchronization

/// Charges a ledger for the entries, warnings and errors that an extraction keeps. The charge is released with the last
/// reference.
package final class EntryAccount: Sendable {
  private struct State: ~Copyable {
    var charge: Charge
    /// The details of the entry counted last, which the next one may share.
    var details: ArchiveEntry.Shared<ArchiveEntry.Details>?
  }

  private let state: Mutex<State>

  package init(_ ledger: Ledger) { state = Mutex(State(charge: Charge(ledger, entry: "entries"))) }

  /// Counts an entry that is kept from now on.
  package func add(_ entry: ArchiveEntry) throws(ArchiveError) {
    try hold(entry.ownCost, entry: entry.name, entry.fields.value.details)
  }

  /// Counts a name that is kept from here on, with a little besides.
  package func add(name: String) throws(ArchiveError) {
    try hold(Self.nameCost + Int64(name.utf8.count), entry: name)
  }

  /// Its place in a table, twice where the table grows, and some 40 bytes besides, such as a checksum.
  private static let nameCost: Int64 = 256

  func add(_ error: ArchiveError) throws(ArchiveError) { try hold(error.cost, entry: error.entry) }

  /// Counts memory other than content, or throws and counts nothing.
  func hold(
    _ bytes: Int64, entry: String?, _ details: ArchiveEntry.Shared<ArchiveEntry.Details>? = nil
  ) throws(ArchiveError) {
    // The closure returns a result because it cannot throw a typed error.
    let failure: ArchiveError? = state.withLock { state in
      let added = details.map { $0 === state.details ? 0 : $0.cost } ?? 0
      do throws(ArchiveError) {
        try state.charge.hold(bytes + added, entry: entry)
        if let details { state.details = details }
        return nil
      } catch {
        return error
      }
    }
    if let failure { throw failure }
  }
}

extension ArchiveEntry {
  /// Bytes of memory for keeping it, in the list of entries and under its name. The fixed part was measured:
  /// see <doc:WhatAnArchiveMayCost>.
  var cost: Int64 { ownCost + (fields.value.details?.cost ?? 0) }

  /// The part not shared with other entries.
  fileprivate var ownCost: Int64 { Self.fixedCost + Int64(fields.textSize) }

  private static let fixedCost: Int64 = 640

  /// Bytes that count against ``ExtractionLimits/attributeBytes``.
  var attributeBytes: Int { fields.value.details?.textSize ?? 0 }
}

extension ArchiveEntry.Shared<ArchiveEntry.Details> {
  /// Bytes of memory for keeping them.
  fileprivate var cost: Int64 { 256 + Int64(textSize) }
}

extension ArchiveEntry.Fields {
  var textSize: Int { name.utf8.count + (convertedFrom?.count ?? 0) + (link?.utf8.count ?? 0) }
}

extension ArchiveEntry.Details {
  var textSize: Int {
    let texts = [user, group, accessControlList, comment].reduce(0) { $0 + ($1?.utf8.count ?? 0) }
    return attributes.reduce(texts) { $0 + Self.attributeCost + $1.name.utf8.count + $1.value.count }
  }

  /// Bytes for an attribute besides its name and value.
  private static let attributeCost = 96
}

extension ArchiveError {
  /// Bytes of memory for keeping it.
  package var cost: Int64 {
    [path ?? "", entry ?? "", reason, call ?? "", advice.description].reduce(256) {
      $0 + Int64($1.utf8.count)
    }
  }
}

extension ArchiveWarning {
  /// Bytes of memory for keeping it.
  var cost: Int64 { 128 + Int64((entry?.utf8.count ?? 0) + text.utf8.count) }
}
