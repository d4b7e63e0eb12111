internal import CZlib
internal import SystemPackage

/// Decodes raw deflate (RFC 1951) by zlib, which tells where blocks end, and can begin between two of them.
@safe final class ZlibInflater {
  private let stream: UnsafeMutablePointer<z_stream>

  init() throws(ArchiveError) {
    unsafe stream = .allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    // -15: the largest window, and neither header nor trailer.
    guard unsafe inflateInit2_(stream, -15, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw .system("inflateInit2", .noMemory, doing: "starting a deflate decoder")
    }
  }

  deinit {
    unsafe inflateEnd(stream)
    unsafe stream.deallocate()
  }

  /// Begins a new stream.
  func reset() { unsafe _ = inflateReset(stream) }

  /// Puts the high bits of a byte in front of the input.
  func prime(_ bits: UInt8, of byte: UInt8) {
    unsafe _ = inflatePrime(stream, CInt(bits), CInt(byte) >> (8 - CInt(bits)))
  }

  /// What matches may reach back into, at most 32 KiB.
  func set(history: [UInt8]) {
    if !history.isEmpty { unsafe _ = inflateSetDictionary(stream, history, UInt32(history.count)) }
  }

  /// The number of bits of the last byte of the input that belong to the next block, if a block that is not the last of the
  /// stream has just ended; otherwise nil.
  var bitsAfterBlock: UInt8? {
    let type = unsafe stream.pointee.data_type
    // 128: at the end of a block; 64: of the last; below: the bits.
    return type & 128 != 0 && type & 64 == 0 ? UInt8(type & 7) : nil
  }

  /// As ``RawInflater/inflate(_:into:)``.
  ///
  /// - Parameter stopsAtBlocks: Whether no further than to the end of a block.
  func inflate(
    _ input: RawSpan, into output: inout MutableRawSpan, stopsAtBlocks: Bool = false
  ) throws(ArchiveError) -> RawInflater.Step {
    let (inputCount, capacity) = (min(input.byteCount, Int(CInt.max)), min(output.byteCount, Int(CInt.max)))
    let status = unsafe output.withUnsafeMutableBytes { output in
      unsafe input.withUnsafeBytes { input in
        // zlib only reads its input; the type lacks the const.
        let start = unsafe UnsafeMutableRawPointer(mutating: input.baseAddress)
        unsafe stream.pointee.next_in = start?.assumingMemoryBound(to: UInt8.self)
        unsafe stream.pointee.avail_in = UInt32(inputCount)
        unsafe stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        unsafe stream.pointee.avail_out = UInt32(capacity)
        return unsafe CZlib.inflate(stream, stopsAtBlocks ? Z_BLOCK : Z_NO_FLUSH)
      }
    }
    var step = RawInflater.Step(
      used: inputCount - Int(unsafe stream.pointee.avail_in),
      produced: capacity - Int(unsafe stream.pointee.avail_out), isLast: status == Z_STREAM_END)
    switch status {
    case Z_OK, Z_BUF_ERROR, Z_STREAM_END: break
    case Z_MEM_ERROR: throw .system("inflate", .noMemory, doing: "decoding deflate")
    default: step.damage = unsafe stream.pointee.msg.map { unsafe String(cString: $0) } ?? "invalid data"
    }
    return step
  }
}
