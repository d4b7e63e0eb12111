// What signatures here mention needs no import, and no dependency, of the client's own.
@_exported public import struct SystemPackage.Errno
@_exported public import struct SystemPackage.FileDescriptor
@_exported public import struct SystemPackage.FilePath

/// An archive that can be read: only the location of its bytes. Each call that reads the archive opens it.
///
/// Supported by default: tar in all its dialects, zip, 7z, cpio, ar, and lone compressed files, each also inside
/// gzip, bzip2, xz, lzma, lzip, zstd, lz4, compress (.Z), uuencode and rpm. Formats that can only be read by running
/// another program are refused.
///
/// ```swift
/// let files = try ArchiveReader(path: "song.zip").extract()
/// let font = try files["gm.sf2"]!.withPath { path in fluid_synth_sfload(synth, path, 1) }
/// ```
public struct ArchiveReader: Sendable {
  enum Origin: Sendable {
    case path(FilePath)
    case parts([FilePath])
    case descriptor(FileDescriptor)
    case bytes([UInt8])
    case file(MemFile)
    /// Files that are kept open.
    case kept([KeptFile])
    /// Read by the caller.
    case source(any AsyncArchiveSource)
    case chunks(ChunkFeed)
    /// The descriptors that a worker was given.
    case passed([PassedFile], name: String?)
  }

  /// An open file or pipe, opened elsewhere.
  struct PassedFile: Sendable {
    let descriptor: FileDescriptor
    /// nil for a pipe.
    let size: Int64?
    /// Where the host is asked for the bytes, if they are read by its caller.
    var channel: SourceChannel?
  }

  let origin: Origin
  let pipe: PipeState?
  /// Where its compression can be begun from, as an earlier reading has noted.
  var index: Index?

  enum Index: Sendable {
    case file(MemFile)
    /// The descriptor that a worker was given.
    case passed(PassedFile)
  }

  init(kept files: [KeptFile]) {
    origin = .kept(files)
    pipe = nil
  }

  init(passed files: [PassedFile], name: String?) {
    origin = .passed(files, name: name)
    pipe = nil
  }

  /// The first descriptor that a worker was given.
  var passedDescriptor: FileDescriptor? {
    if case .passed(let files, _) = origin { files.first?.descriptor } else { nil }
  }

  /// An archive in a file, opened read-only by each call that reads it. A named pipe can be read once.
  public init(path: FilePath) {
    origin = .path(path)
    pipe = PipeState()
  }

  /// An archive in a file.
  public init(path: String) { self.init(path: FilePath(path)) }

  /// An archive in several files, in this order: the volumes of a rar, the parts of a split file. Each must be a regular
  /// file. One volume alone reads as a truncated archive.
  public init(paths: [FilePath]) {
    origin = .parts(paths)
    pipe = nil
  }

  /// An archive in several files, in this order.
  public init(paths: [String]) { self.init(paths: paths.map { FilePath($0) }) }

  /// An archive given as a descriptor, which stays the caller's and must stay open while the archive is read.
  ///
  /// A regular file or block device is read by position from its beginning (pread(2)); the descriptor's offset is
  /// neither used nor moved. Anything else is read from its current position, and only once.
  public init(descriptor: FileDescriptor) {
    origin = .descriptor(descriptor)
    pipe = PipeState()
  }

  /// An archive in memory.
  public init(bytes: [UInt8]) {
    origin = .bytes(bytes)
    pipe = nil
  }

  /// An archive that was itself extracted, such as the data.tar.xz of a Debian package.
  public init(contentsOf file: MemFile) {
    origin = .file(file)
    pipe = nil
  }

  /// An archive that arrives in chunks, such as the body of a request. It is read once, while it arrives: entries come out of
  /// ``files(_:options:)`` and ``stream(options:)`` before the last chunk is there. Formats that begin at their end (zip, 7z)
  /// are kept first, as those in a pipe are; a zip need not be, see ``ExtractionOptions/ArrivingZips``.
  ///
  /// With NIO's `ByteBuffer`: `ArchiveReader(chunks: request.body.map(\.readableBytesView))`.
  ///
  /// The sequence is iterated in a task of its own, which is ahead of the archive's reader by no more than 64 KiB and a chunk, and is
  /// cancelled when the extraction ends, however it does. No thread that tasks share is blocked, if the `async` forms are used: a task that
  /// waits in a synchronous form keeps its thread from producing chunks.
  ///
  /// What follows the archive's end is not waited for, and neither is the sequence's: an error that it throws after that is not
  /// noticed. Inside a compression the archive's end is that of the sequence.
  ///
  /// - Parameters:
  ///   - chunks: Chunks of bytes: `[UInt8]`, `ArraySlice<UInt8>`, NIO's `ByteBufferView`. Those that lie in one piece
  ///     (`withContiguousStorageIfAvailable`) are not copied. An error that it throws ends the extraction with
  ///     ``ArchiveError/Code/sourceFailed``, or as it is if it is an ``ArchiveError``; an end that comes too early is
  ///     ``ArchiveError/Code/truncated``. A second call that reads throws ``ArchiveError/Code/sourceConsumed``.
  ///   - name: The archive's file name, after which the content of a lone compressed file is named.
  public init<Chunks: AsyncSequence & Sendable>(chunks: Chunks, name: String? = nil)
  where Chunks.Element: Sequence<UInt8> {
    origin = .chunks(ChunkFeed(chunks, name: name))
    pipe = PipeState()
  }

  /// The selected entries, in the archive's order, without extracting any; with ``ExtractionOptions/nestedArchives``, those of
  /// inner archives after them.
  ///
  /// - Throws: ``ArchiveError``; all entries are read before it returns, so damage after the first entry throws too.
  ///   To keep what is intact, use ``stream(options:)``.
  public func entries(
    _ selection: EntrySelection = .all, options: ExtractionOptions = ExtractionOptions()
  ) throws(ArchiveError) -> [ArchiveEntry] {
    try ExtractionContext(options).observing(.entries, of: self) { context throws(ArchiveError) in
      try entries(selection, in: context)
    }
  }

  package func entries(
    _ selection: EntrySelection = .all, in context: ExtractionContext
  ) throws(ArchiveError) -> [ArchiveEntry] {
    let account = EntryAccount(context.ledger)
    defer { withExtendedLifetime(account) {} }
    var entries: [ArchiveEntry] = []
    let stream = try NestedStream(self, nested: context.options.nestedArchives, .headers, in: context)
    while let entry = try stream.next() {
      try account.add(entry)
      entries.append(entry)
    }
    if case .all = selection.rule, selection.excluded.isEmpty { return entries }
    let names = selection.requiredNames.isEmpty ? [] : Set(entries.map { NameKey($0.name) })
    var warnings = WarningList(account)
    try context.options.check(selection, in: entries, [], &warnings) { names.contains(NameKey($0)) }
    return entries.filter(selection.matches)
  }

  /// Extracts the selected entries, each into its own sealed file in memory.
  ///
  /// All or nothing: when it throws, no file, descriptor or memory is left. When it returns, every checksum of the archive
  /// and of the compression around it has been verified.
  ///
  /// - Parameters:
  ///   - selection: Which entries; all of them by default.
  ///   - options: Limits, passphrases, what to do with duplicates, how memory is filled.
  /// - Returns: The files by name, each with a descriptor that closes with the file's last reference.
  /// - Throws: ``ArchiveError``, with the codes of ``stream(options:)`` and ``ArchiveStream/extract()``;
  ///   ``ArchiveError/Code/noSuchEntry`` when the archive lacks a selected name, and
  ///   ``ArchiveError/Code/duplicateEntry``.
  public func extract(
    _ selection: EntrySelection = .all, options: ExtractionOptions = ExtractionOptions()
  ) throws(ArchiveError) -> MemFiles {
    try ExtractionContext(options).observing(.extract, of: self) { context throws(ArchiveError) in
      try extract(selection, nested: options.nestedArchives, in: context)
    }
  }

  package func extract(
    _ selection: EntrySelection = .all, in context: ExtractionContext
  ) throws(ArchiveError) -> MemFiles {
    var collector = FileCollector(selection, in: context)
    collector.setProtection(try visitFollowingLinks(&collector, in: context))
    return try collector.finish(context.ledger)
  }

  /// Opens the archive to read its entries one at a time, each extracted or skipped.
  ///
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/unrecognizedFormat`` or ``ArchiveError/Code/unsupportedFormat``
  ///   when this is not an archive, ``ArchiveError/Code/system`` when it cannot be opened, and any error of reading its
  ///   first bytes.
  public func stream(options: ExtractionOptions = ExtractionOptions()) throws(ArchiveError) -> ArchiveStream {
    let context = ExtractionContext(options)
    let observation = Observation(.stream, of: self, in: context)
    return try observation.watch { () throws(ArchiveError) in
      ArchiveStream(try entries(in: context, .eachInStep), observation)
    }
  }

  /// - Parameter prefetch: Entries that a worker extracts before they are requested.
  package func stream(
    in context: ExtractionContext, _ prefetch: Prefetch = .eachInStep
  ) throws(ArchiveError) -> ArchiveStream {
    ArchiveStream(try entries(in: context, prefetch))
  }
}

// However a reader is printed, a log shows where the archive is and never its bytes.
extension ArchiveReader: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// Where the archive is, such as "ArchiveReader(song.zip)"; its size if it is in memory.
  public var description: String { "ArchiveReader(\(place))" }

  /// The same as ``description``.
  public var debugDescription: String { description }

  /// The content of ``description``.
  public var customMirror: Mirror { Mirror(self, children: ["archive": place], displayStyle: .struct) }

  private var place: String {
    let place =
      switch origin {
      case .path(let path): "\(path)"
      case .parts(let paths): paths.map { "\($0)" }.joined(separator: ", ")
      case .descriptor(let descriptor): "descriptor \(descriptor.rawValue)"
      case .bytes(let bytes): "\(bytes.count) bytes in memory"
      case .file(let file): "\(file.name), \(file.size) bytes in memory"
      case .kept(let files): files.map(\.name).joined(separator: ", ")
      case .source(let source): source.name ?? "a source of the caller's own"
      case .chunks(let feed): feed.name ?? "chunks"
      case .passed(let files, _): "\(files.count) descriptors of a worker"
      }
    return PlainText.escaped(place)
  }
}
