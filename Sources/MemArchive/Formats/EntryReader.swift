/// The entries of one archive, in their order, each with its content: Source, Decoding and libarchive behind one
/// small face.
final class EntryReader {
  private let parser: any EntryParser
  private let content: any ByteSource
  private let chain: FilterChain
  private let ledger: Ledger
  private let warnings: WarningLog
  private let names: NameDecoder
  private let rejectsInsecureNames: Bool
  private let cancellation: Cancellation
  /// What libarchive does not look at in cpio.
  private let sums: CpioChecksums?
  /// What libarchive does not look at in RAR, by position; nil before the first entry.
  private var rarFiles: [RARHeaders.File]?
  private var position = -1
  private var meter: ProgressMeter
  private var failures = 0
  private var entriesSeen = 0
  private var contradiction: String?
  /// Whether it is a zip that libarchive reads: by its local headers, where it does not end like one.
  private let isLeftZip: Bool
  private var isEmptyFileGiven = false
  /// Those of the last entry that had any.
  private var lastDetails: ArchiveEntry.Shared<ArchiveEntry.Details>?
  private(set) var isFinished = false

  init(
    _ source: any ByteSource, name: String?, in context: ExtractionContext, warnings: WarningLog,
    stop: Cancellation
  ) throws(ArchiveError) {
    let (options, ledger) = (context.options, context.ledger)
    chain = try FilterChain(
      peeling: source, name: name, depth: options.limits.depth, threads: context.threads,
      engine: context.hooks.decoding, warnings: warnings, stop: stop)
    let choice = try FormatChoice(chain, allowed: options.formats)
    content =
      chain.content.seekable != nil || !choice.needsSeeking
      ? chain.content : try Spool.seekable(chain.content, ledger: ledger)
    if choice.isGuess { try FormatChoice.refuseDiskImage(content, chain.head) }
    do throws(ArchiveError) {
      sums = CpioChecksums.areIn(chain.head) ? CpioChecksums(content) : nil
      parser = try Self.parser(
        of: sums ?? content, chain, choice, in: context, warnings: warnings)
      isLeftZip = choice.formats == .zip && parser is ArchiveHandle
    } catch {
      if error.code == .unrecognizedFormat, let format = choice.disallowed { throw .disallowed(format) }
      throw error
    }
    names = try NameDecoder(encoding: options.encoding)
    cancellation = context.cancellation
    rejectsInsecureNames = options.insecureNames == .reject
    self.ledger = ledger
    self.warnings = warnings
    meter = ProgressMeter(options.onProgress)
  }

  /// The comment on the archive as a whole.
  var comment: String? { parser.comment.map { names.decode($0).name } }

  /// Zip is read by ourselves wherever its headers agree with each other, everything else by libarchive.
  private static func parser(
    of content: any ByteSource, _ chain: FilterChain, _ choice: FormatChoice, in context: ExtractionContext,
    warnings: WarningLog
  ) throws(ArchiveError) -> any EntryParser {
    if context.hooks.engine == .own, choice.formats.contains(.zip),
      let content = content.seekable
    {
      do throws(ZipDirectory.Refusal) {
        // What might be anything, such as a program, is a zip if there is something in it.
        let directory = try ZipDirectory(
          content, threads: context.threads, ledger: context.ledger, cancellation: context.cancellation)
        if let directory,
          !choice.isGuess || !directory.places.isEmpty
        {
          return try ZipReader(directory, of: content, in: context)
        }
      } catch {
        switch error {
        case .source(let error): throw error
        case .contradiction(let text): if !choice.isGuess { warnings.add("the zip \(text)") }
        }
      }
    }
    // libarchive reads the directory at once too, whatever is wrong with it.
    if choice.formats == .zip, let count = try ZipEnd.count(in: content) {
      try context.ledger.check(stated: UInt64(count))
    }
    return try ArchiveHandle.entries(
      of: content, head: chain.head, formats: choice.formats, in: context)
  }

  /// The next entry, or nil at the end, where also all checksums of the layers around the archive have been verified.
  ///
  /// After an error that concerns one entry, the next call goes on behind it; after any other, it returns nil.
  func next() throws(ArchiveError) -> ArchiveEntry? {
    guard !isFinished else { return nil }
    do throws(ArchiveError) {
      try cancellation.check()
      position += 1
      sums?.forget(before: position)
      guard let header = try nextHeader() else {
        isFinished = true
        if sums?.isLost == true {
          throw .corrupt("an entry of the cpio does not end where its header says")
        }
        // What the local headers tell may not be all there was.
        if isLeftZip, try ZipEnd.count(in: content) == nil { throw .truncated("the zip has no end record") }
        if entriesSeen == 0, failures == 0 { try Emptiness.check(content, chain.format) }
        // GNU tar and POSIX end with two blocks of zeros; without them, nobody can tell whether entries are missing.
        if parser.isTar, parser.sourceEnded, entriesSeen > 0 {
          warnings.add("the end-of-archive marker is missing")
        }
        if parser.isTar, try ZipEnd.isAtEnd(of: content) {
          warnings.add("it ends like a zip archive: pin formats to .zip to read it as one")
        } else if try hasDataBehindEnd() {
          warnings.add("data behind the end of the archive was ignored")
        }
        try drain()
        meter.finish(content.progress)
        return nil
      }
      if rarFiles == nil { rarFiles = try readRARFiles() }
      let entry = try entry(of: header)
      try ledger.count(entry)
      if rejectsInsecureNames, !entry.isSafeRelative { throw .insecure(entry.name) }
      if let text = header.warning { warnings.add(text, entry: entry.name) }
      // zip: the central directory decides what the content must be, and libarchive goes by the local header.
      contradiction = header.warning.flatMap { $0.hasPrefix("Inconsistent") ? $0 : nil }
      meter.enter(entry.name, content.progress)
      failures = 0
      entriesSeen += 1
      return entry
    } catch {
      // A header can fail again and again without progress (seen with damaged RAR5 files).
      failures += 1
      isFinished =
        isFinished || parser.isExhausted || failures >= 100 || error.code == .limitExceeded
        || error.endsReading
      throw error
    }
  }

  /// Calls `body` with each block of the current entry's content and its offset; returns the exact size.
  func read(
    _ entry: ArchiveEntry, _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) -> Int64 {
    if isEmptyFileGiven { return 0 }
    if rarFile?.isEncrypted == true {
      throw ArchiveError(
        .unsupportedFeature, entry: entry.name, "encrypted RAR 5 content is not decrypted",
        advice: "Unpack it with RAR's own program, and pack it again as zip.")
    }
    if let contradiction {
      throw .corrupt(contradiction, entry: entry.name, call: "archive_read_next_header")
    }
    let declared = DeclaredSize(size: entry.size)
    var checksum = CRC32()
    let wanted = rarFile?.checksum
    do throws(ArchiveError) {
      let size = try parser.forEachBlock(declared: entry.size) { (block, offset) throws(ArchiveError) in
        try declared.check(blockEnd: offset + Int64(block.byteCount))
        if wanted != nil { checksum.update(block) }
        try body(block, offset)
        try ledger.checkRatio(of: content.progress, entry: entry.name)
        try cancellation.check()
        meter.tick(content.progress)
      }
      try declared.check(total: size)
      if rarFile?.hasUnverifiedHash == true {
        warnings.add("the content's BLAKE2sp hash was not verified", entry: entry.name)
      }
      if let wanted { try checksum.check(against: wanted) }
      try sums?.check(at: position)
      return size
    } catch {
      isFinished = isFinished || parser.isExhausted || error.endsReading
      throw error.naming(entry.name)
    }
  }

  /// The content of the current entry, where it can be read on another thread.
  var detachedContent: ZipContent? { contradiction == nil ? parser.detachedContent : nil }

  /// What detached content is read from; nil where none can be detached.
  var sharedContent: SharedSource? { parser.sharedContent }

  private func readRARFiles() throws(ArchiveError) -> [RARHeaders.File] {
    guard parser.isRAR, let content = content.seekable else { return [] }
    return try RARHeaders(content, cancellation).files
  }

  private var rarFile: RARHeaders.File? {
    guard let rarFiles, rarFiles.indices.contains(position) else { return nil }
    return rarFiles[position]
  }

  /// libarchive takes a compressed file without a byte for an archive without an entry; gunzip makes an empty file.
  private func nextHeader() throws(ArchiveError) -> Header? {
    guard chain.isCompressed, chain.head.isEmpty, !isEmptyFileGiven else { return try parser.nextHeader() }
    isEmptyFileGiven = true
    return Header(name: Array(chain.contentName.utf8), kind: .file, size: 0)
  }

  private func entry(of header: Header) throws(ArchiveError) -> ArchiveEntry {
    guard let rawName = header.name ?? (header.warning == nil ? chain.nameOfNameless : nil) else {
      throw header.warning.map { .unconvertible($0) }
        ?? .corrupt("an entry's name is not valid in the encoding that its header declares")
    }
    let isLone = parser.isRaw || isEmptyFileGiven
    let (name, isConverted) = names.decode(rawName)
    var details = isLone ? nil : header.details
    if let comment = isLone ? chain.contentComment : header.comment {
      details = details ?? ArchiveEntry.Details()
      details?.comment = names.decode(comment).name
    }
    return ArchiveEntry(
      .init(
        name: isLone ? chain.contentName : name,
        convertedFrom: isConverted && !isLone ? rawName : nil,
        kind: header.kind,
        size: header.size,
        modified: isLone ? chain.contentTime : header.modified,
        mode: isLone ? nil : header.mode,
        link: header.link.map { names.decode($0).name },
        linkCount: header.linkCount,
        isEncrypted: header.isEncrypted || rarFile?.isEncrypted == true,
        details: details.map { shared($0) }))
  }

  /// Most entries of an archive have the same owner and group, and nothing else: one object serves them all.
  private func shared(_ details: ArchiveEntry.Details) -> ArchiveEntry.Shared<ArchiveEntry.Details> {
    if let lastDetails, lastDetails.value == details { return lastDetails }
    let shared = ArchiveEntry.Shared(details)
    lastDetails = shared
    return shared
  }

  private func hasDataBehindEnd() throws(ArchiveError) -> Bool {
    if let content = content.seekable {
      if chain.format == .sevenZip, let end = SevenZipEnd.offset(chain.head) {
        return try !content.isZero(from: end)
      }
    } else if !chain.isCompressed {
      // A pipe whose writer has more to say, later and to somebody else.
      return false
    }
    return try parser.hasDataBehindEnd()
  }

  /// Formats end before their file does: what is left holds the checksums of the layers around the archive.
  private func drain() throws(ArchiveError) {
    guard chain.isCompressed else { return }
    var scratch = [UInt8](repeating: 0, count: 64 << 10)
    while try content.read(into: &scratch) > 0 { try cancellation.check() }
  }
}

extension ArchiveError {
  /// Whether nobody wants to hear more of the archive.
  fileprivate var endsReading: Bool { code == .cancelled || code == .timedOut }
}

/// Tells a caller how far an extraction is, at most ten times a second.
private struct ProgressMeter {
  private let report: (@Sendable (ExtractionProgress) -> Void)?
  private var lastReport: ContinuousClock.Instant?
  private var entries = 0
  private var entry = ""

  init(_ report: (@Sendable (ExtractionProgress) -> Void)?) { self.report = report }

  /// A new entry begins.
  mutating func enter(_ name: String, _ source: @autoclosure () -> SourceProgress) {
    guard report != nil else { return }
    entries += 1
    entry = name
    tick(source())
  }

  /// A block was read.
  mutating func tick(_ source: @autoclosure () -> SourceProgress) {
    guard report != nil else { return }
    let now = ContinuousClock.now
    if let lastReport, now - lastReport < .milliseconds(100) { return }
    lastReport = now
    tell(source())
  }

  /// All is read: the last report comes whatever the time.
  func finish(_ source: @autoclosure () -> SourceProgress) {
    if report != nil { tell(source()) }
  }

  private func tell(_ source: SourceProgress) {
    report?(
      ExtractionProgress(bytesRead: source.read, bytesTotal: source.total, entries: entries, entry: entry))
  }
}
