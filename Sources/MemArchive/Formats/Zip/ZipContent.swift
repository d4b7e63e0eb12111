/// The location of a zip entry's content, and the size and checksum that it must have.
struct ZipContent: Sendable {
  /// 0, 8, 12, or 14 for an empty file (APPNOTE 4.4.5).
  let method: UInt16
  let start: Int64
  let compressedSize: UInt64
  let size: UInt64
  let checksum: UInt32

  init(_ record: ZipRecord, start: Int64) {
    (method, compressedSize, size) = (record.method, record.compressedSize, record.size)
    checksum = record.checksum
    self.start = start
  }

  /// Deflated content, of which nothing is known but where it begins.
  init(deflatedAt start: Int64) {
    (method, self.start, compressedSize, size, checksum) = (8, start, .max, .max, 0)
  }

  /// Whether it ends where its deflate stream does. No size in a header is as large.
  var endsByItself: Bool { compressedSize == .max }
}

/// Reads and decodes the content of one entry after another; each thread has its own.
final class ZipContentReader {
  private let source: SharedSource
  private let readsAhead: Bool
  private var deflated: DeflatedContent?
  private var block: [UInt8] = []

  /// Large enough to make system calls rare, small enough to stay in the second-level cache.
  private static let blockSize = 256 << 10
  /// The size of content that is worth a thread that decodes while another one verifies and stores.
  private static let large: UInt64 = 4 << 20

  /// - Parameter readsAhead: Whether a separate thread may decode large content.
  init(_ source: SharedSource, readsAhead: Bool) {
    self.source = source
    self.readsAhead = readsAhead
  }

  /// Calls `body` with each block of the content and its offset, and returns its size; throws if the checksum is wrong.
  ///
  /// - Parameter room: The memory for the next block, at least one byte; nil: the reader's own.
  func forEachBlock(
    of content: ZipContent, in room: () -> Room? = { nil },
    _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) -> Int64 {
    var checksum = CRC32()
    var end: Int64 = 0
    func take(_ block: RawSpan) throws(ArchiveError) {
      checksum.update(block)
      try body(block, end)
      end += Int64(block.byteCount)
    }
    if content.method == 0 {
      try copy(content, room, take)
    } else if content.method == 14 {
      try checkEmptyLZMA(content)
    } else if content.compressedSize > 0 || content.size > 0 {
      // Some writers store empty content as no bytes at all, without an end marker.
      let decoder = try content.method == 12 ? bzip2(content) : inflated(content)
      try pass(decoder, of: content, room, take)
    }
    try checksum.check(against: content.checksum)
    return end
  }

  /// Throws unless LZMA decodes to nothing: after version and properties (5.8.8) there is the end marker, whose code is the
  /// same whatever the properties are, or no code at all.
  private func checkEmptyLZMA(_ content: ZipContent) throws(ArchiveError) {
    let marker: [UInt8] = [0, 0x83, 0xFF, 0xFB, 0xFF, 0xFF, 0xC0, 0, 0, 0]
    let none: [UInt8] = [0, 0, 0, 0, 0]
    let bytes = try source.bytes(Int(min(content.compressedSize, 64)), at: content.start)
    guard
      bytes.isEmpty
        || (bytes.count == content.compressedSize && bytes.count > 9
          && bytes.little(UInt16.self, at: 2) == 5 && bytes[4] < 225
          && (bytes[9...].elementsEqual(marker) || bytes[9...].elementsEqual(none)))
    else { throw .corrupt("the LZMA stream of an empty file is damaged or not empty") }
  }

  private func copy(
    _ content: ZipContent, _ room: () -> Room?, _ take: (RawSpan) throws(ArchiveError) -> Void
  ) throws(ArchiveError) {
    if room() != nil {
      let size = min(Int64(clamping: content.compressedSize), .max - content.start)
      let stored = source.part(content.start..<content.start + size)
      return try pass(stored, of: content, room, take)
    }
    Self.reserve(content.compressedSize, in: &block)
    var done: UInt64 = 0
    while done < content.compressedSize {
      let count = try source.fill(
        &block, upTo: content.compressedSize - done, at: content.start + Int64(done))
      // A local reference, so that `take` may use the reader too.
      let block = block
      try unsafe take(block.span.bytes.extracting(0..<count))
      done += UInt64(count)
    }
  }

  private func inflated(_ content: ZipContent) throws(ArchiveError) -> any ByteSource {
    let deflated: DeflatedContent
    if let existing = self.deflated { deflated = existing } else { deflated = try DeflatedContent(source) }
    self.deflated = deflated
    deflated.begin(content)
    return deflated
  }

  private func bzip2(_ content: ZipContent) throws(ArchiveError) -> any ByteSource {
    // Where entries may overlap, one may claim more than any file has.
    let size = min(Int64(content.compressedSize), .max - content.start)
    return BZip2Decoder(
      source.part(content.start..<content.start + size), size: Int(size), threads: 1,
      warnings: WarningLog(Ledger(ExtractionLimits(heldBytes: .max))))
  }

  /// Passes all of a decoder's content on.
  private func pass(
    _ decoder: any ByteSource, of content: ZipContent, _ room: () -> Room?,
    _ take: (RawSpan) throws(ArchiveError) -> Void
  ) throws(ArchiveError) {
    // Whoever has room stores nothing meanwhile, so that nothing is gained by decoding ahead.
    while let room = room() {
      guard try room.pass(from: decoder, to: take) else { return }
    }
    Self.reserve(content.size, in: &block)
    // Moved out and back, so that writing to it copies nothing.
    var block = self.block
    self.block = []
    defer { self.block = block }
    let isAhead = readsAhead && content.size >= Self.large
    let reader = isAhead ? ReadAheadSource(decoder, stop: Cancellation()) : decoder
    while true {
      if let lent = unsafe try reader.lend() {
        guard unsafe !lent.isEmpty else { return }
        try unsafe take(lent.bytes)
      } else {
        let count = try reader.read(into: &block)
        guard count > 0 else { return }
        try unsafe take(block.span.bytes.extracting(0..<count))
      }
    }
  }

  /// Makes room for `count` bytes, at most a block; small entries need little.
  static func reserve(_ size: UInt64, in buffer: inout [UInt8]) {
    let count = Int(min(UInt64(blockSize), max(1, size)))
    if buffer.count < count { buffer = [UInt8](repeating: 0, count: max(count, min(blockSize, 4096))) }
  }
}

extension SharedSource {
  /// Fills `buffer`, or its front if `count` is less, and returns the number of bytes.
  func fill(_ buffer: inout [UInt8], upTo count: UInt64, at offset: Int64) throws(ArchiveError) -> Int {
    let wanted = Int(min(UInt64(buffer.count), count))
    guard try read(into: &buffer, count: wanted, at: offset) == wanted else {
      throw .truncated("the archive has become shorter while it was read")
    }
    return wanted
  }
}
