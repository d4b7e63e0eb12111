import MemArchive

/// The names given on a command line, and which of them have been found. No names select all entries.
struct WantedNames {
  private let names: [String]
  private var found: [NameKey: Bool]
  private var seen: [String] = []
  private var seenBytes = 0
  /// Upper bounds of the names that are kept for suggestions, and of their bytes.
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
      let pattern = name.contains { "*?[".contains($0) } ? " Patterns are for --include." : ""
      Diagnostics.report(
        "\(archive.argument): there is no entry \"\(name)\"." + NearestNames.hint(for: name, in: seen)
          + pattern + advice)
    }
    return .usage
  }
}

/// Names similar to a mistyped one.
enum NearestNames {
  /// " Did you mean …?" with up to three names, or nothing if none is similar.
  static func hint(for name: String, in names: [String]) -> String {
    let near = nearest(to: name, in: names)
    return near.isEmpty ? "" : " Did you mean " + near.map { "\"\($0)\"" }.joined(separator: " or ") + "?"
  }

  /// Up to three names whose distance, or that of their last component, is within a third of the name's length; best first.
  static func nearest(to name: String, in names: [String]) -> [String] {
    let wanted = Array(name.lowercased().utf8)
    let bound = max(2, wanted.count / 3)
    return names.compactMap { candidate -> (Int, String)? in
      let bytes = Array(candidate.lowercased().utf8)
      let base = bytes.split(separator: UInt8(ascii: "/")).last.map(Array.init) ?? bytes
      let distance = min(distance(wanted, bytes, atMost: bound), distance(wanted, base, atMost: bound) + 1)
      return distance <= bound ? (distance, candidate) : nil
    }.sorted { $0.0 < $1.0 }.prefix(3).map(\.1)
  }

  /// The Levenshtein distance; if it exceeds `bound`, any number above `bound`.
  private static func distance(_ left: [UInt8], _ right: [UInt8], atMost bound: Int) -> Int {
    guard abs(left.count - right.count) <= bound else { return bound + 1 }
    var row = Array(0...right.count)
    for (index, byte) in left.enumerated() {
      var diagonal = row[0]
      row[0] = index + 1
      for column in right.indices {
        let substitution = diagonal + (byte == right[column] ? 0 : 1)
        diagonal = row[column + 1]
        row[column + 1] = min(substitution, row[column] + 1, diagonal + 1)
      }
    }
    return row[right.count]
  }
}
