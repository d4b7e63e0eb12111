internal import CLinux
internal import SealedMemory
internal import Synchronization
public import SystemPackage

/// An archive's entries under their real names, in a file system in memory that is read-only by default and has no mount
/// point: for code that looks at a file's extension, opens its siblings or lists its directory.
///
/// It is a tmpfs that only this process can reach, through one descriptor for any number of files. ``path`` is the path of
/// its top directory, below which everything has its name from the archive. It disappears with the last reference to
/// this object, unless a file in it is still open or mapped.
///
/// ```swift
/// let tree = try ArchiveReader(path: "map.zip").tree()
/// let features = try tree.withPath(of: "roads.shp") { path in read(path) }  // finds roads.dbf beside it
/// ```
///
/// As with ``MemFile``, an optimized build releases the object after its last use in the program text:
/// ``withPath(of:_:)`` and ``withPath(_:)`` keep it alive. The tree is not part of the directory hierarchy that the process
/// sees, so getcwd(3) and realpath(3) fail in it. For code that needs them there is ``attach(at:)``, and for a command
/// `memarchive run --tree`.
public final class MemTree: Sendable {
  /// All entries of the archive, of every kind, created or not, in its order. Empty for a tree of links.
  public let entries: [ArchiveEntry]
  /// What was left out of the tree, each with the reason: names and links that lead out of it, links that
  /// no path is long enough for, devices, pipes.
  public let skipped: [ArchiveWarning]
  /// What was odd and did not prevent the extraction; bounded like ``MemFiles/warnings``.
  public let warnings: [ArchiveWarning]
  /// What could not be extracted and why, with ``ExtractionOptions/ErrorPolicy/keepGoing``.
  public let errors: [ArchiveError]

  private let mount: OwnedDescriptor
  private let topName: String
  /// Gives its charge back to the ledger when the tree is released.
  private let account: TreeAccount
  /// The targets of links.
  private let files: [MemFile]

  private let overlay: TreeOverlay?
  private let spare = Mutex<OwnedDescriptor?>(nil)

  init(_ builder: TreeBuilder, writable: Bool) throws(ArchiveError) {
    let finished = try builder.space.finish()
    if writable {
      let overlay = try TreeOverlay(finished, layers: [.top], at: nil, mode: 0o700, builder.space.ledger)
      do {
        mount = OwnedDescriptor(try SystemCalls.duplicate(overlay.mount.descriptor, closeOnExec: true))
      } catch {
        throw .system("fcntl", error, doing: "duplicating a descriptor")
      }
      self.overlay = consume overlay
    } else {
      mount = finished
      overlay = nil
    }
    topName = builder.space.topName
    account = builder.space.account
    files = []
    (entries, skipped) = (builder.entries, builder.skipped)
    (warnings, errors) = (builder.warnings.all, builder.errors)
  }

  /// A tree of symbolic links: the names of `files`, each leading to its sealed file.
  ///
  /// For code that needs names, with content that nobody, not even this process, can ever change. Each file needs a
  /// descriptor of its own, which a packed file gets now, and is held by this object. Code that resolves links sees a name
  /// like `/memfd:/x (deleted)`.
  ///
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/treeUnavailable``, ``ArchiveError/Code/pathUnavailable``,
  ///   ``ArchiveError/Code/descriptorLimit``, ``ArchiveError/Code/nameConflict`` or ``ArchiveError/Code/nameTooLong``.
  ///   Names that lead out of the tree are left out and listed in ``skipped``.
  public convenience init(linking files: MemFiles) throws(ArchiveError) {
    try self.init(linking: files.map { ($0.name, $0.file) })
  }

  convenience init(linking files: [(name: String, file: MemFile)]) throws(ArchiveError) {
    let directory = try Self.descriptorDirectory()
    var links: [(name: String, target: String, modified: ArchiveEntry.Time?)] = []
    for (name, file) in files {
      links.append((name, "\(directory)/\(try file.fileDescriptor.rawValue)", file.entry?.modified))
    }
    try self.init(links: links, to: files.map(\.file))
  }

  /// A tree of symbolic links to anywhere.
  ///
  /// - Parameter files: What they lead to, to be kept alive.
  package init(
    links: [(name: String, target: String, modified: ArchiveEntry.Time?)], to files: [MemFile] = []
  ) throws(ArchiveError) {
    let context = ExtractionContext(ExtractionOptions())
    let space = try TreeFileSystem(context.ledger)
    let top = try space.openTop()
    let writer = TreeWriter(TreeArea(space, top: top), in: context, wantsAll: true) { _ in true }
    for (name, target, modified) in links {
      _ = try writer.wants(ArchiveEntry(linkNamed: name, to: target, modified: modified))
    }
    mount = try space.finish()
    overlay = nil
    topName = space.topName
    account = space.account
    self.files = files
    (entries, skipped, warnings, errors) = ([], writer.skipped, writer.warnings.all, [])
  }

  /// The descriptor of the mount, **borrowed**: this object closes it. It can only be used to open paths below it (O_PATH),
  /// whose first component is the last one of ``path``.
  public var fileDescriptor: FileDescriptor { mount.descriptor }

  /// The path of the top directory: `/proc/self/fd/N/` and a random name, valid **only while this object is alive**; see
  /// ``withPath(_:)``.
  ///
  /// It is valid in this process alone: a child process needs the descriptor, or ``externalPath``.
  ///
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/pathUnavailable`` when /proc is not mounted.
  public var path: String {
    get throws(ArchiveError) {
      let path = "/proc/self/fd/\(mount.descriptor.rawValue)/\(topName)"
      do throws(Errno) {
        let own = try SystemCalls.status(of: EntryPath.cString(Array(topName.utf8)), in: mount.descriptor)
        guard try unsafe Stat(path).isSameFile(as: own) else { throw .noSuchFileOrDirectory }
        return path
      } catch {
        throw .noProc(path, error)
      }
    }
  }

  /// The path of the top directory for other processes of the same user: `/proc/PID/fd/N/` and a random name, valid while
  /// this object and this process are alive. It opens for processes that may trace this one (proc(5)).
  ///
  /// - Throws: As ``path``.
  public var externalPath: String {
    get throws(ArchiveError) {
      _ = try path
      return "\(try Self.descriptorDirectory())/\(mount.descriptor.rawValue)/\(topName)"
    }
  }

  /// The path of an entry, below ``path`` and valid as long as that is.
  ///
  /// - Throws: ``ArchiveError`` as ``filePath(of:)``, and ``ArchiveError/Code/pathUnavailable`` for a name that is not UTF-8.
  public func path(of name: String) throws(ArchiveError) -> String {
    guard let path = String(validating: try filePath(of: name)) else {
      throw ArchiveError(
        .pathUnavailable, entry: name, "the name is not UTF-8, and a String holds nothing else",
        advice: "Use filePath(of:), which holds any bytes.")
    }
    return path
  }

  /// The path of an entry whose name may be any bytes, below ``path`` and valid as long as that is.
  ///
  /// - Parameter name: The entry's name; "./", doubled slashes and a trailing one make no difference. The directories that
  ///   contain an entry have paths too, and "." is the top.
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/noSuchEntry`` when the tree has no such name; otherwise as ``path``.
  public func filePath(of name: String) throws(ArchiveError) -> FilePath {
    let below = try pathBelow(to: name)
    _ = try path
    let whole = Array("/proc/self/fd/\(mount.descriptor.rawValue)".utf8) + below
    return unsafe EntryPath.cString(whole).withUnsafeBufferPointer { bytes in
      unsafe bytes.baseAddress.map { unsafe FilePath(platformString: $0) } ?? FilePath()
    }
  }

  /// What was changed in a writable tree so far, sorted by name; nothing in a read-only one.
  ///
  /// - Throws: ``ArchiveError`` with the error number of a system call.
  public func changes() throws(ArchiveError) -> [Change] {
    switch overlay {
    case .some(let overlay): try overlay.changes(below: EntryPath(raw: Array(topName.utf8)))
    case .none: []
    }
  }

  /// What is in the tree now.
  func contents() throws(ArchiveError) -> TreeItems {
    try TreeItems(EntryPath(raw: Array(topName.utf8)), beneath: fileDescriptor)
  }

  /// What is in the tree now, by the bytes of its names, without owners, who need not be those of the archive.
  package func listing(_ context: ExtractionContext) throws(ArchiveError) -> [ArchiveEntry] {
    let items = try contents().items(context.cancellation)
    return items.sorted { $0.path.bytes.lexicographicallyPrecedes($1.path.bytes) }.map { item in
      var fields = item.entry.fields.value
      fields.details = nil
      return ArchiveEntry(fields)
    }
  }

  /// A mount of the top directory at this path.
  func attachMount(at path: FilePath) throws(ArchiveError) -> OwnedDescriptor {
    var failure: ArchiveError?
    // One at a time: the first is made from the tree's own mount, the others from copies.
    let number: CInt = spare.withLock { spare in
      do throws(ArchiveError) {
        let mount: OwnedDescriptor
        switch spare.take() {
        case .some(let kept): mount = kept
        case .none:
          mount = try TreeMount.directory(topName, of: self.mount.descriptor, at: path, Self.mounting)
        }
        let (number, path) = (mount.descriptor.rawValue, SystemCalls.raw(path))
        _ = try Self.mounting("move_mount") { unsafe clinux_attach_mount(number, path) }
        // A mount can be copied while it has a place: this copy is for the next time.
        let copy = unsafe clinux_clone_mount(number, "")
        if copy >= 0 { spare = OwnedDescriptor(FileDescriptor(rawValue: copy)) }
        return mount.release().rawValue
      } catch {
        failure = error
        return -1
      }
    }
    if let failure { throw failure }
    return OwnedDescriptor(FileDescriptor(rawValue: number))
  }

  private static func mounting(_ call: String, _ body: () -> CInt) throws(ArchiveError) -> CInt {
    do throws(Errno) { return try SystemCalls.valueOrErrno(body) } catch {
      throw ArchiveError(
        .treeUnavailable, "the tree cannot be attached at a path", call: call, errno: error,
        advice: """
          Run as root, or leave for a mount namespace of your own first (unshare(2)); for a command, memarchive run --tree \
          does so.
          """)
    }
  }

  /// A duplicate of the mount's descriptor without close-on-exec; it belongs to the caller.
  package func duplicate() throws(ArchiveError) -> FileDescriptor {
    do { return try SystemCalls.duplicate(fileDescriptor, closeOnExec: false) } catch {
      throw .system("fcntl", error, doing: "duplicating a descriptor")
    }
  }

  /// An entry's path from the mount's descriptor on, with a slash in front.
  ///
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/noSuchEntry``.
  package func pathBelow(to name: String) throws(ArchiveError) -> [UInt8] {
    guard let path = EntryPath(name), path.fits else { throw .noSuchEntry(name, among: entries) }
    let below = Array((topName + "/").utf8) + path.raw
    do throws(Errno) { _ = try SystemCalls.status(of: EntryPath.cString(below), in: mount.descriptor) } catch
    {
      throw .noSuchEntry(name, among: entries)
    }
    return Array("/\(topName)".utf8) + (path.isTop ? [] : [UInt8(ascii: "/")] + path.raw)
  }

  /// Calls `body` with the path of the top directory, and keeps the tree alive until `body` returns.
  ///
  /// - Throws: What `body` throws; otherwise ``ArchiveError`` as ``path``.
  public func withPath<Result: ~Copyable>(_ body: (String) throws -> Result) throws -> Result {
    try OwnedPath(of: self, path).use(body)
  }

  /// For a body that throws nothing but this library's errors.
  @_documentation(visibility: internal)
  public func withPath<Result: ~Copyable>(
    _ body: (String) throws(ArchiveError) -> Result
  ) throws(ArchiveError) -> Result {
    try OwnedPath(of: self, path).use(body)
  }

  /// Calls `body`, which may suspend, with the path of the top directory, and keeps the tree alive until `body` returns;
  /// otherwise like the synchronous form.
  public func withPath<Result>(
    isolation: isolated (any Actor)? = #isolation, _ body: (String) async throws -> Result
  ) async throws -> Result {
    try await OwnedPath(of: self, path).use(isolation: isolation, body)
  }

  /// Calls `body` with the path of an entry, and keeps the tree alive until `body` returns.
  ///
  /// - Throws: What `body` throws; otherwise ``ArchiveError`` as ``path(of:)``.
  public func withPath<Result: ~Copyable>(
    of name: String, _ body: (String) throws -> Result
  ) throws -> Result {
    try OwnedPath(of: self, path(of: name)).use(body)
  }

  /// For a body that throws nothing but this library's errors.
  @_documentation(visibility: internal)
  public func withPath<Result: ~Copyable>(
    of name: String, _ body: (String) throws(ArchiveError) -> Result
  ) throws(ArchiveError) -> Result {
    try OwnedPath(of: self, path(of: name)).use(body)
  }

  /// Calls `body`, which may suspend, with the path of an entry, and keeps the tree alive until `body` returns; otherwise
  /// like the synchronous form.
  public func withPath<Result>(
    of name: String, isolation: isolated (any Actor)? = #isolation, _ body: (String) async throws -> Result
  ) async throws -> Result {
    try await OwnedPath(of: self, path(of: name)).use(isolation: isolation, body)
  }

  private static func descriptorDirectory() throws(ArchiveError) -> String {
    do throws(Errno) { return try SystemCalls.descriptorDirectory() } catch {
      throw .noProc("/proc/self", error)
    }
  }
}

extension MemTree: CustomStringConvertible {
  /// The tree in one line.
  public var description: String {
    "MemTree(\(entries.isEmpty ? files.count : entries.count) entries, \(skipped.count) left out)"
  }
}
