internal import SystemPackage

/// A file in memory that is being filled, block by block at its offset; `seal` consumes it. One that is dropped gives
/// its descriptor and memory back.
struct MemfdWriter: ~Copyable {
  let memfd: Memfd
  private let name: String
  private let fill: ExtractionOptions.Fill
  private var mapping: Mapping?
  private var folios: FolioMapping?
  /// The end of the file as the kernel knows it.
  private var size: Int64 = 0

  /// - Parameter declaredSize: a hint only, which has passed the limits.
  static func create(
    _ memfd: consuming Memfd, name: String, declaredSize: Int64?, fill: ExtractionOptions.Fill
  ) throws(ArchiveError) -> Self {
    var file = Self(memfd: memfd, name: name, fill: fill)
    if let declaredSize, declaredSize > 0 {
      switch fill {
      case .mapped: try file.grow(to: declaredSize)
      case .automatic where declaredSize >= FolioMapping.step: try file.mapFolios(size: declaredSize)
      case .automatic, .written: break
      }
    }
    return file
  }

  private init(memfd: consuming Memfd, name: String, fill: ExtractionOptions.Fill) {
    self.memfd = memfd
    self.name = name
    self.fill = fill
  }

  /// Puts `block` at `offset`; the end of it is a number that can be had. Bytes never written read as zero.
  mutating func write(_ block: RawSpan, at offset: Int64) throws(ArchiveError) {
    guard block.byteCount > 0 else { return }
    let end = offset + Int64(block.byteCount)
    switch fill {
    case .mapped:
      if end > size { try grow(to: max(end, min(size * 2, size + Self.largestStep))) }
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
      size = max(size, end)
    }
  }

  /// Makes the content final at exactly `finalSize` bytes; a hole reaches from the last block to there.
  consuming func seal(size finalSize: Int64, charge: consuming Charge) throws(ArchiveError) -> SealedMemory {
    // F_SEAL_WRITE is refused while a writable mapping exists.
    mapping = nil
    folios = nil
    if size != finalSize { try truncate(to: finalSize) }
    let seals = try memfd.seal(entry: name)
    return SealedMemory(memfd: memfd, size: Int(finalSize), seals: seals, charge: charge)
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

  private mutating func grow(to newSize: Int64) throws(ArchiveError) {
    mapping = nil
    try truncate(to: newSize)
    do { mapping = try Mapping(memfd.descriptor, count: Int(newSize), writable: true) } catch {
      throw .system("mmap", error, doing: "filling a file in memory", entry: name)
    }
  }

  private mutating func truncate(to newSize: Int64) throws(ArchiveError) {
    do { try SystemCalls.truncate(memfd.descriptor, to: newSize) } catch {
      throw .system("ftruncate", error, doing: "sizing a file in memory", entry: name)
    }
    size = newSize
  }
}

/// What a sealed file leaves: the descriptor, its exact size in bytes, the seals the kernel confirmed, and the charge
/// that is given back when it is closed.
struct SealedMemory: ~Copyable {
  let memfd: Memfd
  let size: Int
  let seals: MemFile.Seals
  let charge: Charge
}
