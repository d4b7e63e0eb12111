internal import Synchronization
package import SystemPackage

/// The memory file of an open slab: content of many files is appended to it, into huge folios.
package struct SlabWriter: ~Copyable {
  /// Shown in /proc/PID/maps.
  package static let name = "slab"
  /// Capacity of a slab in bytes, and so the most that one surviving file keeps alive.
  package static let capacity = 16 << 20
  /// The first bytes are in small pages: many archives hold no more than this, and a folio is 2 MiB.
  private static let smallStart = 256 << 10
  /// Numbers in the content keep their natural alignment.
  private static let alignment = 8

  private let memfd: Memfd
  private let capacity: Int
  private var folios: FolioMapping?
  private var used = 0

  /// - Parameter capacity: The most bytes that it will hold.
  package static func create(usesFolios: Bool, capacity: Int = capacity) throws(MemoryError) -> Self {
    let memfd = try Memfd.create(name: name, executable: false)
    do throws(Errno) { try SystemCalls.truncate(memfd.descriptor, to: Int64(capacity)) } catch {
      throw .system("ftruncate", error, doing: "sizing a file in memory")
    }
    let folios = usesFolios ? try? FolioMapping.create(memfd.descriptor, size: capacity) : nil
    return Self(memfd: memfd, capacity: capacity, folios: folios)
  }

  private init(memfd: consuming Memfd, capacity: Int, folios: consuming FolioMapping?) {
    self.memfd = memfd
    self.capacity = capacity
    self.folios = folios
  }

  /// The number of bytes that still fit.
  package var room: Int { capacity - used }
  /// The number of bytes so far.
  package var count: Int { used }

  /// Appends content and returns its offset; nil where it does not fit.
  package mutating func append(_ content: RawSpan) throws(MemoryError) -> Int? {
    let start = (used + Self.alignment - 1) & -Self.alignment
    let end = start + content.byteCount
    guard end <= capacity else { return nil }
    try put(content, at: start, usesFolios: end > Self.smallStart)
    return start
  }

  /// Adds bytes that follow the last ones directly, and have to fit.
  package mutating func extend(_ content: RawSpan) throws(MemoryError) {
    precondition(content.byteCount <= room, "content must fit into a slab")
    try put(content, at: used, usesFolios: true)
  }

  /// The file's own memory for the next bytes, to be filled before `extend(by:)` is called; empty where there is none and
  /// `extend(_:)` is to be called.
  package mutating func memory() -> UnsafeMutableRawBufferPointer {
    unsafe folios?.memory(from: used) ?? UnsafeMutableRawBufferPointer(start: nil, count: 0)
  }

  /// Whether `memory()` would be empty.
  package var hasNoMemory: Bool { mutating get { unsafe memory().isEmpty } }

  /// Adds the bytes at the front of `memory()`.
  package mutating func extend(by count: Int) { used += count }

  /// Adds bytes of a file from `offset` on, and returns their number; 0 at its end. Not every file can be read so.
  package mutating func extend(from file: FileDescriptor, at offset: Int64, most: Int) throws(Errno) -> Int {
    let count = try SystemCalls.send(
      file, at: offset, to: memfd.descriptor, at: Int64(used), count: min(most, room))
    used += count
    return count
  }

  private mutating func put(_ content: RawSpan, at start: Int, usesFolios: Bool) throws(MemoryError) {
    let copied = usesFolios ? folios?.copy(content, to: start, contentEnd: used) ?? 0 : 0
    if copied < content.byteCount {
      try write(content.extracting(copied..<content.byteCount), at: start + copied)
    }
    used = start + content.byteCount
  }

  /// A copy of some of the content.
  package borrowing func bytes(_ range: Range<Int>) throws(MemoryError) -> [UInt8] {
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

  /// Seals the memory file and maps it for reading; see ``SealedSlab``.
  package consuming func finish(keepsDescriptor: Bool) throws(MemoryError) -> SealedSlab {
    let size = try trim()
    // F_SEAL_WRITE is refused while a writable mapping exists.
    folios = nil
    do throws(Errno) { try SystemCalls.truncate(memfd.descriptor, to: Int64(size)) } catch {
      throw .system("ftruncate", error, doing: "sizing a file in memory")
    }
    return try SealedSlab(try memfd.seal(size: size), keepsDescriptor: keepsDescriptor)
  }

  /// Gives back the unused part of the last folio where that is more than an eighth of the content, and returns the size that
  /// the file is to have: truncating it within a folio would split the folio, which takes up to 5 ms.
  private mutating func trim() throws(MemoryError) -> Int {
    let prepared = folios?.prepared ?? 0
    guard (prepared - used) * 8 > used else { return max(prepared, used) }
    let start = prepared - FolioMapping.step
    let tail = try bytes(start..<used)
    folios = nil
    do throws(Errno) {
      try SystemCalls.punchHole(memfd.descriptor, at: Int64(start), count: Int64(FolioMapping.step))
    } catch {
      // Stays as it is: that costs memory, and no content.
      return prepared
    }
    try unsafe write(tail.span.bytes, at: start)
    return used
  }

  private func write(_ content: RawSpan, at offset: Int) throws(MemoryError) {
    do { try SystemCalls.write(content, to: memfd.descriptor, at: Int64(offset)) } catch {
      throw .system("pwrite", error, doing: "filling a file in memory")
    }
  }
}

/// The final content of a slab, mapped for reading.
package final class SealedSlab: Sendable {
  /// The bits of F_GET_SEALS.
  package let seals: Int32
  package let size: Int
  @usableFromInline let mapping: Mapping
  private let memfd: Mutex<Memfd?>

  /// Closes the descriptor, since the mapping keeps the memory alive, unless it is to be passed on.
  package init(_ sealed: consuming SealedMemfd, keepsDescriptor: Bool) throws(MemoryError) {
    seals = sealed.seals
    size = sealed.size
    do { mapping = try Mapping(sealed.memfd.descriptor, count: sealed.size, writable: false) } catch {
      throw .system("mmap", error, doing: "mapping files in memory")
    }
    if keepsDescriptor {
      memfd = Mutex(sealed.memfd)
    } else {
      memfd = Mutex(nil)
    }
  }

  /// The descriptor, where it was kept and nobody has taken it.
  package func takeDescriptor() -> HeldDescriptor? {
    memfd.withLock { memfd in
      guard let taken = memfd.take() else { return nil }
      return HeldDescriptor(taken.release())
    }
  }

  /// The content's bytes, valid as long as this object.
  package var bytes: UnsafeRawBufferPointer { unsafe mapping.bytes }

  @inlinable package func withBytes<Result: ~Copyable, Failure: Error>(
    _ range: Range<Int>, _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try mapping.withBytes { bytes throws(Failure) in try body(bytes.extracting(range)) }
  }
}
