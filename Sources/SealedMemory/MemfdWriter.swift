/// A memory file that is being filled, block by block, each at its offset; `seal` consumes it. Dropping it gives back its
/// descriptor and memory.
package struct MemfdWriter: ~Copyable {
  /// How bytes get into the file.
  package enum Fill {
    /// Copied into huge folios (``FolioMapping``) where the file is large enough, otherwise written.
    case folios
    /// Written, pwrite(2).
    case written
    /// Copied into a mapping of the whole file.
    case mapped
  }

  private let memfd: Memfd
  private let fill: Fill
  private var mapping: Mapping?
  private var folios: FolioMapping?
  /// The end of the file as the kernel knows it.
  private var size: Int64 = 0

  /// - Parameter declaredSize: A hint; the content may turn out shorter or longer.
  package static func create(
    _ memfd: consuming Memfd, declaredSize: Int64?, fill: Fill
  ) throws(MemoryError) -> Self {
    var file = Self(memfd: memfd, fill: fill)
    if let declaredSize, declaredSize > 0 {
      switch fill {
      case .mapped: try file.grow(to: declaredSize)
      case .folios where declaredSize >= FolioMapping.step: try file.mapFolios(size: declaredSize)
      case .folios, .written: break
      }
    }
    return file
  }

  private init(memfd: consuming Memfd, fill: Fill) {
    self.memfd = memfd
    self.fill = fill
  }

  /// Puts `block` at `offset`; the caller has checked that its end does not overflow. Bytes never written read as zero.
  package mutating func write(_ block: RawSpan, at offset: Int64) throws(MemoryError) {
    guard block.byteCount > 0 else { return }
    let end = offset + Int64(block.byteCount)
    switch fill {
    case .mapped:
      if end > size { try grow(to: max(end, min(size * 2, size + Self.largestStep))) }
      mapping!.copy(block, to: Int(offset))
    case .written, .folios:
      // Measured: from 2 MiB on, huge folios take a quarter of the time of pwrite; below, pwrite from a warm buffer takes
      // half the time of faulting 4 KiB pages into a mapping.
      let copied = folios?.copy(block, to: Int(offset)) ?? 0
      guard copied < block.byteCount else { return }
      do {
        let rest = block.extracting(copied..<block.byteCount)
        try SystemCalls.write(rest, to: memfd.descriptor, at: offset + Int64(copied))
      } catch {
        throw .system("pwrite", error, doing: "filling a file in memory")
      }
      size = max(size, end)
    }
  }

  /// Makes the content final at exactly `finalSize` bytes; what lies between the last block and there is a hole.
  package consuming func seal(size finalSize: Int64) throws(MemoryError) -> SealedMemfd {
    // F_SEAL_WRITE is refused while a writable mapping exists.
    mapping = nil
    folios = nil
    if size != finalSize { try truncate(to: finalSize) }
    return try memfd.seal(size: Int(finalSize))
  }

  /// Gives the file its declared size, which takes no memory yet, and maps it. Where the mapping is refused, content is
  /// written instead.
  private mutating func mapFolios(size: Int64) throws(MemoryError) {
    try truncate(to: size)
    // Far below what an address can hold, so that rounding up cannot overflow.
    guard size < 1 << 46 else { return }
    folios = try? FolioMapping.create(memfd.descriptor, size: Int(size))
  }

  private static var largestStep: Int64 { 64 << 20 }

  private mutating func grow(to newSize: Int64) throws(MemoryError) {
    mapping = nil
    try truncate(to: newSize)
    do { mapping = try Mapping(memfd.descriptor, count: Int(newSize), writable: true) } catch {
      throw .system("mmap", error, doing: "filling a file in memory")
    }
  }

  private mutating func truncate(to newSize: Int64) throws(MemoryError) {
    do { try SystemCalls.truncate(memfd.descriptor, to: newSize) } catch {
      throw .system("ftruncate", error, doing: "sizing a file in memory")
    }
    size = newSize
  }
}
