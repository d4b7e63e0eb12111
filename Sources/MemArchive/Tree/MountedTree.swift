internal import CLinux
internal import Libc
internal import SealedMemory
package import SystemPackage

/// A tree at a real path, in a mount namespace used only by this process and the programs it executes.
///
/// It disappears with the last process in that namespace, however these end. One of them exists only to end a moment after
/// this one.
package struct MountedTree: ~Copyable {
  /// The mount point: an absolute path with no link in it.
  package let place: FilePath
  package private(set) var entries: [ArchiveEntry] = []
  /// What was left out.
  package private(set) var skipped: [ArchiveWarning] = []
  package private(set) var warnings: [ArchiveWarning] = []
  private let space: TreeFileSystem
  private let context: ExtractionContext
  private let nested: ExtractionOptions.NestedArchives
  private let selection: EntrySelection
  /// What takes changes, or shows several archives as one tree.
  private var overlay: TreeOverlay?
  /// The directories of archives that will be one tree.
  private var layers: [EntryPath] = []
  /// To be restored when the tree is complete. Until then it is 0, so that files get their modes when they are created.
  private let umask: UInt32

  /// Enters the namespace, which works while the process has a single thread; the user ID stays the same.
  ///
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/treeUnavailable``.
  ///
  /// Calls unshare(2).
  package static func enterNamespace() throws(ArchiveError) {
    var call: UnsafePointer<CChar>?
    do throws(Errno) {
      _ = try SystemCalls.valueOrErrno { unsafe clinux_enter_mount_namespace(&call) }
    } catch {
      throw .treeUnavailable(call: unsafe call.map { unsafe String(cString: $0) } ?? "unshare", error)
    }
    // The last process to leave the namespace frees all files in it, which takes a third of the time that making them does:
    // that should be a process that nobody waits for. If it cannot be started, the command's end takes longer.
    _ = clinux_hold(nil, 0, 0, nil)
  }

  /// Where an archive's entries go.
  package enum Place {
    case top
    /// In a directory of this name at the top.
    case directory(String)
    /// At the top, over what earlier archives have there.
    case merged
  }

  /// An empty tree that is not mounted yet.
  package init(
    at place: FilePath, _ selection: EntrySelection = .all, nested: ExtractionOptions.NestedArchives,
    in context: ExtractionContext
  ) throws(ArchiveError) {
    self.selection = selection
    self.place = place
    self.context = context
    self.nested = nested
    umask = SystemCalls.setUmask(0)
    space = try TreeFileSystem(
      context.ledger, mode: 0o755, method: .own, hasUmask: false, looks: TreeLooks(context.options))
  }

  /// Puts an archive's entries in the tree.
  ///
  /// - Throws: ``ArchiveError``; ``ArchiveError/Code/duplicateEntry`` where a name of several archives is to be refused.
  package mutating func add(_ reader: ArchiveReader, at place: Place) throws(ArchiveError) {
    let (name, directory): (String?, String?) =
      switch place {
      case .top: (nil, nil)
      case .directory(let name): (name, name)
      case .merged: (nil, String(layers.count))
      }
    let top = name.map { self.place.appending($0) } ?? self.place
    var builder = TreeBuilder(space, selection, nested: nested, at: top)
    try builder.build(ArchiveLevel(outermost: reader, in: context), below: try self.directory(directory))
    try builder.requireNames(context.options)
    if case .merged = place, let directory {
      try checkNames(of: builder.entries)
      layers.append(EntryPath(raw: Array("\(space.topName)/\(directory)".utf8)))
    }
    entries += name == nil ? builder.entries : builder.entries.map { $0.inside(name) }
    skipped += builder.skipped.map { $0.inside(name) }
    warnings += builder.warnings.all.map { $0.inside(name) }
  }

  /// Puts the layers of an image in the tree, which is to be the root of the command, with directories for what a system
  /// mounts there and the host's way to find other hosts.
  ///
  /// - Returns: The user that the image is for.
  package mutating func add(_ image: ContainerImage) throws(ArchiveError) -> ImageUser {
    let stack = LayerStack(TreeBuilder(space, .all, nested: .keep, at: ""), top: try directory(nil))
    try image.add(to: stack, in: context)
    for name in ["proc", "dev"] { try stack.makeDirectory(name) }
    for path in ["etc/resolv.conf", "etc/hosts"] {
      if let content = Self.content(of: "/" + path) { try stack.write(content, to: path) }
    }
    let user = try ImageUser(
      image.configuration.user, passwords: try stack.content(of: "etc/passwd"),
      groups: try stack.content(of: "etc/group"))
    try stack.finish(context)
    entries += stack.builder.entries
    skipped += stack.builder.skipped
    warnings += stack.builder.warnings.all
    return user
  }

  /// A small file of the host's, if it has it.
  private static func content(of path: String) -> [UInt8]? {
    guard let descriptor = try? SystemCalls.openReadOnly(FilePath(path)) else { return nil }
    let file = OwnedDescriptor(descriptor)
    var bytes = [UInt8](repeating: 0, count: 64 << 10)
    var elements = bytes.mutableSpan
    var all = unsafe elements.mutableBytes
    return (try? SystemCalls.read(file.descriptor, at: 0, into: &all)).map { Array(bytes.prefix($0)) }
  }

  /// Makes the mounted tree the root directory of this process, for good, and takes on its user.
  ///
  /// - Parameter directory: Where the process is to be, which is made if it is missing.
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/treeUnavailable``.
  ///
  /// Calls pivot_root(2), setgroups(2), setresgid(2), setresuid(2), unshare(2).
  package static func enterRoot(
    at place: FilePath, directory: String, as user: ImageUser
  ) throws(ArchiveError) {
    var call: UnsafePointer<CChar>?
    do throws(Errno) {
      _ = try SystemCalls.valueOrErrno {
        unsafe place.withPlatformString { unsafe clinux_enter_root($0, directory, &call) }
      }
      _ = try SystemCalls.valueOrErrno {
        unsafe clinux_become(user.user, user.group, user.groups, user.groups.count, &call)
      }
    } catch {
      throw .treeUnavailable(call: unsafe call.map { unsafe String(cString: $0) } ?? "pivot_root", error)
    }
  }

  /// Whether files can be given to the users that an image has.
  package static var knowsOtherUsers: Bool { geteuid() == 0 && clinux_maps_other_users() != 0 }

  /// Finishes the tree and mounts it at its place.
  ///
  /// - Parameter writable: Whether it takes changes, which ``changes()`` lists.
  package mutating func attach(writable: Bool) throws(ArchiveError) {
    let mount = try space.finish()
    if writable || !layers.isEmpty {
      try attachOverlay(of: mount, writable: writable)
    } else {
      let top = try TreeMount.directory(space.topName, of: mount.descriptor, at: place, Self.mounting)
      try attach(top.descriptor)
    }
    _ = SystemCalls.setUmask(umask)
  }

  /// What the command has changed.
  package func changes() throws(ArchiveError) -> [MemTree.Change] {
    switch overlay {
    case .some(let overlay): try overlay.changes(below: .top)
    case .none: []
    }
  }

  /// What is in the tree now.
  package func contents() throws(ArchiveError) -> some Archivable {
    let mount: OwnedDescriptor
    do throws(Errno) { mount = OwnedDescriptor(try SystemCalls.openReadOnly(place)) } catch {
      throw .system("open", error, doing: "opening the tree")
    }
    return try TreeItems(.top, beneath: mount.descriptor)
  }

  private mutating func attachOverlay(
    of mount: consuming OwnedDescriptor, writable: Bool
  ) throws(ArchiveError) {
    // The first of them is seen.
    let all = layers.isEmpty ? [EntryPath(raw: Array(space.topName.utf8))] : layers
    let overlay = try TreeOverlay(
      mount, layers: context.options.duplicates == .first ? all : all.reversed(), at: place, mode: 0o755,
      context.ledger)
    if !layers.isEmpty {
      // Links of one archive may lead out through those of another.
      var builder = TreeBuilder(space, .all, nested: nested, at: place)
      try builder.takeAwayLinksThatLeadOut(below: overlay.mount.descriptor, context)
      skipped += builder.skipped
    }
    if !writable { try overlay.makeReadOnly() }
    try attach(overlay.mount.descriptor)
    self.overlay = consume overlay
  }

  private func attach(_ mount: FileDescriptor) throws(ArchiveError) {
    let path = SystemCalls.raw(place)
    _ = try Self.mounting("move_mount") { unsafe clinux_attach_mount(mount.rawValue, path) }
  }

  /// Throws for a name that an earlier archive has too, if that is to be refused; several may have a directory.
  private func checkNames(of entries: [ArchiveEntry]) throws(ArchiveError) {
    guard context.options.duplicates == .reject, !layers.isEmpty else { return }
    let top = try space.openTop()
    for entry in entries {
      guard let path = EntryPath(entry.name), !path.isTop else { continue }
      for layer in layers.indices {
        let whole = EntryPath(raw: Array(String(layer).utf8)).appending(path)
        guard let parent = try? SystemCalls.openDirectory(whole.parent, beneath: top.descriptor),
          let status = try? SystemCalls.status(of: whole.last, in: parent.descriptor)
        else { continue }
        guard entry.kind == .directory, status.type == .directory else {
          throw ArchiveError(
            .duplicateEntry, entry: entry.name, "an archive before this one has an entry of this name",
            advice: "Omit --reject-duplicates, or give the archives directories of their own.")
        }
      }
    }
  }

  /// The path of the entry with this name, if there is one.
  package func path(of name: String) -> FilePath? {
    guard let components = EntryPath(name)?.components else { return nil }
    var path = place
    for component in components {
      let next = unsafe EntryPath.cString(component).withUnsafeBufferPointer { bytes in
        unsafe bytes.baseAddress.flatMap { unsafe FilePath.Component(platformString: $0) }
      }
      guard let next else { return nil }
      path.append(next)
    }
    return SystemCalls.isThere(path) ? path : nil
  }

  private func directory(_ name: String?) throws(ArchiveError) -> OwnedDescriptor {
    let top = try space.openTop()
    guard let name else { return top }
    do throws(Errno) {
      return try space.makeDirectory(EntryPath.cString(Array(name.utf8)), in: top.descriptor)
    } catch {
      throw .system("mkdirat", error, doing: "making a directory in a tree", entry: name)
    }
  }

  private static func mounting(_ call: String, _ body: () -> CInt) throws(ArchiveError) -> CInt {
    do throws(Errno) { return try SystemCalls.valueOrErrno(body) } catch {
      throw .treeUnavailable(call: call, error)
    }
  }
}

extension ArchiveWarning {
  /// The warning about a skipped entry.
  package var asLeftOut: Self { Self(.leftOut, entry: entry, "left out: " + text) }
}

extension FilePath {
  /// realpath(3) of a directory.
  package func resolvedDirectory() throws(Errno) -> FilePath {
    guard let resolved = unsafe withPlatformString({ unsafe realpath($0, nil) }) else {
      throw SystemCalls.lastError
    }
    defer { unsafe free(resolved) }
    let path = unsafe FilePath(platformString: resolved)
    guard try Stat(path).type == .directory else { throw .notDirectory }
    return path
  }
}
