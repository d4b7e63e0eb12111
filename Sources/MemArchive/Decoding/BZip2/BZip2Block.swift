internal import CBZip2
internal import SystemPackage

/// One block of a bzip2 stream, made a stream of its own for libbz2, which verifies the block's checksum.
///
/// Blocks begin and end at any bit, and nothing tells their length.
@safe final class BZip2Block: IndependentBlock, @unchecked Sendable {
  /// What is known of a stream in front of a block.
  struct Stream {
    /// The size of its blocks in units of 100,000 bytes, as a digit.
    let level: UInt8
    /// Of all blocks so far.
    var checksum: UInt32 = 0

    mutating func add(_ block: UInt32) { checksum = (checksum << 1 | checksum >> 31) ^ block }
  }

  /// Its bits in the file, from its magic number to the next one.
  let bits: Range<Int>
  /// The stream in front of it.
  let stream: Stream
  /// What comes after its bits.
  let follower: Follower
  private let decoder = UnsafeMutablePointer<bz_stream>.allocate(capacity: 1)
  private var isStarted = false
  /// Whether anything came out, for which libbz2 needs all of the block. To be read once it has been decoded.
  private(set) var hasContent = false

  enum Follower { case magic, none, endOfFile }

  /// A level follows.
  static let streamMagic = Array("BZh".utf8)
  static let levels = UInt8(ascii: "1")...UInt8(ascii: "9")
  /// In front of a block's checksum, and of its stream's.
  static let magic: UInt64 = 0x3141_5926_5359
  static let endMagic: UInt64 = 0x1772_4538_5090
  static func isMagic(_ word: UInt64) -> Bool { word == magic || word == endMagic }
  static let magicBits = 48
  static let headBits = magicBits + 32
  /// Upper bound of a block's packed bytes: 900,001 codes of up to 20 bits are 2,250,003 bytes; selectors and tables are small.
  static let longest = 4 << 20

  init(_ bits: Range<Int>, _ stream: Stream, follower: Follower) {
    self.bits = bits
    self.stream = stream
    self.follower = follower
    unsafe decoder.initialize(to: bz_stream())
  }

  deinit {
    end()
    unsafe decoder.deallocate()
  }

  private func end() {
    if isStarted { unsafe _ = BZ2_bzDecompressEnd(decoder) }
    isStarted = false
  }

  private var blockSize: Int { 100_000 * Int(stream.level - UInt8(ascii: "0")) }
  /// All of its content, unless it has long runs.
  var room: Int { blockSize + 64 << 10 }
  /// bzip2(1), "Memory management".
  var memory: Int { 100_000 + 4 * blockSize }

  /// The stream that holds this block alone. Its checksum is the block's.
  func packed(from input: borrowing InputBuffer) -> [UInt8] {
    let offset = bits.lowerBound - 8 * input.dropped
    var packed = BitString(Self.streamMagic + [stream.level])
    packed.append(input.bits(bits.count, at: offset), bits.count)
    if follower == .magic {
      packed.append(Self.endMagic, Self.magicBits)
      packed.append(input.word(at: offset + Self.magicBits) >> 32, 32)
    }
    return packed.bytes
  }

  func decode(
    _ packed: UnsafeRawBufferPointer, isAll: Bool, into output: UnsafeMutableRawBufferPointer
  ) -> BlockStep {
    let step = unsafe step(packed, into: output)
    hasContent = hasContent || step.produced > 0
    if case .goesOn = step.status { return step }
    end()
    return step
  }

  private func step(_ packed: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> BlockStep
  {
    if !isStarted {
      guard unsafe BZ2_bzDecompressInit(decoder, 0, 0) == BZ_OK else {
        return BlockStep(used: 0, produced: 0, status: .failed(.noMemoryForBZip2("BZ2_bzDecompressInit")))
      }
      isStarted = true
    }
    let (given, free) = (UInt32(clamping: packed.count), UInt32(clamping: output.count))
    unsafe decoder.pointee.next_in = UnsafeMutablePointer(
      mutating: packed.assumingMemoryBound(to: CChar.self).baseAddress)
    unsafe decoder.pointee.avail_in = given
    unsafe decoder.pointee.next_out = output.assumingMemoryBound(to: CChar.self).baseAddress
    unsafe decoder.pointee.avail_out = free
    let status = unsafe BZ2_bzDecompress(decoder)
    let (used, produced) = unsafe (
      Int(given - decoder.pointee.avail_in), Int(free - decoder.pointee.avail_out)
    )
    return BlockStep(
      used: used, produced: produced,
      status: {
        switch status {
        case BZ_OK where used > 0 || produced > 0: .goesOn
        case BZ_OK where follower == .endOfFile: .failed(.cutInBZip2Block)
        case BZ_STREAM_END: .ended
        case BZ_MEM_ERROR: .failed(.noMemoryForBZip2("BZ2_bzDecompress"))
        default: .failed(.damagedBZip2Block)
        }
      }())
  }

  enum Measurement { case bytes(Int), more, damaged }

  /// The number of bytes from the block's magic number on that libbz2 needs before anything comes out: the block ends in the last
  /// of them.
  static func measure(_ stream: Stream, nextByte: (Int) -> UInt8?) -> Measurement {
    let header = streamMagic + [stream.level]
    var decoder = unsafe bz_stream()
    guard unsafe BZ2_bzDecompressInit(&decoder, 0, 0) == BZ_OK else { return .damaged }
    defer { unsafe _ = BZ2_bzDecompressEnd(&decoder) }
    var output: CChar = 0
    for index in -header.count..<longest {
      guard let next = index < 0 ? header[index + header.count] : nextByte(index) else { return .more }
      var byte = CChar(bitPattern: next)
      let status = unsafe withUnsafeMutablePointer(to: &byte) { byte in
        unsafe withUnsafeMutablePointer(to: &output) { output in
          unsafe decoder.next_in = byte
          unsafe decoder.avail_in = 1
          unsafe decoder.next_out = output
          unsafe decoder.avail_out = 1
          return unsafe BZ2_bzDecompress(&decoder)
        }
      }
      if unsafe decoder.avail_out == 0 { return .bytes(index + 1) }
      guard status == BZ_OK else { return .damaged }
    }
    return .damaged
  }
}

extension ArchiveError {
  static var cutInBZip2Block: Self {
    .truncated("the bzip2 stream ends inside a block", call: "BZ2_bzDecompress")
  }

  static var damagedBZip2Block: Self {
    .corrupt(
      "the bzip2 stream is damaged: a block's magic number or checksum is wrong", call: "BZ2_bzDecompress")
  }

  fileprivate static func noMemoryForBZip2(_ call: String) -> Self {
    .system(call, .noMemory, doing: "decoding bzip2")
  }
}
