internal import SealedMemory
internal import SystemPackage

/// Sends a content that the host does not keep: piece by piece, each in a sealed memory file of its own.
struct PieceWriter: ~Copyable {
  /// Upper bound of a piece's size; a few pieces are on their way at once. Other sizes have not been measured.
  static let largest = 1 << 20

  private let connection: WorkerConnection
  /// The size of a full piece. The host counts a piece as a whole, as it would count a block without a sandbox: where less than
  /// twice the largest may be held, half of that.
  private let capacity: Int
  private var file: MemfdWriter?
  /// Where the piece that is being filled begins and ends in the content.
  private var (start, end) = (Int64(0), Int64(0))

  init(_ connection: WorkerConnection, _ ledger: Ledger) {
    self.connection = connection
    capacity = Int(max(1, min(Int64(Self.largest), ledger.room / 2)))
  }

  mutating func write(_ block: RawSpan, at offset: Int64) throws(ArchiveError) {
    if offset != end { try finish() }
    var rest = block
    var offset = offset
    while rest.byteCount > 0 {
      if file == nil { (start, end) = (offset, offset) }
      let count = min(rest.byteCount, capacity - Int(end - start))
      try write(rest.extracting(first: count))
      rest = rest.extracting(droppingFirst: count)
      offset += Int64(count)
      if end - start == Int64(capacity) { try finish() }
    }
  }

  private mutating func write(_ block: RawSpan) throws(ArchiveError) {
    do throws(MemoryError) {
      if file == nil {
        file = try MemfdWriter.create(
          Memfd.create(name: "piece", executable: false), declaredSize: nil, fill: .written)
      }
      try file?.write(block, at: end - start)
    } catch {
      throw ArchiveError(error)
    }
    end += Int64(block.byteCount)
  }

  /// Sends what is written.
  mutating func finish() throws(ArchiveError) {
    guard let file = file.take() else { return }
    do throws(MemoryError) { connection.send(try file.seal(size: end - start), at: start) } catch {
      throw ArchiveError(error)
    }
  }
}

/// Keeps a piece open until it has been sent.
final class HeldPiece {
  private let piece: SealedMemfd
  var descriptor: CInt { piece.memfd.descriptor.rawValue }

  init(_ piece: consuming SealedMemfd) { self.piece = piece }
}

extension SealedMemfd {
  /// Calls `body` with the bytes of a received piece of an entry.
  func withBytes(
    _ entry: ArchiveEntry, _ body: (RawSpan) throws(ArchiveError) -> Void
  ) throws(ArchiveError) {
    let mapping: Mapping
    do throws(Errno) { mapping = try Mapping(memfd.descriptor, count: size, writable: false) } catch {
      throw .system("mmap", error, doing: "mapping a piece of a content", entry: entry.name)
    }
    try mapping.withBytes { bytes throws(ArchiveError) in try body(bytes) }
  }
}
