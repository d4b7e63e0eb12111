/// Decodes the content of one folder of a cabinet, from its beginning on.
final class CabFolder {
  private let content: any SeekableSource
  private let reserve: Int
  private var (next, blocksLeft): (Int64, Int)
  private let method: Method
  /// The end of what has been decoded, and its last block.
  private(set) var position: Int64 = 0
  private var block: [UInt8] = []
  /// The content before the next block of MSZIP.
  private var history: [UInt8] = []
  /// After an error, what follows cannot be decoded either.
  private var failure: ArchiveError?

  private enum Method {
    case stored
    case mszip(RawInflater)
    case lzx(LZXDecoder)
  }

  private static let largestBlock = 32 << 10

  init(_ folder: CabHeader.Folder, of content: any SeekableSource, reserve: Int) throws(ArchiveError) {
    self.content = content
    self.reserve = reserve
    (next, blocksLeft) = (folder.start, folder.blockCount)
    let bits = Int(folder.method >> 8 & 31)
    switch folder.method & 15 {
    case 0: method = .stored
    case 1: method = .mszip(try RawInflater())
    case 3 where LZXDecoder.windowBits.contains(bits): method = .lzx(LZXDecoder(windowBits: bits))
    default:
      let name = folder.method & 15 == 2 ? "Quantum" : "number \(folder.method)"
      throw ArchiveError(
        .unsupportedFeature, "the method \(name) of cabinets is not decoded",
        advice: "Unpack it by cabextract.")
    }
  }

  /// Calls `body` with each block of a file and its offset in the file.
  func forEachBlock(
    from start: Int64, size: Int64, _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) {
    let end = start + size
    while true {
      let block = block
      let first = position - Int64(block.count)
      let (lower, upper) = (max(start, first), min(end, position))
      if lower < upper {
        try body(unsafe block.span.bytes.extracting(Int(lower - first)..<Int(upper - first)), lower - start)
      }
      guard position < end else { return }
      try decodeBlock()
    }
  }

  private func decodeBlock() throws(ArchiveError) {
    if let failure { throw failure }
    do throws(ArchiveError) {
      let (data, size) = try readBlock()
      block = try decode(data, size: size)
      position += Int64(block.count)
    } catch {
      failure = error
      throw error
    }
  }

  private func readBlock() throws(ArchiveError) -> ([UInt8], size: Int) {
    guard blocksLeft > 0 else { throw .corrupt("the folder ends before the file") }
    let header = try bytes(8 + reserve)
    let (packed, size) = (Int(header.little(UInt16.self, at: 4)), Int(header.little(UInt16.self, at: 6)))
    let data = try bytes(packed)
    let sum = header.little(UInt32.self, at: 0)
    guard sum == 0 || sum == Self.sum(data) ^ Self.sum(Array(header[4...])) else {
      throw .corrupt("a block's checksum is wrong")
    }
    // The rest of such a block is in the next cabinet.
    guard size > 0 else { throw .laterCabinet }
    guard size <= Self.largestBlock else { throw .corrupt("a block claims \(size) bytes") }
    blocksLeft -= 1
    return (data, size)
  }

  private func bytes(_ count: Int) throws(ArchiveError) -> [UInt8] {
    let bytes = try content.bytes(count, at: next)
    guard bytes.count == count else { throw .truncated("the cabinet ends inside a block") }
    next += Int64(count)
    return bytes
  }

  /// All words of 32 bits, xor; bytes that are left over count from the highest down.
  private static func sum(_ bytes: [UInt8]) -> UInt32 {
    let whole = bytes.count / 4 * 4
    let sum = stride(from: 0, to: whole, by: 4).reduce(UInt32(0)) { $0 ^ bytes.little(UInt32.self, at: $1) }
    return sum ^ bytes[whole...].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
  }

  private func decode(_ data: [UInt8], size: Int) throws(ArchiveError) -> [UInt8] {
    switch method {
    case .stored:
      guard data.count == size else { throw .corrupt("a block holds \(data.count) bytes of \(size)") }
      return data
    case .mszip(let inflater): return try inflate(data, by: inflater, size: size)
    case .lzx(let decoder): return try decoder.decode(data, size: size)
    }
  }

  /// Each block is a stream of its own, whose matches reach back into the blocks before.
  private func inflate(_ data: [UInt8], by inflater: RawInflater, size: Int) throws(ArchiveError) -> [UInt8] {
    guard data.starts(with: "CK".utf8) else { throw .corrupt("a block of MSZIP does not begin as one") }
    inflater.reset(after: history)
    var output = [UInt8](repeating: 0, count: size)
    var (used, filled) = (2, 0)
    while filled < size {
      var span = output.mutableSpan
      var bytes = unsafe span.mutableBytes
      var free = bytes._mutatingExtracting(filled...)
      let step = try inflater.inflate(unsafe data.span.bytes.extracting(used...), into: &free)
      used += step.used
      filled += step.produced
      guard step.damage == nil, step.produced > 0 || filled == size else {
        throw .corrupt("the deflated content is damaged: \(step.damage ?? "it ends too early")")
      }
    }
    history = (history + output).suffix(Self.largestBlock)
    return output
  }
}

extension ArchiveError {
  static var laterCabinet: Self {
    Self(
      .truncated, "it goes on in a later cabinet", advice: "Unpack the cabinets together by cabextract.")
  }
}
