internal import CLinux
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
  /// Warnings, including those about entries that were left out.
  package private(set) var warnings: [ArchiveWarning] = []
  private let space: TreeFileSystem
  private let context: ExtractionContext
  private let nested: ExtractionOptions.NestedArchives
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
    _ = clinux_hold(nil, 0)
  }

  /// An empty tree that is not mounted yet.
  package init(
    at place: FilePath, nested: ExtractionOptions.NestedArchives, in context: ExtractionContext
  ) throws(ArchiveError) {
    self.place = place
    self.context = context
    self.nested = nested
    umask = SystemCalls.setUmask(0)
    space = try TreeFileSystem(context.ledger, mode: 0o755, method: .own, hasUmask: false)
  }

  /// Puts an archive's entries in the tree's top directory, or in a subdirectory with this name.
  package mutating func add(_ reader: ArchiveReader, named name: String?) throws(ArchiveError) {
    var builder = TreeBuilder(space, .all, nested: nested)
    try builder.build(ArchiveLevel(outermost: reader, in: context), below: try directory(name))
    entries += name == nil ? builder.entries : builder.entries.map { $0.inside(name) }
    warnings += (builder.skipped.map(\.asLeftOut) + builder.warnings.all).map { $0.inside(name) }
  }

  /// Finishes the tree and mounts it, read-only, at its place.
  package func attach() throws(ArchiveError) {
    let mount = try space.finish()
    let (number, path, top) = (mount.descriptor.rawValue, SystemCalls.raw(place), space.topName)
    // A mount can be copied from a directory below its top only while it has a place in this namespace.
    _ = try mounting("move_mount") { unsafe clinux_attach_mount(number, path) }
    let copy = OwnedDescriptor(
      FileDescriptor(rawValue: try mounting("open_tree") { unsafe clinux_clone_mount(number, top) }))
    _ = try mounting("umount2") { unsafe clinux_detach_mount(path) }
    let copyNumber = copy.descriptor.rawValue
    _ = try mounting("move_mount") { unsafe clinux_attach_mount(copyNumber, path) }
    _ = SystemCalls.setUmask(umask)
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

  private func mounting(_ call: String, _ body: () -> CInt) throws(ArchiveError) -> CInt {
    do throws(Errno) { return try SystemCalls.valueOrErrno(body) } catch {
      throw .treeUnavailable(call: call, error)
    }
  }
}

extension ArchiveWarning {
  /// The warning about a skipped entry.
  fileprivate var asLeftOut: Self { Self(.leftOut, entry: entry, "left out: " + text) }
}
