import ArgumentParser
import Crypto
import FoundationEssentials
import MemArchive

struct DigestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "digest",
    abstract: "Print the SHA-256 of every regular entry and hard link, as sha256sum does.",
    discussion: """
      Every entry is shown as it stands in the archive, duplicates too. One entry at a time is in memory. With --json, one \
      object a line: {"name", "kind", "size", "sha256"} and, where the name is not UTF-8, "raw": its bytes in base64.
      """)

  @Argument(
    help: ArgumentHelp("The archive, or - for standard input.", valueName: "archive"), completion: .file())
  var archive: String
  @Argument(help: ArgumentHelp("Only the entries of these names.", valueName: "name"))
  var names: [String] = []
  @Flag(name: .long, help: "One JSON object a line.")
  var json = false
  @OptionGroup var options: WalkOptions

  func run() throws {
    let archive = try Archive.opened(archive, for: names, options.reading)
    var wanted = WantedNames(names)
    var lines = DigestLines(json: json)
    var status = try archive.walk(options, options.admitsAll && names.isEmpty ? .contents : .ask) {
      entry, content in
      let isWanted = wanted.take(entry.name)
      switch entry.kind {
      case .file where isWanted, .hardlink where entry.hasContent && (isWanted || lines.awaits(entry)):
        let file = try content()
        try lines.add(entry, isShown: isWanted, DigestLines.Content(file))
      case .hardlink where isWanted:
        try lines.add(link: entry)
      case .symlink where names.isEmpty:
        lines.note(symlink: entry.name)
      default:
        // Throws, and says that the entry has no content.
        if isWanted, !names.isEmpty { _ = try content() }
      }
    }
    if status == .done || options.keepGoing {
      // Hard links whose target was not selected.
      status = status.and(
        try archive.forEachLink(lines.unresolvedNames, options) { name, file in
          lines.resolve(name, try DigestLines.Content(file))
        })
    }
    try lines.finish()
    status = status.and(wanted.reportMissing(in: archive, afterAll: status == .done))
    if status != .done { throw status }
  }
}

/// The lines of `digest`, in the archive's order although the content of a hard link may come before or after it.
struct DigestLines {
  /// What a line says of the content.
  struct Content {
    let size: Int
    let digest: [UInt8]

    init(_ file: MemFile) throws {
      size = file.size
      var hash = SHA256()
      try unsafe file.forEachChunk { unsafe hash.update(bufferPointer: $0) }
      digest = Array(hash.finalize())
    }
  }

  fileprivate struct Line {
    let entry: ArchiveEntry
    var content: Content?
  }

  private let json: Bool
  private let encoder = JSONEncoder()
  /// The lines from the first that waits for its content on.
  private var waiting: [Line] = []
  /// Contents by name, for the hard links that may follow.
  private var contents: [String.UTF8Key: Content] = [:]

  /// The symbolic links so far: a hard link to one is another of its kind, and no file.
  private var symlinks: Set<String.UTF8Key> = []

  init(json: Bool) {
    self.json = json
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  }

  /// A line whose content is known.
  mutating func add(_ entry: ArchiveEntry, isShown: Bool, _ content: Content) throws {
    contents[.init(path: entry.name)] = content
    if entry.kind == .hardlink, let link = entry.link {
      // cpio: the first names of this file were empty, and this is what they stand for.
      contents[.init(path: link)] = content
      for index in waiting.indices where waiting[index].belongs(to: link) { waiting[index].content = content }
    }
    guard isShown else { return try flush() }
    // An empty file with more names may get its content from the last of them.
    let isComplete = entry.kind == .hardlink || entry.linkCount < 2 || content.size > 0
    waiting.append(Line(entry: entry, content: isComplete ? content : nil))
    try flush()
  }

  /// A line whose content is another entry's.
  mutating func add(link entry: ArchiveEntry) throws {
    let target = entry.link ?? ""
    if symlinks.contains(.init(path: target)) { return note(symlink: entry.name) }
    let awaited = waiting.contains { $0.content == nil && $0.belongs(to: target) }
    waiting.append(Line(entry: entry, content: awaited ? nil : contents[.init(path: target)]))
    try flush()
  }

  mutating func note(symlink name: String) { symlinks.insert(.init(path: name)) }

  /// Whether a line waits for the content of this hard link.
  func awaits(_ entry: ArchiveEntry) -> Bool {
    waiting.contains { $0.content == nil && $0.belongs(to: entry.link ?? "") }
  }

  /// The hard links without content, after the whole archive was read.
  var unresolvedNames: [String] {
    waiting.filter { $0.content == nil && contents[.init(path: $0.entry.name)] == nil }.map(\.entry.name)
  }

  mutating func resolve(_ name: String, _ content: Content) {
    for index in waiting.indices where String.UTF8Key(waiting[index].entry.name) == .init(name) {
      waiting[index].content = content
    }
  }

  /// Writes all lines that have a content.
  mutating func finish() throws {
    for index in waiting.indices where waiting[index].content == nil {
      waiting[index].content = contents[.init(path: waiting[index].entry.name)]
    }
    waiting.removeAll { $0.content == nil }
    try flush()
  }

  private mutating func flush() throws {
    let ready = waiting.prefix { $0.content != nil }
    for line in ready { if let content = line.content { try write(line.entry, content) } }
    waiting.removeFirst(ready.count)
  }

  private struct Row: Encodable {
    let name, kind, sha256: String
    let size: Int
    let raw: String?
  }

  private func write(_ entry: ArchiveEntry, _ content: Content) throws {
    let hex = content.digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    let raw = entry.rawName
    if json {
      let row = Row(
        name: entry.name, kind: entry.kind.rawValue, sha256: hex, size: content.size,
        raw: raw.elementsEqual(entry.name.utf8) ? nil : Data(raw).base64EncodedString())
      try Output.write(JSONLine.bytes(row, by: encoder))
    } else {
      let name = NameText.escaped(entry.name)
      try Output.write(Array(((name.isEscaped ? "\\" : "") + hex + "  ").utf8) + name.bytes + [0x0A])
    }
  }
}

extension DigestLines.Line {
  /// Whether this line's content is that of `name`, directly or as a hard link to it.
  fileprivate func belongs(to name: String) -> Bool {
    let key = String.UTF8Key(name)
    return .init(entry.name) == key || (entry.kind == .hardlink && .init(entry.link ?? "") == key)
  }
}
