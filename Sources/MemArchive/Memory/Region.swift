internal import SystemPackage

/// The writable memory that one entry streams into, block by block at its offset. `seal()` consumes it and a
/// MemFile's content comes out; a region that is dropped gives back its descriptor, memory and charge.
struct Region: ~Copyable {
  private let memfd: Memfd
  private let name: String
  private let fill: ExtractionOptions.Fill
  private var charge: Charge
  private var mapping: Mapping?
  private var folios: FolioMapping?
  /// The end of the file as the kernel knows it.
  private var fileSize: Int64 = 0
  /// The end of the content so far: the last block's, or a hole's behind it.
  private var end: Int64 = 0

  /// - Parameter declaredSize: believed as a hint only, and only once it has passed the limits.
  static func create(
    name: String, declaredSize: Int64?, fill: ExtractionOptions.Fill, executable: Bool, ledger: Ledger
  ) throws(ArchiveError) -> Self {
    if let declaredSize { try ledger.check(declared: declaredSize, entry: name) }
    var region = Self(
      memfd: try Memfd.create(name: name, executable: executable), name: name,
      fill: fill, charge: Charge(ledger, entry: name))
    if let declaredSize, declaredSize > 0 {
      switch fill {
      case .mapped: try region.grow(to: declaredSize)
      case .automatic where declaredSize >= FolioMapping.step: try region.mapFolios(size: declaredSize)
      case .automatic, .written: break
      }
    }
    return region
  }

  private init(memfd: consuming Memfd, name: String, fill: ExtractionOptions.Fill, charge: consuming Charge) {
    self.memfd = memfd
    self.name = name
    self.fill = fill
    self.charge = charge
  }

  /// Puts `block` at `offset`. Bytes never written read as zero.
  mutating func write(_ block: RawSpan, at offset: Int64) throws(ArchiveError) {
    let (blockEnd, overflow) = offset.addingReportingOverflow(Int64(block.byteCount))
    guard offset >= 0, !overflow else {
      throw .corrupt("a block lies at the impossible offset \(offset)", entry: name)
    }
    try extend(to: blockEnd)
    switch fill {
    case .mapped:
      if blockEnd > fileSize { try grow(to: max(blockEnd, min(fileSize * 2, fileSize + Self.largestStep))) }
      mapping!.copy(block, to: Int(offset))
    case .written, .automatic:
      // Measured: from 2 MiB on, huge folios take a quarter of the time of pwrite; below, pwrite from a warm buffer
      // takes half the time of faulting 4 KiB pages into a mapping.
      let copied = folios?.copy(block, to: Int(offset)) ?? 0
      guard copied < block.byteCount else { return }
      do {
        let rest = block.extracting(copied..<block.byteCount)
        try SystemCalls.write(rest, to: memfd.descriptor, at: offset + Int64(copied))
      } catch {
        throw .system("pwrite", error, doing: "filling a file in memory", entry: name)
      }
      fileSize = max(fileSize, blockEnd)
    }
  }

  /// Makes the content final at exactly `size` bytes; a hole reaches from the last block to there.
  consuming func seal(size: Int64) throws(ArchiveError) -> SealedMemory {
    try extend(to: size)
    // F_SEAL_WRITE is refused while a writable mapping exists.
    mapping = nil
    folios = nil
    if fileSize != size { try truncate(to: size) }
    let seals = try memfd.seal(entry: name)
    return SealedMemory(memfd: memfd, size: Int(size), seals: seals, charge: charge)
  }

  private mutating func extend(to newEnd: Int64) throws(ArchiveError) {
    guard newEnd > end else { return }
    try charge.grow(to: newEnd)
    end = newEnd
  }

  /// Makes the file as long as it is declared to be, which takes no memory, and maps it; where that is refused, the
  /// content is written.
  private mutating func mapFolios(size: Int64) throws(ArchiveError) {
    try truncate(to: size)
    // Far below what an address can hold, so that rounding it up cannot overflow.
    guard size < 1 << 46 else { return }
    folios = try? FolioMapping.create(memfd.descriptor, size: Int(size))
  }

  private static var largestStep: Int64 { 64 << 20 }

  private mutating func grow(to size: Int64) throws(ArchiveError) {
    mapping = nil
    try truncate(to: size)
    do { mapping = try Mapping(memfd.descriptor, count: Int(size), writable: true) } catch {
      throw .system("mmap", error, doing: "filling a file in memory", entry: name)
    }
  }

  private mutating func truncate(to size: Int64) throws(ArchiveError) {
    do { try SystemCalls.truncate(memfd.descriptor, to: size) } catch {
      throw .system("ftruncate", error, doing: "sizing a file in memory", entry: name)
    }
    fileSize = size
  }
}

/// What a sealed region leaves: the descriptor, its exact size in bytes, the seals the kernel confirmed, and the
/// charge that is given back when it is closed.
struct SealedMemory: ~Copyable {
  let memfd: Memfd
  let size: Int
  let seals: MemFile.Seals
  let charge: Charge
}
