internal import CZlib
internal import SystemPackage

/// Decodes raw deflate (RFC 1951) by zlib, one stream after another.
@safe final class RawInflater {
  private let stream: UnsafeMutablePointer<z_stream>

  init() throws(ArchiveError) {
    unsafe stream = .allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    // Minus 15: the largest window, and neither header nor trailer.
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

  /// What one step took and gave.
  struct Step {
    let used: Int
    let produced: Int
    let isLast: Bool
  }

  /// Decodes some of `input` to the front of `output`. Without progress, more input is needed.
  func inflate(_ input: RawSpan, into output: inout MutableRawSpan) throws(ArchiveError) -> Step {
    let (inputCount, capacity) = (input.byteCount, output.byteCount)
    let status = unsafe output.withUnsafeMutableBytes { output in
      unsafe input.withUnsafeBytes { input in
        // zlib only reads its input; the type lacks the const.
        let start = unsafe UnsafeMutableRawPointer(mutating: input.baseAddress)
        unsafe stream.pointee.next_in = start?.assumingMemoryBound(to: UInt8.self)
        unsafe stream.pointee.avail_in = UInt32(inputCount)
        unsafe stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        unsafe stream.pointee.avail_out = UInt32(capacity)
        return unsafe CZlib.inflate(stream, Z_NO_FLUSH)
      }
    }
    switch status {
    case Z_OK, Z_BUF_ERROR, Z_STREAM_END:
      return Step(
        used: inputCount - Int(unsafe stream.pointee.avail_in),
        produced: capacity - Int(unsafe stream.pointee.avail_out), isLast: status == Z_STREAM_END)
    case Z_MEM_ERROR: throw .system("inflate", .noMemory, doing: "decoding deflate")
    default:
      let text = unsafe stream.pointee.msg.map { unsafe String(cString: $0) } ?? "invalid data"
      throw .corrupt("the deflate stream is damaged: \(text)", call: "inflate")
    }
  }
}
