internal import SealedMemory

/// A stage that produces bytes in order: the archive itself, or a decoder of it.
protocol ByteSource: AnyObject {
  /// Fills the front of `buffer` and returns the number of bytes; 0 only at the end. Never called with an empty buffer.
  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int

  /// The next available bytes, in the source's own memory; valid until the next call. Empty at the end; nil if `read` has to
  /// be called this time.
  func lend() throws(ArchiveError) -> UnsafeRawBufferPointer?

  /// The source itself, if it is seekable.
  var seekable: (any SeekableSource)? { get }

  /// Whether `read` would return at once, within this time at most: a pipe's writer may not have written yet.
  func waitForInput(milliseconds: Int32) throws(ArchiveError) -> Bool

  /// Proceeds by up to `count` bytes without reading them, and returns their number; 0 where they have to be read.
  func skip(_ count: Int64) throws(ArchiveError) -> Int64

  /// How far the archive itself has been read, whatever decoders are between it and this stage.
  var progress: SourceProgress { get }
}

extension ByteSource {
  var seekable: (any SeekableSource)? { nil }

  func waitForInput(milliseconds _: Int32) -> Bool { true }

  func skip(_: Int64) -> Int64 { 0 }

  func lend() -> UnsafeRawBufferPointer? { nil }

  /// Fills `array` from index `start` on and returns the number of bytes; 0 only at the end.
  func read(into array: inout [UInt8], from start: Int = 0) throws(ArchiveError) -> Int {
    var elements = array.mutableSpan
    var bytes = unsafe elements.mutableBytes
    var free = bytes._mutatingExtracting(start...)
    return try read(into: &free)
  }

  /// Reads `count` bytes that nobody wants.
  func skip(_ count: Int) throws(ArchiveError) {
    var scratch = [UInt8](repeating: 0, count: min(count, 64 << 10))
    var left = count
    while left > 0 {
      scratch.removeSubrange(min(left, scratch.count)...)
      let read = try read(into: &scratch)
      guard read > 0 else { return }
      left -= read
    }
  }
}

/// A source that can be read at any offset: reading zip and 7z begins at their end.
protocol SeekableSource: ByteSource {
  /// The number of bytes in all.
  var size: Int64 { get }
  /// Where the next `read` begins; may be beyond the end, where `read` returns 0.
  var position: Int64 { get set }
  /// Fills the front of `buffer` from `offset` on and returns the number of bytes; 0 only at the end and beyond. Several
  /// threads may call it at once; `position` does not change.
  func read(at offset: Int64, into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int
  /// Appends up to `most` bytes from `offset` on to a slab without passing them through this process, and returns their number;
  /// nil where they have to be read. Several threads may call it at once.
  func send(at offset: Int64, _ most: Int, to slab: inout SlabWriter) throws(ArchiveError) -> Int?
  /// Whether each place that is read costs so much that what can be read later is not read before.
  var isCostly: Bool { get }
}

extension SeekableSource {
  var isCostly: Bool { false }

  func send(at _: Int64, _: Int, to _: inout SlabWriter) throws(ArchiveError) -> Int? { nil }

  var seekable: (any SeekableSource)? { self }

  func skip(_ count: Int64) -> Int64 {
    let step = max(0, min(count, size - position))
    position += step
    return step
  }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    let count = try read(at: position, into: &buffer)
    position += Int64(count)
    return count
  }

  /// Fills `array` from index `start` on with what is at `offset` and returns the number of bytes; 0 only at the end and beyond.
  func read(at offset: Int64, into array: inout [UInt8], from start: Int) throws(ArchiveError) -> Int {
    var elements = array.mutableSpan
    var bytes = unsafe elements.mutableBytes
    var free = bytes._mutatingExtracting(start...)
    return try read(at: offset, into: &free)
  }

  /// Fills the front of `array` with up to `count` bytes from `offset` on and returns their number, fewer only at the end.
  /// `position` does not change.
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

  /// `count` bytes from `offset` on, fewer only at the end. `position` does not change.
  func bytes(_ count: Int, at offset: Int64) throws(ArchiveError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Int(max(0, min(Int64(count), size - offset))))
    let filled = try read(into: &bytes, count: bytes.count, at: offset)
    bytes.removeSubrange(filled...)
    return bytes
  }

  /// Whether all bytes from `offset` on are zero. `position` does not change.
  func isZero(from offset: Int64) throws(ArchiveError) -> Bool {
    var offset = offset
    while offset < size {
      let bytes = try bytes(64 << 10, at: offset)
      // The source has become shorter.
      guard !bytes.isEmpty else { break }
      guard unsafe bytes.span.bytes.isZero else { return false }
      offset += Int64(bytes.count)
    }
    return true
  }

  /// The last `count` bytes, or all if there are fewer; nil if the source has become shorter.
  func tail(_ count: Int) throws(ArchiveError) -> [UInt8]? {
    let length = Int(min(size, Int64(count)))
    let tail = try bytes(length, at: size - Int64(length))
    return tail.count == length ? tail : nil
  }
}

/// The part of a source that several threads may use: reading by position.
struct SharedSource: @unchecked Sendable {
  private let source: any SeekableSource

  init(_ source: any SeekableSource) { self.source = source }

  /// As ``SeekableSource/read(into:count:at:)``.
  func read(into array: inout [UInt8], count: Int, at offset: Int64) throws(ArchiveError) -> Int {
    try source.read(into: &array, count: count, at: offset)
  }

  /// As ``SeekableSource/read(at:into:)``.
  func read(at offset: Int64, into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    try source.read(at: offset, into: &buffer)
  }

  /// As ``SeekableSource/read(at:into:from:)``, from the array's first index on.
  func readSome(into array: inout [UInt8], at offset: Int64) throws(ArchiveError) -> Int {
    try source.read(at: offset, into: &array, from: 0)
  }

  /// As ``SeekableSource/send(at:_:to:)``.
  func send(at offset: Int64, _ most: Int, to slab: inout SlabWriter) throws(ArchiveError) -> Int? {
    try source.send(at: offset, most, to: &slab)
  }

  /// As ``SeekableSource/bytes(_:at:)``.
  func bytes(_ count: Int, at offset: Int64) throws(ArchiveError) -> [UInt8] {
    try source.bytes(count, at: offset)
  }

  /// A part, as a source of its own.
  func part(_ range: Range<Int64>) -> PackedStream { PackedStream(source, range) }
}

/// Bytes of the archive read so far, and in all if that is known.
struct SourceProgress {
  var read: Int64
  var total: Int64?
}
