internal import CZlib
internal import SystemPackage

/// Where one gzip stream of one member can be decoded from.
///
/// Encoded, all numbers little-endian: "MEMAGZI1", the size and two checksums of the archive, its content's size and checksum, where
/// its deflate stream ends, the number of points, the points, their windows, and the CRC-32 of all that.
struct GzipIndex {
  struct Point {
    /// Where its content begins.
    let content: Int64
    /// The first byte of the stream that is whole there.
    let packed: Int64
    /// As many bits of the byte before belong to it.
    let bits: UInt8
    /// As many bytes in front of its content are kept.
    let windowSize: Int
    /// Of the content up to the next point.
    var checksum: UInt32 = 0
  }

  var points: [Point] = []
  var windows: [UInt8] = []
  var size: Int64 = 0
  var packedEnd: Int64 = 0
  /// Of all content, as the stream's trailer says.
  var checksum: UInt32 = 0

  static let name = "index"
  static let windowSize = 32 << 10
  private static let magic = Array("MEMAGZI1".utf8)
  private static let (headerSize, pointSize, trailerSize) = (48, 32, Int64(8))
  /// What of an archive's beginning and end is looked at to tell it from others.
  private static let sampleSize = 64 << 10

  init() {}

  /// Sets the checksum of the content after the last point.
  mutating func end(_ checksum: UInt32) {
    if !points.isEmpty { points[points.count - 1].checksum = checksum }
  }

  // MARK: Encoding

  func encoded(for archive: any SeekableSource) throws(ArchiveError) -> [UInt8] {
    var bytes = Self.magic
    let (head, tail) = try Self.samples(archive)
    bytes.put(UInt64(archive.size))
    bytes.put(head)
    bytes.put(tail)
    bytes.put(UInt64(size))
    bytes.put(checksum)
    bytes.put(UInt32(points.count))
    bytes.put(UInt64(packedEnd))
    for point in points {
      bytes.put(UInt64(point.content))
      bytes.put(UInt64(point.packed))
      bytes.put(UInt32(point.bits))
      bytes.put(UInt32(point.windowSize))
      bytes.put(point.checksum)
      bytes.put(UInt32(0))
    }
    bytes += windows
    bytes.put(CRC32.of(bytes))
    return bytes
  }

  private static func samples(_ archive: any SeekableSource) throws(ArchiveError) -> (UInt32, UInt32) {
    let head = try archive.bytes(sampleSize, at: 0)
    let tail = try archive.bytes(sampleSize, at: max(0, archive.size - Int64(sampleSize)))
    return (CRC32.of(head), CRC32.of(tail))
  }

  /// Decodes an index without its windows, and compares it with the archive: its size, its first and last bytes, and the checksum in
  /// its trailer, which that of all points together has to be.
  init(
    _ index: any SeekableSource, of archive: any SeekableSource, _ cancellation: Cancellation
  ) throws(ArchiveError) {
    let header = try index.bytes(Self.headerSize, at: 0)
    guard header.count == Self.headerSize, header.starts(with: Self.magic) else { throw Self.damaged }
    let count = Int64(header.little(UInt32.self, at: 36))
    let windows = Int64(Self.headerSize) + count * Int64(Self.pointSize)
    guard count > 0, count <= Int64(PartTable.most), windows + 4 <= index.size else { throw Self.damaged }
    try Self.check(index, cancellation)
    guard header.little(UInt64.self, at: 8) == UInt64(archive.size) else { throw Self.ofAnother }
    let (head, tail) = try Self.samples(archive)
    guard head == header.little(UInt32.self, at: 16), tail == header.little(UInt32.self, at: 20) else {
      throw Self.ofAnother
    }
    guard let size = Int64(exactly: header.little(UInt64.self, at: 24)),
      let packedEnd = Int64(exactly: header.little(UInt64.self, at: 40)),
      packedEnd <= archive.size - Self.trailerSize
    else { throw Self.damaged }
    (self.size, self.packedEnd, checksum) = (size, packedEnd, header.little(UInt32.self, at: 32))
    let trailer = try archive.bytes(Int(Self.trailerSize), at: packedEnd)
    guard trailer.count == Int(Self.trailerSize), trailer.little(UInt32.self, at: 0) == checksum,
      trailer.little(UInt32.self, at: 4) == UInt32(truncatingIfNeeded: size)
    else { throw Self.ofAnother }
    let bytes = try index.bytes(Int(windows) - Self.headerSize, at: Int64(Self.headerSize))
    guard bytes.count == Int(windows) - Self.headerSize else { throw Self.damaged }
    var windowEnd = windows
    for offset in stride(from: 0, to: bytes.count, by: Self.pointSize) {
      let bits = bytes.little(UInt32.self, at: offset + 16)
      let windowSize = Int(bytes.little(UInt32.self, at: offset + 20))
      guard let content = Int64(exactly: bytes.little(UInt64.self, at: offset)),
        let packed = Int64(exactly: bytes.little(UInt64.self, at: offset + 8)), bits < 8, packed > 0,
        windowSize <= Self.windowSize, packed <= packedEnd, content < size,
        points.last.map({ $0.content < content && $0.packed < packed }) ?? (content == 0)
      else { throw Self.damaged }
      points.append(
        Point(
          content: content, packed: packed, bits: UInt8(bits), windowSize: windowSize,
          checksum: bytes.little(UInt32.self, at: offset + 24)))
      windowEnd += Int64(windowSize)
    }
    guard windowEnd + 4 == index.size else { throw Self.damaged }
    try checkWhole()
  }

  /// Whether the index is as it was written.
  private static func check(
    _ index: any SeekableSource, _ cancellation: Cancellation
  ) throws(ArchiveError) {
    var (checksum, offset) = (CRC32(), Int64(0))
    let end = index.size - 4
    while offset < end {
      try cancellation.check()
      let bytes = try index.bytes(Int(min(256 << 10, end - offset)), at: offset)
      guard !bytes.isEmpty else { throw damaged }
      unsafe checksum.update(bytes.span.bytes)
      offset += Int64(bytes.count)
    }
    guard try index.bytes(4, at: end).elementsEqual(checksum.value.littleEndianBytes) else { throw damaged }
  }

  /// The points' checksums together are the content's.
  private func checkWhole() throws(ArchiveError) {
    var whole: UInt = 0
    for (number, point) in points.enumerated() {
      let end = number + 1 < points.count ? points[number + 1].content : size
      whole = crc32_combine(whole, UInt(point.checksum), Int(end - point.content))
    }
    guard whole == UInt(checksum) else { throw Self.damaged }
  }

  private static var damaged: ArchiveError {
    ArchiveError(
      .corrupt, "the index is damaged, or is none", advice: .other("List the archive without it for another.")
    )
  }

  static var ofAnother: ArchiveError {
    ArchiveError(
      .archiveChanged, "the index is of another archive, or of this one before it has changed",
      advice: .other("List the archive without it for another."))
  }

  // MARK: Decoding

  /// The content of an archive by its index.
  static func source(
    _ index: any SeekableSource, of archive: any SeekableSource, _ ledger: Ledger,
    _ cancellation: Cancellation
  ) throws(ArchiveError) -> PartedSource {
    let decoded = try GzipIndex(index, of: archive, cancellation)
    var table = PartTable()
    let points = decoded.points
    for (number, point) in points.enumerated() {
      let next = number + 1 < points.count ? points[number + 1] : nil
      // The byte that two share is in both.
      guard
        table.append(
          content: (next?.content ?? decoded.size) - point.content,
          packed: point.packed - (point.bits > 0 ? 1 : 0)..<(next?.packed ?? decoded.packedEnd))
      else { throw damaged }
    }
    let windows = index.size - 4 - points.reduce(0) { $0 + Int64($1.windowSize) }
    var starts: [Int64] = []
    _ = points.reduce(windows) { start, point in
      starts.append(start)
      return start + Int64(point.windowSize)
    }
    return try PartedSource(table, of: archive, .gzip, ledger) { [table, starts] part throws(ArchiveError) in
      let number = table.index(of: part.content.lowerBound)
      let window = try index.bytes(points[number].windowSize, at: starts[number])
      return try GzipSpanSource(
        PackedStream(archive, part.packed), from: points[number], after: window, count: part.content.count)
    }
  }
}

/// The content between two points of a gzip stream, whose checksum is compared at its end.
private final class GzipSpanSource: ByteSource {
  private let zlib: ZlibInflater
  private var input: InputBuffer
  private let point: GzipIndex.Point
  private let window: [UInt8]
  private var rest: Int
  private var checksum = CRC32()
  private var isBegun = false

  init(_ upstream: PackedStream, from point: GzipIndex.Point, after window: [UInt8], count: Int)
    throws(ArchiveError)
  {
    (self.point, self.window, rest) = (point, window, count)
    input = InputBuffer(upstream)
    zlib = try ZlibInflater()
  }

  var progress: SourceProgress { input.progress }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    try begin()
    guard rest > 0 else {
      guard checksum.value == point.checksum else { throw Self.damaged("its content is not the index's") }
      return 0
    }
    while true {
      let hasInput = try input.has(1)
      var room = buffer._mutatingExtracting(0..<min(buffer.byteCount, rest))
      let step = try input.withBytes { bytes throws(ArchiveError) in try zlib.inflate(bytes, into: &room) }
      input.drop(step.used)
      checksum.update(buffer.bytes.extracting(0..<step.produced))
      rest -= step.produced
      if step.produced > 0 { return step.produced }
      guard step.damage == nil, !step.isLast, hasInput else {
        throw Self.damaged(step.damage ?? "it ends too early")
      }
    }
  }

  private func begin() throws(ArchiveError) {
    guard !isBegun else { return }
    isBegun = true
    if point.bits > 0 {
      guard try input.has(1) else { throw Self.damaged("it ends too early") }
      zlib.prime(point.bits, of: input[0])
      input.drop(1)
    }
    zlib.set(history: window)
  }

  private static func damaged(_ what: String) -> ArchiveError {
    .corrupt("the gzip stream, begun by an index, is damaged: \(what)", call: "inflate")
  }
}

extension [UInt8] {
  fileprivate mutating func put<Value: FixedWidthInteger>(_ value: Value) { self += value.littleEndianBytes }
}
