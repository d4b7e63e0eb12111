internal import SystemPackage

#if FastDecoders
internal import CISAL
#endif

/// Decodes raw deflate (RFC 1951), one stream after another: by ISA-L, which is more than twice as fast, or by zlib.
@safe final class RawInflater {
  #if FastDecoders
  private let stream: UnsafeMutablePointer<inflate_state>
  #else
  private let zlib: ZlibInflater
  #endif

  init() throws(ArchiveError) {
    #if FastDecoders
    guard let stream = unsafe cisal_create() else {
      throw .system("malloc", .noMemory, doing: "starting a deflate decoder")
    }
    unsafe self.stream = stream
    #else
    zlib = try ZlibInflater()
    #endif
  }

  #if FastDecoders
  deinit { unsafe cisal_destroy(stream) }

  /// ISA-L's version.
  static var libraryVersion: String {
    "ISA-L \(ISAL_MAJOR_VERSION).\(ISAL_MINOR_VERSION).\(ISAL_PATCH_VERSION)"
  }
  #endif

  /// Begins a new stream.
  ///
  /// - Parameter history: What its matches may reach back into, at most 32 KiB.
  func reset(after history: [UInt8] = []) {
    #if FastDecoders
    unsafe cisal_reset(stream)
    if !history.isEmpty { unsafe cisal_set_dictionary(stream, history, UInt32(history.count)) }
    #else
    zlib.reset()
    zlib.set(history: history)
    #endif
  }

  /// The input and output of one step.
  struct Step {
    /// Negative, by less than `largestReturn`, if the stream ended in the input of an earlier step.
    let used: Int
    let produced: Int
    let isLast: Bool
    /// The error after the bytes that were produced.
    var damage: String?
  }

  /// Upper bound of the bytes given back at a stream's end.
  static let largestReturn = 8

  /// Decodes some of `input` to the front of `output`. Without progress, more input is needed.
  func inflate(_ input: RawSpan, into output: inout MutableRawSpan) throws(ArchiveError) -> Step {
    #if FastDecoders
    let (inputCount, capacity) = (min(input.byteCount, Int(CInt.max)), min(output.byteCount, Int(CInt.max)))
    var (used, produced, isLast) = (Int64(0), Int64(0), CInt(0))
    let status = unsafe output.withUnsafeMutableBytes { output in
      unsafe input.withUnsafeBytes { input in
        unsafe cisal_inflate(
          stream, input.baseAddress, UInt32(inputCount), output.baseAddress, UInt32(capacity), &used,
          &produced, &isLast)
      }
    }
    var step = Step(used: Int(used), produced: Int(produced), isLast: isLast != 0)
    switch status {
    case ISAL_DECOMP_OK, ISAL_END_INPUT, ISAL_OUT_OVERFLOW: break
    case ISAL_INVALID_BLOCK: step.damage = "invalid block"
    case ISAL_INVALID_SYMBOL: step.damage = "invalid code"
    case ISAL_INVALID_LOOKBACK: step.damage = "invalid distance too far back"
    default: step.damage = "invalid data"
    }
    return step
    #else
    return try zlib.inflate(input, into: &output)
    #endif
  }
}
