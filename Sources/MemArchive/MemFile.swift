internal import Libc
internal import SealedMemory
internal import Synchronization
public import SystemPackage

/// The complete content of one regular entry: a sealed, read-only file that lives in memory and has a path.
///
/// Its bytes can never change again (see ``seals``), by this process or any other. The memory is freed when the
/// last reference is released and no duplicate of the descriptor, mapping or open stream is left.
///
/// An optimized build releases a `MemFile` after its *last use in the program text*, which may be before a C
/// library has opened its path. ``withPath(_:)``, ``withFILE(_:)`` and ``withBytes(_:)`` keep it alive while
/// their closure runs and are the forms to use; see <doc:HowLongAPathLives>.
public final class MemFile: Sendable {
  /// The file's name: the entry's, or the one given to ``init(name:bytes:executable:mode:)-(_,RawSpan,_,_)``.
  public let name: String
  /// The exact size in bytes.
  public let size: Int
  /// The entry whose content this is; `nil` if it was made from bytes.
  public let entry: ArchiveEntry?

  let memory: FileMemory
  /// Its permissions; nil for those that its memory file has already.
  let mode: UInt16?
  private let onDemand = Mutex(OnDemand())

  init(_ memory: consuming FileMemory, name: String, entry: ArchiveEntry?, mode: UInt16? = nil) {
    self.name = name
    self.entry = entry
    self.mode = mode
    size = memory.size
    self.memory = memory
  }

  /// Makes a sealed file in memory from any bytes, owned by this process's user.
  ///
  /// - Parameters:
  ///   - name: Shown as `memfd:name` in /proc/PID/maps; it need not be unique and names no file anywhere.
  ///   - bytes: The content. It is copied.
  ///   - executable: Whether the file may be executed (execve(2)).
  ///   - mode: The file's permissions, see ``ExtractionOptions/mode``; `nil` is 0444, or 0555 for an executable file.
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/descriptorLimit``, ``ArchiveError/Code/outOfMemory`` or
  ///   ``ArchiveError/Code/system``.
  ///
  /// Calls memfd_create(2), pwrite(2), fcntl(2) with F_ADD_SEALS.
  public convenience init(
    name: String, bytes: RawSpan, executable: Bool = false, mode: UInt16? = nil
  ) throws(ArchiveError) {
    let options = ExtractionOptions {
      $0.storage = .dedicated
      $0.executable = executable
      $0.mode = mode
    }
    let factory = MemFileFactory(options, ledger: Ledger(ExtractionLimits(heldBytes: .max)))
    var region = try Region.create(factory, name: name, declaredSize: Int64(bytes.byteCount))
    try region.write(bytes, at: 0)
    self.init(
      try region.seal(size: Int64(bytes.byteCount)), name: name, entry: nil, mode: factory.modes.mode(of: nil)
    )
  }

  /// Makes a sealed file in memory from an array; see ``init(name:bytes:executable:mode:)-(_,RawSpan,_,_)``.
  public convenience init(
    name: String, bytes: [UInt8], executable: Bool = false, mode: UInt16? = nil
  ) throws(ArchiveError) {
    try unsafe self.init(name: name, bytes: bytes.span.bytes, executable: executable, mode: mode)
  }

  /// Makes a sealed file in memory from any sequence of bytes, such as `text.utf8`; see
  /// ``init(name:bytes:executable:mode:)-(_,RawSpan,_,_)``.
  public convenience init(
    name: String, bytes: some Sequence<UInt8>, executable: Bool = false, mode: UInt16? = nil
  ) throws(ArchiveError) {
    try self.init(name: name, bytes: Array(bytes), executable: executable, mode: mode)
  }

  /// Makes a sealed file in memory from the rest of a descriptor's content: for a pipe that is to be read more than once.
  ///
  /// - Parameters:
  ///   - name: As in the other initializers.
  ///   - descriptor: Read to its end with read(2); it stays the caller's.
  ///   - limits: `entryBytes` and `heldBytes` bound what is read.
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/limitExceeded``; otherwise as the other initializers.
  public convenience init(
    name: String, reading descriptor: FileDescriptor, limits: ExtractionLimits = ExtractionLimits()
  ) throws(ArchiveError) {
    try self.init(name: name, PipeSource(descriptor, isOwned: false, cancellations: [Cancellation()]), limits)
  }

  /// Reads an archive for an extraction in progress, whose deadline applies.
  package convenience init(
    name: String, readingArchive descriptor: FileDescriptor, in context: ExtractionContext
  ) throws(ArchiveError) {
    let source = PipeSource(descriptor, isOwned: false, cancellations: [context.cancellation])
    try self.init(name: name, archive: source, in: context)
  }

  /// Keeps an archive that a caller's function reads, for an extraction in progress, as the one above.
  ///
  /// - Parameters:
  ///   - size: The number of bytes; nil if it is unknown.
  ///   - read: Fills the front of a buffer with what is at an offset; returns the number of bytes, 0 only at the end.
  package convenience init(
    name: String, size: Int64?, in context: ExtractionContext,
    readingArchiveBy read: @escaping CallerSource.Read
  ) throws(ArchiveError) {
    try self.init(name: name, archive: CallerSource(size: size, context.cancellation, read), in: context)
  }

  /// Keeps an archive, which is not an entry, so that only `heldBytes` bounds it.
  convenience init(
    name: String, archive source: any ByteSource, in context: ExtractionContext
  ) throws(ArchiveError) {
    try self.init(name: name, source, ExtractionLimits(heldBytes: context.options.limits.heldBytes))
  }

  private convenience init(
    name: String, _ source: any ByteSource, _ limits: ExtractionLimits
  ) throws(ArchiveError) {
    self.init(try Spool.memory(source, name: name, ledger: Ledger(limits)), name: name, entry: nil)
  }

  /// Whether the content is in a slab shared with other files, as it is until a descriptor or a path is requested.
  public var isPacked: Bool {
    switch memory {
    case .own: false
    case .other(let file): file.isPacked
    case .packed: onDemand.withLock { $0.unpacked == nil }
    }
  }

  /// The descriptor, **borrowed**: this object closes it. It is valid only while a reference to this object is
  /// held beyond the last use of the descriptor (`withExtendedLifetime`); for one of your own, use
  /// ``duplicate(closeOnExec:)``.
  ///
  /// Its file offset is shared by all users, so read by position (pread(2)). A packed file gets a sealed
  /// memory file of its own on the first request, by whatever thread, and keeps it.
  ///
  /// - Throws: ``ArchiveError``, for a packed file only, with ``ArchiveError/Code/descriptorLimit``,
  ///   ``ArchiveError/Code/limitExceeded`` when its copy exceeds ``ExtractionLimits/heldBytes``, or ``ArchiveError/Code/outOfMemory``.
  public var fileDescriptor: FileDescriptor {
    get throws(ArchiveError) {
      switch memory {
      case .other(let file): try file.fileDescriptor
      default: try looked(contentDescriptor)
      }
    }
  }

  /// The same for reading alone, where it makes no difference what the file looks like.
  package var contentDescriptor: FileDescriptor {
    get throws(ArchiveError) {
      switch memory {
      case .own(let memory): memory.descriptor
      case .other(let file): try file.contentDescriptor
      case .packed(let slab, let range): try unpacked(from: slab, range).value.descriptor
      }
    }
  }

  /// Another descriptor for the same open file: it **belongs to the caller**, who closes it, and stays valid after
  /// this object is gone. The file offset is shared with ``fileDescriptor``.
  ///
  /// - Parameter closeOnExec: `false` lets an executed program inherit it.
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/descriptorLimit``.
  ///
  /// Calls fcntl(2) with F_DUPFD_CLOEXEC or F_DUPFD.
  public func duplicate(closeOnExec: Bool = true) throws(ArchiveError) -> FileDescriptor {
    let descriptor = try fileDescriptor
    do { return try SystemCalls.duplicate(descriptor, closeOnExec: closeOnExec) } catch {
      throw .system("fcntl", error, doing: "duplicating a descriptor", entry: name)
    }
  }

  /// The seals of the file, or of the slab that it is packed into, as the kernel confirmed them after sealing.
  ///
  /// - Throws: ``ArchiveError``, for a packed file only, when its slab could not be sealed.
  public var seals: Seals {
    get throws(ArchiveError) {
      switch memory {
      case .own(let memory): return memory.seals
      case .other(let file): return try file.seals
      case .packed(let slab, _):
        if let own = onDemand.withLock({ $0.unpacked }) { return own.value.seals }
        return Seals(rawValue: try slab.sealed().seals)
      }
    }
  }

  /// Calls `body` with the content, which is mapped into memory on first use and stays mapped until the file is released.
  ///
  /// Nothing is copied: the content of a packed file is in its slab, which is sealed first. The bytes cannot change,
  /// whatever other process holds the file.
  ///
  /// - Returns: The result of `body`.
  /// - Throws: What `body` throws; ``ArchiveError`` with ``ArchiveError/Code/outOfMemory`` when the address space or
  ///   the number of mappings (vm.max_map_count) is used up.
  ///
  /// Calls mmap(2).
  public func withBytes<Result: ~Copyable>(_ body: (RawSpan) throws -> Result) throws -> Result {
    try withContent(body).get()
  }

  /// For a body that throws nothing but this library's errors.
  @_documentation(visibility: internal)
  public func withBytes<Result: ~Copyable>(
    _ body: (RawSpan) throws(ArchiveError) -> Result
  ) throws(ArchiveError) -> Result {
    try withContent(body).get()
  }

  /// The content as text: UTF-8, in which bytes that are none are replaced by U+FFFD.
  ///
  /// - Throws: ``ArchiveError`` as ``withBytes(_:)``.
  public func string() throws(ArchiveError) -> String {
    try withContent { bytes in
      unsafe bytes.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    }.get()
  }

  /// Writes the content to a descriptor of the caller's, from its current position on.
  ///
  /// - Throws: ``ArchiveError`` with the error number of write(2); otherwise as ``withBytes(_:)``.
  public func write(to descriptor: FileDescriptor) throws(ArchiveError) {
    try withContent { bytes throws(ArchiveError) in
      do { try unsafe bytes.withUnsafeBytes { _ = try unsafe descriptor.writeAll($0) } } catch {
        throw .system(
          "write", error as? Errno ?? .ioError, doing: "writing a file in memory elsewhere", entry: name)
      }
    }.get()
  }

  /// Writes the content to a new file, which must not exist yet. Its mode is the entry's, or 0644, less the umask; never with a
  /// set-user-ID, set-group-ID or sticky bit.
  ///
  /// - Throws: ``ArchiveError`` with the error number of open(2) or write(2); then there is no file.
  ///
  /// Calls open(2) with O_CREAT | O_EXCL.
  public func write(to path: String) throws(ArchiveError) {
    let mode = FilePermissions(rawValue: CModeT(entry?.mode ?? 0o644) & 0o777)
    let descriptor: FileDescriptor
    do {
      descriptor = try unsafe FileDescriptor.open(
        path, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec], permissions: mode)
    } catch {
      throw .system("open", error as? Errno ?? .ioError, doing: "creating \"\(path)\"", entry: name)
    }
    defer { try? descriptor.close() }
    do throws(ArchiveError) { try write(to: descriptor) } catch {
      _ = unsafe unlink(path)
      throw error
    }
  }

  /// Calls `body` with the content.
  func withContent<Result: ~Copyable, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(ArchiveError) -> Swift.Result<Result, Failure> {
    func outcome(_ bytes: RawSpan) -> Swift.Result<Result, Failure> {
      do throws(Failure) { return .success(try body(bytes)) } catch { return .failure(error) }
    }
    switch memory {
    case .own(let memory): return try mapping(of: memory).value.withBytes(outcome)
    case .other(let file): return try file.withContent(body)
    case .packed(let slab, let range): return try slab.sealed().withBytes(range, outcome)
    }
  }

  /// The content mapped into memory, on first use; one mapping for all readers, until this object goes.
  private func mapping(of memory: borrowing ChargedMemory) throws(ArchiveError) -> Shared<Mapping> {
    let descriptor = memory.descriptor
    let result: Result<Shared<Mapping>, ArchiveError> = onDemand.withLock { onDemand in
      if let mapping = onDemand.mapping { return .success(mapping) }
      do throws(Errno) {
        let mapping = Shared(try Mapping(descriptor, count: size, writable: false))
        onDemand.mapping = mapping
        return .success(mapping)
      } catch {
        return .failure(.system("mmap", error, doing: "mapping a file in memory", entry: name))
      }
    }
    return try result.get()
  }

  /// The slab that the content was packed into.
  var slab: Slab? {
    switch memory {
    case .own: nil
    case .other(let file): file.slab
    case .packed(let slab, _): slab
    }
  }

  /// The same file under an entry's name.
  func named(as entry: ArchiveEntry) -> MemFile {
    entry.name == name ? self : MemFile(.other(self), name: entry.name, entry: entry)
  }

  /// A further file with the same content.
  func copy(in factory: MemFileFactory) throws(ArchiveError) -> MemFile {
    var region = try Region.create(factory, name: name, declaredSize: Int64(size))
    try withContent { bytes throws(ArchiveError) in try region.write(bytes, at: 0) }.get()
    return MemFile(try region.seal(size: Int64(size)), name: name, entry: entry, mode: mode)
  }

  /// The descriptor of a memory file that looks like its entry.
  private func looked(_ descriptor: FileDescriptor) throws(ArchiveError) -> FileDescriptor {
    let result: Result<FileDescriptor, ArchiveError> = onDemand.withLock { onDemand in
      do throws(ArchiveError) {
        if !onDemand.hasLooks { try takeLooks(descriptor) }
        onDemand.hasLooks = true
        return .success(descriptor)
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  /// A memory file with the content of a packed file, made once.
  private func unpacked(
    from slab: Slab, _ range: Range<Int>
  ) throws(ArchiveError) -> Shared<ChargedMemory> {
    let result: Result<Shared<ChargedMemory>, ArchiveError> = onDemand.withLock { onDemand in
      if let unpacked = onDemand.unpacked { return .success(unpacked) }
      do throws(ArchiveError) {
        let unpacked = Shared(try slab.copy(range, name: name))
        onDemand.unpacked = unpacked
        return .success(unpacked)
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  /// Made when first asked for.
  private struct OnDemand {
    var mapping: Shared<Mapping>?
    var unpacked: Shared<ChargedMemory>?
    /// Whether the memory file has its entry's permissions and time.
    var hasLooks = false
  }
}

extension MemFile: Hashable, CustomStringConvertible {
  /// Whether both are the same object. Files with the same content are different files.
  public static func == (left: MemFile, right: MemFile) -> Bool { left === right }
  /// Hashes the object's identity.
  public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }

  /// The file in one line: its name, escaped like ``ArchiveError/description``, and its size.
  public var description: String { "MemFile(\"\(PlainText.escaped(name))\", \(size) bytes)" }
}

/// A noncopyable value with several owners.
private final class Shared<Value: ~Copyable & Sendable>: Sendable {
  let value: Value
  init(_ value: consuming Value) { self.value = value }
}

extension MemFile {
  /// Releases many files on several threads: the kernel takes 3 to 6 µs to close one and free its memory, and where a process
  /// leaves that to its exit, it does so one after another.
  package static func release(_ files: consuming [MemFile], threads: Int = SystemCalls.processorCount()) {
    let count = files.count
    let threads = min(threads, count / 1024)
    guard threads > 1 else { return }
    let parts = (1..<threads).map { part in
      Part(files[(count * part / threads)..<(count * (part + 1) / threads)])
    }
    files.removeSubrange((count / threads)...)
    var group = ThreadGroup()
    defer { group.join() }
    // A part that gets no thread is released when this call ends.
    for part in parts { try? group.start { part.release() } }
    files = []
  }

  private final class Part: @unchecked Sendable {
    // Used by its thread alone.
    private var files: [MemFile]
    init(_ files: ArraySlice<MemFile>) { self.files = Array(files) }
    func release() { files = [] }
  }
}
