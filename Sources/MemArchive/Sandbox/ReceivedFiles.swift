internal import SealedMemory
internal import SystemPackage

/// The files that a worker has sent, verified and charged to the ledger of this process.
struct ReceivedFiles {
  /// A file in a slab that has not arrived.
  private struct PendingFile {
    let offset: Int64
    let size: Int64
    let entry: ArchiveEntry
  }

  private struct ReceivedSlab {
    let slab: Slab
    /// Number of files in it that have not been taken.
    var untaken: Int
  }

  private let connection: HostConnection
  private let ledger: Ledger
  private let modes: FileModes
  private var pending: [UInt32: [PendingFile]] = [:]
  /// Slabs with files that have not been taken; other slabs live as long as their files.
  private var slabs: [UInt32: ReceivedSlab] = [:]
  private var slabBytes = 0
  private var packedBytes = 0
  /// Number of files with a descriptor of their own.
  private var ownCount = 0

  /// Bytes by which slabs may exceed their files without being charged for it: alignment, the rest of a folio, damaged
  /// content.
  private static let allowance = 64 << 20

  init(_ connection: HostConnection, _ ledger: Ledger, _ modes: FileModes) {
    self.connection = connection
    self.ledger = ledger
    self.modes = modes
  }

  /// A file of its own, in the next descriptor.
  mutating func takeOwn(size: Int64, _ entry: ArchiveEntry) throws(ArchiveError) -> MemFile {
    ownCount += 1
    if ownCount == EntryThreadPool.many { SystemCalls.growDescriptorTable() }
    let memory = try verified(size)
    var charge = Charge(ledger, entry: entry.name)
    charge.addDescriptor()
    try charge.grow(to: size)
    return MemFile(
      .own(ChargedMemory(memory, charge)), name: entry.name, entry: entry, mode: modes.mode(of: entry))
  }

  /// A piece of a content, in the next descriptor. It is not charged: there are few, and none is kept.
  func takePiece(size: Int64) throws(ArchiveError) -> SealedMemfd { try verified(size) }

  /// An index, in the next descriptor, which its taker charges.
  func takeIndex(size: Int64) throws(ArchiveError) -> MemFile {
    let memory = try verified(size)
    let charge = Charge(ledger, entry: GzipIndex.name)
    return MemFile(.own(ChargedMemory(memory, charge)), name: GzipIndex.name, entry: nil)
  }

  /// Notes a file in a slab that has yet to arrive.
  mutating func announce(
    slab: UInt32, offset: Int64, size: Int64, _ entry: ArchiveEntry
  ) throws(ArchiveError) {
    guard !offset.addingReportingOverflow(size).overflow else {
      throw connection.violation("announced a file beyond the end of its slab")
    }
    guard slabs[slab] == nil else {
      throw connection.violation("announced a file in a slab that was complete")
    }
    pending[slab, default: []].append(PendingFile(offset: offset, size: size, entry: entry))
  }

  /// Takes the next descriptor, a slab. All files in it are charged now, whether or not they are ever taken, because their
  /// memory is held from now on.
  mutating func add(slab number: UInt32, size: Int64) throws(ArchiveError) {
    guard let files = pending.removeValue(forKey: number) else {
      throw connection.violation("sent a slab without files")
    }
    let memory = try verified(size)
    var charge = Charge(ledger, entry: SlabWriter.name)
    for file in files {
      guard file.size <= size, file.offset <= size - file.size else {
        throw connection.violation("announced a file beyond the end of its slab")
      }
      try charge.add(file.size, of: file.entry.name)
      packedBytes &+= Int(file.size)
    }
    // Memory that belongs to no file is charged too.
    slabBytes &+= Int(size)
    let excess = slabBytes &- packedBytes &- packedBytes / 4 &- Self.allowance
    if excess > 0 { try charge.add(Int64(min(excess, Int(size))), of: SlabWriter.name) }
    let slab = try Slab(ChargedMemory(memory, charge), modes: modes)
    slabs[number] = ReceivedSlab(slab: slab, untaken: files.count)
  }

  /// Whether a slab has arrived and holds files that have not been taken.
  func hasSlab(_ number: UInt32) -> Bool { slabs[number] != nil }

  /// A file that was announced; nil if its slab has not arrived.
  mutating func takePacked(
    slab number: UInt32, offset: Int64, size: Int64, _ entry: ArchiveEntry
  ) -> MemFile? {
    guard let index = slabs.index(forKey: number) else { return nil }
    let slab = slabs.values[index].slab
    slabs.values[index].untaken -= 1
    if slabs.values[index].untaken == 0 { slabs.remove(at: index) }
    let range = Int(offset)..<Int(offset + size)
    return MemFile(.packed(slab, range), name: entry.name, entry: entry, mode: modes.mode(of: entry))
  }

  private func verified(_ size: Int64) throws(ArchiveError) -> SealedMemfd {
    let memfd = try connection.takeMemfd()
    do { return try ReceivedDescriptor.verify(memfd, claimedSize: size) } catch {
      throw connection.violation("sent a descriptor that \(error.reason)")
    }
  }
}
