internal import SealedMemory
internal import SystemPackage

/// Makes the files of one extraction, one at a time: as memory files of their own, or in slabs.
///
/// Each thread that extracts has its own factory, so that none waits for another.
@safe package final class MemFileFactory {
  let ledger: Ledger
  let fill: MemfdWriter.Fill
  let modes: FileModes
  /// Whether slabs will be passed on to another process.
  let keepsDescriptors: Bool
  private let storage: ExtractionOptions.Storage
  private let budget: Int?
  private var slab: Slab?
  /// The stage: content on its way to a slab.
  private var heap: UnsafeMutableRawBufferPointer

  /// Larger content becomes a slab by itself: it fills huge folios well enough.
  static let largestPacked: Int64 = 1 << 20
  /// Descriptors reserved for the rest of the process: for the archive, for paths on demand, for everything else it does.
  static let reserve = 64

  package convenience init(_ context: ExtractionContext) {
    self.init(context.options, ledger: context.ledger, for: context.recipient)
  }

  init(
    _ options: ExtractionOptions, ledger: Ledger, for recipient: ExtractionContext.Recipient = .caller
  ) {
    self.ledger = ledger
    fill =
      switch options.fill {
      case .automatic: .folios
      case .written: .written
      case .mapped: .mapped
      }
    modes = FileModes(options)
    keepsDescriptors = if case .host = recipient { true } else { false }
    storage = options.storage
    budget = options.descriptorBudget
    unsafe heap = .allocate(byteCount: 0, alignment: 16)
  }

  deinit {
    slab?.close()
    unsafe heap.deallocate()
  }

  /// Ends the open slab: everything extracted so far is sealed.
  package func finish() throws(ArchiveError) {
    defer { slab = nil }
    try slab?.finish()
  }

  /// Makes room for the descriptors of many files at once.
  package func prepareForMany() {
    guard storage != .packed, PrestartedThreads.current == nil else { return }
    SystemCalls.growDescriptorTable(to: budget ?? .max)
  }

  /// Decides whether an entry gets a memory file of its own, where their number is limited. Call it in the archive's order,
  /// so that the first entries get one.
  package func reserveDescriptor(_ charge: inout Charge) {
    if storage == .automatic, let budget { charge.addDescriptor(within: budget) }
  }

  /// A memory file for one entry alone; nil where the entry is to be packed.
  func ownMemfd(name: String, _ charge: inout Charge) throws(ArchiveError) -> Memfd? {
    switch storage {
    case .packed: return nil
    case .automatic where budget == nil:
      guard let memfd = try affordableMemfd(name: name) else { return nil }
      charge.addDescriptor()
      return memfd
    case .automatic, .dedicated:
      guard charge.addDescriptor(within: storage == .automatic ? budget ?? .max : .max) else { return nil }
      return try memfd(name: name)
    }
  }

  /// A memory file unless descriptors are running out.
  private func affordableMemfd(name: String) throws(ArchiveError) -> Memfd? {
    let open = ledger.descriptors
    if let spentAt = ledger.spentAt {
      // Some may have been released meanwhile.
      guard open < spentAt else { return nil }
      ledger.spentAt = nil
    }
    do throws(ArchiveError) {
      let memfd = try memfd(name: name)
      // A new descriptor gets the lowest free number, open(2), so that at least as many are open.
      if Int(memfd.descriptor.rawValue) < SystemCalls.descriptorLimit() - Self.reserve { return memfd }
    } catch {
      guard error.code == .descriptorLimit else { throw error }
    }
    ledger.spentAt = open
    return nil
  }

  /// Whether content is packed, as far as can be told now.
  var packs: Bool {
    switch storage {
    case .packed: true
    case .dedicated: false
    case .automatic: (budget ?? ledger.spentAt).map { ledger.descriptors >= $0 } ?? false
    }
  }

  func memfd(name: String) throws(ArchiveError) -> Memfd {
    do throws(MemoryError) { return try Memfd.create(name: name, executable: modes.executable) } catch {
      throw ArchiveError(error, entry: name)
    }
  }

  /// Creates a source that keeps a stream in slabs; nil where that is not wanted. ``ExtractionLimits/ratio`` compares bytes that
  /// were read and produced so far, which takes a reader who reads no further than he has to.
  func makeSlabs(threads: Int) -> ((any ByteSource) -> SlabbedSource)? {
    guard storage != .dedicated, !ledger.comparesRatio else { return nil }
    return { [ledger, fill, keepsDescriptors] in
      SlabbedSource(
        $0, ledger, usesFolios: fill == .folios, keepsDescriptor: keepsDescriptors, threads: threads)
    }
  }

  /// Appends the content of a whole entry to the open slab, which takes over its charge.
  func pack(_ content: RawSpan, charge: inout Charge) throws(ArchiveError) -> Slab.Place {
    if let place = try slab?.append(content, charge: &charge) { return place }
    try finish()
    let slab = try Slab(
      usesFolios: fill == .folios, modes: modes, keepsDescriptor: keepsDescriptors,
      ledger: ledger)
    self.slab = slab
    guard let place = try slab.append(content, charge: &charge) else {
      throw .corrupt("an entry of \(content.byteCount) bytes does not fit into a slab")
    }
    return place
  }

  // MARK: The stage

  /// Keeps a block of the current entry, of which `count` bytes are staged.
  func stage(_ block: RawSpan, at offset: Int, after count: Int) {
    stageZeros(from: count, to: offset)
    let end = offset + block.byteCount
    reserve(end)
    unsafe block.withUnsafeBytes {
      unsafe UnsafeMutableRawBufferPointer(rebasing: heap[offset..<end]).copyMemory(from: $0)
    }
  }

  /// Fills a hole: it reads as zeros.
  func stageZeros(from start: Int, to end: Int) {
    guard start < end else { return }
    reserve(end)
    unsafe UnsafeMutableRawBufferPointer(rebasing: heap[start..<end]).initializeMemory(
      as: UInt8.self, repeating: 0)
  }

  /// The first `count` bytes of the stage.
  @_lifetime(borrow self)
  func staged(_ count: Int) -> RawSpan {
    let span = unsafe UnsafeRawBufferPointer(heap).bytes.extracting(0..<count)
    return unsafe _overrideLifetime(span, borrowing: self)
  }

  func packStaged(_ count: Int, charge: inout Charge) throws(ArchiveError) -> Slab.Place {
    try pack(staged(count), charge: &charge)
  }

  private func reserve(_ count: Int) {
    guard unsafe heap.count < count else { return }
    // Doubled, so that content of unknown size is not copied over and over.
    let size = max(count, min(unsafe heap.count * 2, Int(Self.largestPacked)), 64 << 10)
    let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
    unsafe larger.copyMemory(from: UnsafeRawBufferPointer(heap))
    unsafe heap.deallocate()
    unsafe heap = larger
  }
}

extension MemFileFactory: EntryDestination {
  package func take(
    _ entry: ArchiveEntry, position: Int, reserved: Reservation?,
    _ content: (Blocks) throws(ArchiveError) -> Int64
  ) throws(ArchiveError) -> MemFile? {
    try file(entry, reserved: reserved, content)
  }

  /// A sealed file in memory with the content that `content` delivers block by block.
  func file(
    _ entry: ArchiveEntry, reserved: Reservation?, _ content: (Blocks) throws(ArchiveError) -> Int64
  ) throws(ArchiveError) -> MemFile {
    var region = try Region.create(self, name: entry.name, declaredSize: entry.size, reserved: reserved)
    let size = try content { block, offset throws(ArchiveError) in try region.write(block, at: offset) }
    return MemFile(
      try region.seal(size: size), name: entry.name, entry: entry, mode: modes.mode(of: entry))
  }
}

/// The content of a memory file of its own.
private final class RegionContent: PartedContent {
  private let entry: ArchiveEntry
  private let mode: UInt16?
  private var region: Region?

  init(_ entry: ArchiveEntry, _ mode: UInt16?, _ region: consuming Region) {
    (self.entry, self.mode) = (entry, mode)
    self.region = consume region
  }

  func write(_ block: RawSpan, at offset: Int64) throws(ArchiveError) { try region!.write(block, at: offset) }

  func finish(size: Int64) throws(ArchiveError) -> MemFile? {
    MemFile(try region.take()!.seal(size: size), name: entry.name, entry: entry, mode: mode)
  }
}

/// Only where each file has a descriptor of its own: there is one stage for all others.
extension MemFileFactory: PartedDestination {
  package func begin(
    _ entry: ArchiveEntry, position: Int, reserved: Reservation?
  ) throws(ArchiveError) -> any PartedContent {
    RegionContent(
      entry, modes.mode(of: entry),
      try Region.create(self, name: entry.name, declaredSize: entry.size, reserved: reserved))
  }
}
