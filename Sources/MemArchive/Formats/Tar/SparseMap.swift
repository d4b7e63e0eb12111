/// The regions of a file with holes that a tar stores.
struct SparseMap {
  struct Region {
    let offset: Int64
    let count: Int64
  }

  private(set) var regions: [Region] = []
  /// The size of the file, with its holes.
  let size: Int64
  private var stored: Int64 = 0

  /// Upper bound of regions; each takes sixteen bytes of memory.
  private static let most = 1 << 22

  init(size: Int64) { self.size = size }

  /// - Parameter numbers: Offset, count, offset, count…
  init(_ numbers: [Int64], size: Int64, stored: Int64) throws(ArchiveError) {
    self.init(size: size)
    guard numbers.count.isMultiple(of: 2) else { throw .corrupt("the map of the sparse file has a gap") }
    for index in stride(from: 0, to: numbers.count, by: 2) {
      try add(numbers[index], numbers[index + 1])
    }
    try check(stored: stored)
  }

  mutating func add(_ offset: Int64, _ count: Int64) throws(ArchiveError) {
    let end = regions.last.map { $0.offset + $0.count } ?? 0
    guard offset >= end, count >= 0, offset <= size, count <= size - offset else {
      throw .corrupt("the map of the sparse file contradicts itself")
    }
    guard regions.count < Self.most else {
      throw ArchiveError(
        .unsupportedFeature, "the sparse file has more than \(Self.most) regions",
        advice: "Unpack it by GNU tar.")
    }
    stored += count
    regions.append(Region(offset: offset, count: count))
  }

  /// Throws if the archive does not hold that much.
  func check(stored: Int64) throws(ArchiveError) {
    guard self.stored <= stored else {
      throw .corrupt(
        "the map of the sparse file counts \(self.stored) bytes, and the archive holds \(stored)")
    }
  }

  /// Reads a table of offsets and counts in a header, twelve bytes each; an empty one ends it.
  mutating func add(table: ArraySlice<UInt8>) throws(ArchiveError) {
    var rest = table
    while rest.count >= 24, rest[rest.startIndex] != 0, rest[rest.startIndex + 12] != 0 {
      guard let offset = TarHeader.number(rest.prefix(12)),
        let count = TarHeader.number(rest.dropFirst(12).prefix(12))
      else { throw .corrupt("the map of the sparse file holds something else than numbers") }
      try add(offset, count)
      rest = rest.dropFirst(24)
    }
  }
}
