/// The entries of one archive in order, each with its content: combines source, filters and format.
final class EntryReader {
  private let parser: any EntryParser
  private let content: any ByteSource
  private let isCompressed: Bool
  /// The archive as it is, and what notes where it can be decoded from.
  private let indexed: (by: GzipIndexer, archive: any SeekableSource)?
  private(set) var index: MemFile?
  /// Compressed content that is read at any offset.
  private let parted: PartedSource?
  private let ledger: Ledger
  private let warnings: WarningLog
  private let names: NameDecoder
  private let rejectsInsecureNames: Bool
  private let cancellation: Cancellation
  private let extent: Prefetch.Extent
  private var meter: ProgressMeter
  private var failures = 0
  /// A note on the current entry, to be given once its content has been read.
  private var noteWhenRead: String?
  /// The details of the last entry that had any.
  private var lastDetails: ArchiveEntry.Shared<ArchiveEntry.Details>?
  private(set) var isFinished = false
  /// What a format's entries are read from, if it is to be kept as it is.
  private(set) var slabs: SlabbedSource?

  /// - Parameter makeSlabs: Creates a source of slabs for content that is kept where it lies; nil where none is.
  init(
    _ source: any ByteSource, name: String?, _ prefetch: Prefetch, index: (any SeekableSource)?,
    in context: ExtractionContext,
    warnings: WarningLog, stop: Cancellation, _ makeSlabs: ((any ByteSource) -> SlabbedSource)?
  ) throws(ArchiveError) {
    let (options, ledger) = (context.options, context.ledger)
    let seeks = prefetch.extent != .whole && context.hooks.decoding == .own && context.hooks.engine == .own
    let parted =
      seeks
      ? try FilterChain.PartedContent(source, by: index, in: ledger, context.cancellation) : nil
    let indexer =
      seeks && prefetch.tellsPlaces && parted == nil
      ? try source.seekable.map { _ throws(ArchiveError) in try GzipIndexer(ledger) } : nil
    self.parted = parted?.source
    let chain = try FilterChain(
      peeling: source, name: name, depth: options.limits.depth,
      allowed: options.formats, threads: context.threads,
      engine: context.hooks.decoding, warnings: warnings, stop: stop, parted: parted, indexer: indexer)
    let choice = try FormatChoice(
      chain, allowed: options.formats, decodesOnly: context.hooks.decodesOnly)
    // Nothing tells it from a download that never began.
    if chain.head.isEmpty, !chain.isCompressed { warnings.add("the archive has no bytes") }
    var arriving: ArrivingZipReader?
    if chain.content.seekable != nil || !choice.needsSeeking {
      content = chain.content
    } else {
      let buffered = BufferedSource(chain.content)
      if options.arrivingZips == .byLocalHeaders, choice.formats == .zip, !choice.isGuess,
        context.hooks.engine == .own
      {
        arriving = try ArrivingZipReader(buffered, in: context, warnings: warnings)
      }
      content = arriving == nil ? try Spool.seekable(buffered, ledger: ledger) : buffered
    }
    if choice.isGuess { try FormatChoice.refuseDiskImage(content, chain.head) }
    do throws(ArchiveError) {
      if choice.formats == .tar, !choice.isGuess, context.hooks.engine == .own, parted == nil {
        slabs = makeSlabs?(content)
      }
      if let arriving {
        parser = arriving
      } else {
        parser = try Self.parser(
          of: content, slabs, chain, choice, only: prefetch.place, in: context, warnings: warnings)
      }
      if let place = prefetch.place { try parser.begin(at: place) }
    } catch {
      if error.code == .unrecognizedFormat, let format = choice.disallowed { throw .disallowed(format) }
      throw error
    }
    extent = prefetch.extent
    isCompressed = chain.isCompressed
    indexed =
      if let indexer, let archive = source.seekable, !choice.isGuess, choice.formats.isReadInOrder {
        (indexer, archive)
      } else { nil }
    names = try NameDecoder(encoding: options.encoding)
    cancellation = context.cancellation
    rejectsInsecureNames = options.insecureNames == .reject
    self.ledger = ledger
    self.warnings = warnings
    meter = ProgressMeter(options.onProgress)
  }

  /// The comment on the archive as a whole.
  var comment: String? { parser.comment.map { names.decode($0).name } }

  /// A zip whose headers agree with each other is read by `ZipReader`, what begins like tar, cpio, ar, WARC, LHA or a cabinet and
  /// a 7z, also after a program, by readers of their own, squashfs by libsquashfs, and everything
  /// else by libarchive.
  private static func parser(
    of content: any ByteSource, _ slabs: SlabbedSource?, _ chain: FilterChain, _ choice: FormatChoice,
    only place: Int64?, in context: ExtractionContext,
    warnings: WarningLog
  ) throws(ArchiveError) -> any EntryParser {
    if choice.formats == .loneFile { return LoneFileReader(chain) }
    let isZip = choice.formats == .zip && !choice.isGuess
    var formats = choice.formats
    if formats.contains(.squashfs), let content = content.seekable,
      let place = try SquashFSPlace(in: content)
    {
      return try SquashFSReader(place, of: content, in: context)
    }
    formats.subtract(.squashfs)
    if context.hooks.engine == .own, choice.formats.contains(.zip), let content = content.seekable {
      do throws(ZipDirectory.Refusal) {
        // Content without a known signature, such as a program, is a zip if it has a zip's end with entries.
        if let directory = try ZipDirectory(
          content, beginsAsZip: isZip, only: place, in: context)
        {
          if !choice.isGuess || !directory.places.isEmpty {
            for text in directory.oddities { warnings.add("the zip " + text) }
            if directory.needsLibArchive {
              try ZipDirectory.reading { () throws(ArchiveError) in try LibArchive.checkReach() }
            }
            return ZipReader(directory, of: content, in: context)
          }
          // libarchive would call all that comes before such an end an archive without entries.
          formats.subtract(.zip)
        }
      } catch {
        switch error {
        case .source(let error): throw error
        case .contradiction(let text): if !choice.isGuess { warnings.add("the zip \(text)") }
        }
      }
    }
    if context.hooks.engine == .own, !choice.isGuess {
      let input = FormatInput(
        slabs ?? content, isPipe: !chain.isCompressed && content.seekable == nil, context.cancellation)
      switch choice.formats {
      case .tar:
        return TarReader(
          input, of: chain.isCompressed ? nil : content.seekable, in: context, warnings: warnings)
      case .cpio: return CpioReader(input, in: context, warnings: warnings)
      case .ar: return ArReader(input, in: context, warnings: warnings)
      case .warc: return WARCReader(input, warnings: warnings)
      case .lha: return LHAReader(input, warnings: warnings)
      case .cab:
        if let content = content.seekable {
          return CabReader(input, of: content, in: context, warnings: warnings)
        }
      default: break
      }
    }
    #if FastDecoders
    if context.hooks.engine == .own, formats.contains(.sevenZip), let content = content.seekable {
      let signature =
        choice.isGuess
        ? try SevenZipSignature(after: content, context.cancellation)
        : try SevenZipSignature(beginning: content)
      if let signature {
        let archive = try SevenZipArchive(signature, of: content, in: context, warnings: warnings)
        return SevenZipReader(
          archive, of: content, nameOfNameless: chain.nameOfNameless, warnings: warnings, in: context)
      }
      formats.subtract(.sevenZip)
    }
    #endif
    // After a program libarchive would find them, and believe what their own readers here do not.
    if context.hooks.engine == .own { formats.subtract([.lha, .cab]) }
    guard !formats.isEmpty else { throw .unrecognized() }
    do throws(ArchiveError) {
      return try LibArchiveReader(content, chain, formats: formats, in: context, warnings: warnings)
    } catch {
      guard choice.isGuess, LibArchive.isMissing(by: error) else { throw error }
      throw .unrecognized(withoutLibArchive: true)
    }
  }

  /// The next entry, or nil at the end, when all checksums of the layers around the archive have been verified too.
  ///
  /// After an error that concerns one entry, the next call continues after it; after any other, it returns nil.
  func next() throws(ArchiveError) -> ArchiveEntry? {
    guard !isFinished else { return nil }
    do throws(ArchiveError) {
      try cancellation.check()
      guard let header = try parser.nextHeader() else {
        isFinished = true
        try drain()
        if let indexed { index = try indexed.by.finish(indexed.archive) }
        meter.finish(content.progress)
        return nil
      }
      let entry = try entry(of: header)
      try ledger.count(entry, isAgain: extent == .again)
      if rejectsInsecureNames, !entry.isSafeRelative { throw .insecure(entry.name) }
      if let text = header.warning { warnings.add(text, entry: entry.name) }
      noteWhenRead = header.noteWhenRead
      meter.enter(entry.name, content.progress)
      failures = 0
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
    let declared = DeclaredSize(size: entry.size)
    do throws(ArchiveError) {
      let size = try parser.forEachBlock(declared: entry.size) { (block, offset) throws(ArchiveError) in
        try declared.check(blockEnd: offset + Int64(block.byteCount))
        try body(block, offset)
        try ledger.checkRatio(of: content.progress, entry: entry.name)
        try cancellation.check()
        meter.tick(content.progress)
      }
      try declared.check(total: size)
      try parted?.settle()
      // Nobody reads on to where the checksums are of the layers around it.
      if extent == .again {
        try drain()
        // What the format's reader has of it is gone.
        if isCompressed, content.seekable == nil { isFinished = true }
        meter.finish(content.progress)
      }
      if let noteWhenRead { warnings.add(noteWhenRead, entry: entry.name) }
      return size
    } catch {
      isFinished = isFinished || parser.isExhausted || error.endsReading
      throw error.naming(entry.name)
    }
  }

  /// Where the current entry is, for a reading that begins there; nil where that has to begin with the first entry.
  var place: Int64? { parser.place }

  /// Where the current entry's content lies in the archive's content, if it lies there as it is.
  var contentPart: Range<Int64>? { parser.contentPart }

  /// The content of the current entry, if it can be read on another thread.
  var detachedContent: ZipContent? { parser.detachedContent }

  /// The source of detached content; nil if none can be detached.
  var sharedContent: SharedSource? { parser.sharedContent }

  private func entry(of header: Header) throws(ArchiveError) -> ArchiveEntry {
    let (name, rawName) = try name(of: header)
    var details = header.sharedDetails
    if let comment = header.comment {
      var commented = details?.value ?? ArchiveEntry.Details()
      commented.comment = names.decode(comment).name
      details = ArchiveEntry.Shared(commented)
    }
    return ArchiveEntry(
      .init(
        name: name,
        convertedFrom: rawName,
        kind: header.kind,
        size: header.size,
        modified: header.modified,
        mode: header.mode,
        link: header.link.map { names.decode($0).name },
        linkCount: header.linkCount,
        isEncrypted: header.isEncrypted,
        packing: header.kind == .file ? header.packing : .init(),
        details: details.map { unified($0) }))
  }

  /// The name as users see it, and its bytes if it was converted.
  private func name(of header: Header) throws(ArchiveError) -> (String, convertedFrom: [UInt8]?) {
    if let name = header.ownName { return (name, nil) }
    guard let bytes = header.name else {
      throw header.warning.map { .unconvertible($0) }
        ?? .corrupt("an entry's name is not valid in the encoding that its header declares")
    }
    let (name, isConverted) = names.decode(bytes)
    guard !bytes.isEmpty else { throw .corrupt("an entry has no name") }
    guard !bytes.contains(0) else { throw .nulInName(name) }
    return (name, isConverted ? bytes : nil)
  }

  /// Most entries of an archive have only an owner and a group, the same for all: they share one object.
  private func unified(
    _ details: ArchiveEntry.Shared<ArchiveEntry.Details>
  ) -> ArchiveEntry.Shared<ArchiveEntry.Details> {
    if let lastDetails, lastDetails == details { return lastDetails }
    lastDetails = details
    return details
  }

  /// Reads to the end of the file, which is beyond the format's end: the rest holds the checksums of the layers around it.
  private func drain() throws(ArchiveError) {
    // What can be sought in has been read to its end: it was compressed, and is in memory.
    guard isCompressed, content.seekable == nil else { return }
    var scratch = [UInt8](repeating: 0, count: 64 << 10)
    while try content.read(into: &scratch) > 0 { try cancellation.check() }
  }
}

extension ArchiveError {
  /// Whether the error ends the reading.
  fileprivate var endsReading: Bool { [.cancelled, .timedOut, .sourceFailed].contains(code) }
}

/// Reports progress, at most ten times a second.
private struct ProgressMeter {
  private let report: (@Sendable (ExtractionOptions.Progress) -> Void)?
  private var lastReport: ContinuousClock.Instant?
  private var entries = 0
  private var entry = ""

  init(_ report: (@Sendable (ExtractionOptions.Progress) -> Void)?) { self.report = report }

  /// Called when a new entry begins.
  mutating func enter(_ name: String, _ source: @autoclosure () -> SourceProgress) {
    guard report != nil else { return }
    entries += 1
    entry = name
    tick(source())
  }

  /// Called when a block has been read.
  mutating func tick(_ source: @autoclosure () -> SourceProgress) {
    guard report != nil else { return }
    let now = ContinuousClock.now
    if let lastReport, now - lastReport < .milliseconds(100) { return }
    lastReport = now
    tell(source())
  }

  /// Called at the end: the last report is always made.
  func finish(_ source: @autoclosure () -> SourceProgress) {
    if report != nil { tell(source()) }
  }

  private func tell(_ source: SourceProgress) {
    report?(
      ExtractionOptions.Progress(
        bytesRead: source.read, bytesTotal: source.total, entries: entries, entry: entry))
  }
}
