extension MemFiles {
  /// Why those of these names have no file that have none, unless it is among ``errors``: links that lead to none, what is
  /// no file, and names that are not there.
  package func missing(_ names: [String]) -> [ArchiveError] {
    let names = names.filter { self[$0] == nil }
    guard !names.isEmpty else { return [] }
    let known = Set(errors.compactMap { $0.entry.map { NameKey($0) } })
    let entries = Dictionary(entries.map { (NameKey($0.name), $0) }, uniquingKeysWith: { _, later in later })
    var reasons: [NameKey: String] = [:]
    for warning in warnings {
      if let entry = warning.entry, let why = warning.unavailability { reasons[NameKey(entry)] = why }
    }
    return names.filter {
      // The error of a link's target says it all.
      !known.contains(NameKey($0)) && reasons[NameKey($0)]?.hasSuffix(ArchiveError.targetFailedSuffix) != true
    }.map { name in
      reasons[NameKey(name)].map { .unavailable(name, $0) } ?? entries[NameKey(name)].map { .notAFile($0) }
        ?? .noSuchEntry(name)
    }
  }
}
