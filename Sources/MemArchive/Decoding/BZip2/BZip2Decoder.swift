internal import CBZip2

/// Decodes bzip2, one stream or several in a row, as pbzip2(1) and lbzip2(1) write them, block by block on several threads.
/// libbz2 verifies the checksum of each block.
///
/// Where a block ends, only its own codes tell. So blocks are cut at what looks like a magic number; if one does not decode up to
/// there, that was a part of it. libarchive (to 3.8.9) ends at a stream whose beginning is damaged or cut, and calls what it has
/// the whole.
final class BZip2Decoder: ByteSource {
  /// What comes next.
  private enum Part {
    case header, block, nothing
  }

  private let warnings: WarningLog
  private let size: Int?
  private var input: InputBuffer
  /// In bits from the beginning of the file.
  private var position = 0
  private var part = Part.header
  private var stream = BZip2Block.Stream(level: 0)
  private let queue: BlockQueue<BZip2Block>
  /// A block that has not been queued.
  private var found: (block: BZip2Block, packed: [UInt8], used: Int)?
  /// An error, kept until all content before it has been returned.
  private var failure: ArchiveError?

  /// The number of bytes that are decoded without threads: most archives are no larger.
  private static let directBytes = 64 << 10

  /// - Parameter size: The number of bytes that the only stream has to have; nil where others, zeros or garbage may follow.
  init(_ upstream: any ByteSource, size: Int? = nil, threads: Int, warnings: WarningLog) {
    self.warnings = warnings
    self.size = size
    input = InputBuffer(upstream, capacity: size ?? .max)
    queue = BlockQueue(threads: threads)
  }

  /// libbz2's version.
  static var libraryVersion: String { unsafe "libbz2 " + String(cString: BZ2_bzlibVersion()) }

  var progress: SourceProgress { input.progress }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    while true {
      switch queue.takeFirst(into: &buffer) {
      case .bytes(let count): return count
      case .ended: break
      case .failed(let error):
        guard let block = queue.first, extend(block) else { throw error }
      case .nothingYet:
        if readAhead() { continue }
        if !queue.isEmpty {
          queue.awaitFirst()
        } else if found != nil {
          let count = decodeHere(into: &buffer)
          if count > 0 { return count }
        } else if let failure {
          throw failure
        } else {
          return 0
        }
      }
    }
  }

  /// Queues a block, or proceeds by one part; false if that has to wait.
  private func readAhead() -> Bool {
    if let found { return queued(found.block, found.packed) }
    guard failure == nil else { return false }
    let first = queue.first?.bits.lowerBound ?? position
    input.drop(first / 8 - input.dropped)
    do throws(ArchiveError) {
      switch part {
      case .header: return try readHeader()
      case .block: try readBlock()
      case .nothing: return false
      }
    } catch {
      failure = error
    }
    return true
  }

  private func queued(_ block: BZip2Block, _ packed: [UInt8]) -> Bool {
    guard block.bits.upperBound > 8 * Self.directBytes,
      case .taken = queue.take(block, packed: packed.count, room: block.room)
    else { return false }
    unsafe queue.feed(packed.span.bytes)
    found = nil
    return true
  }

  private func decodeHere(into buffer: inout MutableRawSpan) -> Int {
    guard let (block, packed, used) = found else { return 0 }
    let step = unsafe buffer.withUnsafeMutableBytes { output in
      unsafe packed.withUnsafeBytes { packed in
        unsafe block.decode(UnsafeRawBufferPointer(rebasing: packed[used...]), isAll: true, into: output)
      }
    }
    found?.used += step.used
    switch step.status {
    case .goesOn, .starved: break
    case .ended: found = nil
    case .failed(let error):
      found = nil
      if !extend(block) { failure = error }
    }
    return step.produced
  }

  // MARK: Parts

  /// A stream's header; false if what is none has to wait until all blocks have been returned.
  private func readHeader() throws(ArchiveError) -> Bool {
    let magic = BZip2Block.streamMagic
    let offset = position / 8 - input.dropped
    if let size, position > 0 {
      guard queue.isEmpty else { return false }
      part = .nothing
      guard try !input.has(offset + 1) else {
        throw .corrupt("the bzip2 stream ends before its \(size) bytes do")
      }
      return true
    }
    let isWhole = try input.has(offset + magic.count + 1)
    if isWhole, magic.indices.allSatisfy({ input[offset + $0] == magic[$0] }),
      BZip2Block.levels.contains(input[offset + magic.count])
    {
      stream = BZip2Block.Stream(level: input[offset + magic.count])
      position += 8 * (magic.count + 1)
      part = .block
      return true
    }
    guard queue.isEmpty else { return false }
    let isFirst = position == 0
    if !isFirst {
      try input.dropZeros()
      let zeros = input.dropped - position / 8
      position += 8 * zeros
      if zeros > 0 { return true }
      part = .nothing
      if input.isUsedUp { return true }
    }
    guard !input.begins(with: magic) || isWhole else {
      throw .truncated("the bzip2 data ends inside the header of a stream")
    }
    // bzip2(1) warns as well.
    guard !isFirst else { throw .corrupt("the bzip2 stream is damaged at its beginning") }
    warnings.addGarbage(after: .bzip2)
    return true
  }

  /// A block, or the end of the stream.
  private func readBlock() throws(ArchiveError) {
    let offset = position - 8 * input.dropped
    let isWhole = try input.has((offset + BZip2Block.headBits + 7) / 8)
    let word = input.word(at: offset)
    guard isWhole else {
      let bits = UInt64(min(8 * input.count - offset, BZip2Block.magicBits))
      let isCut = [BZip2Block.magic, BZip2Block.endMagic].contains {
        $0 >> (UInt64(BZip2Block.magicBits) - bits) == word >> (64 - bits)
      }
      throw isCut ? .cutInBZip2Block : .damagedBZip2Block
    }
    switch word >> 16 {
    case BZip2Block.magic:
      let (end, follower) = try nextMagic(after: position + BZip2Block.headBits)
      take(BZip2Block(position..<end, stream, follower: follower))
    case BZip2Block.endMagic:
      guard checksum(at: position) == stream.checksum else {
        throw .corrupt("the bzip2 stream is damaged: its checksum is wrong")
      }
      position = (position + BZip2Block.headBits + 7) / 8 * 8
      part = .header
    default: throw .damagedBZip2Block
    }
  }

  /// What follows a magic number.
  private func checksum(at position: Int) -> UInt32 {
    UInt32(input.word(at: position - 8 * input.dropped + BZip2Block.magicBits) >> 32)
  }

  /// Where the next magic number begins; or where the search for it ended.
  private func nextMagic(after start: Int) throws(ArchiveError) -> (Int, BZip2Block.Follower) {
    var from = start - 8 * input.dropped
    while true {
      if let found = input.firstMagic(from: from) { return (found + 8 * input.dropped, .magic) }
      let size = input.count
      if size > start / 8 - input.dropped + BZip2Block.longest { return (8 * (input.dropped + size), .none) }
      from = max(from, 8 * size - 55)
      guard try input.has(size + 1) else { return (8 * (input.dropped + size), .endOfFile) }
    }
  }

  private func take(_ block: BZip2Block) {
    found = (block, block.packed(from: input), 0)
    stream.add(checksum(at: block.bits.lowerBound))
    position = block.bits.upperBound
    part = block.follower == .magic ? .block : .nothing
  }

  /// Takes the first block again, with its actual end, if that is not the one it was given; false if it is damaged.
  private func extend(_ block: BZip2Block) -> Bool {
    guard block.follower == .magic, !block.hasContent else { return false }
    let start = block.bits.lowerBound
    let offset = start - 8 * input.dropped
    let extended: BZip2Block
    switch BZip2Block.measure(block.stream, nextByte: { byte(8 * $0 + offset) }) {
    case .bytes(let length):
      // The codes end at one of the last byte's bits.
      let end = (8 * length - 7...8 * length).first { BZip2Block.isMagic(input.word(at: offset + $0) >> 16) }
      guard let end, end > block.bits.count else { return false }
      extended = BZip2Block(start..<start + end, block.stream, follower: .magic)
    case .more where input.isAtEnd:
      extended = BZip2Block(start..<8 * (input.dropped + input.count), block.stream, follower: .endOfFile)
    case .more, .damaged: return false
    }
    while !queue.isEmpty { queue.removeFirst() }
    failure = nil
    stream = block.stream
    take(extended)
    return true
  }

  /// Eight bits, zeros among them after the last one; nil if there is none.
  private func byte(_ bit: Int) -> UInt8? {
    guard (try? input.has(bit / 8 + 2)) ?? false || bit < 8 * input.count else { return nil }
    return UInt8(input.word(at: bit) >> 56)
  }
}

extension InputBuffer {
  /// The second byte of 56 bits that contain a magic number, wherever among the first 8 it begins.
  private static let secondBytes: [Bool] = {
    var result = [Bool](repeating: false, count: 256)
    for magic in [BZip2Block.magic, BZip2Block.endMagic] {
      for shift in 0..<8 as Range<UInt64> { result[Int(magic >> (32 + shift) & 0xFF)] = true }
    }
    return result
  }()

  /// The first buffered bit from `start` on at which a magic number begins.
  fileprivate func firstMagic(from start: Int) -> Int? {
    withBytes { bytes in
      unsafe bytes.withUnsafeBytes { bytes in
        unsafe Self.secondBytes.withUnsafeBufferPointer { secondBytes in
          var second = start / 8 + 1
          while second + 5 < bytes.count {
            if unsafe secondBytes[Int(bytes[second])] {
              let window = (second - 1..<second + 6).reduce(UInt64(0)) {
                unsafe $0 << 8 | UInt64(bytes[$1])
              }
              for shift in 0..<8 where 8 * (second - 1) + shift >= start {
                let word = window >> UInt64(8 - shift) & 0xFFFF_FFFF_FFFF
                if BZip2Block.isMagic(word) { return 8 * (second - 1) + shift }
              }
            }
            second += 1
          }
          return nil
        }
      }
    }
  }
}
