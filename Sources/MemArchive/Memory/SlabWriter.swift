internal import SystemPackage

/// The memory file behind an open slab: content goes to its end, into huge folios.
struct SlabWriter: ~Copyable {
  /// Shown in /proc/PID/maps.
  static let name = "slab"
  /// So many files share one; a single one keeps so much memory at most.
  static let capacity = 16 << 20
  /// The first bytes are in small pages: many archives hold no more than that, and a folio is 2 MiB.
  private static let smallStart = 256 << 10
  /// Numbers in the content keep their natural alignment.
  private static let alignment = 8

  private let memfd: Memfd
  private var folios: FolioMapping?
  private var used = 0

  static func create(usesFolios: Bool) throws(ArchiveError) -> Self {
    let memfd = try Memfd.create(name: name, executable: false)
    do throws(Errno) { try SystemCalls.truncate(memfd.descriptor, to: Int64(capacity)) } catch {
      throw .system("ftruncate", error, doing: "sizing a file in memory")
    }
    let folios = usesFolios ? try? FolioMapping.create(memfd.descriptor, size: capacity) : nil
    return Self(memfd: memfd, folios: folios)
  }

  private init(memfd: consuming Memfd, folios: consuming FolioMapping?) {
    self.memfd = memfd
    self.folios = folios
  }

  /// Adds content and returns where it begins; nil where it does not fit.
  mutating func append(_ content: RawSpan) throws(ArchiveError) -> Int? {
    let start = (used + Self.alignment - 1) & -Self.alignment
    let end = start + content.byteCount
    guard end <= Self.capacity else { return nil }
    let copied = end > Self.smallStart ? folios?.copy(content, to: start, contentEnd: used) ?? 0 : 0
    if copied < content.byteCount {
      try write(content.extracting(copied..<content.byteCount), at: start + copied)
    }
    used = end
    return start
  }

  /// A copy of some content.
  borrowing func bytes(_ range: Range<Int>) throws(ArchiveError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: range.count)
    var filled = 0
    while filled < bytes.count {
      var elements = bytes.mutableSpan
      var all = unsafe elements.mutableBytes
      var free = all._mutatingExtracting(filled...)
      do throws(Errno) {
        let count = try SystemCalls.read(memfd.descriptor, at: Int64(range.lowerBound + filled), into: &free)
        guard count > 0 else { throw .ioError }
        filled += count
      } catch {
        throw .system("pread", error, doing: "copying a file in memory")
      }
    }
    return bytes
  }

  /// Seals the memory file, maps it for reading and closes its descriptor.
  consuming func finish(keepsDescriptor: Bool) throws(ArchiveError) -> SealedSlab {
    let size = try trim()
    // F_SEAL_WRITE is refused while a writable mapping exists.
    folios = nil
    do throws(Errno) { try SystemCalls.truncate(memfd.descriptor, to: Int64(size)) } catch {
      throw .system("ftruncate", error, doing: "sizing a file in memory")
    }
    let seals = try memfd.seal(entry: nil)
    return try SealedSlab(memfd, size: size, seals: seals, keepsDescriptor: keepsDescriptor)
  }

  /// Gives back what the last folio has too much, if it is more than an eighth of the content, and returns the file's
  /// size: a folio that a truncation cut through would be split, which takes up to 5 ms.
  private mutating func trim() throws(ArchiveError) -> Int {
    let prepared = folios?.prepared ?? 0
    guard (prepared - used) * 8 > used else { return max(prepared, used) }
    let start = prepared - FolioMapping.step
    let tail = try bytes(start..<used)
    folios = nil
    do throws(Errno) {
      try SystemCalls.punchHole(memfd.descriptor, at: Int64(start), count: Int64(FolioMapping.step))
    } catch {
      // Kept as it is: memory is lost, and no content.
      return prepared
    }
    try unsafe write(tail.span.bytes, at: start)
    return used
  }

  private func write(_ content: RawSpan, at offset: Int) throws(ArchiveError) {
    do { try SystemCalls.write(content, to: memfd.descriptor, at: Int64(offset)) } catch {
      throw .system("pwrite", error, doing: "filling a file in memory")
    }
  }
}
