#if FastDecoders
internal import CLZMA
internal import CLinux
internal import Synchronization
internal import SystemPackage

/// Decodes xz, lzma and lzip by liblzma, which verifies every checksum; xz of several blocks on several threads.
@safe final class LZMADecoder: ByteSource {
  private let filter: Filter
  private let warnings: WarningLog
  private var input: InputBuffer
  private let stream: UnsafeMutablePointer<lzma_stream>
  /// Whether its threads could not be awaited: it stays until the process ends.
  private let isForGood: Bool
  private var atEnd = false
  private var failure: ArchiveError?

  /// What the threads of xz may take together, in bytes; with less, fewer of them work.
  private static let threadsMemory: UInt64 = 256 << 20
  /// What one decoder may take: the dictionary of `xz -9` has 64 MiB, the largest that 32 bits can ask for 4 GiB.
  private static let memory: UInt64 = 1 << 30

  init(
    _ filter: Filter, of upstream: any ByteSource, threads: Int, warnings: WarningLog
  ) throws(ArchiveError) {
    self.filter = filter
    self.warnings = warnings
    input = InputBuffer(upstream)
    if filter == .xz, let ready = Self.ready.withLock({ $0.take() }) {
      unsafe stream = ready.stream
      isForGood = true
      return
    }
    isForGood = false
    guard let stream = unsafe clzma_create() else {
      throw .system("malloc", .noMemory, doing: "starting an \(filter) decoder")
    }
    unsafe self.stream = stream
    let status =
      switch filter {
      case .lzma: unsafe clzma_start_lzma(stream, Self.memory)
      case .lzip: unsafe clzma_start_lzip(stream, Self.memory)
      // liblzma starts threads of its own while it decodes, and fails where it is refused one: a locked worker can start
      // none, and elsewhere it is asked for beforehand.
      case _ where threads == 1 || ThreadSupply.current != nil || !WorkerThread.canStart:
        unsafe clzma_start_xz(stream, 1, Self.threadsMemory, Self.memory)
      default: unsafe clzma_start_xz(stream, UInt32(clamping: threads), Self.threadsMemory, Self.memory)
      }
    guard status == LZMA_OK else {
      throw .system("lzma_code", .noMemory, doing: "starting an \(filter) decoder")
    }
  }

  deinit { if !isForGood { unsafe clzma_destroy(stream) } }

  /// The decoder of xz whose threads run already; whoever decodes xz first gets it.
  private static let ready = Mutex<Ready?>(nil)

  @safe private struct Ready: @unchecked Sendable {
    let stream: UnsafeMutablePointer<lzma_stream>
  }

  /// Starts the threads of one decoder of xz, for a process that is about to give up starting any. Where they cannot be
  /// had, or counted, xz is decoded on one thread.
  static func makeReady(threads: Int) {
    var threads = threads
    while threads > 1, let stream = unsafe clzma_create() {
      let before = clinux_thread_count()
      if unsafe clzma_start_xz(stream, UInt32(clamping: threads), threadsMemory, memory) == LZMA_OK,
        unsafe clzma_start_threads(stream, UInt32(clamping: threads)) == 1, before > 0,
        clinux_thread_count() == before + threads
      {
        return ready.withLock { unsafe $0 = Ready(stream: stream) }
      }
      unsafe clzma_destroy(stream)
      threads /= 2
    }
  }

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

  /// One step; a failure behind what came out is kept for the next.
  private func decode(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    let hasInput = try input.has(1)
    let capacity = buffer.byteCount
    let (status, used) = unsafe buffer.withUnsafeMutableBytes { output in
      input.withBytes { bytes in
        unsafe bytes.withUnsafeBytes { bytes in
          unsafe stream.pointee.next_in = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
          unsafe stream.pointee.avail_in = bytes.count
          unsafe stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
          unsafe stream.pointee.avail_out = output.count
          let status = unsafe lzma_code(stream, hasInput ? LZMA_RUN : LZMA_FINISH)
          return (status, bytes.count - (unsafe stream.pointee.avail_in))
        }
      }
    }
    input.drop(used)
    let produced = capacity - (unsafe stream.pointee.avail_out)
    switch status {
    case LZMA_OK, LZMA_GET_CHECK, LZMA_NO_CHECK: break
    case LZMA_STREAM_END:
      atEnd = true
      if try input.has(1) {
        warnings.add("garbage after the end of the \(filter) stream was ignored")
      }
    case LZMA_BUF_ERROR:
      if !hasInput {
        failure = .truncated("the \(filter) stream ends before its end marker", call: "lzma_code")
      }
    default: failure = error(status)
    }
    return produced
  }

  private func error(_ status: lzma_ret) -> ArchiveError {
    switch status {
    case LZMA_MEM_ERROR: return .system("lzma_code", .noMemory, doing: "decoding \(filter)")
    case LZMA_MEMLIMIT_ERROR:
      return ArchiveError(
        .unsupportedFeature, "the \(filter) stream takes more than \(Self.memory >> 20) MiB to decode",
        call: "lzma_code", advice: "Compress it again with a smaller dictionary (xz -9 or below).")
    case LZMA_OPTIONS_ERROR, LZMA_UNSUPPORTED_CHECK:
      return ArchiveError(
        .unsupportedFeature, "the \(filter) stream uses an option that liblzma does not know",
        call: "lzma_code", advice: "Compress it again with xz's own options.")
    case LZMA_FORMAT_ERROR:
      return .corrupt("the \(filter) stream is damaged: no header where one must be", call: "lzma_code")
    default: return .corrupt("the \(filter) stream is damaged", call: "lzma_code")
    }
  }
}
#endif
