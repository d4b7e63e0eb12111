public import SystemPackage

/// An archive that can be read: where its bytes are, nothing more. It is opened by each call that reads it.
///
/// Read without further ado: tar in all its dialects, zip, 7z, cpio, ar, and lone compressed files; around each of them
/// gzip, bzip2, xz, lzma, lzip, zstd, lz4, compress (.Z), uuencode and rpm. Formats that are only read by running
/// another program are refused.
///
/// ```swift
/// let files = try ArchiveReader(path: "song.zip").extract()
/// try files["gm.sf2"]!.withPath { path in fluid_synth_sfload(synth, path, 1) }
/// ```
public struct ArchiveReader: Sendable {
  enum Origin: Sendable {
    case path(FilePath)
    case parts([FilePath])
    case descriptor(FileDescriptor)
    case bytes([UInt8])
    case file(MemFile)
    /// What a worker was given.
    case passed([PassedFile], name: String?)
  }

  /// An open file or pipe that somebody else opened.
  struct PassedFile: Sendable {
    let descriptor: FileDescriptor
    /// nil for a pipe.
    let size: Int64?
  }

  let origin: Origin
  let pipe: PipeState?

  init(passed files: [PassedFile], name: String?) {
    origin = .passed(files, name: name)
    pipe = nil
  }

  /// An archive in a file, opened read-only by each call that reads it. A named pipe can be read once.
  public init(path: FilePath) {
    origin = .path(path)
    pipe = PipeState()
  }

  /// An archive in a file.
  public init(path: String) { self.init(path: FilePath(path)) }

  /// An archive that lies in several files, in this order: the volumes of a rar, the parts of a file that was split. Each
  /// must be a regular file. Only one volume of several reads as a truncated archive.
  public init(paths: [FilePath]) {
    origin = .parts(paths)
    pipe = nil
  }

  /// An archive behind a descriptor, which stays the caller's and must stay open while it is read.
  ///
  /// A regular file or block device is read by position from its beginning (pread(2)); the descriptor's offset is
  /// neither used nor moved. Anything else is read from where it stands, and only once.
  public init(descriptor: FileDescriptor) {
    origin = .descriptor(descriptor)
    pipe = PipeState()
  }

  /// An archive in memory.
  public init(bytes: [UInt8]) {
    origin = .bytes(bytes)
    pipe = nil
  }

  /// An archive that was extracted itself, such as the data.tar.xz of a Debian package.
  public init(_ file: MemFile) {
    origin = .file(file)
    pipe = nil
  }

  /// The entries, in the archive's order, without extracting any.
  ///
  /// - Throws: ``ArchiveError``; all entries are read before it returns, so damage behind the first entry throws too.
  ///   To keep what is intact, use ``stream(options:)``.
  public func entries(options: ExtractionOptions = ExtractionOptions()) throws(ArchiveError) -> [ArchiveEntry]
  {
    try entries(in: ExtractionContext(options))
  }

  func entries(in context: ExtractionContext) throws(ArchiveError) -> [ArchiveEntry] {
    let source = try entries(in: context, .headers)
    let account = EntryAccount(context.ledger)
    defer { withExtendedLifetime(account) {} }
    var entries: [ArchiveEntry] = []
    while let entry = try source.next() {
      try account.add(entry)
      entries.append(entry)
    }
    return entries
  }

  /// Opens the archive to take its entries one at a time, each extracted or skipped.
  ///
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/unrecognizedFormat`` or ``ArchiveError/Code/unsupportedFormat``
  ///   when this is no archive, ``ArchiveError/Code/system`` when it cannot be opened, and all that reading its first bytes
  ///   can lead to.
  public func stream(options: ExtractionOptions = ExtractionOptions()) throws(ArchiveError) -> ArchiveStream {
    try stream(in: ExtractionContext(options))
  }

  /// - Parameter prefetch: What will be asked for: a worker does that beforehand.
  package func stream(
    in context: ExtractionContext, _ prefetch: Prefetch = .eachInStep
  ) throws(ArchiveError) -> ArchiveStream {
    ArchiveStream(try entries(in: context, prefetch))
  }
}
