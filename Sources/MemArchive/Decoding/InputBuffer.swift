/// What a decoder has read ahead of its source.
struct InputBuffer {
  private let upstream: any ByteSource
  private var bytes: [UInt8]
  private var range = 0..<0
  private var isAtEnd = false

  /// - Parameter kept: So many bytes that were dropped can be given back.
  init(_ upstream: any ByteSource, kept: Int = 0) {
    self.upstream = upstream
    self.kept = kept
    bytes = [UInt8](repeating: 0, count: kept + 256 << 10)
  }

  private let kept: Int

  var progress: SourceProgress { upstream.progress }
  /// The number of bytes at hand.
  var count: Int { range.count }
  /// Whether nothing is at hand and nothing follows.
  var isUsedUp: Bool { range.isEmpty && isAtEnd }

  /// A byte at hand.
  subscript(offset: Int) -> UInt8 { bytes[range.lowerBound + offset] }

  /// A little-endian number at hand.
  func little<Value: FixedWidthInteger & UnsignedInteger>(_ type: Value.Type, at offset: Int = 0) -> Value {
    bytes.little(type, at: range.lowerBound + offset)
  }

  /// Calls `body` with the first bytes at hand, all of them by default.
  func withBytes<Result, Failure: Error>(
    _ count: Int? = nil, _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let end = count.map { range.lowerBound + $0 } ?? range.upperBound
    return try unsafe body(bytes.span.bytes.extracting(range.lowerBound..<end))
  }

  /// Drops the first bytes at hand; gives bytes back where the number is negative.
  mutating func drop(_ count: Int) { range = (range.lowerBound + count)..<range.upperBound }

  /// Whether `count` bytes are at hand, reading more where needed.
  mutating func has(_ count: Int) throws(ArchiveError) -> Bool {
    if range.count < count, !isAtEnd {
      // What is left moves to the front, so that the rest of the buffer can be filled after it.
      let front = max(0, range.lowerBound - kept)
      let rest = Array(bytes[front..<range.upperBound])
      bytes.replaceSubrange(0..<rest.count, with: rest)
      range = (range.lowerBound - front)..<rest.count
      bytes.grow(to: range.lowerBound + count)
    }
    while range.count < count, !isAtEnd {
      let read = try upstream.read(into: &bytes, from: range.upperBound)
      range = range.lowerBound..<range.upperBound + read
      isAtEnd = read == 0
    }
    return range.count >= count
  }
}
