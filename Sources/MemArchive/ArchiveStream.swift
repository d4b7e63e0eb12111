/// The entries of an archive, one at a time: take the next header, then extract its content or go on.
///
/// ```swift
/// var stream = try ArchiveReader(path: "linux.tar.xz").stream()
/// while let entry = try stream.next() {
///   if entry.name.hasSuffix(".h") { use(try stream.extract()) }
/// }
/// ```
///
/// Only what you keep stays in memory. An entry whose checksum fails is never handed out; but a checksum *around* the
/// archive (gzip's, say) is known only at the end, so entries count as verified once ``next()`` has returned `nil`.
public struct ArchiveStream: ~Copyable {
  /// Who reads the archive.
  private enum Reading {
    case here(EntryReader, Store)
    case elsewhere(SandboxedStream)
  }

  private let reading: Reading
  private let options: ExtractionOptions
  private let ledger: Ledger
  private let log: WarningLog
  private var current: ArchiveEntry?

  init(_ reader: EntryReader, options: ExtractionOptions, ledger: Ledger, warnings: WarningLog) {
    reading = .here(reader, Store(options, ledger: ledger))
    self.options = options
    self.ledger = ledger
    log = warnings
  }

  init(_ stream: SandboxedStream, options: ExtractionOptions, ledger: Ledger) {
    reading = .elsewhere(stream)
    self.options = options
    self.ledger = ledger
    log = WarningLog(ledger)
  }

  /// What was odd so far. Of many warnings the first 1,000 are kept, as far as they have 1 MiB together, and the last one
  /// says how many more there were.
  public var warnings: [ArchiveWarning] { warningList.all }

  var warningList: WarningList {
    switch reading {
    case .here: log.list
    case .elsewhere(let stream): stream.warnings
    }
  }

  /// What holds while the archive is read in a process of its own; `nil` where it is read in this one.
  public var protection: Protection? {
    switch reading {
    case .here: nil
    case .elsewhere(let stream): stream.protection
    }
  }

  /// The comment on the archive as a whole: of a zip whose headers agree with each other (APPNOTE 4.3.16).
  public var comment: String? {
    switch reading {
    case .here(let reader, _): reader.comment
    case .elsewhere(let stream): stream.comment
    }
  }

  /// The next entry, or `nil` at the end. What was left of the entry before is skipped.
  ///
  /// - Throws: ``ArchiveError``. After an error that concerns one entry the next call goes on behind it; after one that
  ///   ends the reading it returns `nil`, so a loop that notes errors and goes on always ends.
  public mutating func next() throws(ArchiveError) -> ArchiveEntry? {
    current = nil
    switch reading {
    case .here(let reader, _): current = try reader.next()
    case .elsewhere(let stream): current = try stream.next()
    }
    return current
  }

  /// The content of the entry that ``next()`` returned last, in a sealed file in memory. Once for each entry.
  ///
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/notAFile`` when the entry has no content,
  ///   ``ArchiveError/Code/limitExceeded``, ``ArchiveError/Code/corrupt``, ``ArchiveError/Code/truncated``,
  ///   ``ArchiveError/Code/passphraseRequired``, ``ArchiveError/Code/wrongPassphrase``,
  ///   ``ArchiveError/Code/unsupportedFeature``, ``ArchiveError/Code/descriptorLimit``,
  ///   ``ArchiveError/Code/outOfMemory``. Nothing of the entry is left then.
  public mutating func extract() throws(ArchiveError) -> MemFile {
    let entry = try takeCurrent()
    switch reading {
    case .here(let reader, let store):
      return try store.file(entry, reserved: nil) { take throws(ArchiveError) in try reader.read(entry, take)
      }
    case .elsewhere(let stream): return try stream.extract(entry)
    }
  }

  /// Puts the content of the entry that ``next()`` returned last, which stands at `position` among all, to a destination.
  mutating func extract(to destination: any EntryDestination, position: Int) throws(ArchiveError) -> MemFile?
  {
    let entry = try takeCurrent()
    return try destination.take(entry, position: position, reserved: nil) { take throws(ArchiveError) in
      switch reading {
      case .here(let reader, _): return try reader.read(entry, take)
      case .elsewhere(let stream): return try stream.extract(entry).forEachBlock(take)
      }
    }
  }

  /// The threads that extract its entries; nil where one thread does.
  ///
  /// - Parameters:
  ///   - own: Where the calling thread puts content.
  ///   - makeDestination: Makes the same for other threads.
  func crew(_ own: any EntryDestination, _ makeDestination: @escaping MakeDestination) -> EntryCrew? {
    guard options.threads > 1, case .here(let reader, _) = reading else { return nil }
    return EntryCrew(
      size: options.threads, reader.sharedContent, own, options: options, ledger: ledger, makeDestination)
  }

  /// Has a crew extract the entry that ``next()`` returned last; false where ``extract()`` is to be called.
  mutating func extract(
    with crew: EntryCrew, position: Int, _ deliver: EntryCrew.Delivery
  ) throws(ArchiveError) -> Bool {
    guard case .here(let reader, _) = reading else { return false }
    // A ratio is asked of what was read and produced so far: by one thread.
    if options.limits.ratio == nil, let content = reader.detachedContent {
      try crew.submit(try takeCurrent(), content, position: position, deliver)
      return true
    }
    guard let size = current?.size, size <= EntryCrew.largestCopy else {
      return false
    }
    let entry = try takeCurrent()
    try crew.submit(entry, position: position, deliver) { take throws(ArchiveError) in
      try reader.read(entry, take)
    }
    return true
  }

  /// Seals what was extracted; otherwise that is done when it is looked at first.
  func finish() throws(ArchiveError) {
    if case .here(_, let store) = reading { try store.finish() }
  }

  /// Calls `body` with each block of the content of the entry that ``next()`` returned last, and the block's offset in
  /// bytes, without keeping any: to hash or to copy what need not be a file. Bytes between blocks are zero.
  ///
  /// A block lives only while `body` runs, and a checksum is known to be right only
  /// once this has returned.
  ///
  /// - Returns: The exact size in bytes; a hole may reach from the last block to there.
  /// - Throws: What `body` throws; otherwise as ``extract()``.
  public mutating func forEachBlock(
    _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) -> Int64 {
    guard case .here(let reader, _) = reading else { return try extract().forEachBlock(body) }
    let entry = try takeCurrent()
    var end: Int64 = 0
    return try reader.read(entry) { block, offset throws(ArchiveError) in
      let blockEnd = offset + Int64(block.byteCount)
      if blockEnd > end {
        try ledger.pass(blockEnd - end, end: blockEnd, entry: entry.name)
        end = blockEnd
      }
      try body(block, offset)
    }
  }

  private mutating func takeCurrent() throws(ArchiveError) -> ArchiveEntry {
    guard let entry = current else {
      throw ArchiveError(
        .noSuchEntry, "there is no entry at hand",
        advice: "Call next() first; an entry can be extracted once.")
    }
    guard entry.hasContent else { throw .notAFile(entry) }
    current = nil
    return entry
  }
}

extension ArchiveEntry {
  /// Whether the entry carries bytes itself: a regular file, or the hard link of a format that puts them there.
  public var hasContent: Bool { kind == .file || (kind == .hardlink && (size ?? 0) > 0) }
}

extension MemFile {
  /// Calls `body` with each block of the content: read and not mapped, because a hole that is read through a mapping takes
  /// memory. Returns the size.
  func forEachBlock(
    _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) -> Int64 {
    guard !isPacked else {
      try withContent { bytes throws(ArchiveError) in try body(bytes, 0) }.get()
      return Int64(size)
    }
    let source = FileSource(try fileDescriptor, size: Int64(size), isOwned: false)
    var block = [UInt8](repeating: 0, count: min(256 << 10, max(1, size)))
    while source.position < source.size {
      let start = source.position
      let count = try source.read(into: &block)
      try unsafe body(block.span.bytes.extracting(0..<count), start)
    }
    return source.size
  }
}
