internal import Glibc

/// Decodes LZ4 frames (LZ4 frame format 1.6.4) and verifies every checksum in them; libarchive verifies none.
///
/// Frames that depend on each other's blocks, legacy frames, skippable frames and any number of frames in a row are read;
/// dictionaries are not.
@safe final class LZ4Decoder: ByteSource {
  private let warnings: WarningLog
  private var input: InputBuffer
  private var frame: Frame?
  private var isFirstFrame = true
  private var atEnd = false
  /// The bytes that a later block may refer to, and behind them the latest block.
  private var window: UnsafeMutableBufferPointer<UInt8>
  private var history = 0
  /// What of the latest block has not been read yet.
  private var ready = 0..<0

  /// What the header of a frame says.
  private struct Frame {
    var isLegacy = false
    var blockSize = 8 << 20
    var blocksAreLinked = false
    var blocksHaveChecksums = false
    var hasChecksum = false
    var contentSize: UInt64?
    var checksum = XXH32()
    var size: UInt64 = 0
  }

  private static let magic: UInt32 = 0x184D_2204
  private static let legacyMagic: UInt32 = 0x184C_2102
  /// How far back a match may reach.
  private static let reach = 64 << 10

  init(_ upstream: any ByteSource, warnings: WarningLog) {
    self.warnings = warnings
    input = InputBuffer(upstream)
    unsafe window = .allocate(capacity: 0)
  }

  deinit { unsafe window.deallocate() }

  var progress: SourceProgress { input.progress }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    while ready.isEmpty {
      if atEnd { return 0 }
      if frame == nil { try beginFrame() } else { try decodeBlock() }
    }
    let count = min(buffer.byteCount, ready.count)
    buffer.copy(decoded(ready.prefix(count)))
    ready = (ready.lowerBound + count)..<ready.upperBound
    return count
  }

  /// Decoded bytes, until the next block is decoded.
  @_lifetime(borrow self)
  private func decoded(_ range: Range<Int>) -> RawSpan {
    let span = unsafe UnsafeBufferPointer(window).span.bytes.extracting(range)
    return unsafe _overrideLifetime(span, borrowing: self)
  }

  // MARK: Frames

  private func beginFrame() throws(ArchiveError) {
    guard try input.has(4) else {
      if input.count > 0 { try endInGarbage() }
      atEnd = true
      return
    }
    let magic = input.little(UInt32.self)
    switch magic {
    case Self.magic:
      input.drop(4)
      frame = try header()
    case Self.legacyMagic:
      input.drop(4)
      frame = Frame(isLegacy: true)
    case 0x184D_2A50...0x184D_2A5F:
      input.drop(4)
      guard try input.has(4) else { throw cut() }
      var size = Int(input.little(UInt32.self))
      input.drop(4)
      while size > 0 {
        guard try input.has(1) else { throw cut() }
        let count = min(size, input.count)
        input.drop(count)
        size -= count
      }
      return
    default:
      try endInGarbage()
      atEnd = true
      return
    }
    isFirstFrame = false
    history = 0
    reserve(Self.reach + (frame?.blockSize ?? 0))
  }

  /// Behind a frame, lz4(1) refuses what is none, and gzip(1) ignores it; as with gzip here, it is told and ignored.
  private func endInGarbage() throws(ArchiveError) {
    guard !isFirstFrame else {
      throw .corrupt("the lz4 stream is damaged at its beginning")
    }
    warnings.add("garbage after the end of the lz4 stream was ignored")
  }

  private func header() throws(ArchiveError) -> Frame {
    guard try input.has(2) else { throw cut() }
    let flags = input[0]
    let sizeCode = Int(input[1] >> 4 & 7)
    guard flags >> 6 == 1, flags & 2 == 0, input[1] & 0x8F == 0, sizeCode >= 4 else {
      throw .corrupt("the lz4 frame's header is not one of version 1")
    }
    let hasSize = flags & 8 != 0
    let hasDictionary = flags & 1 != 0
    let length = 2 + (hasSize ? 8 : 0) + (hasDictionary ? 4 : 0)
    guard try input.has(length + 1) else { throw cut() }
    var checksum = XXH32()
    input.withBytes(length) { checksum.update($0) }
    guard UInt8(truncatingIfNeeded: checksum.value >> 8) == input[length] else {
      throw .corrupt("the lz4 frame's header does not match its checksum")
    }
    guard !hasDictionary else {
      throw ArchiveError(
        .unsupportedFeature, "the lz4 frame needs a dictionary",
        advice: "Compress it again without a dictionary.")
    }
    let contentSize = hasSize ? input.little(UInt64.self, at: 2) : nil
    input.drop(length + 1)
    return Frame(
      blockSize: 1 << (8 + 2 * sizeCode), blocksAreLinked: flags & 0x20 == 0,
      blocksHaveChecksums: flags & 0x10 != 0, hasChecksum: flags & 4 != 0, contentSize: contentSize)
  }

  private func endFrame(_ frame: Frame) throws(ArchiveError) {
    self.frame = nil
    if let declared = frame.contentSize, declared != frame.size {
      throw .corrupt("the lz4 frame holds \(frame.size) bytes, and its header declares \(declared)")
    }
    guard frame.hasChecksum else { return }
    guard try input.has(4) else { throw cut() }
    guard input.little(UInt32.self) == frame.checksum.value else {
      throw .corrupt("the lz4 frame's content does not match its checksum")
    }
    input.drop(4)
  }

  // MARK: Blocks

  private func decodeBlock() throws(ArchiveError) {
    guard var frame else { return }
    guard try input.has(4) else {
      // A legacy frame has no end but the file's.
      guard frame.isLegacy, input.count == 0 else { throw cut() }
      self.frame = nil
      return
    }
    let head = input.little(UInt32.self)
    if frame.isLegacy, head > UInt32(Self.largestCompressed(frame.blockSize)) {
      self.frame = nil
      return
    }
    input.drop(4)
    if head == 0, !frame.isLegacy { return try endFrame(frame) }
    let isStored = !frame.isLegacy && head >> 31 != 0
    let size = Int(head & (frame.isLegacy ? .max : 0x7FFF_FFFF))
    guard size <= (frame.isLegacy ? Self.largestCompressed(frame.blockSize) : frame.blockSize) else {
      throw .corrupt("an lz4 block is larger than its frame allows")
    }
    guard try input.has(size + (frame.blocksHaveChecksums ? 4 : 0)) else { throw cut() }
    if frame.blocksHaveChecksums {
      var checksum = XXH32()
      input.withBytes(size) { checksum.update($0) }
      guard checksum.value == input.little(UInt32.self, at: size) else {
        throw .corrupt("an lz4 block does not match its checksum")
      }
    }
    keepHistory(frame)
    let produced = try input.withBytes(size) { block throws(ArchiveError) in
      isStored ? store(block) : try decode(block, limit: history + frame.blockSize)
    }
    input.drop(size + (frame.blocksHaveChecksums ? 4 : 0))
    ready = history..<history + produced
    if frame.hasChecksum { frame.checksum.update(decoded(ready)) }
    frame.size += UInt64(produced)
    self.frame = frame
  }

  /// What a legacy block can grow to, LZ4_compressBound().
  private static func largestCompressed(_ size: Int) -> Int { size + size / 255 + 16 }

  /// Moves the end of what was decoded to the window's front, where the next block may refer to it.
  private func keepHistory(_ frame: Frame) {
    guard frame.blocksAreLinked else {
      history = 0
      return
    }
    let end = ready.upperBound
    let kept = min(end, Self.reach)
    if let front = unsafe window.baseAddress { unsafe memmove(front, front + (end - kept), kept) }
    history = kept
  }

  private func store(_ block: RawSpan) -> Int {
    unsafe block.withUnsafeBytes { bytes in
      if let target = unsafe window.baseAddress, let source = bytes.baseAddress {
        unsafe memcpy(target + history, source, bytes.count)
      }
    }
    return block.byteCount
  }

  private func decode(_ block: RawSpan, limit: Int) throws(ArchiveError) -> Int {
    let end: Int? = unsafe block.withUnsafeBytes { unsafe decode($0, limit: limit) }
    guard let end else { throw .corrupt("an lz4 block is damaged") }
    return end - history
  }

  /// Decodes one block (LZ4 block format) behind the history, never beyond `limit`; returns where its content ends, nil
  /// where it is damaged.
  private func decode(_ block: UnsafeRawBufferPointer, limit: Int) -> Int? {
    guard let target = unsafe window.baseAddress, let source = block.baseAddress else { return nil }
    let sourceEnd = block.count
    var (from, to) = (0, history)
    /// A length of 15 goes on in further bytes, each but the last 255.
    func longer(_ start: Int) -> Int? {
      var length = start
      guard start == 15 else { return length }
      while true {
        guard from < sourceEnd else { return nil }
        let byte = unsafe source.load(fromByteOffset: from, as: UInt8.self)
        from += 1
        length += Int(byte)
        if byte != 255 { return length }
      }
    }
    while from < sourceEnd {
      let token = unsafe source.load(fromByteOffset: from, as: UInt8.self)
      from += 1
      guard let literals = longer(Int(token >> 4)), literals <= sourceEnd - from, literals <= limit - to
      else { return nil }
      unsafe memcpy(target + to, source + from, literals)
      from += literals
      to += literals
      if from == sourceEnd { return to }
      guard sourceEnd - from >= 2 else { return nil }
      let distance = Int(
        UInt16(littleEndian: unsafe source.loadUnaligned(fromByteOffset: from, as: UInt16.self)))
      from += 2
      guard let extra = longer(Int(token & 15)) else { return nil }
      let length = extra + 4
      guard distance > 0, distance <= to, length <= limit - to else { return nil }
      // A match may overlap what it makes: the pattern doubles with each piece.
      var copied = 0
      while copied < length {
        let piece = min(distance + copied, length - copied)
        unsafe memcpy(target + to + copied, target + to - distance, piece)
        copied += piece
      }
      to += length
    }
    return nil
  }

  // MARK: Input

  private func cut() -> ArchiveError { .truncated("the lz4 stream ends inside a frame") }

  private func reserve(_ size: Int) {
    guard unsafe window.count < size else { return }
    unsafe window.deallocate()
    unsafe window = .allocate(capacity: size)
    unsafe window.initialize(repeating: 0)
  }
}
