internal import CZlib
internal import SystemPackage

/// Decodes gzip (RFC 1952) by zlib, which verifies each member's CRC-32 and length; libarchive verifies neither.
@safe final class GzipDecoder: ByteSource {
  private let upstream: any ByteSource
  private let warnings: WarningLog
  private let stream: UnsafeMutablePointer<z_stream>
  private let header: UnsafeMutablePointer<gz_header>
  private let storedText: UnsafeMutableBufferPointer<UInt8>
  private var input = [UInt8](repeating: 0, count: 256 << 10)
  private var inputRange = 0..<0
  private var upstreamEnded = false
  private enum State { case inMember, betweenMembers, failed(ArchiveError), ended }
  private var state = State.inMember

  init(_ upstream: any ByteSource, warnings: WarningLog) throws(ArchiveError) {
    self.upstream = upstream
    self.warnings = warnings
    unsafe stream = .allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    unsafe header = .allocate(capacity: 1)
    unsafe header.initialize(to: gz_header())
    // The name, then the comment; the last byte of either half stays zero, so that both always end.
    unsafe storedText = .allocate(capacity: 2 * Self.textSize)
    unsafe storedText.initialize(repeating: 0)
    unsafe header.pointee.name = storedText.baseAddress
    unsafe header.pointee.name_max = UInt32(Self.textSize - 1)
    unsafe header.pointee.comment = storedText.baseAddress?.advanced(by: Self.textSize)
    unsafe header.pointee.comm_max = UInt32(Self.textSize - 1)
    // 15: the largest window; 16: a gzip header and trailer, both checked.
    guard unsafe inflateInit2_(stream, 15 + 16, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size)) == Z_OK
    else {
      throw .system("inflateInit2", .noMemory, doing: "starting a gzip decoder")
    }
    unsafe inflateGetHeader(stream, header)
  }

  deinit {
    unsafe inflateEnd(stream)
    unsafe stream.deallocate()
    unsafe header.deallocate()
    unsafe storedText.deallocate()
  }

  /// zlib's version.
  static var libraryVersion: String {
    "zlib " + (unsafe zlibVersion().map { unsafe String(cString: $0) } ?? "")
  }

  var progress: SourceProgress { upstream.progress }

  /// The file name in the first member's header (FNAME), known once its first bytes were read. Latin-1 by the RFC,
  /// the raw bytes of the file system's name in practice.
  var storedName: [UInt8]? { unsafe text(storedText[..<Self.textSize]) }

  /// The comment in the first member's header (FCOMMENT).
  var storedComment: [UInt8]? { unsafe text(storedText[Self.textSize...]) }

  /// The bytes kept of a name or comment.
  private static let textSize = 4096

  private func text(_ bytes: Slice<UnsafeMutableBufferPointer<UInt8>>) -> [UInt8]? {
    guard unsafe header.pointee.done == 1 else { return nil }
    let text = unsafe bytes.prefix { $0 != 0 }
    return unsafe text.isEmpty ? nil : Array(text)
  }

  /// The time in the first member's header (MTIME), seconds since 1970; nil where it has none.
  var storedTime: Int64? {
    guard unsafe header.pointee.done == 1, unsafe header.pointee.time != 0 else { return nil }
    return Int64(unsafe header.pointee.time)
  }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    var produced = 0
    while produced == 0 {
      switch state {
      case .ended: return 0
      case .failed(let error): throw error
      case .betweenMembers: try enterNextMember()
      case .inMember: produced = try inflateSome(into: &buffer)
      }
    }
    return produced
  }

  private func inflateSome(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    if inputRange.isEmpty { try refill() }
    let capacity = min(buffer.byteCount, Int(CInt.max))
    let status = unsafe buffer.withUnsafeMutableBytes { output in
      unsafe input.withUnsafeMutableBufferPointer { input in
        unsafe stream.pointee.next_in = input.baseAddress?.advanced(by: inputRange.lowerBound)
        unsafe stream.pointee.avail_in = UInt32(inputRange.count)
        unsafe stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        unsafe stream.pointee.avail_out = UInt32(capacity)
        return unsafe inflate(stream, Z_NO_FLUSH)
      }
    }
    let produced = capacity - Int(unsafe stream.pointee.avail_out)
    inputRange = (inputRange.upperBound - Int(unsafe stream.pointee.avail_in))..<inputRange.upperBound
    switch status {
    case Z_STREAM_END:
      state = .betweenMembers
    case Z_OK, Z_BUF_ERROR:
      if produced == 0, inputRange.isEmpty, upstreamEnded {
        throw .truncated("the gzip stream ends before its trailer", call: "inflate")
      }
    case Z_MEM_ERROR:
      throw .system("inflate", .noMemory, doing: "decoding gzip")
    default:
      let text = unsafe stream.pointee.msg.map { unsafe String(cString: $0) } ?? "invalid data"
      let failure = ArchiveError.corrupt("the gzip stream is damaged: \(text)", call: "inflate")
      // What came out before the damage is given first.
      guard produced > 0 else { throw failure }
      state = .failed(failure)
    }
    return produced
  }

  /// After a member: another one, zero padding (tapes), or something else, which gzip(1) ignores with a warning.
  private func enterNextMember() throws(ArchiveError) {
    while try available(atLeast: 1), input[inputRange.lowerBound] == 0 {
      inputRange = input[inputRange].firstIndex { $0 != 0 }.map { $0..<inputRange.upperBound } ?? 0..<0
    }
    if inputRange.isEmpty {
      state = .ended
      return
    }
    guard try available(atLeast: 2), input[inputRange].starts(with: [0x1F, 0x8B]) else {
      warnings.add("garbage after the end of the gzip stream was ignored")
      state = .ended
      return
    }
    unsafe inflateReset(stream)
    state = .inMember
  }

  /// Whether `count` bytes of input are at hand, reading more where needed.
  private func available(atLeast count: Int) throws(ArchiveError) -> Bool {
    while inputRange.count < count, !upstreamEnded {
      // What is left moves to the front, so that the rest of the buffer can be filled behind it.
      let rest = Array(input[inputRange])
      input.replaceSubrange(0..<rest.count, with: rest)
      try refill(keeping: rest.count)
    }
    return inputRange.count >= count
  }

  private func refill(keeping kept: Int = 0) throws(ArchiveError) {
    guard !upstreamEnded else { return }
    let count = try upstream.read(into: &input, from: kept)
    inputRange = 0..<(kept + count)
    upstreamEnded = count == 0
  }
}
