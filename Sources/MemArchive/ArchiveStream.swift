/// The entries of an archive, one at a time: read the next header, then extract its content or move on.
///
/// ```swift
/// var stream = try ArchiveReader(path: "linux.tar.xz").stream()
/// while let entry = try stream.next() {
///   if entry.name.hasSuffix(".h") { use(try stream.extract()) }
/// }
/// ```
///
/// Only what you keep stays in memory. An entry whose checksum fails is never returned; but a checksum *around* the
/// archive (gzip's, say) is checked only at the end, so entries count as verified once ``next()`` has returned `nil`.
public struct ArchiveStream: ~Copyable {
  private let entries: any EntrySource
  private let observation: Observation?
  private var current: ArchiveEntry?

  init(_ entries: any EntrySource, _ observation: Observation? = nil) {
    self.entries = entries
    self.observation = observation
  }

  /// The warnings so far. The first 1,000 are kept, up to 1 MiB of them together; if there were more, the last warning says
  /// how many.
  public var warnings: [ArchiveWarning] { entries.warnings.all }

  /// The protection in effect while a worker reads the archive; `nil` if it is read in this process.
  public var protection: SandboxProtection? { entries.protection }

  /// The comment on the archive as a whole, for a zip whose headers agree with each other (APPNOTE 4.3.16).
  public var comment: String? { entries.comment }

  /// The next entry, or `nil` at the end. The rest of the previous entry is skipped.
  ///
  /// - Throws: ``ArchiveError``. After an error that concerns one entry, the next call continues after it; after one that
  ///   ends the reading, it returns `nil`. So a loop that notes errors and continues always ends.
  public mutating func next() throws(ArchiveError) -> ArchiveEntry? {
    current = nil
    current = try observation.watch { () throws(ArchiveError) in try entries.next() }
    return current
  }

  /// The content of the entry that ``next()`` returned last, in a sealed file in memory. May be called once per entry.
  ///
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/notAFile`` when the entry has no content,
  ///   ``ArchiveError/Code/limitExceeded``, ``ArchiveError/Code/corrupt``, ``ArchiveError/Code/truncated``,
  ///   ``ArchiveError/Code/passphraseRequired``, ``ArchiveError/Code/wrongPassphrase``,
  ///   ``ArchiveError/Code/unsupportedFeature``, ``ArchiveError/Code/descriptorLimit``,
  ///   ``ArchiveError/Code/outOfMemory``. Nothing of the entry is left then.
  public mutating func extract() throws(ArchiveError) -> MemFile {
    let entry = try takeCurrent()
    return try observation.watch { () throws(ArchiveError) in try entries.extract(entry) }
  }

  /// Calls `body` with each block of the content of the entry that ``next()`` returned last, and the block's offset in
  /// bytes, without keeping any: to hash or copy content that need not be a file. Bytes between blocks are zero.
  ///
  /// A block is valid only while `body` runs, and the entry's checksum is verified only once this has returned.
  ///
  /// - Returns: The exact size in bytes; a hole may follow the last block.
  /// - Throws: What `body` throws, and then nothing more of the entry is read; otherwise ``ArchiveError`` as ``extract()``.
  @discardableResult public mutating func forEachBlock(
    _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) -> Int64 {
    let entry = try takeCurrent()
    return try observation.watch { () throws(ArchiveError) in try entries.forEachBlock(of: entry, body) }
  }

  /// For a body that throws anything else.
  @_documentation(visibility: internal)
  @discardableResult public mutating func forEachBlock(
    _ body: (RawSpan, Int64) throws -> Void
  ) throws -> Int64 {
    var failure: (any Error)?
    // Of a code that concerns this entry alone.
    let stop = ArchiveError(.corrupt, "the body has thrown", advice: "See its error.")
    do throws(ArchiveError) {
      return try forEachBlock { block, offset throws(ArchiveError) in
        do { try body(block, offset) } catch {
          failure = error
          throw stop
        }
      }
    } catch {
      throw failure ?? error
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
  /// Calls `body` with each block of the content, which is read rather than mapped because reading a hole through a mapping
  /// takes memory. Returns the size.
  func forEachBlock(
    _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) -> Int64 {
    guard !isPacked else {
      try withContent { bytes throws(ArchiveError) in try body(bytes, 0) }.get()
      return Int64(size)
    }
    let source = FileSource(try contentDescriptor, size: Int64(size), isOwned: false)
    var block = [UInt8](repeating: 0, count: min(256 << 10, max(1, size)))
    while source.position < source.size {
      let start = source.position
      let count = try source.read(into: &block)
      try unsafe body(block.span.bytes.extracting(0..<count), start)
    }
    return source.size
  }
}
