#if FastDecoders
internal import CLZMA

/// The blocks of an xz file, by the index at the end of each of its streams (The .xz File Format, 4).
enum XZParts {
  private static let headerSize: Int64 = 12
  /// Larger indexes are not kept in memory.
  private static let mostIndex: Int64 = 32 << 20

  static func source(
    _ source: any SeekableSource, _ ledger: Ledger, _ cancellation: Cancellation
  ) throws(ArchiveError) -> PartedSource? {
    var streams: [(stream: Stream, start: Int64)] = []
    var end = source.size
    var blocks = 0
    // From the last stream to the first. What cannot be an index is found out by reading from the beginning.
    while end > 0 {
      try cancellation.check()
      let tail = try source.bytes(4, at: end - 4)
      if tail.allSatisfy({ $0 == 0 }), end % 4 == 0 {
        end -= 4
        continue
      }
      guard let stream = try Stream(endingAt: end, of: source), streams.count < PartTable.most else {
        return nil
      }
      blocks += stream.blocks.count
      guard blocks <= PartTable.most else { return nil }
      streams.append((stream, stream.start))
      end = stream.start
    }
    var table = PartTable()
    var checks: [(start: Int64, check: lzma_check)] = []
    for (stream, start) in streams.reversed() {
      checks.append((start, stream.check))
      var next = start + headerSize
      for block in stream.blocks {
        // Blocks are multiples of four bytes; an index says how long they are without padding.
        let length = (block.packed + 3) / 4 * 4
        guard table.append(content: block.content, packed: next..<next + length) else { return nil }
        next += length
      }
    }
    guard table.parts.count > 1 else { return nil }
    return try PartedSource(table, of: source, .xz, ledger) { part throws(ArchiveError) in
      let check = checks.last { $0.start <= part.packed.lowerBound }?.check ?? LZMA_CHECK_NONE
      return XZBlockSource(PackedStream(source, part.packed), check: check)
    }
  }

  /// One stream, as its footer and its index say.
  private struct Stream {
    let start: Int64
    let check: lzma_check
    /// The sizes of each block.
    private(set) var blocks: [(packed: Int64, content: Int64)] = []

    /// nil if no stream ends there.
    init?(endingAt end: Int64, of source: any SeekableSource) throws(ArchiveError) {
      guard end >= 2 * headerSize + 8 else { return nil }
      let footer = try source.bytes(Int(headerSize), at: end - headerSize)
      guard footer.count == Int(headerSize), footer[10...].elementsEqual("YZ".utf8), footer[8] == 0,
        XZParts.checksum(footer[4..<10]) == footer.little(UInt32.self, at: 0)
      else { return nil }
      let size = (Int64(footer.little(UInt32.self, at: 4)) + 1) * 4
      guard size <= mostIndex, size <= end - 2 * headerSize else { return nil }
      let index = try source.bytes(Int(size), at: end - headerSize - size)
      guard index.count == Int(size), index[0] == 0,
        XZParts.checksum(index[..<(index.count - 4)]) == index.little(UInt32.self, at: index.count - 4)
      else { return nil }
      var numbers = Numbers(rest: index[1..<(index.count - 4)])
      guard let count = numbers.next(), count <= Int64(index.count) else { return nil }
      var length = headerSize + size + headerSize
      for _ in 0..<count {
        guard let packed = numbers.next(), let content = numbers.next(), packed > 0,
          packed <= end - length
        else { return nil }
        length += (packed + 3) / 4 * 4
        blocks.append((packed, content))
      }
      guard numbers.rest.count < 4, numbers.rest.allSatisfy({ $0 == 0 }), length <= end else { return nil }
      start = end - length
      let header = try source.bytes(Int(headerSize), at: start)
      guard header.count == Int(headerSize), header.starts(with: [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0]),
        header[6..<8].elementsEqual(footer[8..<10]), header[7] < 16,
        XZParts.checksum(header[6..<8]) == header.little(UInt32.self, at: 8)
      else { return nil }
      check = lzma_check(UInt32(header[7]))
      // The sequential decoder says what it cannot verify.
      guard lzma_check_is_supported(check) != 0 else { return nil }
    }
  }

  /// Multibyte integers (1.2).
  private struct Numbers {
    var rest: ArraySlice<UInt8>

    mutating func next() -> Int64? {
      var value: Int64 = 0
      for shift in stride(from: 0, to: 63, by: 7) {
        guard let byte = rest.popFirst() else { return nil }
        value |= Int64(byte & 0x7F) << shift
        if byte & 0x80 == 0 { return byte == 0 && shift > 0 ? nil : value }
      }
      return nil
    }
  }

  private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    var checksum = CRC32()
    unsafe checksum.update(Array(bytes).span.bytes)
    return checksum.value
  }
}

/// One block of an xz stream, which has to end where its source does.
private final class XZBlockSource: ByteSource {
  private var input: InputBuffer
  private let check: lzma_check
  private var block: XZBlock?
  private var isAtEnd = false
  private var failure: ArchiveError?

  init(_ upstream: PackedStream, check: lzma_check) {
    input = InputBuffer(upstream)
    self.check = check
  }

  var progress: SourceProgress { input.progress }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    while !isAtEnd {
      if let failure { throw failure }
      let block: XZBlock
      if let begun = self.block { block = begun } else { block = try XZBlock(&input, check: check) }
      self.block = block
      let step = try block.decode(from: &input, into: &buffer)
      switch step.status {
      case .goesOn, .starved: break
      case .failed(let error): failure = error
      case .ended:
        isAtEnd = try !input.has(1)
        if !isAtEnd { failure = .lzma(LZMA_DATA_ERROR, .xz) }
      }
      if step.produced > 0 { return step.produced }
    }
    return 0
  }
}
#endif
