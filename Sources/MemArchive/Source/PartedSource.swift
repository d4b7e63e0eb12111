internal import Synchronization

/// The parts of a compressed stream that can each be decoded without the others, in order, as the stream says of itself.
struct PartTable {
  struct Part {
    let content: Range<Int64>
    let packed: Range<Int64>
  }

  private(set) var parts: [Part] = []

  /// The number of bytes of all content.
  var size: Int64 { parts.last?.content.upperBound ?? 0 }

  /// Adds a part that follows the last; false if its sizes cannot be.
  mutating func append(content: Int64, packed: Range<Int64>) -> Bool {
    let (end, overflow) = size.addingReportingOverflow(content)
    guard content >= 0, !overflow, packed.lowerBound >= parts.last?.packed.lowerBound ?? 0 else {
      return false
    }
    if content > 0 { parts.append(Part(content: size..<end, packed: packed)) }
    return true
  }

  /// The number of the part with the content at an offset, which is less than `size`.
  func index(of offset: Int64) -> Int {
    var (low, high) = (0, parts.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if parts[middle].content.lowerBound <= offset { low = middle } else { high = middle }
    }
    return low
  }

  /// Upper bound of the parts that are looked for, and charged: more take longer to find than their content to decode.
  static let most = 1 << 20
}

/// The content of a stream that was compressed in parts: it is read at any offset, by decoding the part there from its beginning.
///
/// Bytes come before the checksum of their part has been verified, which it is at the part's end; see `settle`. What the table says
/// of a part is compared with what it is: content of another size is an error.
final class PartedSource: SeekableSource {
  typealias Open = (PartTable.Part) throws(ArchiveError) -> any ByteSource

  private struct Decoding {
    let part: PartTable.Part
    let decoder: any ByteSource
    var position: Int64
  }

  let size: Int64
  var position: Int64 = 0
  private let upstream: any SeekableSource
  private let filter: Filter
  private let table: PartTable
  private let open: Open
  private let account: EntryAccount
  private let monitor = ConditionLock()
  /// Guarded by the monitor.
  private var decoding: Decoding?

  /// - Parameter open: Decodes a part, and verifies that nothing but it is in its range of the stream.
  init(
    _ table: PartTable, of upstream: any SeekableSource, _ filter: Filter, _ ledger: Ledger,
    _ open: @escaping Open
  ) throws(ArchiveError) {
    (self.table, self.upstream, self.filter, self.open) = (table, upstream, filter, open)
    size = table.size
    account = EntryAccount(ledger)
    try account.hold(Int64(table.parts.count * MemoryLayout<PartTable.Part>.stride), entry: nil)
  }

  var progress: SourceProgress { upstream.progress }

  func read(at offset: Int64, into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    guard offset < size else { return 0 }
    return try locked { () throws(ArchiveError) in try decode(at: offset, into: &buffer) }
  }

  /// Verifies the part that was read last, by decoding the rest of it.
  func settle() throws(ArchiveError) {
    try locked { () throws(ArchiveError) in
      guard let decoding else { return }
      try pass(to: decoding.part.content.upperBound)
    }
  }

  private func locked<Result>(_ body: () throws(ArchiveError) -> Result) throws(ArchiveError) -> Result {
    // The closure returns a result because it cannot throw a typed error.
    let result: Swift.Result<Result, ArchiveError> = monitor.locked {
      do throws(ArchiveError) { return .success(try body()) } catch {
        decoding = nil
        return .failure(error)
      }
    }
    return try result.get()
  }

  private func decode(at offset: Int64, into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    if let decoding, decoding.part.content.contains(offset), decoding.position <= offset {
      try pass(to: offset)
    } else {
      let part = table.parts[table.index(of: offset)]
      decoding = Decoding(part: part, decoder: try open(part), position: part.content.lowerBound)
      try pass(to: offset)
    }
    return try step(into: &buffer)
  }

  /// Decodes to an offset in the current part, or its end.
  private func pass(to offset: Int64) throws(ArchiveError) {
    var scratch: [UInt8] = []
    while let current = decoding, current.position < offset {
      scratch.grow(to: 64 << 10)
      var elements = scratch.mutableSpan
      var bytes = unsafe elements.mutableBytes
      var front = bytes._mutatingExtracting(0..<Int(min(Int64(bytes.byteCount), offset - current.position)))
      _ = try step(into: &front)
    }
  }

  private func step(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    guard let current = decoding else { return 0 }
    let end = current.part.content.upperBound
    var front = buffer._mutatingExtracting(0..<Int(min(Int64(buffer.byteCount), end - current.position)))
    let count = try current.decoder.read(into: &front)
    guard count > 0 else { throw contradiction }
    decoding?.position += Int64(count)
    if current.position + Int64(count) == end {
      // Its checksum comes after the last byte.
      var more: [UInt8] = [0]
      guard try current.decoder.read(into: &more) == 0 else { throw contradiction }
      decoding = nil
    }
    return count
  }

  private var contradiction: ArchiveError {
    .corrupt("a part of the \(filter) stream has another size than the stream says of it")
  }
}

extension Filter {
  /// The content of a stream of this kind, if it says where it can be decoded from; nil where it has to be decoded from its
  /// beginning.
  func parted(
    _ source: any SeekableSource, in ledger: Ledger, _ cancellation: Cancellation
  ) throws(ArchiveError) -> PartedSource? {
    #if FastDecoders
    switch self {
    case .gzip: return try BGZFParts.source(source, ledger, cancellation)
    case .xz: return try XZParts.source(source, ledger, cancellation)
    case .zstd: return try ZstdParts.source(source, ledger, cancellation)
    default: return nil
    }
    #else
    return self == .gzip ? try BGZFParts.source(source, ledger, cancellation) : nil
    #endif
  }
}
