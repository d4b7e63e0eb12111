import ArgumentParser
import FoundationEssentials
import MemArchive

struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", _superCommandName: "memarchive",
    abstract: "List the entries: kind, size in bytes, time (UTC), name.",
    discussion: """
      A NAME is that of an entry, or of a directory with all that is in it, or a pattern as for --include. With --also, \
      each archive is listed under its name.

      With --image, the archive is a container image, as docker save writes it or as an OCI image layout, and the files are \
      listed that a command of memarchive run --image finds in it: all of it is read, its digests are verified, and its layers \
      laid over each other in memory.

      With --long, prints mode and kind as ls does (h: a hard link), with E after it where the content is encrypted; owner; \
      size, what it takes in the archive, method and CRC-32; a dash is what the archive does not record.

      With --json, prints one object per line: {"name", "kind", "size", "mtime", "mode", "link", "packed", "method", "crc32", \
      "encrypted", "uid", "gid", "user", "group", "raw", "archive"}. Fields that the archive does not have are left out. A \
      byte b of a name that is not UTF-8 is represented as U+F700+b.
      """)

  @Argument(
    help: ArgumentHelp("The archive, or - for standard input.", valueName: "archive"), completion: .file())
  var archive: String
  @Argument(
    help: ArgumentHelp("Only these entries, directories and patterns.", valueName: "name"),
    completion: EntryCompletion.entries)
  var names: [String] = []
  @Flag(name: .shortAndLong, help: "Show all that is recorded of each entry, and totals.")
  var long = false
  @Flag(help: "Show sizes as 1.4 KiB.")
  var humanReadable = false
  @Flag(name: .long, help: "Print one JSON object per line.")
  var json = false
  @Option(
    name: .customLong("also"), parsing: .singleValue,
    help: ArgumentHelp("Another archive. May be repeated.", valueName: "archive"), completion: .file())
  var others: [String] = []
  @Flag(name: .customLong("image"), help: "The archive is a container image, whose files are listed.")
  var isImage = false
  @OptionGroup var image: ImageChoiceOptions
  @OptionGroup var jobs: JobOptions
  @OptionGroup var options: WalkOptions

  func validate() throws {
    try image.validate(isImage: isImage)
    if isImage, options.recursive || options.keepGoing {
      throw ValidationError("--recursive and --keep-going have no meaning with --image.")
    }
    if json, long || humanReadable {
      throw ValidationError("--json has everything; --long and --human-readable are for people.")
    }
  }

  func run() throws {
    // Copied because each access to an option goes through ArgumentParser.
    let (json, long, names, archives) = (json, long, names, [archive] + others)
    let choice = isImage ? image : nil
    let lines = EntryLines(isLong: long, isHuman: humanReadable)
    let status = try jobs.forEach(archives, options.reading) { index in
      let archive = try Archive.opened(archives[index], isSelected: choice != nil, options.reading)
      let encoder = JSONLine.encoder()
      var (wanted, totals) = (WantedEntries(names), EntryTotals())
      if archives.count > 1, !json { try Output.writeHeading(archive.name, isFirst: index == 0) }
      func show(_ entry: ArchiveEntry) throws {
        guard wanted.take(entry) else { return }
        if long, totals.entries == 0 { try Output.write(EntryLines.heading) }
        totals.count(entry)
        if json {
          let record = EntryRecord(entry, of: archives.count > 1 ? archive.name : nil)
          try Output.write(JSONLine.bytes(record, by: encoder))
        } else {
          try Output.write(lines.line(entry))
        }
      }
      let status =
        try choice.map { try archive.walk(image: $0, options, show) }
        ?? archive.walk(options, .headers, showsEntries: false) { entry, _, _ in try show(entry) }
      if long, totals.entries > 0 || status == .done { try Output.write(lines.line(totals)) }
      return status.and(
        wanted.reportMissing(in: archive, afterAll: status == .done, recursive: options.recursive))
    }
    if status != .done { throw status }
  }
}

extension Archive {
  /// Calls `visit` for each file of the image that it holds and that the options admit.
  fileprivate func walk(
    image choice: ImageChoiceOptions, _ options: WalkOptions, _ visit: (ArchiveEntry) throws -> Void
  ) throws -> ExitStatus {
    do {
      let tree = try image(choice).tree(in: context.changed { $0.outwardLinks = .keep })
      report(leftOut: tree.skipped, tree.warnings, options.reading)
      var isMatched = false
      for entry in try tree.listing(context) where options.admits(entry) {
        isMatched = true
        try visit(entry)
      }
      return reportUnmatched(options, .done, isMatched: isMatched)
    } catch let error as ArchiveError {
      return report(error)
    }
  }
}

/// One entry as `list --json` has it.
struct EntryRecord: Encodable {
  let name, kind: String
  let mode: String?
  let size, mtime: Int64?
  let link: String?
  let packed: Int64?
  let method, crc32: String?
  let encrypted: Bool?
  let uid, gid: Int64?
  let user, group: String?
  let raw: String?
  let archive: String?

  init(_ entry: ArchiveEntry, of archive: String?) {
    name = entry.name
    kind = entry.kind.rawValue
    size = entry.size
    mtime = entry.modified?.seconds
    mode = entry.mode.map { Self.digits($0, 8, width: 4) }
    link = entry.link
    packed = entry.compressedSize
    method = entry.compression?.rawValue
    crc32 = entry.crc32.map { Self.digits($0, 16, width: 8) }
    encrypted = entry.isEncrypted ? true : nil
    (uid, gid, user, group) = (entry.userID, entry.groupID, entry.user, entry.group)
    raw = Self.raw(entry)
    self.archive = archive
  }

  /// The name's bytes in base64, if they are not the name's UTF-8.
  static func raw(_ entry: ArchiveEntry) -> String? {
    let raw = entry.rawName
    return raw.elementsEqual(entry.name.utf8) ? nil : Data(raw).base64EncodedString()
  }

  static func digits(_ number: some BinaryInteger, _ radix: Int, width: Int) -> String {
    let digits = String(number, radix: radix)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}
