internal import CZlib
internal import SystemPackage

/// Notes, while a gzip stream is decoded, where it can be decoded from: between blocks, every few mebibytes, with the content in
/// front that matches there may reach into (as zlib's examples/zran.c does). zlib alone tells where its blocks end.
@safe final class GzipIndexer {
  private let stream: UnsafeMutablePointer<z_stream>
  private let account: EntryAccount
  private var index = GzipIndex()
  /// The last content, at least as much as a window if there was as much.
  private var history: [UInt8] = []
  private var content: Int64 = 0
  /// Of the content since the last point.
  private var span = CRC32()
  private var members = 0
  /// Where the member's content ends in the stream.
  private var isComplete = false
  /// Whether the stream is as an index needs it, and memory for it is left.
  private var isUsable = true

  /// Content between two points: as much is decoded, half of it on average, before what is asked for.
  private static let spacing: Int64 = 4 << 20

  init(_ ledger: Ledger) throws(ArchiveError) {
    account = EntryAccount(ledger)
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

  /// Called at the beginning of each member's content, with its offset in the stream.
  func beginMember(at offset: Int) {
    unsafe _ = inflateReset(stream)
    members += 1
    // Points lie in one deflate stream.
    if members > 1 { isUsable = false }
    add(GzipIndex.Point(content: content, packed: Int64(offset), bits: 0, windowSize: 0))
  }

  /// Called once the checksum of a member has been verified, with the offset of its trailer.
  func endMember(at offset: Int, checksum: UInt32) {
    index.packedEnd = Int64(offset)
    index.checksum = checksum
    isComplete = true
  }

  /// Decodes some of `input`, which is at `offset` in the stream, as `RawInflater` does, and no further than to the end of a block.
  func inflate(
    _ input: RawSpan, at offset: Int, into output: inout MutableRawSpan
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
        return unsafe CZlib.inflate(stream, Z_BLOCK)
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
    note(output.bytes.extracting(0..<step.produced))
    let type = unsafe stream.pointee.data_type
    // 128: at the end of a block; 64: of the last; below: the bits of the last byte that are not used.
    if type & 128 != 0, type & 64 == 0, content - (index.points.last?.content ?? 0) >= Self.spacing {
      add(
        GzipIndex.Point(
          content: content, packed: Int64(offset + step.used), bits: UInt8(type & 7),
          windowSize: min(history.count, GzipIndex.windowSize)))
    }
    return step
  }

  private func note(_ bytes: RawSpan) {
    guard isUsable else { return }
    span.update(bytes)
    content += Int64(bytes.byteCount)
    let tail = bytes.extracting(last: min(bytes.byteCount, GzipIndex.windowSize))
    unsafe tail.withUnsafeBytes { unsafe history.append(contentsOf: $0) }
    if history.count > 8 * GzipIndex.windowSize { history.removeFirst(history.count - GzipIndex.windowSize) }
  }

  private func add(_ point: GzipIndex.Point) {
    guard isUsable else { return }
    let cost = Int64(point.windowSize + MemoryLayout<GzipIndex.Point>.stride)
    do throws(ArchiveError) { try account.hold(2 * cost, entry: nil) } catch {
      // Content is extracted without it, by decoding from the beginning.
      (isUsable, index, history) = (false, GzipIndex(), [])
      return
    }
    index.end(span.value)
    span = CRC32()
    index.points.append(point)
    index.windows += history.suffix(point.windowSize)
  }

  /// The index, once all has been decoded; nil if there can be none, or it would be of no use.
  ///
  /// - Parameter archive: The stream.
  func finish(_ archive: any SeekableSource) throws(ArchiveError) -> MemFile? {
    guard isUsable, isComplete, index.points.count > 1 else { return nil }
    index.end(span.value)
    index.size = content
    return try MemFile(name: GzipIndex.name, bytes: index.encoded(for: archive))
  }
}
