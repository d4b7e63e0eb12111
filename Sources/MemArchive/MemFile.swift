internal import Synchronization
public import SystemPackage

/// The finished content of one regular entry: a sealed, read-only file that lives in memory and has a path.
///
/// Its bytes can never change again (see ``seals``), by this process or any other. The memory is freed when the
/// last reference is released and no duplicate of the descriptor, mapping or open stream is left.
///
/// An optimised build releases a `MemFile` after its *last use in the program text*, which may be before a C
/// library has opened its path. ``withPath(_:)``, ``withFILE(_:)`` and ``withBytes(_:)`` keep it alive while
/// their closure runs and are the forms to use; see <doc:HowLongAPathLives>.
public final class MemFile: Sendable {
  /// The name it was given: the entry's name, or that of ``init(name:bytes:executable:)-(_,RawSpan,_)``.
  public let name: String
  /// The size in bytes, exactly.
  public let size: Int
  /// The seals, as the kernel confirmed them after sealing.
  public let seals: Seals
  /// The entry whose content this is; `nil` when it was made from bytes.
  public let entry: ArchiveEntry?

  private let memory: SealedMemory
  private let shared = Mutex<SharedMapping?>(nil)

  init(_ memory: consuming SealedMemory, name: String, entry: ArchiveEntry?) {
    self.name = name
    self.entry = entry
    size = memory.size
    seals = memory.seals
    self.memory = memory
  }

  /// Makes a sealed file in memory from any bytes.
  ///
  /// - Parameters:
  ///   - name: Shown as `memfd:name` in /proc/PID/maps; it need not be unique and names no file anywhere.
  ///   - bytes: The content. It is copied.
  ///   - executable: Whether the file may be executed (execve(2)).
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/descriptorLimit``, ``ArchiveError/Code/outOfMemory`` or
  ///   ``ArchiveError/Code/system``.
  ///
  /// Calls memfd_create(2), pwrite(2), fcntl(2) with F_ADD_SEALS.
  public convenience init(name: String, bytes: RawSpan, executable: Bool = false) throws(ArchiveError) {
    let ledger = Ledger(Limits(heldBytes: .max))
    var region = try Region.create(
      name: name, declaredSize: Int64(bytes.byteCount), fill: .automatic, executable: executable,
      ledger: ledger)
    try region.write(bytes, at: 0)
    self.init(try region.seal(size: Int64(bytes.byteCount)), name: name, entry: nil)
  }

  /// Makes a sealed file in memory from an array; see ``init(name:bytes:executable:)-(_,RawSpan,_)``.
  public convenience init(name: String, bytes: [UInt8], executable: Bool = false) throws(ArchiveError) {
    try unsafe self.init(name: name, bytes: bytes.span.bytes, executable: executable)
  }

  /// Makes a sealed file in memory from all that a descriptor still gives: a pipe whose content is wanted more than once.
  ///
  /// - Parameters:
  ///   - name: As in the other initialisers.
  ///   - descriptor: Read to its end with read(2); it stays the caller's.
  ///   - limits: `entryBytes` and `heldBytes` bound what is read.
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/limitExceeded``, otherwise as the other initialisers.
  public convenience init(
    name: String, reading descriptor: FileDescriptor, limits: Limits = Limits()
  ) throws(ArchiveError) {
    let source = PipeSource(descriptor, isOwned: false, cancellation: nil)
    self.init(try Spool.memory(source, name: name, ledger: Ledger(limits)), name: name, entry: nil)
  }

  /// The descriptor, **borrowed**: this object closes it. It is valid only while a reference to this object is
  /// held beyond the last use of the descriptor (`withExtendedLifetime`); for one of your own, ``duplicate(closeOnExec:)``.
  ///
  /// Its file offset is shared by everybody who uses it, so read by position (pread(2)).
  public var fileDescriptor: FileDescriptor { memory.memfd.descriptor }

  /// The content mapped into memory, on first use; one mapping for all readers, until this object goes.
  func mapping() throws(ArchiveError) -> SharedMapping {
    let result: Result<SharedMapping, ArchiveError> = shared.withLock { shared in
      if let shared { return .success(shared) }
      do throws(Errno) {
        let mapping = SharedMapping(try Mapping(memory.memfd.descriptor, count: size, writable: false))
        shared = mapping
        return .success(mapping)
      } catch {
        return .failure(.system("mmap", error, doing: "mapping a file in memory", entry: name))
      }
    }
    return try result.get()
  }
}

/// A mapping with several owners.
final class SharedMapping: Sendable {
  private let mapping: Mapping
  init(_ mapping: consuming Mapping) { self.mapping = mapping }

  func withBytes<Result: ~Copyable, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try mapping.withBytes(body)
  }
}
