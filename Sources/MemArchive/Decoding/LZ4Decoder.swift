internal import CLZ4
internal import SystemPackage

/// Decodes LZ4 frames (LZ4 frame format 1.6.4) by liblz4, which verifies every checksum and size in them; libarchive (up to
/// 3.8.9) verifies no size, and does not report data after the last frame.
///
/// Frames that depend on each other's blocks, legacy frames, skippable frames and any number of frames in a row are read;
/// dictionaries are not.
@safe final class LZ4Decoder: ByteSource {
  private enum State {
    case betweenFrames
    /// With the number of bytes that liblz4 asks for: the rest of a block, and the header of the next; none as long as there
    /// may be more of the block before.
    case inFrame(wanted: Int)
    case inLegacyFrame
    case atEnd
  }

  private let warnings: WarningLog
  private var input: InputBuffer
  private let context: OpaquePointer
  private var state = State.betweenFrames
  private var isFirstFrame = true
  private var failure: ArchiveError?
  /// The latest block of a legacy frame, and its unread range.
  private var legacyBlock: [UInt8] = []
  private var unread = 0..<0

  private static let magic: UInt32 = 0x184D_2204
  private static let legacyMagic: UInt32 = 0x184C_2102
  private static let skippableMagics: ClosedRange<UInt32> = 0x184D_2A50...0x184D_2A5F
  private static let legacyBlockSize = 8 << 20

  init(_ upstream: any ByteSource, warnings: WarningLog) throws(ArchiveError) {
    self.warnings = warnings
    input = InputBuffer(upstream)
    var context: OpaquePointer?
    unsafe LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))
    guard let context = unsafe context else {
      throw .system("LZ4F_createDecompressionContext", .noMemory, doing: "starting an lz4 decoder")
    }
    unsafe self.context = context
  }

  deinit { unsafe _ = LZ4F_freeDecompressionContext(context) }

  /// liblz4's version.
  static var libraryVersion: String { unsafe "liblz4 " + String(cString: LZ4_versionString()) }

  var progress: SourceProgress { input.progress }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    if let failure { throw failure }
    do throws(ArchiveError) {
      while true {
        let count: Int
        switch state {
        case .betweenFrames:
          try beginFrame()
          continue
        case .inFrame(let wanted): count = try decode(wanted, into: &buffer)
        case .inLegacyFrame: count = try decodeLegacy(into: &buffer)
        case .atEnd: return 0
        }
        if count > 0 { return count }
      }
    } catch {
      // After an error liblz4's context is unusable.
      failure = error
      throw error
    }
  }

  // MARK: Frames

  private func beginFrame() throws(ArchiveError) {
    guard try input.has(4) else {
      if input.count > 0 {
        guard !beginsMagic() else { throw cut() }
        try endInGarbage()
      }
      return state = .atEnd
    }
    switch input.little(UInt32.self) {
    case Self.magic: state = .inFrame(wanted: try readHeader())
    case Self.skippableMagics:
      // liblz4 skips these itself; anything may follow.
      return state = .inFrame(wanted: Int(LZ4F_HEADER_SIZE_MAX))
    case Self.legacyMagic:
      input.drop(4)
      legacyBlock.grow(to: Self.legacyBlockSize)
      state = .inLegacyFrame
    default:
      try endInGarbage()
      return state = .atEnd
    }
    isFirstFrame = false
  }

  /// Whether the few bytes that are left begin another frame.
  private func beginsMagic() -> Bool {
    let magics = [Self.magic, Self.legacyMagic] + Array(Self.skippableMagics)
    return magics.contains { magic in
      input.begins(with: magic.littleEndianBytes)
    }
  }

  /// After a frame, lz4(1) refuses what is none, and gzip(1) ignores it; as with gzip here, it is told and ignored.
  private func endInGarbage() throws(ArchiveError) {
    guard !isFirstFrame else {
      throw .corrupt("the lz4 stream is damaged at its beginning")
    }
    warnings.addGarbage(after: .lz4)
  }

  /// Reads a frame's header; returns the number of bytes that liblz4 wants next.
  private func readHeader() throws(ArchiveError) -> Int {
    guard try input.has(Int(LZ4F_MIN_SIZE_TO_KNOW_HEADER_LENGTH)) else { throw cut() }
    // The lowest bit of the flags.
    let needsDictionary = input[4] & 1 != 0
    let size = input.withBytes {
      unsafe $0.withUnsafeBytes { unsafe LZ4F_headerSize($0.baseAddress, $0.count) }
    }
    try check(size, "LZ4F_headerSize")
    guard try input.has(size) else { throw cut() }
    var used = size
    var info = LZ4F_frameInfo_t()
    let wanted = input.withBytes { bytes in
      unsafe bytes.withUnsafeBytes { unsafe LZ4F_getFrameInfo(context, &info, $0.baseAddress, &used) }
    }
    try check(wanted, "LZ4F_getFrameInfo")
    guard !needsDictionary else {
      throw ArchiveError(
        .unsupportedFeature, "the lz4 frame needs a dictionary",
        advice: "Compress it again without a dictionary.")
    }
    input.drop(used)
    return wanted
  }

  /// Decodes at most one block at a time, because an error discards what the same call has decoded.
  private func decode(_ wanted: Int, into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    let hasInput = wanted == 0 ? true : try input.has(1)
    let (capacity, header) = (buffer.byteCount, Int(LZ4F_BLOCK_HEADER_SIZE))
    let count = min(input.count, wanted > header ? wanted - header : wanted)
    let (hint, used, produced) = unsafe buffer.withUnsafeMutableBytes { output in
      input.withBytes(count) { bytes in
        unsafe bytes.withUnsafeBytes { bytes in
          var (used, produced) = (bytes.count, output.count)
          let hint = unsafe LZ4F_decompress(
            context, output.baseAddress, &produced, bytes.baseAddress, &used, nil)
          return (hint, used, produced)
        }
      }
    }
    try check(hint, "LZ4F_decompress")
    input.drop(used)
    state = hint == 0 ? .betweenFrames : .inFrame(wanted: produced == capacity ? 0 : hint)
    if produced == 0, hint > 0, !hasInput { throw cut() }
    return produced
  }

  // MARK: Legacy frames

  /// Blocks without any checksum, up to the end of the file or to another frame.
  private func decodeLegacy(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    if unread.isEmpty {
      guard try input.has(4) else {
        guard input.count == 0 else { throw cut() }
        state = .betweenFrames
        return 0
      }
      let size = Int(input.little(UInt32.self))
      guard size <= Int(LZ4_compressBound(Int32(Self.legacyBlockSize))) else {
        state = .betweenFrames
        return 0
      }
      guard try input.has(4 + size) else { throw cut() }
      let produced = input.withBytes(4 + size) { bytes in
        unsafe bytes.extracting(droppingFirst: 4).withUnsafeBytes { packed in
          unsafe legacyBlock.withUnsafeMutableBytes { content in
            unsafe LZ4_decompress_safe(
              packed.baseAddress, content.baseAddress, Int32(packed.count), Int32(content.count))
          }
        }
      }
      guard produced >= 0 else { throw .corrupt("an lz4 block is damaged", call: "LZ4_decompress_safe") }
      input.drop(4 + size)
      unread = 0..<Int(produced)
    }
    let count = min(buffer.byteCount, unread.count)
    buffer.copy(unsafe legacyBlock.span.bytes.extracting(unread.prefix(count)))
    unread = unread.dropFirst(count)
    return count
  }

  // MARK: Errors

  private func cut() -> ArchiveError { .truncated("the lz4 stream ends inside a frame") }

  /// Throws if `result` is an error of liblz4.
  private func check(_ result: Int, _ call: String) throws(ArchiveError) {
    guard LZ4F_isError(result) != 0 else { return }
    let name = unsafe String(cString: LZ4F_getErrorName(result))
    guard name != "ERROR_allocation_failed" else { throw .system(call, .noMemory, doing: "decoding lz4") }
    throw .corrupt("the lz4 stream is damaged: \(name)", call: call)
  }
}
