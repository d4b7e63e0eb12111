import MemArchive

/// The names given on a command line, and which of them the archive turned out to hold. No names: all entries.
struct WantedNames {
  private let names: [String]
  private var found: [NameKey: Bool]
  private var seen: [String] = []
  private var seenBytes = 0
  /// The most names that are compared with those that were not found, and the most bytes of them.
  private static let mostSeen = (names: 20_000, bytes: 4 << 20)

  init(_ names: [String]) {
    self.names = names
    found = Dictionary(names.map { (NameKey($0), false) }, uniquingKeysWith: { first, _ in first })
  }

  /// Whether an entry is wanted; notes that its name exists.
  mutating func take(_ name: String) -> Bool {
    guard !names.isEmpty else { return true }
    let key = NameKey(name)
    guard found[key] != nil else {
      if seen.count < Self.mostSeen.names, name.utf8.count <= Self.mostSeen.bytes - seenBytes {
        seen.append(name)
        seenBytes += name.utf8.count
      }
      return false
    }
    found[key] = true
    return true
  }

  /// Says which names the archive does not hold, with those that come near. After damage nobody can know.
  ///
  /// - Parameter advice: Said of each, with a space in front.
  func reportMissing(in archive: Archive, afterAll: Bool, advice: String = "") -> ExitStatus {
    let missing = names.filter { found[NameKey($0)] == false }
    guard afterAll, !missing.isEmpty else { return .done }
    for name in missing {
      Diagnostics.report(
        "\(archive.argument): there is no entry \"\(name)\"." + NearestNames.hint(for: name, in: seen)
          + advice)
    }
    return .usage
  }
}
