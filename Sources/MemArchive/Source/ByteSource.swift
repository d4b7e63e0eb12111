/// A stage that gives bytes one after another: the archive itself, or what a decoder makes of it.
protocol ByteSource: AnyObject {
  /// Fills the front of `buffer` and returns how many bytes; 0 only at the end. Never called with an empty buffer.
  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int

  /// How far the archive itself has been read, whatever lies between it and this stage.
  var progress: SourceProgress { get }
}

extension ByteSource {
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
}

extension SeekableSource {
  /// The last `count` bytes, or all where there are fewer; nil when the source turns out to be shorter than it was. Reading
  /// goes on where it was.
  func tail(_ count: Int64) throws(ArchiveError) -> [UInt8]? {
    let before = position
    defer { position = before }
    var tail = [UInt8](repeating: 0, count: Int(min(size, count)))
    position = size - Int64(tail.count)
    var filled = 0
    while filled < tail.count {
      let more = try read(into: &tail, from: filled)
      guard more > 0 else { return nil }
      filled += more
    }
    return tail
  }
}

/// Bytes of the archive taken so far, and in all where that is known.
struct SourceProgress {
  var read: Int64
  var total: Int64?
}
