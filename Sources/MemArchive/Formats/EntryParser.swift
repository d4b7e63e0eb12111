/// Reads one archive's entries in its format, and reports what is inconsistent or missing at its end.
protocol EntryParser: AnyObject {
  /// The next entry's header, or nil at the archive's end.
  func nextHeader() throws(ArchiveError) -> Header?

  /// Calls `body` with each block of the current entry's content and its offset; returns the content's exact size,
  /// which the last block does not tell when the entry ends in a hole.
  func forEachBlock(
    declared: Int64?, _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) -> Int64

  /// Where the current entry's content lies in the archive's content, if it lies there as it is, and none of it has been read.
  var contentPart: Range<Int64>? { get }

  /// The current entry's content, if it can be read without this parser, on any thread.
  var detachedContent: ZipContent? { get }
  /// The source of detached content; nil if none can be detached.
  var sharedContent: SharedSource? { get }

  /// Where the current entry is, for another reading, which begins there; nil where that has to begin with the first entry.
  var place: Int64? { get }
  /// Makes the entry at a place the next one; to be called before the first header is read.
  func begin(at place: Int64) throws(ArchiveError)

  /// The comment on the archive as a whole, if the format has one and it can be read.
  var comment: [UInt8]? { get }
  /// Whether reading cannot continue after the last error.
  var isExhausted: Bool { get }
}

extension EntryParser {
  var contentPart: Range<Int64>? { nil }
  var detachedContent: ZipContent? { nil }
  var sharedContent: SharedSource? { nil }
  var place: Int64? { nil }
  func begin(at _: Int64) throws(ArchiveError) { throw .changed() }
  var comment: [UInt8]? { nil }

  /// Reads the content of the current entry, a symbolic link whose target it is.
  func readTarget(_ name: [UInt8], size: Int64) throws(ArchiveError) -> [UInt8] {
    var target: [UInt8] = []
    do throws(ArchiveError) {
      // Longer targets do not exist: PATH_MAX is 4096.
      guard (0...64 << 10).contains(size) else {
        throw .corrupt("the symbolic link's target has \(size) bytes")
      }
      _ = try forEachBlock(declared: nil) { (block, _) throws(ArchiveError) in
        guard target.count + block.byteCount <= Int(size) else {
          throw .corrupt("the link's target is longer than its header declares")
        }
        unsafe block.withUnsafeBytes { unsafe target.append(contentsOf: $0) }
      }
    } catch {
      throw error.naming(EntryName.key(name))
    }
    return target
  }
}

/// One entry's header as it is in the archive: names are raw bytes.
struct Header {
  /// The name's bytes; nil if they are unavailable.
  var name: [UInt8]?
  /// The name of an entry that has none in the archive, used instead of decoding bytes.
  var ownName: String?
  var kind: ArchiveEntry.Kind
  var size: Int64?
  var modified: ArchiveEntry.Time?
  var mode: UInt16? = 0o644
  var link: [UInt8]?
  var linkCount = 1
  var isEncrypted = false
  /// How the content is stored, if it is a file's.
  var packing = ArchiveEntry.Packing()
  /// Shared because a header is copied from stage to stage, and this is the largest part of it.
  private(set) var sharedDetails: ArchiveEntry.Shared<ArchiveEntry.Details>?
  var comment: [UInt8]?
  /// A note on what is odd about it.
  var warning: String?
  /// A note to be given once its content has been read.
  var noteWhenRead: String?

  var details: ArchiveEntry.Details? {
    get { sharedDetails?.value }
    set { sharedDetails = newValue.map { ArchiveEntry.Shared($0) } }
  }
}

/// Checks content against the size that its header declares.
struct DeclaredSize {
  let size: Int64?

  /// Throws if a block extends beyond it.
  func check(blockEnd end: Int64) throws(ArchiveError) {
    guard let size, end > size else { return }
    throw .corrupt("the entry holds more than the \(size) bytes that its header declares")
  }

  /// Throws if the whole content is shorter.
  func check(total: Int64) throws(ArchiveError) {
    guard let size, total != size else { return }
    throw .corrupt("the entry holds \(total) bytes, and its header declares \(size)")
  }
}
