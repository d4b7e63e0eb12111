/// Names similar to a mistyped one.
package enum NearestNames {
  /// " Did you mean …?" with up to three names, or nothing if none is similar.
  package static func hint(for name: String, in names: [String]) -> String {
    let near = nearest(to: name, in: names)
    return near.isEmpty ? "" : " " + question(near)
  }

  /// "Did you mean …?" for some names.
  static func question(_ names: [String]) -> String {
    "Did you mean " + names.map { "\"\($0)\"" }.joined(separator: " or ") + "?"
  }

  /// Up to three names whose distance, or that of their last component, is within a third of the name's length; best first.
  package static func nearest(to name: String, in names: [String]) -> [String] {
    // The distance takes quadratic time.
    guard name.utf8.count <= EntryPath.longest else { return [] }
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
