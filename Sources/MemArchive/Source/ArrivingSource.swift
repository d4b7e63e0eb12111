/// A stream that is read by position: on from the last byte that was read, or back by a few bytes. Nothing is read before it
/// is asked for.
final class ArrivingSource: SeekableSource {
  private let upstream: any ByteSource
  /// The last block, behind the last bytes of the one before it.
  private var window: [UInt8]
  /// The bytes of the window, by their offset in the stream.
  private var range: Range<Int64> = 0..<0
  /// Whether the stream has ended.
  private(set) var isAtEnd = false

  private static let blockSize = 256 << 10
  /// As many bytes in front of the last block can be read again.
  private static let kept = 64

  init(_ upstream: any ByteSource) {
    self.upstream = upstream
    window = [UInt8](repeating: 0, count: Self.kept + Self.blockSize)
  }

  /// Not known before the stream has ended.
  var size: Int64 { .max }
  var position: Int64 = 0
  /// It cannot be read at any offset.
  var seekable: (any SeekableSource)? { nil }
  var progress: SourceProgress { upstream.progress }

  func waitForInput(milliseconds: Int32) throws(ArchiveError) -> Bool {
    if position < range.upperBound { return true }
    return try upstream.waitForInput(milliseconds: milliseconds)
  }

  func read(at offset: Int64, into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    if offset == range.upperBound { guard try fill() else { return 0 } }
    precondition(range.contains(offset), "a stream is read in order")
    let count = Int(min(Int64(buffer.byteCount), range.upperBound - offset))
    let (window, start) = (window, Int(offset - range.lowerBound))
    unsafe buffer.copy(window.span.bytes.extracting(start..<start + count))
    return count
  }

  /// Proceeds to an offset, if it is not passed; false if the stream ends before it.
  func skip(to offset: Int64) throws(ArchiveError) -> Bool {
    while range.upperBound < offset { guard try fill() else { return false } }
    return true
  }

  /// Puts the next bytes into the window; false at the end.
  private func fill() throws(ArchiveError) -> Bool {
    let kept = min(range.count, Self.kept)
    unsafe window.withUnsafeMutableBytes { window in
      unsafe window.copyMemory(
        from: UnsafeRawBufferPointer(rebasing: window[(range.count - kept)..<range.count]))
    }
    range = (range.upperBound - Int64(kept))..<range.upperBound
    let count = try upstream.read(into: &window, from: kept)
    range = range.lowerBound..<range.upperBound + Int64(count)
    isAtEnd = count == 0
    return !isAtEnd
  }
}
