#if FastDecoders
/// What a 7z header says about packed data: where the packed streams are, the folders that they are unpacked by, and the
/// streams that each folder holds.
struct SevenZipStreams {
  /// The content of one entry.
  struct Stream {
    let folder: Int
    /// Where it begins in the folder's output.
    let offset: Int64
    let size: Int64
    let checksum: UInt32?
  }

  /// The packed streams' places in the file.
  private(set) var packed: [Range<Int64>] = []
  private(set) var folders: [SevenZipFolder] = []
  /// The first packed stream of each folder.
  private(set) var firstPacked: [Int] = []
  private(set) var streams: [Stream] = []

  init() {}

  /// - Parameters:
  ///   - bounds: The bytes of the file that may hold packed streams.
  ///   - account: Charged for what is kept.
  init(
    _ header: inout SevenZipBytes, in bounds: Range<Int64>, _ account: EntryAccount,
    _ cancellation: Cancellation
  ) throws(ArchiveError) {
    var property = try header.property()
    if property == .packInfo {
      try readPackInfo(&header, bounds)
      property = try header.property()
    }
    if property == .unpackInfo {
      try readFolders(&header, account, cancellation)
      property = try header.property()
    }
    var counts = [Int](repeating: 1, count: folders.count)
    if property == .subStreams {
      property = try header.property()
      if property == .streamCounts {
        for index in counts.indices { counts[index] = try header.count() }
        property = try header.property()
      }
      try readStreams(&header, counts, &property, account, cancellation)
      guard property == .end else { throw .sevenZipHeader("has an unknown part among its streams") }
      property = try header.property()
    } else {
      for index in folders.indices { folders[index].firstStream = index }
      streams = folders.indices.map {
        Stream(folder: $0, offset: 0, size: folders[$0].size, checksum: folders[$0].checksum)
      }
    }
    guard property == .end else { throw .sevenZipHeader("has an unknown part after its streams") }
  }

  /// How the content is stored; its size in the file is known if nothing else is in its folder.
  func packing(of stream: Stream) -> ArchiveEntry.Packing {
    let folder = folders[stream.folder]
    var packing = ArchiveEntry.Packing(crc32: stream.checksum, compression: folder.compression)
    if stream.offset == 0, stream.size == folder.size {
      let first = firstPacked[stream.folder]
      let own = packed[first..<first + folder.packedCount]
      packing.compressedSize = (own.last?.upperBound ?? 0) - (own.first?.lowerBound ?? 0)
    }
    return packing
  }

  private mutating func readPackInfo(
    _ header: inout SevenZipBytes, _ bounds: Range<Int64>
  ) throws(ArchiveError) {
    var position = try header.size()
    guard position <= bounds.count else { throw .sevenZipHeader("places data beyond the archive's end") }
    position += bounds.lowerBound
    let count = try header.count()
    var property = try header.property()
    if property == .size {
      for _ in 0..<count {
        let size = try header.size()
        guard size <= bounds.upperBound - position else {
          throw .sevenZipHeader("places data beyond the archive's end")
        }
        packed.append(position..<position + size)
        position += size
      }
      property = try header.property()
    }
    guard packed.count == count else { throw .sevenZipHeader("lacks the sizes of its packed streams") }
    if property == .checksum {
      _ = try header.checksums(count)
      property = try header.property()
    }
    guard property == .end else { throw .sevenZipHeader("has an unknown part among its packed streams") }
  }

  private mutating func readFolders(
    _ header: inout SevenZipBytes, _ account: EntryAccount, _ cancellation: Cancellation
  ) throws(ArchiveError) {
    try header.expect(.folder)
    let count = try header.count()
    try header.refuseExternal()
    var check = PeriodicCheck(cancellation)
    var packedCount = 0
    for _ in 0..<count {
      try check.step()
      let folder = try SevenZipFolder(&header)
      try account.hold(folder.cost, entry: nil)
      firstPacked.append(packedCount)
      packedCount += folder.packedCount
      folders.append(folder)
    }
    guard packedCount <= packed.count else {
      throw .sevenZipHeader("has fewer packed streams than its folders need")
    }
    try header.expect(.coderSizes)
    for index in folders.indices { try folders[index].readSizes(&header) }
    var property = try header.property()
    if property == .checksum {
      for (index, checksum) in try header.checksums(count).enumerated() { folders[index].checksum = checksum }
      property = try header.property()
    }
    guard property == .end else { throw .sevenZipHeader("has an unknown part among its folders") }
  }

  private mutating func readStreams(
    _ header: inout SevenZipBytes, _ counts: [Int], _ property: inout SevenZipProperty?,
    _ account: EntryAccount, _ cancellation: Cancellation
  ) throws(ArchiveError) {
    // Each takes a byte of the header at least, or is the only one of a folder.
    let total = counts.reduce(0) { min($0 + $1, .max / 2) }
    guard total <= header.left + folders.count else {
      throw .sevenZipHeader("counts more streams than it has room for")
    }
    try account.hold(Int64(total * 2 * MemoryLayout<Stream>.stride), entry: nil)
    let hasSizes = property == .size
    var check = PeriodicCheck(cancellation)
    var found: [(folder: Int, offset: Int64, size: Int64)] = []
    for (index, count) in counts.enumerated() where count > 0 {
      guard hasSizes || count == 1 else { throw .sevenZipHeader("lacks the sizes of its entries") }
      folders[index].firstStream = found.count
      var offset: Int64 = 0
      let end = folders[index].size
      for number in 1...count {
        try check.step()
        let size = number < count ? try header.size() : end - offset
        guard size <= end - offset else {
          throw .sevenZipHeader("has entries that are larger than their folder")
        }
        found.append((index, offset, size))
        offset += size
      }
    }
    if hasSizes { property = try header.property() }
    // The checksum of the only stream of a folder is the folder's, where that has one.
    let isKnown = { [folders] (folder: Int) in counts[folder] == 1 && folders[folder].checksum != nil }
    var checksums: [UInt32?] = []
    if property == .checksum {
      checksums = try header.checksums(found.count { !isKnown($0.folder) })
      property = try header.property()
    }
    var next = checksums.makeIterator()
    streams = found.map { (folder, offset, size) in
      let checksum = isKnown(folder) ? folders[folder].checksum : next.next() ?? nil
      return Stream(folder: folder, offset: offset, size: size, checksum: checksum)
    }
  }
}

extension SevenZipBytes {
  /// Data that lies in another stream: a possibility that no writer uses.
  mutating func refuseExternal() throws(ArchiveError) {
    guard try byte() == 0 else { throw .unsupportedCoder("a header that is split over several streams") }
  }
}
#endif
