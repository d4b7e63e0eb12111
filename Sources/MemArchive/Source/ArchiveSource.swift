/// An archive that the caller reads, at any offset: in an object store, encrypted, inside another file.
///
/// The library reads it in few, large steps, up to 1 MiB each, some ahead, and keeps 16 MiB of what it has read for the time of
/// the reading: the directory of a zip and one of its entries take a few calls. All calls of one reading come from one thread of
/// the library's own, one after another; a sandboxed worker has no part in them, and is given the bytes.
///
/// ```swift
/// struct Volume: ArchiveSource {
///   let descriptor: FileDescriptor
///   let size: Int64
///   func read(at offset: Int64, into buffer: inout MutableRawSpan) throws -> Int {
///     let count = buffer.withUnsafeMutableBytes { pread(descriptor.rawValue, $0.baseAddress, $0.count, Int(offset)) }
///     guard count >= 0 else { throw Errno(rawValue: errno) }
///     return count
///   }
/// }
/// let files = try ArchiveReader(source: Volume(descriptor: .standardInput, size: 4096)).extract()
/// ```
///
/// When the extraction is cancelled or its time is over, a call that has not returned is left behind, and the source with it
/// until it returns; otherwise no call is left when the extraction is.
public protocol ArchiveSource: Sendable {
  /// The number of bytes, which must not change while the archive is read; asked once by each reading.
  var size: Int64 { get throws }
  /// The archive's file name, such as "notes.txt.gz", after which the content of a lone compressed file is named; nil by default.
  var name: String? { get }
  /// Fills the front of `buffer` with what is at `offset`; fewer bytes than fit are asked for again, as with pread(2).
  ///
  /// - Parameters:
  ///   - offset: From the first byte on; smaller than ``size``.
  ///   - buffer: Not empty, and it does not reach beyond the end.
  /// - Returns: The number of bytes. 0 says that the archive has become shorter: ``ArchiveError/Code/truncated``.
  /// - Throws: Any error, which ends the reading: as ``ArchiveError/Code/sourceFailed`` with the error in the reason, or as it is
  ///   if it is an ``ArchiveError``.
  func read(at offset: Int64, into buffer: inout MutableRawSpan) throws -> Int
}

/// An archive that the caller reads by asynchronous calls; otherwise like ``ArchiveSource``.
///
/// The calls run in tasks on one thread of the library's own, so that a thread that waits for them never keeps them from running;
/// what waits for the main actor, while this waits on the main thread for an archive, does. The tasks are cancelled with the
/// extraction.
public protocol AsyncArchiveSource: Sendable {
  /// As ``ArchiveSource/size``.
  var size: Int64 { get async throws }
  /// As ``ArchiveSource/name``.
  var name: String? { get }
  /// The bytes in `range`, at most 1 MiB. Up to two calls run at the same time for each thread that reads.
  ///
  /// - Returns: Exactly these bytes; fewer say that the archive has become shorter.
  /// - Throws: As ``ArchiveSource/read(at:into:)``.
  func bytes(in range: Range<Int64>) async throws -> [UInt8]
}

extension ArchiveSource {
  /// None.
  public var name: String? { nil }
}

extension AsyncArchiveSource {
  /// None.
  public var name: String? { nil }
}

extension ArchiveReader {
  /// An archive that the caller reads.
  ///
  /// The listing of a zip is then its directory: an entry's own header is compared with it when the entry's content is read, which
  /// takes a call for each entry. The entry's times are those of the directory.
  public init(source: some ArchiveSource) { self.init(source: BlockingSource(source)) }

  /// An archive that the caller reads by asynchronous calls; see ``init(source:)-(ArchiveSource)``.
  public init(source: some AsyncArchiveSource) {
    origin = .source(source)
    pipe = nil
  }
}

/// A source whose calls block the thread that they run on.
private struct BlockingSource<Source: ArchiveSource>: AsyncArchiveSource {
  private let source: Source

  init(_ source: Source) { self.source = source }

  var name: String? { source.name }
  var size: Int64 { get throws { try source.size } }

  func bytes(in range: Range<Int64>) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: range.count)
    var filled = 0
    while filled < bytes.count {
      var elements = bytes.mutableSpan
      var all = unsafe elements.mutableBytes
      var free = all._mutatingExtracting(filled...)
      let room = free.byteCount
      let count = try source.read(at: range.lowerBound + Int64(filled), into: &free)
      guard count >= 0, count <= room else {
        throw ArchiveError.sourceFailed(
          "it returned \(count) for a buffer of \(room) bytes at offset \(range.lowerBound + Int64(filled))")
      }
      guard count > 0 else { break }
      filled += count
    }
    bytes.removeSubrange(filled...)
    return bytes
  }
}
