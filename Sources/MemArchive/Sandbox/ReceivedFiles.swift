internal import SealedMemory
internal import SystemPackage

/// The files that a worker has sent, verified and charged to the ledger of this process.
struct ReceivedFiles {
  /// A file that was said to lie in a slab that has not come.
  private struct Claim {
    let offset: Int64
    let size: Int64
    let entry: ArchiveEntry
  }

  private struct ReceivedSlab {
    let slab: Slab
    /// Files that were said to lie in it and that nobody has taken.
    var untaken: Int
  }

  private let connection: HostConnection
  private let ledger: Ledger
  private let executable: Bool
  private var claims: [UInt32: [Claim]] = [:]
  /// Those with files that nobody has taken; the others live as long as their files do.
  private var slabs: [UInt32: ReceivedSlab] = [:]
  private var slabBytes = 0
  private var packedBytes = 0
  /// Files that had a descriptor of their own.
  private var ownCount = 0

  /// So much more than their files slabs may have without being charged for it: alignment, the rest of a folio, content
  /// that turned out to be damaged.
  private static let allowance = 64 << 20

  init(_ connection: HostConnection, _ ledger: Ledger, executable: Bool) {
    self.connection = connection
    self.ledger = ledger
    self.executable = executable
  }

  /// A file of its own, in the next descriptor.
  mutating func takeOwn(size: Int64, _ entry: ArchiveEntry) throws(ArchiveError) -> MemFile {
    ownCount += 1
    if ownCount == EntryThreadPool.many { SystemCalls.growDescriptorTable() }
    let memory = try verified(size)
    var charge = Charge(ledger, entry: entry.name)
    charge.addDescriptor()
    try charge.grow(to: size)
    return MemFile(.own(ChargedMemory(memory, charge)), name: entry.name, entry: entry)
  }

  /// Notes a file that lies in a slab, which has to come yet.
  mutating func claim(slab: UInt32, offset: Int64, size: Int64, _ entry: ArchiveEntry) throws(ArchiveError) {
    guard !offset.addingReportingOverflow(size).overflow else {
      throw connection.violation("spoke of a file that lies beyond its slab")
    }
    guard slabs[slab] == nil else {
      throw connection.violation("spoke of a file in a slab that was complete")
    }
    claims[slab, default: []].append(Claim(offset: offset, size: size, entry: entry))
  }

  /// The next descriptor is a slab. All files in it are charged, whoever takes them when: that much memory is held now.
  mutating func add(slab number: UInt32, size: Int64) throws(ArchiveError) {
    guard let claimed = claims.removeValue(forKey: number) else {
      throw connection.violation("sent a slab that no file lies in")
    }
    let memory = try verified(size)
    var charge = Charge(ledger, entry: SlabWriter.name)
    for claim in claimed {
      guard claim.size <= size, claim.offset <= size - claim.size else {
        throw connection.violation("spoke of a file that lies beyond its slab")
      }
      try charge.add(claim.size, of: claim.entry.name)
      packedBytes &+= Int(claim.size)
    }
    // Memory that no file stands for is charged too.
    slabBytes &+= Int(size)
    let excess = slabBytes &- packedBytes &- packedBytes / 4 &- Self.allowance
    if excess > 0 { try charge.add(Int64(min(excess, Int(size))), of: SlabWriter.name) }
    let slab = try Slab(ChargedMemory(memory, charge), executable: executable)
    slabs[number] = ReceivedSlab(slab: slab, untaken: claimed.count)
  }

  /// A file that was noted; nil where its slab has not come.
  mutating func takePacked(
    slab number: UInt32, offset: Int64, size: Int64, _ entry: ArchiveEntry
  ) -> MemFile? {
    guard let index = slabs.index(forKey: number) else { return nil }
    let slab = slabs.values[index].slab
    slabs.values[index].untaken -= 1
    if slabs.values[index].untaken == 0 { slabs.remove(at: index) }
    let range = Int(offset)..<Int(offset + size)
    return MemFile(.packed(slab, range), name: entry.name, entry: entry)
  }

  private func verified(_ size: Int64) throws(ArchiveError) -> SealedMemfd {
    let memfd = try connection.takeMemfd()
    do { return try ReceivedDescriptor.verify(memfd, claimedSize: size) } catch {
      throw connection.violation("sent a descriptor that \(error.reason)")
    }
  }
}
