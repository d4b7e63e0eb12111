/// Local headers, read in the order in which they lie in the file: those of small neighbours come with one call.
struct HeaderWindow {
  private let source: SharedSource
  private(set) var bytes: [UInt8] = []
  private var start: Int64 = 0
  private static let size = 64 << 10

  init(_ source: SharedSource) { self.source = source }

  /// Reads `count` bytes from `offset` on, fewer only at the end, and returns where they begin in `bytes`.
  mutating func place(_ count: Int, at offset: Int64) throws(ArchiveError) -> Int {
    // Written so that no sum can overflow: a file may be as long as a number can say, and have its end there.
    if offset < start || Int64(count) > Int64(bytes.count) - (offset - start) {
      let isNear = offset >= start && offset - start < 2 * Int64(Self.size)
      bytes = try source.bytes(isNear ? max(count, Self.size) : count, at: offset)
      start = offset
    }
    return Int(offset - start)
  }
}
