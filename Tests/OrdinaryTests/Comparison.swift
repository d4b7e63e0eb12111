import MemArchive
import TestSupport

/// Compares an archive's entries with what its own tool unpacked.
struct Comparison {
  private let rules: Rules
  private let files: MemFiles
  private let unpacked: [String: Unpacked]
  private let entries: [(name: String, entry: ArchiveEntry)]

  init(_ files: MemFiles, with unpacked: [Unpacked], by rules: Rules) {
    self.rules = rules
    self.files = files
    self.unpacked = Dictionary(uniqueKeysWithValues: unpacked.map { ($0.name, $0) })
    entries = files.entries.compactMap { entry in
      var parts = entry.name.split(separator: "/").filter { $0 != "." }
      if let outer = rules.outer {
        guard parts.first?.hasPrefix(outer) == true else { return nil }
        parts.removeFirst()
      }
      return parts.isEmpty ? nil : (parts.joined(separator: "/"), entry)
    }
  }

  /// The differences, one per line.
  func differences() throws -> [String] {
    if rules.isLone { return try lone() }
    var differences = files.warnings.map { "warning: \($0)" } + files.errors.map { "error: \($0)" }
    let read = Dictionary(grouping: entries) { $0.name }
    differences += read.filter { $0.value.count > 1 }.map { "\($0.key): there \($0.value.count) times" }
    differences += read.keys.filter { unpacked[$0] == nil }.map { "\($0): the tool unpacks no such file" }
    for (name, expected) in unpacked {
      if let entry = read[name]?.first?.entry {
        differences += try compare(entry, expected).map { "\(name): \($0)" }
      } else if rules.hasDirectories || expected.kind != "directory" {
        differences.append("\(name): missing")
      }
    }
    return differences + hardLinks()
  }

  private func lone() throws -> [String] {
    let contents = try files.map { try sha256($0.file) }
    let expected = unpacked.values.map(\.sha256)
    return contents == expected && files.warnings.isEmpty
      ? [] : ["\(contents), not \(expected); \(files.warnings)"]
  }

  private func compare(_ entry: ArchiveEntry, _ expected: Unpacked) throws -> [String] {
    var differences: [String] = []
    func expect<Value: Equatable>(_ found: Value?, _ expected: Value?, _ what: String) {
      if found != expected {
        differences.append(
          "\(what) \(found.map { "\($0)" } ?? "none"), not \(expected.map { "\($0)" } ?? "none")")
      }
    }
    let kind = entry.kind == .hardlink ? "file" : entry.kind.rawValue
    expect(kind, expected.kind, "kind")
    if expected.kind == "file" {
      expect(try files[entry.name].map { try sha256($0) }, expected.sha256, "content")
    }
    if expected.kind == "symlink" {
      expect(entry.link, expected.link, "link")
    } else if rules.modes {
      // Linux has no modes for symbolic links.
      expect(entry.mode.map { String($0, radix: 8) }, String(expected.mode, radix: 8), "mode")
    }
    if rules.times.contains(expected.kind) {
      let time = ArchiveEntry.Time(seconds: expected.seconds, nanoseconds: expected.nanoseconds)
      expect(entry.modified, time, "time")
    }
    return differences
  }

  /// If the tool makes one file with several names, all but one of them are links to another.
  private func hardLinks() -> [String] {
    let groups = Dictionary(grouping: unpacked.values.filter { $0.inode != nil }, by: \.inode)
    return groups.values.compactMap { group in
      let names = Set(group.map(\.name))
      let links = entries.filter { names.contains($0.name) && $0.entry.kind == .hardlink }
      let targets = links.compactMap { $0.entry.link }.map {
        $0.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
      }
      return links.count == names.count - 1 && targets.allSatisfy(names.contains)
        ? nil : "\(names.sorted()): one file, read as \(links.count) links to \(targets)"
    }
  }
}
