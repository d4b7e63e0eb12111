#if FastDecoders
internal import CLZMA
internal import SystemPackage

/// Decodes lzma and lzip by liblzma, which verifies every checksum.
@safe final class LZMADecoder: ByteSource {
  private let filter: Filter
  private let warnings: WarningLog
  private var input: InputBuffer
  private let stream: UnsafeMutablePointer<lzma_stream>
  private var atEnd = false
  private var isFull = false
  private var failure: ArchiveError?

  init(_ filter: Filter, of upstream: any ByteSource, warnings: WarningLog) throws(ArchiveError) {
    self.filter = filter
    self.warnings = warnings
    input = InputBuffer(upstream, kept: Self.lzipMagic.count)
    guard let stream = unsafe clzma_create() else { throw .lzma(LZMA_MEM_ERROR, filter) }
    unsafe self.stream = stream
    let memory = Filter.mostMemory
    let status = unsafe filter == .lzma ? clzma_start_lzma(stream, memory) : clzma_start_lzip(stream, memory)
    guard status == LZMA_OK else { throw .lzma(status, filter) }
  }

  deinit { unsafe clzma_destroy(stream) }

  /// liblzma's version.
  static var libraryVersion: String { unsafe "liblzma " + String(cString: lzma_version_string()) }

  var progress: SourceProgress { input.progress }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    if let failure { throw failure }
    while !atEnd {
      let produced = try decode(into: &buffer)
      if produced > 0 { return produced }
      if let failure { throw failure }
    }
    return 0
  }

  private static let lzipMagic = Array("LZIP".utf8)

  /// The damage to a further lzip member that begins after the last whole one, by lzip(1)'s rules: its header is cut, or has two or
  /// three bytes of its magic number; nil for other garbage. liblzma has taken what agrees with the magic number, and says
  /// nothing of it; a member ends in its size, the highest byte of which is 0.
  private func damageAfterLastMember() throws(ArchiveError) -> ArchiveError? {
    let taken = (1..<Self.lzipMagic.count).first { count in
      var rest = input
      rest.drop(-count)
      return rest.begins(with: Array(Self.lzipMagic.prefix(count)))
    }
    guard try input.has(1) else {
      return taken == nil
        ? nil : .truncated("the lzip data ends inside the header of a member", call: "lzma_code")
    }
    // As in lzip(1), what is no longer than a header is garbage.
    guard try input.has(7 - (taken ?? 0)) else { return nil }
    var rest = input
    rest.drop(-(taken ?? 0))
    let agreeing = Self.lzipMagic.indices.count { rest[$0] == Self.lzipMagic[$0] }
    return agreeing < 2 ? nil : .corrupt("the header of a further lzip member is damaged")
  }

  /// One step; a failure after what came out is kept for the next.
  private func decode(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    // What came before has filled the buffer: there may be more of it.
    let hasInput = isFull ? true : try input.has(1)
    let capacity = buffer.byteCount
    let (status, produced) = unsafe input.decode(by: stream, hasInput ? LZMA_RUN : LZMA_FINISH, into: &buffer)
    isFull = produced == capacity
    switch status {
    case LZMA_OK, LZMA_GET_CHECK, LZMA_NO_CHECK: break
    case LZMA_STREAM_END:
      atEnd = true
      do throws(ArchiveError) {
        if filter == .lzip { failure = try damageAfterLastMember() }
        if failure == nil, try input.has(1) { warnings.addGarbage(after: filter) }
      } catch {
        failure = error
      }
    case LZMA_BUF_ERROR where hasInput: break
    default: failure = .lzma(status, filter)
    }
    return produced
  }
}

extension InputBuffer {
  /// One step of liblzma from what is buffered; the number of bytes that came out.
  mutating func decode(
    by stream: UnsafeMutablePointer<lzma_stream>, _ action: lzma_action, into buffer: inout MutableRawSpan
  ) -> (lzma_ret, produced: Int) {
    let (status, used, produced) = unsafe buffer.withUnsafeMutableBytes { output in
      withBytes { bytes in
        unsafe bytes.withUnsafeBytes { bytes in
          unsafe stream.pointee.next_in = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
          unsafe stream.pointee.avail_in = bytes.count
          unsafe stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
          unsafe stream.pointee.avail_out = output.count
          let status = unsafe lzma_code(stream, action)
          return unsafe (
            status, bytes.count - stream.pointee.avail_in, output.count - stream.pointee.avail_out
          )
        }
      }
    }
    drop(used)
    return (status, produced)
  }
}

extension ArchiveError {
  /// The error for a status of liblzma.
  static func lzma(_ status: lzma_ret, _ filter: Filter) -> Self {
    switch status {
    case LZMA_MEM_ERROR: .system("lzma_code", .noMemory, doing: "decoding \(filter)")
    case LZMA_MEMLIMIT_ERROR:
      Self(
        .unsupportedFeature, "the \(filter) stream takes more than \(Filter.mostMemory >> 20) MiB to decode",
        call: "lzma_code", advice: "Compress it again with a smaller dictionary (xz -9 or below).")
    case LZMA_OPTIONS_ERROR, LZMA_UNSUPPORTED_CHECK:
      Self(
        .unsupportedFeature, "the \(filter) stream uses an option that liblzma does not know",
        call: "lzma_code", advice: "Compress it again with xz's own options.")
    case LZMA_FORMAT_ERROR:
      .corrupt("the \(filter) stream is damaged: no header where one must be", call: "lzma_code")
    case LZMA_BUF_ERROR:
      .truncated("the \(filter) stream ends before its end marker", call: "lzma_code")
    default: .corrupt("the \(filter) stream is damaged", call: "lzma_code")
    }
  }
}
#endif
