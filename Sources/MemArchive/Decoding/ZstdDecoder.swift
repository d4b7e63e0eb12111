#if FastDecoders
internal import CZstd
internal import SystemPackage

/// Decodes zstd (RFC 8878) by libzstd, which verifies the checksums of frames that have one.
@safe final class ZstdDecoder: ByteSource {
  private var input: InputBuffer
  private let context: OpaquePointer
  /// Whether the current position is inside a frame.
  private var isInFrame = false
  /// Upper bound of what libzstd is given next, in bytes: no more than a block, for an error takes with it what the same call
  /// has decoded before, and none as long as there may be more of the block before.
  private var step = startOfFrame
  private var failure: ArchiveError?

  /// Enough to tell a frame's kind, and less than its header. RFC 8878, 3.1.1
  private static let startOfFrame = 5
  private static let blockHeaderSize = 3

  init(_ upstream: any ByteSource) throws(ArchiveError) {
    input = InputBuffer(upstream)
    guard let context = unsafe ZSTD_createDCtx() else {
      throw .system("ZSTD_createDCtx", .noMemory, doing: "starting a zstd decoder")
    }
    unsafe self.context = context
  }

  deinit { unsafe _ = ZSTD_freeDCtx(context) }

  /// libzstd's version.
  static var libraryVersion: String { unsafe "libzstd " + String(cString: ZSTD_versionString()) }

  var progress: SourceProgress { input.progress }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    while true {
      if let failure { throw failure }
      let hasInput = step == 0 ? true : try input.has(1)
      if !hasInput, !isInFrame { return 0 }
      let produced = decode(into: &buffer)
      if produced > 0 { return produced }
      if failure == nil, !hasInput {
        failure = .truncated("the zstd stream ends inside a frame", call: "ZSTD_decompressStream")
      }
    }
  }

  /// One step; a failure after some output is kept for the next call.
  private func decode(into buffer: inout MutableRawSpan) -> Int {
    let capacity = buffer.byteCount
    let (hint, used, produced) = unsafe buffer.withUnsafeMutableBytes { output in
      input.withBytes(min(step, input.count)) { bytes in
        unsafe bytes.withUnsafeBytes { bytes in
          var from = unsafe ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
          var to = unsafe ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
          let hint = unsafe ZSTD_decompressStream(context, &to, &from)
          return unsafe (hint, from.pos, to.pos)
        }
      }
    }
    input.drop(used)
    if ZSTD_isError(hint) != 0 {
      failure = error(hint)
    } else {
      isInFrame = hint != 0
      step =
        switch hint {
        case 0: Self.startOfFrame
        case _ where produced == capacity: 0
        // The rest of a block, with the header of the next.
        case (Self.blockHeaderSize + 1)...: hint - Self.blockHeaderSize
        default: hint
        }
    }
    return produced
  }

  private func error(_ code: Int) -> ArchiveError {
    let text = unsafe String(cString: ZSTD_getErrorName(code)).lowercased()
    switch ZSTD_getErrorCode(code) {
    case ZSTD_error_memory_allocation:
      return .system("ZSTD_decompressStream", .noMemory, doing: "decoding zstd")
    case ZSTD_error_frameParameter_windowTooLarge,
      ZSTD_error_version_unsupported:
      return ArchiveError(
        .unsupportedFeature, "the zstd stream cannot be decoded: \(text)", call: "ZSTD_decompressStream",
        advice: "Compress it again without --long above 27 and without a dictionary.")
    default: return .corrupt("the zstd stream is damaged: \(text)", call: "ZSTD_decompressStream")
    }
  }
}
#endif
