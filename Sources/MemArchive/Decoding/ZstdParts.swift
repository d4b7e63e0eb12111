#if FastDecoders
/// The frames of a zstd stream, by its seek table (Zstandard Seekable Format, 0.1.0) or by their own headers, as far as all of
/// them say how much they hold.
enum ZstdParts {
  static func source(
    _ source: any SeekableSource, _ ledger: Ledger, _ cancellation: Cancellation
  ) throws(ArchiveError) -> PartedSource? {
    var table = try seekTable(of: source)
    if table == nil { table = try frames(of: source, cancellation) }
    guard let table, table.parts.count > 1 else { return nil }
    return try PartedSource(table, of: source, .zstd, ledger) { part throws(ArchiveError) in
      try ZstdDecoder(PackedStream(source, part.packed))
    }
  }

  /// nil if there is none whose frames fill all that is in front of it.
  private static func seekTable(of source: any SeekableSource) throws(ArchiveError) -> PartTable? {
    guard source.size > 17 else { return nil }
    let footer = try source.bytes(9, at: source.size - 9)
    guard footer.count == 9, footer.little(UInt32.self, at: 5) == 0x8F92_EAB1, footer[4] & 0x7C == 0 else {
      return nil
    }
    let (count, width) = (Int(footer.little(UInt32.self, at: 0)), footer[4] & 0x80 == 0 ? 8 : 12)
    let length = count * width + 17
    guard count <= PartTable.most, Int64(length) <= source.size else { return nil }
    let bytes = try source.bytes(length, at: source.size - Int64(length))
    guard bytes.count == length, bytes.little(UInt32.self, at: 0) == 0x184D_2A5E,
      bytes.little(UInt32.self, at: 4) == UInt32(length - 8)
    else { return nil }
    var (table, next) = (PartTable(), Int64(0))
    for index in 0..<count {
      let packed = Int64(bytes.little(UInt32.self, at: 8 + index * width))
      let content = Int64(bytes.little(UInt32.self, at: 12 + index * width))
      guard table.append(content: content, packed: next..<next + packed) else { return nil }
      next += packed
    }
    return next == source.size - Int64(length) ? table : nil
  }

  /// Walks from frame to frame, and from block to block; nil as soon as a frame does not say how much it holds.
  private static func frames(
    of source: any SeekableSource, _ cancellation: Cancellation
  ) throws(ArchiveError) -> PartTable? {
    var (table, start) = (PartTable(), Int64(0))
    var check = PeriodicCheck(cancellation)
    while start < source.size {
      try check.step()
      // The longest header of a frame (RFC 8878, 3.1.1.1).
      let head = try source.bytes(18, at: start)
      guard head.count >= 8 else { return nil }
      if head.little(UInt32.self, at: 0) & 0xFFFF_FFF0 == 0x184D_2A50 {
        start += 8 + Int64(head.little(UInt32.self, at: 4))
        continue
      }
      guard let frame = Frame(head) else { return nil }
      var (next, isLast) = (start + Int64(frame.headerSize), false)
      while !isLast {
        try check.step()
        let bytes = try source.bytes(3, at: next)
        guard bytes.count == 3 else { return nil }
        let block = Int64(bytes[0]) | Int64(bytes[1]) << 8 | Int64(bytes[2]) << 16
        isLast = block & 1 != 0
        // A block of one byte repeated has that byte alone.
        next += 3 + (block >> 1 & 3 == 1 ? 1 : block >> 3)
      }
      if frame.hasChecksum { next += 4 }
      guard next <= source.size, table.parts.count < PartTable.most,
        table.append(content: frame.content, packed: start..<next)
      else { return nil }
      start = next
    }
    return start == source.size ? table : nil
  }

  private struct Frame {
    let headerSize: Int
    let content: Int64
    let hasChecksum: Bool

    /// nil if these are not the first bytes of a frame that says how much it holds.
    init?(_ head: [UInt8]) {
      guard head.little(UInt32.self, at: 0) == 0xFD2F_B528 else { return nil }
      let descriptor = head[4]
      let isSingle = descriptor & 0x20 != 0
      let offset = 5 + (isSingle ? 0 : 1) + [0, 1, 2, 4][Int(descriptor & 3)]
      let width = [isSingle ? 1 : 0, 2, 4, 8][Int(descriptor >> 6)]
      guard width > 0, head.count >= offset + width else { return nil }
      var size: UInt64 = width == 2 ? 256 : 0
      for index in 0..<width { size &+= UInt64(head[offset + index]) << (8 * UInt64(index)) }
      guard let content = Int64(exactly: size) else { return nil }
      (headerSize, self.content, hasChecksum) = (offset + width, content, descriptor & 4 != 0)
    }
  }
}
#endif
