/// The members of a gzip stream that say how long they are (Sequence Alignment/Map Format Specification, 4.1), several to a part.
enum BGZFParts {
  private static let (headerSize, trailerSize) = (18, 8)
  /// As many packed bytes are a part: members have at most 64 KiB each.
  private static let enough: Int64 = 512 << 10

  static func source(
    _ source: any SeekableSource, _ ledger: Ledger, _ cancellation: Cancellation
  ) throws(ArchiveError) -> PartedSource? {
    var table = PartTable()
    var check = PeriodicCheck(cancellation)
    var (start, next, content) = (Int64(0), Int64(0), Int64(0))
    var head = try source.bytes(headerSize, at: 0)
    while next < source.size {
      try check.step()
      guard MemberQueue.isFor(head) else { return nil }
      next += Int64(head.little(UInt16.self, at: 16)) + 1
      // ISIZE of this member, and the header of the next.
      let bytes = try source.bytes(4 + headerSize, at: next - 4)
      guard bytes.count >= 4 else { return nil }
      content += Int64(bytes.little(UInt32.self, at: 0))
      head = Array(bytes.dropFirst(4))
      guard next - start >= enough || next >= source.size else { continue }
      guard table.parts.count < PartTable.most, table.append(content: content, packed: start..<next) else {
        return nil
      }
      (start, content) = (next, 0)
    }
    guard next == source.size, table.parts.count > 1 else { return nil }
    return try PartedSource(table, of: source, .gzip, ledger) { part throws(ArchiveError) in
      try GzipDecoder(PackedStream(source, part.packed), warnings: nil)
    }
  }
}
