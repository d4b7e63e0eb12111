internal import Glibc

/// Decodes LZ4 frames (LZ4 frame format 1.6.4) and verifies every checksum in them; libarchive verifies none.
///
/// Frames that depend on each other's blocks, legacy frames, skippable frames and any number of frames in a row are read;
/// dictionaries are not.
@safe final class LZ4Decoder: ByteSource {
  private let upstream: any ByteSource
  private let warnings: WarningLog
  private var input = [UInt8](repeating: 0, count: 64 << 10)
  private var inputRange = 0..<0
  private var upstreamEnded = false
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
    self.upstream = upstream
    self.warnings = warnings
    unsafe window = .allocate(capacity: 0)
  }

  deinit { unsafe window.deallocate() }

  var progress: SourceProgress { upstream.progress }

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
    guard try has(4) else {
      if !inputRange.isEmpty { try endInGarbage() }
      atEnd = true
      return
    }
    let magic = word()
    switch magic {
    case Self.magic:
      drop(4)
      frame = try header()
    case Self.legacyMagic:
      drop(4)
      frame = Frame(isLegacy: true)
    case 0x184D_2A50...0x184D_2A5F:
      drop(4)
      guard try has(4) else { throw cut() }
      var size = Int(word())
      drop(4)
      while size > 0 {
        guard try has(1) else { throw cut() }
        let count = min(size, inputRange.count)
        drop(count)
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
    guard try has(2) else { throw cut() }
    let flags = input[inputRange.lowerBound]
    let sizeCode = Int(input[inputRange.lowerBound + 1] >> 4 & 7)
    guard flags >> 6 == 1, flags & 2 == 0, input[inputRange.lowerBound + 1] & 0x8F == 0, sizeCode >= 4 else {
      throw .corrupt("the lz4 frame's header is not one of version 1")
    }
    let hasSize = flags & 8 != 0
    let hasDictionary = flags & 1 != 0
    let length = 2 + (hasSize ? 8 : 0) + (hasDictionary ? 4 : 0)
    guard try has(length + 1) else { throw cut() }
    let start = inputRange.lowerBound
    var checksum = XXH32()
    unsafe checksum.update(input.span.bytes.extracting(start..<start + length))
    guard UInt8(truncatingIfNeeded: checksum.value >> 8) == input[start + length] else {
      throw .corrupt("the lz4 frame's header does not match its checksum")
    }
    guard !hasDictionary else {
      throw ArchiveError(
        .unsupportedFeature, "the lz4 frame needs a dictionary",
        advice: "Compress it again without a dictionary.")
    }
    let contentSize = hasSize ? input.little(UInt64.self, at: start + 2) : nil
    drop(length + 1)
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
    guard try has(4) else { throw cut() }
    guard word() == frame.checksum.value else {
      throw .corrupt("the lz4 frame's content does not match its checksum")
    }
    drop(4)
  }

  // MARK: Blocks

  private func decodeBlock() throws(ArchiveError) {
    guard var frame else { return }
    guard try has(4) else {
      // A legacy frame has no end but the file's.
      guard frame.isLegacy, inputRange.isEmpty else { throw cut() }
      self.frame = nil
      return
    }
    let head = word()
    if frame.isLegacy, head > UInt32(Self.largestCompressed(frame.blockSize)) {
      self.frame = nil
      return
    }
    drop(4)
    if head == 0, !frame.isLegacy { return try endFrame(frame) }
    let isStored = !frame.isLegacy && head >> 31 != 0
    let size = Int(head & (frame.isLegacy ? .max : 0x7FFF_FFFF))
    guard size <= (frame.isLegacy ? Self.largestCompressed(frame.blockSize) : frame.blockSize) else {
      throw .corrupt("an lz4 block is larger than its frame allows")
    }
    guard try has(size + (frame.blocksHaveChecksums ? 4 : 0)) else { throw cut() }
    let start = inputRange.lowerBound
    if frame.blocksHaveChecksums {
      var checksum = XXH32()
      unsafe checksum.update(input.span.bytes.extracting(start..<start + size))
      guard checksum.value == input.little(UInt32.self, at: start + size) else {
        throw .corrupt("an lz4 block does not match its checksum")
      }
    }
    keepHistory(frame)
    let bytes = input
    let block = unsafe bytes.span.bytes.extracting(start..<start + size)
    let produced = isStored ? store(block) : try decode(block, limit: history + frame.blockSize)
    drop(size + (frame.blocksHaveChecksums ? 4 : 0))
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

  private func word() -> UInt32 { input.little(UInt32.self, at: inputRange.lowerBound) }

  private func drop(_ count: Int) { inputRange = (inputRange.lowerBound + count)..<inputRange.upperBound }

  /// Whether `count` bytes of input are at hand, reading more where needed.
  private func has(_ count: Int) throws(ArchiveError) -> Bool {
    if inputRange.count < count, !upstreamEnded {
      let rest = Array(input[inputRange])
      input.replaceSubrange(0..<rest.count, with: rest)
      inputRange = 0..<rest.count
      if input.count < count {
        input.append(contentsOf: repeatElement(0, count: count - input.count))
      }
    }
    while inputRange.count < count, !upstreamEnded {
      let read = try upstream.read(into: &input, from: inputRange.upperBound)
      inputRange = inputRange.lowerBound..<inputRange.upperBound + read
      upstreamEnded = read == 0
    }
    return inputRange.count >= count
  }

  private func reserve(_ size: Int) {
    guard unsafe window.count < size else { return }
    unsafe window.deallocate()
    unsafe window = .allocate(capacity: size)
    unsafe window.initialize(repeating: 0)
  }
}
