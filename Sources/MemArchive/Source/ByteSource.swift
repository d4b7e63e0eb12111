/// A stage that gives bytes one after another: the archive itself, or what a decoder makes of it.
protocol ByteSource: AnyObject {
  /// Fills the front of `buffer` and returns how many bytes; 0 only at the end. Never called with an empty buffer.
  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int

  /// The next bytes where they lie in memory of the source's own, as many as there are; they stay what they are until it is
  /// asked for more. Empty at the end; nil where `read` has to be called this time.
  func lend() throws(ArchiveError) -> UnsafeRawBufferPointer?

  /// The source itself, where its next byte can be chosen.
  var seekable: (any SeekableSource)? { get }

  /// How far the archive itself has been read, whatever lies between it and this stage.
  var progress: SourceProgress { get }
}

extension ByteSource {
  var seekable: (any SeekableSource)? { nil }

  func lend() -> UnsafeRawBufferPointer? { nil }

  /// Fills `array` from index `start` on and returns how many bytes; 0 only at the end.
  func read(into array: inout [UInt8], from start: Int = 0) throws(ArchiveError) -> Int {
    var elements = array.mutableSpan
    var bytes = unsafe elements.mutableBytes
    var free = bytes._mutatingExtracting(start...)
    return try read(into: &free)
  }
}

/// A source whose next byte can be chosen: zip and 7z begin at their end.
protocol SeekableSource: ByteSource {
  /// The number of bytes in all.
  var size: Int64 { get }
  /// Where the next `read` begins; may lie beyond the end, where `read` returns 0.
  var position: Int64 { get set }
  /// Fills the front of `buffer` from `offset` on and returns how many bytes; 0 only at the end and beyond. Several
  /// threads may call it at once; reading goes on where it was.
  func read(at offset: Int64, into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int
}

extension SeekableSource {
  var seekable: (any SeekableSource)? { self }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    let count = try read(at: position, into: &buffer)
    position += Int64(count)
    return count
  }

  /// Fills the front of `array` with up to `count` bytes from `offset` on and returns how many, fewer only at the end.
  /// Reading goes on where it was.
  func read(into array: inout [UInt8], count: Int, at offset: Int64) throws(ArchiveError) -> Int {
    var filled = 0
    while filled < count {
      var elements = array.mutableSpan
      var bytes = unsafe elements.mutableBytes
      var free = bytes._mutatingExtracting(filled..<count)
      let more = try read(at: offset + Int64(filled), into: &free)
      guard more > 0 else { break }
      filled += more
    }
    return filled
  }

  /// `count` bytes from `offset` on, fewer only at the end. Reading goes on where it was.
  func bytes(_ count: Int, at offset: Int64) throws(ArchiveError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Int(max(0, min(Int64(count), size - offset))))
    let filled = try read(into: &bytes, count: bytes.count, at: offset)
    bytes.removeSubrange(filled...)
    return bytes
  }

  /// Whether there is no byte but zeros from `offset` on. Reading goes on where it was.
  func isZero(from offset: Int64) throws(ArchiveError) -> Bool {
    var offset = offset
    while offset < size {
      let bytes = try bytes(64 << 10, at: offset)
      // The source turned out to be shorter than it was.
      guard !bytes.isEmpty else { break }
      guard unsafe bytes.span.bytes.isZero else { return false }
      offset += Int64(bytes.count)
    }
    return true
  }

  /// The last `count` bytes, or all where there are fewer; nil when the source turns out to be shorter than it was.
  func tail(_ count: Int) throws(ArchiveError) -> [UInt8]? {
    let length = Int(min(size, Int64(count)))
    let tail = try bytes(length, at: size - Int64(length))
    return tail.count == length ? tail : nil
  }
}

/// A source as several threads may use it: by position alone.
struct SharedSource: @unchecked Sendable {
  private let source: any SeekableSource

  init(_ source: any SeekableSource) { self.source = source }

  /// As ``SeekableSource/read(into:count:at:)``.
  func read(into array: inout [UInt8], count: Int, at offset: Int64) throws(ArchiveError) -> Int {
    try source.read(into: &array, count: count, at: offset)
  }

  /// As ``SeekableSource/bytes(_:at:)``.
  func bytes(_ count: Int, at offset: Int64) throws(ArchiveError) -> [UInt8] {
    try source.bytes(count, at: offset)
  }
}

/// Bytes of the archive taken so far, and in all where that is known.
struct SourceProgress {
  var read: Int64
  var total: Int64?
}
