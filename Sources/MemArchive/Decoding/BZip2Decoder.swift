internal import CBZip2
internal import SystemPackage

/// Decodes bzip2 by libbz2, which verifies the checksum of each block and of each stream.
///
/// Any number of streams in a row are read, as pbzip2(1) and lbzip2(1) write them. libarchive (to 3.8.9) ends at a stream
/// whose beginning is damaged or cut, and calls what it has the whole.
@safe final class BZip2Decoder: ByteSource {
  private enum State {
    case betweenStreams, inStream, atEnd
  }

  private let warnings: WarningLog
  private var input: InputBuffer
  private let stream = UnsafeMutablePointer<bz_stream>.allocate(capacity: 1)
  private var state = State.betweenStreams
  private var isFirstStream = true
  private var isFull = false
  private var failure: ArchiveError?

  /// What a stream begins with; a digit follows.
  private static let magic = Array("BZh".utf8)
  private static let levels = UInt8(ascii: "1")...UInt8(ascii: "9")

  init(_ upstream: any ByteSource, warnings: WarningLog) {
    self.warnings = warnings
    input = InputBuffer(upstream)
    unsafe stream.initialize(to: bz_stream())
  }

  deinit {
    if case .inStream = state { unsafe _ = BZ2_bzDecompressEnd(stream) }
    unsafe stream.deallocate()
  }

  /// libbz2's version.
  static var libraryVersion: String { unsafe "libbz2 " + String(cString: BZ2_bzlibVersion()) }

  var progress: SourceProgress { input.progress }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    while true {
      if let failure { throw failure }
      switch state {
      case .betweenStreams: try enterNextStream()
      case .inStream:
        // What came before has filled the buffer: there may be more of it.
        let hasInput = isFull ? true : try input.has(1)
        let produced = decode(into: &buffer)
        isFull = produced == buffer.byteCount
        if produced > 0 { return produced }
        if failure == nil, !hasInput, case .inStream = state {
          failure = .truncated("the bzip2 stream ends inside a block", call: "BZ2_bzDecompress")
        }
      case .atEnd: return 0
      }
    }
  }

  /// Begins a stream; or ends where nothing, zeros (tapes) or something else follows, as bzip2(1) does with a warning.
  private func enterNextStream() throws(ArchiveError) {
    if !isFirstStream {
      try input.dropZeros()
      if input.isUsedUp { return state = .atEnd }
    }
    let isWhole = try input.has(Self.magic.count + 1)
    guard input.begins(with: Self.magic), !isWhole || Self.levels.contains(input[Self.magic.count]) else {
      guard !isFirstStream else { throw .corrupt("the bzip2 stream is damaged at its beginning") }
      warnings.addGarbage(after: .bzip2)
      return state = .atEnd
    }
    guard isWhole else { throw .truncated("the bzip2 data ends inside the header of a stream") }
    guard unsafe BZ2_bzDecompressInit(stream, 0, 0) == BZ_OK else {
      throw .system("BZ2_bzDecompressInit", .noMemory, doing: "starting a bzip2 decoder")
    }
    isFirstStream = false
    state = .inStream
  }

  /// One step; a failure after what came out is kept for the next.
  private func decode(into buffer: inout MutableRawSpan) -> Int {
    let (status, used, produced) = unsafe buffer.withUnsafeMutableBytes { output in
      input.withBytes { bytes in
        unsafe bytes.withUnsafeBytes { bytes in
          let (free, given) = (UInt32(clamping: output.count), UInt32(clamping: bytes.count))
          unsafe stream.pointee.next_in = UnsafeMutablePointer(
            mutating: bytes.assumingMemoryBound(to: CChar.self).baseAddress)
          unsafe stream.pointee.avail_in = given
          unsafe stream.pointee.next_out = output.assumingMemoryBound(to: CChar.self).baseAddress
          unsafe stream.pointee.avail_out = free
          let status = unsafe BZ2_bzDecompress(stream)
          return unsafe (
            status, Int(given - stream.pointee.avail_in), Int(free - stream.pointee.avail_out)
          )
        }
      }
    }
    input.drop(used)
    switch status {
    case BZ_OK: break
    case BZ_STREAM_END:
      unsafe _ = BZ2_bzDecompressEnd(stream)
      state = .betweenStreams
    case BZ_MEM_ERROR: failure = .system("BZ2_bzDecompress", .noMemory, doing: "decoding bzip2")
    default:
      failure = .corrupt(
        "the bzip2 stream is damaged: a block's magic number or checksum is wrong", call: "BZ2_bzDecompress")
    }
    return produced
  }
}
