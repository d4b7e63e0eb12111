import ArgumentParser
import CNettle
import FoundationEssentials
import MemArchive

struct DigestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "digest", _superCommandName: "memarchive",
    abstract: "Print the SHA-256 of every regular entry and hard link, as sha256sum does.",
    discussion: """
      Every entry is shown, including duplicates. Only one entry at a time is in memory, except for link targets that \
      were not selected. With --also, each archive has its own under its name. With --json, prints one object per line: \
      {"name", "kind", "size", "sha256"}, of several archives "archive", and if the name is not UTF-8 "raw": its bytes in \
      base64.
      """)

  @Argument(
    help: ArgumentHelp("The archive, or - for standard input.", valueName: "archive"), completion: .file())
  var archive: String
  @Argument(
    help: ArgumentHelp("Only the entries with these names.", valueName: "name"),
    completion: EntryCompletion.entries)
  var names: [String] = []
  @Flag(name: .long, help: "Print one JSON object per line.")
  var json = false
  @Option(
    name: .customLong("also"), parsing: .singleValue,
    help: ArgumentHelp("Another archive. May be repeated.", valueName: "archive"), completion: .file())
  var others: [String] = []
  @OptionGroup var jobs: JobOptions
  @OptionGroup var options: WalkOptions

  func run() throws {
    let archives = [archive] + others
    let status = try jobs.forEach(archives, options.reading) { index in
      let archive = try Archive.opened(
        archives[index], isSelected: !names.isEmpty || !options.globs.admitsAll, options.reading)
      if archives.count > 1, !json { try Output.writeHeading(archive.name, isFirst: index == 0) }
      return try digest(archive, isOneOfSeveral: archives.count > 1)
    }
    if status != .done { throw status }
  }

  private func digest(_ archive: Archive, isOneOfSeveral: Bool) throws -> ExitStatus {
    var wanted = WantedNames(names)
    var lines = DigestLines(
      json: json, of: isOneOfSeveral ? archive.name : nil, EntryAccount(archive.context.ledger))
    var status = try archive.walk(
      options, options.globs.admitsAll && names.isEmpty ? .allInStep : .eachInStep, showsEntries: false
    ) { entry, outer, content in
      let isWanted = wanted.take(entry)
      let target = entry.target(inside: outer).map { NameKey(path: $0) }
      switch entry.kind {
      case .file where isWanted:
        try lines.add(entry, DigestLines.Content(try content()))
      case .hardlink:
        guard let target else { break }
        if entry.hasContent, isWanted || lines.awaits(target) {
          try lines.add(entry, isShown: isWanted, for: target, DigestLines.Content(try content()))
        } else if isWanted {
          try lines.add(link: entry, to: target)
        }
      case .symlink where names.isEmpty:
        try lines.note(symlink: entry.name)
      default:
        // Throws an error that the entry has no content.
        if isWanted, !names.isEmpty { _ = try content() }
      }
    }
    if status == .done || options.keepGoing {
      // Hard links whose target was not selected.
      var found: [NameKey: DigestLines.Content] = [:]
      status = status.and(
        try archive.forEachLink(lines.settle(), options) { name, file in
          found[.init(name)] = try DigestLines.Content(file)
        })
      lines.fill(found)
    }
    try lines.finish()
    status = status.and(
      wanted.reportMissing(
        in: archive, afterAll: status == .done, for: .content, recursive: options.recursive))
    return status
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
      var hash = sha256_ctx()
      unsafe nettle_sha256_init(&hash)
      try unsafe file.forEachChunk { unsafe nettle_sha256_update(&hash, $0.count, $0.baseAddress) }
      var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_SIZE))
      unsafe nettle_sha256_digest(&hash, digest.count, &digest)
      self.digest = digest
    }
  }

  private struct Line {
    let entry: ArchiveEntry
    /// Whose content it shows: the entry's own, or that of a hard link's target.
    let source: NameKey
    var content: Content?
  }

  private let json: Bool
  /// The archive, if there are several.
  private let archive: String?
  private let encoder = JSONLine.encoder()
  /// For what is kept.
  private let account: EntryAccount
  /// The lines from the first that waits for its content on, by their number.
  private var lines: [Int: Line] = [:]
  private var first = 0
  private var end = 0
  /// The numbers of lines that wait for the content of a path; some of them no longer do.
  private var waiting: [NameKey: [Int]] = [:]
  /// Contents by path, for the hard links that may follow.
  private var contents: [NameKey: Content] = [:]

  /// The symbolic links so far: a hard link to one is a symbolic link too, not a file.
  private var symlinks: Set<NameKey> = []

  init(json: Bool, of archive: String?, _ account: EntryAccount) {
    (self.json, self.archive, self.account) = (json, archive, account)
  }

  /// A line whose content is known.
  ///
  /// - Parameter target: A hard link's, whose content this is too: in cpio the first names of a file are empty.
  mutating func add(
    _ entry: ArchiveEntry, isShown: Bool = true, for target: NameKey? = nil, _ content: Content
  ) throws {
    let path = NameKey(path: entry.name)
    try keep(content, path)
    if let target {
      try keep(content, target)
      for number in waiting.removeValue(forKey: target) ?? [] where isWaiting(number) {
        lines[number]?.content = content
      }
    }
    guard isShown else { return try flush() }
    // An empty file with more names may get its content from the last of them.
    try append(Line(entry: entry, source: path, content: entry.mayGetContentLater ? nil : content))
  }

  /// A line whose content is another entry's.
  mutating func add(link entry: ArchiveEntry, to target: NameKey) throws {
    if symlinks.contains(target) { return try note(symlink: entry.name) }
    let content = awaits(target) ? nil : contents[target]
    if let content { try keep(content, NameKey(path: entry.name)) }
    try append(Line(entry: entry, source: target, content: content))
  }

  mutating func note(symlink name: String) throws {
    try account.add(name: name)
    symlinks.insert(NameKey(path: name))
  }

  private mutating func keep(_ content: Content, _ path: NameKey) throws(ArchiveError) {
    if contents.updateValue(content, forKey: path) == nil { try account.add(name: path.name) }
  }

  /// Whether a line waits for the content of this path.
  mutating func awaits(_ path: NameKey) -> Bool {
    while let number = waiting[path]?.last {
      if isWaiting(number) { return true }
      waiting[path]?.removeLast()
    }
    return false
  }

  private func isWaiting(_ number: Int) -> Bool { lines[number].map { $0.content == nil } ?? false }

  /// To be called when all entries have come: a hard link may stand in front of its target, even of another link. Returns
  /// the names of those whose target is not known.
  mutating func settle() -> [String] {
    var bySource: [NameKey: [Int]] = [:]
    for (number, line) in lines where line.content == nil {
      bySource[line.source, default: []].append(number)
    }
    var known = bySource.keys.filter { contents[$0] != nil || symlinks.contains($0) }
    while let source = known.popLast() {
      for number in bySource.removeValue(forKey: source) ?? [] {
        guard let path = lines[number].map({ NameKey(path: $0.entry.name) }) else { continue }
        if let content = contents[source] {
          lines[number]?.content = content
          contents[path] = content
        } else {
          lines[number] = nil
          symlinks.insert(path)
        }
        known.append(path)
      }
    }
    var names: Set<NameKey> = []
    return bySource.values.joined().sorted().compactMap { number in
      lines[number].flatMap { names.insert(NameKey($0.entry.name)).inserted ? $0.entry.name : nil }
    }
  }

  /// Gives lines of these names their content.
  mutating func fill(_ found: [NameKey: Content]) {
    for (number, line) in lines where line.content == nil {
      lines[number]?.content = found[NameKey(line.entry.name)]
    }
  }

  /// Writes all lines that have content.
  mutating func finish() throws {
    for number in first..<end {
      if let line = lines[number], let content = line.content { try write(line.entry, content) }
    }
    (lines, first) = ([:], end)
  }

  private mutating func append(_ line: Line) throws {
    lines[end] = line
    if line.content == nil { waiting[line.source, default: []].append(end) }
    end += 1
    try flush()
    // It stays, with all that its header says.
    if first < end { try account.add(line.entry) }
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
    let raw, archive: String?
  }

  private func write(_ entry: ArchiveEntry, _ content: Content) throws {
    let hex = content.digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    if json {
      let row = Row(
        name: entry.name, kind: entry.kind.rawValue, sha256: hex, size: content.size,
        raw: EntryRecord.raw(entry), archive: archive)
      try Output.write(JSONLine.bytes(row, by: encoder))
    } else {
      let name = NameText.escaped(entry.name)
      try Output.write(Array(((name.isEscaped ? "\\" : "") + hex + "  ").utf8) + name.bytes + [0x0A])
    }
  }
}
