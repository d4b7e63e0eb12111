import Libc
import MemArchive

/// The names given on a command line, and which of them have been found. No names select all entries.
struct WantedNames {
  /// What the names are for.
  enum Use {
    /// `list`, where a name may be anything.
    case list
    /// `cat` and `digest`, which take patterns by --include.
    case content
    /// {NAME} of `run`.
    case command
    /// {NAME} of `run --tree`, which may be a directory.
    case tree
  }

  private let names: [String]
  private var found: [NameKey: Bool]
  private var seen: [(name: String, isFile: Bool)] = []
  private var seenBytes = 0
  /// Upper bounds of the names that are kept for suggestions, and of their bytes.
  private static let mostSeen = (names: 20_000, bytes: 4 << 20)

  init(_ names: [String]) {
    self.names = names
    found = Dictionary(names.map { (NameKey($0), false) }, uniquingKeysWith: { first, _ in first })
  }

  /// Whether an entry is wanted; notes that its name exists.
  mutating func take(_ entry: ArchiveEntry) -> Bool {
    guard !names.isEmpty else { return true }
    let key = NameKey(entry.name)
    guard found[key] != nil else {
      let size = entry.name.utf8.count
      if seen.count < Self.mostSeen.names, size <= Self.mostSeen.bytes - seenBytes {
        seen.append((entry.name, entry.kind == .symlink || entry.kind == .hardlink || entry.kind == .file))
        seenBytes += size
      }
      return false
    }
    found[key] = true
    return true
  }

  /// Notes that a name stands for something.
  mutating func find(_ name: String) { found[NameKey(name)] = true }

  /// Whether a name may be meant as a pattern.
  static func isPattern(_ name: String) -> Bool { name.utf8.contains { "*?[".utf8.contains($0) } }

  /// Says which names the archive does not hold, with those that come near. After damage nobody can know.
  ///
  /// - Parameters:
  ///   - recursive: Whether archives in it were read too.
  ///   - advice: Said of a name that comes near no other, or always where a brace is in doubt, with a space in front.
  func reportMissing(
    in archive: Archive, afterAll: Bool, for use: Use, recursive: Bool, advice: PathTemplate.Advice? = nil
  ) -> ExitStatus {
    let missing = names.filter { found[NameKey($0)] == false }
    guard afterAll, !missing.isEmpty else { return .done }
    for name in missing {
      let hint = hint(for: name, use, recursive)
      let advice = advice.map { $0.isCertain || hint.isEmpty ? $0.text : "" } ?? ""
      let what =
        use == .list && Self.isPattern(name)
        ? "no entry matches \"\(name)\"." : "there is no entry \"\(name)\"."
      Diagnostics.report("\(archive.name): \(what)\(hint)\(advice)")
    }
    return .usage
  }

  /// What the name may have been meant for, with a space in front.
  private func hint(for name: String, _ use: Use, _ recursive: Bool) -> String {
    if use == .content, Self.isPattern(name) {
      return NearestNames.hint(for: name, in: suggested(use)) + " Patterns are for --include."
    }
    let bytes = Array(name.utf8)
    let slash = UInt8(ascii: "/")
    if use != .list, seen.contains(where: { $0.name.utf8.starts(with: bytes + [slash]) }) {
      return " \"\(name)/\" is a directory."
    }
    if !recursive,
      let outer = seen.first(where: { $0.isFile && bytes.starts(with: Array($0.name.utf8) + [slash]) })
    {
      return " \"\(outer.name)\" is a file: -r reads archives inside the archive too."
    }
    if use == .list,
      unsafe access(ArchiveEntry.rawName(of: name).map { CChar(bitPattern: $0) } + [0], F_OK) == 0
    {
      return " Another archive is given by --also \(name)."
    }
    return NearestNames.hint(for: name, in: suggested(use))
  }

  private func suggested(_ use: Use) -> [String] {
    seen.filter { $0.isFile || use == .list || use == .tree }.map(\.name)
  }
}
