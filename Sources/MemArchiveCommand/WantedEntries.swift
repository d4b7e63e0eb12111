import MemArchive

/// What `list` is asked for: entries, directories with all that is in them, and patterns. Nothing means everything.
struct WantedEntries {
  private var names: WantedNames
  /// The names as bytes, without a slash at the end, and the lengths that occur among them.
  private var directories: [[UInt8]: String] = [:]
  private var lengths: Set<Int> = []
  private let globs: [Glob]

  init(_ names: [String]) {
    self.names = WantedNames(names)
    globs = names.filter(WantedNames.isPattern).map { Glob($0) }
    for name in names {
      let bytes = Self.withoutSlash(ArchiveEntry.rawName(of: name))
      directories[bytes] = name
      lengths.insert(bytes.count)
    }
  }

  private static func withoutSlash(_ name: [UInt8]) -> [UInt8] {
    name.count > 1 && name.last == UInt8(ascii: "/") ? Array(name.dropLast()) : name
  }

  /// Whether an entry is wanted; notes what it was wanted by.
  mutating func take(_ entry: ArchiveEntry) -> Bool {
    var isWanted = names.take(entry)
    guard !isWanted else { return true }
    let bytes = ArchiveEntry.rawName(of: entry.name)
    for length in lengths where length < bytes.count && bytes[length] == UInt8(ascii: "/") {
      guard let name = directories[Array(bytes[..<length])] else { continue }
      names.find(name)
      isWanted = true
    }
    if !globs.isEmpty {
      let name = Glob.cString(entry.name)
      for glob in globs where glob.matches(name) {
        names.find(glob.text)
        isWanted = true
      }
    }
    return isWanted
  }

  func reportMissing(in archive: Archive, afterAll: Bool, recursive: Bool) -> ExitStatus {
    names.reportMissing(in: archive, afterAll: afterAll, for: .list, recursive: recursive)
  }
}
