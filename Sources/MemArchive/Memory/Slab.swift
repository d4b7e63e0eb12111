internal import Synchronization
internal import SystemPackage

/// One sealed memory file that many packed files share. It lives while any of them does.
///
/// It is open while an extraction appends to it, and ends when it is full, when the extraction is over, or when somebody
/// looks at a file in it. Then it is sealed, mapped once for reading, and its descriptor closed.
final class Slab: Sendable {
  private static let count = Atomic<UInt32>(0)
  /// No two of a process have the same.
  let number = Slab.count.wrappingAdd(1, ordering: .relaxed).newValue
  /// Where a file begins.
  struct Place {
    let slab: Slab
    let offset: Int
  }

  private struct State: ~Copyable {
    var writer: SlabWriter?
    var sealed: SealedSlab?
    var failure: ArchiveError?
    var charge: Charge
    var files = 0
  }

  let executable: Bool
  let ledger: Ledger
  /// Whether the descriptor stays open when the slab has ended, to be passed on.
  private let keepsDescriptor: Bool
  private let state: Mutex<State>

  /// An open slab without a file.
  init(
    usesFolios: Bool, executable: Bool, keepsDescriptor: Bool = false, ledger: Ledger
  ) throws(ArchiveError) {
    self.executable = executable
    self.keepsDescriptor = keepsDescriptor
    self.ledger = ledger
    let writer = try SlabWriter.create(usesFolios: usesFolios)
    let charge = Charge(ledger, entry: SlabWriter.name)
    state = Mutex(State(writer: writer, sealed: nil, failure: nil, charge: charge))
  }

  /// A slab that is one large file.
  init(_ memory: consuming SealedMemory, executable: Bool, keepsDescriptor: Bool = false) throws(ArchiveError)
  {
    self.executable = executable
    self.keepsDescriptor = keepsDescriptor
    ledger = memory.charge.ledger
    let sealed = try SealedSlab(
      memory.memfd, size: memory.size, seals: memory.seals, keepsDescriptor: keepsDescriptor)
    state = Mutex(State(writer: nil, sealed: sealed, failure: nil, charge: memory.charge, files: 1))
  }

  /// Adds a file and takes over what it is charged with; nil where it does not fit or the slab has ended.
  func append(_ content: RawSpan, charge: inout Charge) throws(ArchiveError) -> Place? {
    // The result is handed out of the closure: it cannot throw a type of its own.
    var failure: ArchiveError?
    let offset: Int? = state.withLock { state in
      do throws(ArchiveError) {
        guard let offset = try state.writer?.append(content) else { return nil }
        charge.move(to: &state.charge)
        state.files += 1
        return offset
      } catch {
        failure = error
        return nil
      }
    }
    if let failure { throw failure }
    return offset.map { Place(slab: self, offset: $0) }
  }

  /// Leaves it to the caller to give back to the ledger what all files are charged with: so many bytes.
  func handOverCharge() -> Int64 {
    state.withLock { state in
      var charge = Charge(ledger, entry: SlabWriter.name)
      state.charge.move(to: &charge)
      return charge.handOver().bytes
    }
  }

  /// The size of the memory file and the number of files in it when the slab has ended.
  var extentIfSealed: (size: Int, files: Int)? {
    state.withLock { state in state.sealed.map { ($0.size, state.files) } }
  }

  /// The descriptor of a slab that has ended and keeps it, once.
  func takeDescriptor() -> HeldDescriptor? { state.withLock { $0.sealed }?.takeDescriptor() }

  /// Ends the slab if it is open.
  func finish() throws(ArchiveError) { _ = try sealed() }

  /// Ends the slab when nobody is there to hear of a failure; whoever looks at a file in it will be told.
  func close() { _ = try? sealed() }

  /// A sealed memory file with a copy of one file's content. The slab stays open if it is.
  func copy(_ range: Range<Int>, name: String) throws(ArchiveError) -> UnpackedMemory {
    var charge = Charge(ledger, entry: name)
    charge.addDescriptor()
    try charge.grow(to: Int64(range.count))
    let memfd = try Memfd.create(name: name, executable: executable)
    var file = try MemfdWriter.create(
      memfd, name: name, declaredSize: Int64(range.count), fill: .automatic)
    let open: Result<[UInt8]?, ArchiveError> = state.withLock { state in
      do throws(ArchiveError) { return .success(try state.writer?.bytes(range)) } catch {
        return .failure(error)
      }
    }
    if let open = try open.get() {
      try unsafe file.write(open.span.bytes, at: 0)
    } else {
      try sealed().withBytes(range) { bytes throws(ArchiveError) in try file.write(bytes, at: 0) }
    }
    return UnpackedMemory(try file.seal(size: Int64(range.count), charge: charge))
  }

  /// The content of all files, which cannot change any more.
  func sealed() throws(ArchiveError) -> SealedSlab {
    let result: Result<SealedSlab, ArchiveError> = state.withLock { state in
      if let sealed = state.sealed { return .success(sealed) }
      if let failure = state.failure { return .failure(failure) }
      do throws(ArchiveError) {
        let sealed = try state.writer.take()!.finish(keepsDescriptor: keepsDescriptor)
        state.sealed = sealed
        return .success(sealed)
      } catch {
        state.failure = error
        return .failure(error)
      }
    }
    return try result.get()
  }
}

/// A slab's content: mapped for reading, without a descriptor.
final class SealedSlab: Sendable {
  let seals: MemFile.Seals
  let size: Int
  private let mapping: Mapping
  private let memfd: Mutex<Memfd?>

  /// Closes the memory file, which the mapping keeps alive, unless it is to be passed on.
  init(
    _ memfd: consuming Memfd, size: Int, seals: MemFile.Seals, keepsDescriptor: Bool = false
  ) throws(ArchiveError) {
    self.seals = seals
    self.size = size
    do { mapping = try Mapping(memfd.descriptor, count: size, writable: false) } catch {
      throw .system("mmap", error, doing: "mapping files in memory")
    }
    if keepsDescriptor {
      self.memfd = Mutex(consume memfd)
    } else {
      self.memfd = Mutex(nil)
    }
  }

  fileprivate func takeDescriptor() -> HeldDescriptor? {
    memfd.withLock { memfd in
      guard let taken = memfd.take() else { return nil }
      return HeldDescriptor(taken.release())
    }
  }

  func withBytes<Result: ~Copyable, Failure: Error>(
    _ range: Range<Int>, _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try mapping.withBytes { bytes throws(Failure) in try body(bytes.extracting(range)) }
  }
}
