import ArgumentParser
import Crypto
import FoundationEssentials
import MemArchive

struct DigestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "digest",
    abstract: "Print the SHA-256 of every regular entry and hard link, as sha256sum does.",
    discussion: """
      Every entry is shown, including duplicates. Only one entry at a time is in memory, except for link targets that \
      were not selected. With --json, prints one object per line: {"name", "kind", "size", "sha256"} and, if the name \
      is not UTF-8, "raw": its bytes in base64.
      """)

  @Argument(
    help: ArgumentHelp("The archive, or - for standard input.", valueName: "archive"), completion: .file())
  var archive: String
  @Argument(help: ArgumentHelp("Only the entries with these names.", valueName: "name"))
  var names: [String] = []
  @Flag(name: .long, help: "Print one JSON object per line.")
  var json = false
  @OptionGroup var options: WalkOptions

  func run() throws {
    let archive = try Archive.opened(archive, for: names, options.reading)
    var wanted = WantedNames(names)
    var lines = DigestLines(json: json)
    // Entries are kept for hard links that may follow.
    let account = EntryAccount(archive.context.ledger)
    var status = try archive.walk(
      options, options.admitsAll && names.isEmpty ? .allInStep : .eachInStep
    ) { entry, content in
      try account.add(entry)
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
        // Throws an error that the entry has no content.
        if isWanted, !names.isEmpty { _ = try content() }
      }
    }
    if status == .done || options.keepGoing {
      // Hard links whose target was not selected.
      var found: [NameKey: DigestLines.Content] = [:]
      status = status.and(
        try archive.forEachLink(lines.unresolvedNames(), options) { name, file in
          found[.init(name)] = try DigestLines.Content(file)
        })
      lines.resolve(found)
    }
    try lines.finish()
    status = status.and(wanted.reportMissing(in: archive, afterAll: status == .done))
    if status != .done { throw status }
  }
}

/// The lines of `digest`, in the archive's order even though a hard link's content may come before or after it.
struct DigestLines {
  /// The part of a line about the content.
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
  /// The lines from the first one that waits for its content, by number.
  private var lines: [Int: Line] = [:]
  private var first = 0
  private var end = 0
  /// The numbers of lines that wait, or have waited, for the content of a name, which is their own or a hard link's target.
  private var waiting: [NameKey: [Int]] = [:]
  /// Contents by name, for hard links that may follow.
  private var contents: [NameKey: Content] = [:]

  /// The symbolic links so far: a hard link to one is a symbolic link too, not a file.
  private var symlinks: Set<NameKey> = []

  init(json: Bool) {
    self.json = json
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  }

  /// Adds a line whose content is known.
  mutating func add(_ entry: ArchiveEntry, isShown: Bool, _ content: Content) throws {
    contents[.init(path: entry.name)] = content
    if entry.kind == .hardlink, let link = entry.link {
      // cpio: the file's earlier names came without content, which is this.
      contents[.init(path: link)] = content
      for number in waiting.removeValue(forKey: .init(path: link)) ?? [] { fill(number, content) }
    }
    guard isShown else { return try flush() }
    // An empty file with several names may get its content from the last of them.
    try append(Line(entry: entry, content: entry.mayGetContentLater ? nil : content))
  }

  /// Adds a line whose content is another entry's.
  mutating func add(link entry: ArchiveEntry) throws {
    let target = NameKey(path: entry.link ?? "")
    if symlinks.contains(target) { return note(symlink: entry.name) }
    try append(Line(entry: entry, content: awaits(target) ? nil : contents[target]))
  }

  mutating func note(symlink name: String) { symlinks.insert(.init(path: name)) }

  /// Whether a line waits for this hard link's content.
  mutating func awaits(_ entry: ArchiveEntry) -> Bool { awaits(.init(path: entry.link ?? "")) }

  private mutating func awaits(_ name: NameKey) -> Bool {
    while let number = waiting[name]?.last {
      if isWaiting(number) { return true }
      waiting[name]?.removeLast()
    }
    return false
  }

  private func isWaiting(_ number: Int) -> Bool { lines[number].map { $0.content == nil } ?? false }

  /// The hard links still without content after the whole archive has been read.
  func unresolvedNames() -> [String] {
    var names: Set<NameKey> = []
    return (first..<end).compactMap { number in
      guard isWaiting(number), let name = lines[number]?.entry.name, contents[.init(path: name)] == nil,
        names.insert(.init(name)).inserted
      else { return nil }
      return name
    }
  }

  /// Gives the lines with these names their content.
  mutating func resolve(_ found: [NameKey: Content]) {
    for number in first..<end {
      if let name = lines[number]?.entry.name, let content = found[.init(name)] { fill(number, content) }
    }
  }

  /// Writes all lines that have content.
  mutating func finish() throws {
    for number in first..<end {
      guard let line = lines[number] else { continue }
      if let content = line.content ?? contents[.init(path: line.entry.name)] {
        try write(line.entry, content)
      }
    }
    (lines, first) = ([:], end)
  }

  private mutating func fill(_ number: Int, _ content: Content) {
    if isWaiting(number) { lines[number]?.content = content }
  }

  private mutating func append(_ line: Line) throws {
    lines[end] = line
    if line.content == nil {
      waiting[.init(path: line.entry.name), default: []].append(end)
      if line.entry.kind == .hardlink, let link = line.entry.link {
        waiting[.init(path: link), default: []].append(end)
      }
    }
    end += 1
    try flush()
  }

  private mutating func flush() throws {
    while let line = lines[first], let content = line.content {
      try write(line.entry, content)
      lines[first] = nil
      first += 1
    }
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
