public import SystemPackage

/// Writes files and trees as an archive, into sealed memory or to a descriptor.
///
/// The same files give the same bytes, whatever order they came in and whatever machine it is: entries are sorted by the bytes
/// of their names, owners are left out unless they are asked for, and neither the host, the user nor the time zone is in them.
///
/// ```swift
/// let archive = try ArchiveWriter(.tar(.zstd)).archive(of: files)  // a sealed MemFile
/// try ArchiveWriter(.zip).write(files, to: .standardOutput)
/// ```
///
/// Content is never copied as a whole: it goes from where it lies through the buffers of the writer.
///
/// | | tar | zip |
/// |---|---|---|
/// | names | any bytes | UTF-8 |
/// | sizes | any | any (zip64) |
/// | times of modification | nanoseconds (pax) | 100 nanoseconds; many readers take whole seconds, some even ones of the years 1980 to 2107 (a time before is 1980 for them) |
/// | permissions | all | all |
/// | symbolic links | yes | yes |
/// | hard links | yes | a copy of the content under each name |
/// | named pipes | yes | an error |
/// | extended attributes, access control lists | yes | left out |
/// | devices and sockets | an error | an error |
///
/// Left out of both are other times than that of modification, comments, and where a file has holes, which are written as
/// zeros. Of a tree, extended attributes and access control lists are left out too.
public struct ArchiveWriter: Hashable, Sendable {
  /// What is written.
  public struct Format: Hashable, Sendable {
    enum Kind: Hashable { case tar(Compression), zip }
    let kind: Kind

    /// POSIX.1's pax, which any tar of this century reads, compressed as a whole. Only entries that need an extended header
    /// have one.
    public static func tar(_ compression: Compression = .none) -> Self { Self(kind: .tar(compression)) }
    /// zip, each entry compressed by deflate.
    public static var zip: Self { Self(kind: .zip) }

    /// The format that a file's name ends in: .tar, .tar.gz, .tgz, .tar.bz2, .tbz2, .tar.xz, .txz, .tar.zst, .tzst, .zip;
    /// `nil` for any other.
    public init?(fileName: String) {
      let name = fileName.lowercased()
      guard
        let (_, format) = Self.endings.first(where: {
          name.utf8.count > $0.0.utf8.count && name.hasSuffix($0.0)
        })
      else { return nil }
      self = format
    }

    private init(kind: Kind) { self.kind = kind }

    private static let endings: [(String, Self)] = [
      (".tar", .tar()), (".tar.gz", .tar(.gzip)), (".tgz", .tar(.gzip)), (".tar.bz2", .tar(.bzip2)),
      (".tbz2", .tar(.bzip2)), (".tar.xz", .tar(.xz)), (".txz", .tar(.xz)), (".tar.zst", .tar(.zstd)),
      (".tzst", .tar(.zstd)), (".zip", .zip),
    ]
  }

  /// The compression of a whole tar.
  public enum Compression: Hashable, Sendable, CaseIterable {
    case none, gzip, bzip2, xz, zstd
  }

  /// What is written of the entries' metadata, and how hard is compressed.
  public struct Options: Hashable, Sendable {
    /// The times of modification.
    public enum Times: Hashable, Sendable {
      /// Those that the entries have; 1970-01-01 for what has none.
      case kept
      /// The same for all.
      case fixed(ArchiveEntry.Time)
    }

    /// The users and groups that entries belong to.
    public enum Owners: Hashable, Sendable {
      /// None: user and group 0 in a tar, nothing in a zip.
      case none
      /// Those that the entries have, by number and name; of a tree, by number. Entries without one get none.
      case kept
    }

    /// The times of modification; ``Times/kept`` by default.
    public var modified = Times.kept
    /// The owners; ``Owners/none`` by default.
    public var owners = Owners.none
    /// How hard to compress, in the scale of the compression: 0 or 1 to 9, zstd up to 22; `nil` is its own default. Other
    /// numbers are an error.
    public var level: Int?

    /// The defaults, or what `set` makes of them.
    public init(_ set: (inout Self) -> Void = { _ in }) { set(&self) }
  }

  /// What is written.
  public let format: Format
  /// How it is written.
  public var options: Options

  /// A writer of this format.
  public init(_ format: Format, options: Options = Options()) {
    (self.format, self.options) = (format, options)
  }

  /// Writes the files to a descriptor, which stays the caller's, from its current position on.
  ///
  /// Written is each name that has a file, and of ``MemFiles/entries`` the selected ones that never have one: directories,
  /// symbolic links, named pipes. A symbolic link is written as one, whether what it leads to is among the files or not; what
  /// was taken out of the files (``MemFiles/filter(_:)``) is left out, and so is what could not be extracted (``MemFiles/errors``).
  ///
  /// A pipe or a socket may be slow, and its descriptor may have O_NONBLOCK. No signal is raised where its reader is gone
  /// (SIGPIPE).
  ///
  /// - Throws: ``ArchiveError`` with the error number of write(2): ENOSPC where there is no room, EPIPE where the reader is
  ///   gone; ``ArchiveError/Code/unsupportedFeature`` for an entry that the format cannot hold,
  ///   ``ArchiveError/Code/nameTooLong``, and whatever reading a file throws. What was written by then is no whole archive.
  public func write(_ files: MemFiles, to descriptor: FileDescriptor) throws(ArchiveError) {
    try write(files, to: descriptor, in: ExtractionContext(ExtractionOptions()))
  }

  /// Writes a tree to a descriptor, as it is now, with what was changed in a writable one; otherwise as
  /// `write` does with files.
  ///
  /// - Throws: Also ``ArchiveError/Code/corrupt`` where a file changes its size meanwhile.
  public func write(_ tree: MemTree, to descriptor: FileDescriptor) throws(ArchiveError) {
    try write(tree.contents(), to: descriptor, in: ExtractionContext(ExtractionOptions()))
  }

  /// The archive of the files as a sealed file in memory; see `write` for what is in it.
  ///
  /// - Parameters:
  ///   - files: What is written.
  ///   - name: The name of the returned file.
  ///   - limits: ``ExtractionLimits/heldBytes`` bounds the archive's size.
  /// - Throws: Also ``ArchiveError/Code/limitExceeded``, ``ArchiveError/Code/outOfMemory`` and
  ///   ``ArchiveError/Code/descriptorLimit``. Then nothing is left of the archive.
  public func archive(
    of files: MemFiles, named name: String = "archive", limits: ExtractionLimits = ExtractionLimits()
  ) throws(ArchiveError) -> MemFile {
    try archive(of: files, named: name, ExtractionContext(writingWithin: limits))
  }

  /// The archive of a tree, as it is now, as a sealed file in memory; as `archive` makes it of files.
  public func archive(
    of tree: MemTree, named name: String = "archive", limits: ExtractionLimits = ExtractionLimits()
  ) throws(ArchiveError) -> MemFile {
    try archive(of: tree.contents(), named: name, ExtractionContext(writingWithin: limits))
  }
}

/// The forms that write on a thread of their own. Cancelling the task ends them with ``ArchiveError/Code/cancelled``, also while
/// a pipe takes nothing.
extension ArchiveWriter {
  /// Writes the files to a descriptor on a thread of its own; otherwise like the synchronous form.
  public func write(_ files: MemFiles, to descriptor: FileDescriptor) async throws(ArchiveError) {
    let context = ExtractionContext(ExtractionOptions())
    try await context.onOwnThread { () throws(ArchiveError) in try write(files, to: descriptor, in: context) }
  }

  /// Writes a tree to a descriptor on a thread of its own; otherwise like the synchronous form.
  public func write(_ tree: MemTree, to descriptor: FileDescriptor) async throws(ArchiveError) {
    let context = ExtractionContext(ExtractionOptions())
    try await context.onOwnThread { () throws(ArchiveError) in
      try write(tree.contents(), to: descriptor, in: context)
    }
  }

  /// The archive of the files, written on a thread of its own; otherwise like the synchronous form.
  public func archive(
    of files: MemFiles, named name: String = "archive", limits: ExtractionLimits = ExtractionLimits()
  ) async throws(ArchiveError) -> MemFile {
    let context = ExtractionContext(writingWithin: limits)
    return try await context.onOwnThread { () throws(ArchiveError) in
      try archive(of: files, named: name, context)
    }
  }

  /// The archive of a tree, written on a thread of its own; otherwise like the synchronous form.
  public func archive(
    of tree: MemTree, named name: String = "archive", limits: ExtractionLimits = ExtractionLimits()
  ) async throws(ArchiveError) -> MemFile {
    let context = ExtractionContext(writingWithin: limits)
    return try await context.onOwnThread { () throws(ArchiveError) in
      try archive(of: tree.contents(), named: name, context)
    }
  }
}

/// What can be written as an archive.
package protocol Archivable {
  /// All entries, in any order; valid while this is alive.
  func items(_ cancellation: Cancellation) throws(ArchiveError) -> [ArchiveItem]
}

extension ArchiveWriter {
  package func write(
    _ content: some Archivable, to descriptor: FileDescriptor, in context: ExtractionContext
  ) throws(ArchiveError) {
    try write(content, to: DescriptorTarget(descriptor, context.cancellation), context.cancellation)
  }

  private func archive(
    of content: some Archivable, named name: String, _ context: ExtractionContext
  ) throws(ArchiveError) -> MemFile {
    let target = try MemoryTarget(name, context)
    try write(content, to: target, context.cancellation)
    return try target.finish()
  }
}

extension ExtractionContext {
  /// For an archive, which is not an entry, so that only `heldBytes` bounds it.
  fileprivate init(writingWithin limits: ExtractionLimits) {
    self.init(ExtractionOptions(limits: ExtractionLimits(heldBytes: limits.heldBytes)))
  }
}
