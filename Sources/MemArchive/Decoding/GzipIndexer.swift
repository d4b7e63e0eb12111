/// Notes, while a gzip stream is decoded, where it can be decoded from: between blocks, every few mebibytes, with the content in
/// front that matches there may reach into (as zlib's examples/zran.c does). zlib alone tells where its blocks end.
final class GzipIndexer {
  private let zlib: ZlibInflater
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
    zlib = try ZlibInflater()
  }

  /// Called at the beginning of each member's content, with its offset in the stream.
  func beginMember(at offset: Int) {
    zlib.reset()
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
    let step = try zlib.inflate(input, into: &output, stopsAtBlocks: true)
    note(output.bytes.extracting(0..<step.produced))
    if let bits = zlib.bitsAfterBlock, content - (index.points.last?.content ?? 0) >= Self.spacing {
      add(
        GzipIndex.Point(
          content: content, packed: Int64(offset + step.used), bits: bits,
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
