#if FastDecoders
internal import CLZMA

/// Decodes .xz, one stream or several (The .xz File Format, 1.2.1), by liblzma's decoders for its parts, which verify every
/// check and index. Blocks whose headers state their sizes, as `xz -T2` writes them, are decoded on several threads.
///
/// liblzma's own threaded decoder ends threads and starts others between blocks, which a locked-in worker cannot.
@safe final class XZDecoder: ByteSource {
  /// What comes next in the stream.
  private enum Part {
    case header
    case block
    /// A block whose header has been read, and which this thread decodes.
    case content(XZBlock, isHere: Bool)
    case index
    case footer
    case padding(Int)
    case nothing
  }

  private var input: InputBuffer
  private var part = Part.header
  private var isFirst = true
  private var flags = lzma_stream_flags()
  private let index: OpaquePointer
  private let queue: BlockQueue<XZBlock>
  /// An error, kept until all content before it has been returned.
  private var failure: ArchiveError?

  init(_ upstream: any ByteSource, threads: Int) throws(ArchiveError) {
    guard let index = unsafe lzma_index_hash_init(nil, nil) else {
      throw .lzma(LZMA_MEM_ERROR, .xz)
    }
    unsafe self.index = index
    input = InputBuffer(upstream)
    queue = BlockQueue<XZBlock>(threads: threads)
  }

  deinit { unsafe lzma_index_hash_end(index, nil) }

  var progress: SourceProgress { input.progress }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    while true {
      switch queue.takeFirst(into: &buffer) {
      case .bytes(let count): return count
      case .ended(let block): note(unsafe block.append(to: index))
      case .failed(let error):
        // If reading failed, that is why a block ends too early.
        throw error.code == .truncated ? failure ?? error : error
      case .nothingYet:
        if readAhead() { continue }
        guard queue.isEmpty else {
          queue.awaitFirst()
          continue
        }
        if let failure { throw failure }
        if case .nothing = part { return 0 }
        let count = advance(into: &buffer)
        if count > 0 { return count }
      }
    }
  }

  private func note(_ status: lzma_ret) {
    if status != LZMA_OK, failure == nil { failure = .lzma(status, .xz) }
  }

  /// Runs one step, and keeps the error that it throws.
  private func keepingFailure<Result>(_ body: () throws(ArchiveError) -> Result) -> Result? {
    do throws(ArchiveError) { return try body() } catch {
      failure = failure ?? error
      return nil
    }
  }

  // MARK: Reading ahead

  /// Gives work to threads; false if that has to wait.
  private func readAhead() -> Bool {
    if queue.missing > 0 {
      let count = keepingFailure { () throws(ArchiveError) in
        _ = try input.has(1)
        return min(input.count, queue.missing)
      }
      input.withBytes(count ?? 0) { queue.feed($0) }
      input.drop(count ?? 0)
      return true
    }
    guard failure == nil else { return false }
    switch part {
    case .block where !queue.isEmpty: return keepingFailure(readBlockHeader) ?? false
    case .content(let block, isHere: false):
      switch admission(of: block) {
      case .taken:
        part = .block
        return true
      case .later: return false
      case .never:
        part = .content(block, isHere: true)
        return true
      }
    default: return false
    }
  }

  private func admission(of block: XZBlock) -> BlockQueue<XZBlock>.Admission {
    guard let sizes = block.sizes, sizes.content >= 1 << 20, sizes.content < .max else { return .never }
    // With room for a byte more than it has, its thread never waits.
    return queue.take(block, packed: sizes.packed, room: sizes.content + 1)
  }

  // MARK: Decoding on this thread

  /// Proceeds by one part, or a piece of a block's content. All earlier blocks have been returned.
  private func advance(into buffer: inout MutableRawSpan) -> Int {
    do throws(ArchiveError) {
      switch part {
      case .header: try readHeader()
      case .block: if try !readBlockHeader() { part = .index }
      case .content(let block, _): return try decode(block, into: &buffer)
      case .index: try readIndex()
      case .footer: try readFooter()
      case .padding(let count): try skipPadding(count)
      case .nothing: break
      }
    } catch {
      failure = error
    }
    return 0
  }

  private func require(_ count: Int) throws(ArchiveError) {
    guard try input.has(count) else { throw .lzma(LZMA_BUF_ERROR, .xz) }
  }

  private func check(_ status: lzma_ret) throws(ArchiveError) {
    if status != LZMA_OK { throw .lzma(status, .xz) }
  }

  /// 2.1.1.
  private func readHeader() throws(ArchiveError) {
    try require(Int(LZMA_STREAM_HEADER_SIZE))
    let status = input.withBytes { bytes in
      unsafe bytes.withUnsafeBytes {
        unsafe lzma_stream_header_decode(&flags, $0.baseAddress?.assumingMemoryBound(to: UInt8.self))
      }
    }
    // Anything but a header after a stream is damage.
    try check(status == LZMA_FORMAT_ERROR && !isFirst ? LZMA_DATA_ERROR : status)
    guard lzma_check_is_supported(flags.check) != 0 else { throw .lzma(LZMA_UNSUPPORTED_CHECK, .xz) }
    input.drop(Int(LZMA_STREAM_HEADER_SIZE))
    isFirst = false
    // Reuses the memory that it already has.
    guard unsafe lzma_index_hash_init(index, nil) != nil else { throw .lzma(LZMA_MEM_ERROR, .xz) }
    part = .block
  }

  /// 3.1; false if the index follows instead.
  private func readBlockHeader() throws(ArchiveError) -> Bool {
    try require(1)
    guard input[0] != 0 else { return false }
    part = .content(try XZBlock(&input, check: flags.check), isHere: false)
    return true
  }

  private func decode(_ block: XZBlock, into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    let step = try block.decode(from: &input, into: &buffer)
    switch step.status {
    case .goesOn, .starved: break
    case .ended:
      note(unsafe block.append(to: index))
      part = .block
    case .failed(let error): failure = error
    }
    return step.produced
  }

  /// 4: the sizes of all blocks, compared with the actual ones.
  private func readIndex() throws(ArchiveError) {
    try require(1)
    var used = 0
    let status = input.withBytes { bytes in
      unsafe bytes.withUnsafeBytes {
        unsafe lzma_index_hash_decode(
          index, $0.baseAddress?.assumingMemoryBound(to: UInt8.self), &used, $0.count)
      }
    }
    input.drop(used)
    if status == LZMA_STREAM_END { part = .footer } else { try check(status) }
  }

  /// 2.1.2.
  private func readFooter() throws(ArchiveError) {
    try require(Int(LZMA_STREAM_HEADER_SIZE))
    var footer = lzma_stream_flags()
    let status = input.withBytes { bytes in
      unsafe bytes.withUnsafeBytes {
        unsafe lzma_stream_footer_decode(&footer, $0.baseAddress?.assumingMemoryBound(to: UInt8.self))
      }
    }
    try check(status == LZMA_FORMAT_ERROR ? LZMA_DATA_ERROR : status)
    guard unsafe lzma_index_hash_size(index) == footer.backward_size else {
      throw .lzma(LZMA_DATA_ERROR, .xz)
    }
    try check(unsafe lzma_stream_flags_compare(&flags, &footer))
    input.drop(Int(LZMA_STREAM_HEADER_SIZE))
    part = .padding(0)
  }

  /// 2.2: zeros, four at a time; another stream may follow.
  private func skipPadding(_ count: Int) throws(ArchiveError) {
    let isAtEnd = try !input.has(1)
    guard !isAtEnd, input[0] == 0 else {
      guard count % 4 == 0 else { throw .lzma(LZMA_DATA_ERROR, .xz) }
      part = isAtEnd ? .nothing : .header
      return
    }
    var zeros = 0
    while zeros < input.count, input[zeros] == 0 { zeros += 1 }
    input.drop(zeros)
    part = .padding((count + zeros) % 4)
  }
}
#endif
