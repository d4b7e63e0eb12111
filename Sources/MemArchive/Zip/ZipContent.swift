/// Where the content of one entry of a zip is, and what it must be.
struct ZipContent: Sendable {
  /// 0 or 8 (APPNOTE 4.4.5).
  let method: UInt16
  let start: Int64
  let compressedSize: UInt64
  let size: UInt64
  let checksum: UInt32

  init(_ record: ZipRecord, start: Int64) {
    (method, compressedSize, size) = (record.method, record.compressedSize, record.size)
    checksum = record.checksum
    self.start = start
  }
}

/// Reads and inflates the content of one entry after another; each thread has its own.
final class ZipContentReader {
  private let source: SharedSource
  private var inflater: RawInflater?
  private var input: [UInt8] = []
  private var output: [UInt8] = []

  /// Large enough to make system calls rare, small enough to stay in the second-level cache.
  private static let blockSize = 256 << 10

  init(_ source: SharedSource) { self.source = source }

  /// Calls `body` with each block of the content and its offset, and returns its size; throws where the checksum is
  /// another than it must be.
  func forEachBlock(
    of content: ZipContent, _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) -> Int64 {
    var checksum = CRC32()
    var end: Int64 = 0
    func take(_ block: RawSpan) throws(ArchiveError) {
      checksum.update(block)
      try body(block, end)
      end += Int64(block.byteCount)
    }
    if content.method == 0 {
      try copy(content, take)
    } else if content.compressedSize > 0 || content.size > 0 {
      // Nothing is stored as nothing by some writers, without even the mark of a stream's end.
      try inflate(content, take)
    }
    guard checksum.value == content.checksum else {
      throw .corrupt(
        "the content's CRC-32 is \(hexadecimal(checksum.value)), and the archive says \(hexadecimal(content.checksum))"
      )
    }
    return end
  }

  private func copy(
    _ content: ZipContent, _ take: (RawSpan) throws(ArchiveError) -> Void
  ) throws(ArchiveError) {
    Self.reserve(content.compressedSize, in: &input)
    var done: UInt64 = 0
    while done < content.compressedSize {
      let count = try fill(content, from: done)
      // A reference of its own: `take` may not be kept from the reader.
      let block = input
      try unsafe take(block.span.bytes.extracting(0..<count))
      done += UInt64(count)
    }
  }

  private func inflate(
    _ content: ZipContent, _ take: (RawSpan) throws(ArchiveError) -> Void
  ) throws(ArchiveError) {
    let inflater: RawInflater
    if let existing = self.inflater { inflater = existing } else { inflater = try RawInflater() }
    self.inflater = inflater
    inflater.reset()
    Self.reserve(content.compressedSize, in: &input)
    Self.reserve(content.size, in: &output)
    // Taken out and put back, so that nothing is copied when they are written to.
    var output = self.output
    self.output = []
    defer { self.output = output }
    var done: UInt64 = 0
    var used: Int64 = 0
    var rest = 0..<0
    while true {
      if rest.isEmpty, done < content.compressedSize {
        let count = try fill(content, from: done)
        done += UInt64(count)
        rest = 0..<count
      }
      let step = try step(inflater, rest, &output)
      used += Int64(step.used)
      if step.produced > 0 { try unsafe take(output.span.bytes.extracting(0..<step.produced)) }
      if let damage = step.damage {
        throw .corrupt("the deflate stream is damaged: \(damage)", call: "inflate")
      }
      if step.isLast {
        guard used == Int64(content.compressedSize) else {
          throw .corrupt("the deflate stream ends before its \(content.compressedSize) bytes do")
        }
        return
      }
      rest = (rest.lowerBound + step.used)..<rest.upperBound
      if step.used == 0, step.produced == 0, done == content.compressedSize {
        throw .corrupt("the deflate stream goes on behind its \(content.compressedSize) bytes")
      }
    }
  }

  private func step(
    _ inflater: RawInflater, _ range: Range<Int>, _ output: inout [UInt8]
  ) throws(ArchiveError) -> RawInflater.Step {
    let input = input
    var elements = output.mutableSpan
    var free = unsafe elements.mutableBytes
    return try unsafe inflater.inflate(input.span.bytes.extracting(range), into: &free)
  }

  /// Makes room for so many bytes, and for no more than a block; small entries need little.
  private static func reserve(_ size: UInt64, in buffer: inout [UInt8]) {
    let count = Int(min(UInt64(blockSize), max(1, size)))
    if buffer.count < count {
      buffer.append(contentsOf: repeatElement(0, count: max(count, min(blockSize, 4096)) - buffer.count))
    }
  }

  /// Reads the compressed bytes behind the first `done`, as many as there is room for.
  private func fill(_ content: ZipContent, from done: UInt64) throws(ArchiveError) -> Int {
    let wanted = Int(min(UInt64(input.count), content.compressedSize - done))
    let count = try source.read(into: &input, count: wanted, at: content.start + Int64(done))
    guard count == wanted else { throw .truncated("the archive has become shorter while it was read") }
    return count
  }

  private func hexadecimal(_ value: UInt32) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }
}
