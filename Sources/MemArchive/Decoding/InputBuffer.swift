/// A decoder's buffer for bytes read from its source.
struct InputBuffer {
  private let upstream: any ByteSource
  private var bytes: [UInt8]
  private var range = 0..<0
  /// Whether nothing follows what is buffered.
  private(set) var isAtEnd = false

  /// - Parameters:
  ///   - kept: The number of dropped bytes that can be given back.
  ///   - capacity: The number of bytes that there are, if they are few.
  init(_ upstream: any ByteSource, kept: Int = 0, capacity: Int = .max) {
    self.upstream = upstream
    self.kept = kept
    bytes = [UInt8](repeating: 0, count: kept + max(1, min(capacity, 256 << 10)))
  }

  private let kept: Int
  /// The number of bytes dropped so far.
  private(set) var dropped = 0

  var progress: SourceProgress { upstream.progress }
  /// The number of buffered bytes.
  var count: Int { range.count }
  /// Whether nothing is buffered and nothing follows.
  var isUsedUp: Bool { range.isEmpty && isAtEnd }

  /// A buffered byte.
  subscript(offset: Int) -> UInt8 { bytes[range.lowerBound + offset] }

  /// A buffered little-endian number.
  func little<Value: FixedWidthInteger & UnsignedInteger>(_ type: Value.Type, at offset: Int = 0) -> Value {
    bytes.little(type, at: range.lowerBound + offset)
  }

  /// Calls `body` with the first buffered bytes, all of them by default.
  func withBytes<Result, Failure: Error>(
    _ count: Int? = nil, _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let end = count.map { range.lowerBound + $0 } ?? range.upperBound
    return try unsafe body(bytes.span.bytes.extracting(range.lowerBound..<end))
  }

  /// Whether the buffered bytes are those of `magic`, as far as there are any of both.
  func begins(with magic: [UInt8]) -> Bool {
    (0..<min(count, magic.count)).allSatisfy { self[$0] == magic[$0] }
  }

  /// Drops zeros, with which tapes are filled up.
  mutating func dropZeros() throws(ArchiveError) {
    while try has(1), self[0] == 0 { drop(1) }
  }

  /// Drops the first buffered bytes; gives bytes back if the number is negative.
  mutating func drop(_ count: Int) {
    range = (range.lowerBound + count)..<range.upperBound
    dropped += count
  }

  /// Buffers bytes again that were dropped.
  mutating func putBack(_ dropped: [UInt8]) {
    bytes = [UInt8](repeating: 0, count: kept) + dropped + bytes[range]
    range = kept..<bytes.count
    self.dropped -= dropped.count
  }

  /// Whether `count` bytes are buffered, after reading more if necessary.
  mutating func has(_ count: Int) throws(ArchiveError) -> Bool {
    if range.count < count, !isAtEnd { makeRoom(for: count) }
    while range.count < count, !isAtEnd {
      let read = try upstream.read(into: &bytes, from: range.upperBound)
      range = range.lowerBound..<range.upperBound + read
      isAtEnd = read == 0
    }
    return range.count >= count
  }

  private mutating func makeRoom(for count: Int) {
    let front = max(0, range.lowerBound - kept)
    let rest = range.upperBound - front
    // Moves the rest to the front where that costs no more than what was dropped.
    if rest <= front {
      unsafe bytes.withUnsafeMutableBytes { bytes in
        unsafe bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[front..<front + rest]))
      }
      range = (range.lowerBound - front)..<rest
    } else if bytes.count - range.upperBound < bytes.count / 4 {
      bytes.grow(to: 2 * bytes.count)
    }
    bytes.grow(to: range.lowerBound + count)
  }
}
