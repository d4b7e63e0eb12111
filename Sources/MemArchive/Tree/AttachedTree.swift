internal import CLinux
internal import SealedMemory
internal import Synchronization
internal import SystemPackage

/// A tree at a real path of this process's mount namespace, for code that resolves paths or starts programs that do.
///
/// The tree is detached when this object is released, or by ``detach()``; what is open in it stays open.
public final class AttachedTree: Sendable {
  /// The tree's top directory: an absolute path without links.
  public let path: String
  private let tree: MemTree
  private let mount: OwnedDescriptor
  private let isAttached = Mutex(true)

  fileprivate init(_ tree: MemTree, _ mount: consuming OwnedDescriptor, at path: String) {
    (self.tree, self.path) = (tree, path)
    self.mount = mount
  }

  deinit { detach() }

  /// Takes the tree away from its path; does nothing the second time, or where something else was mounted over it.
  ///
  /// Calls umount2(2) with MNT_DETACH.
  public func detach() {
    let wasAttached = isAttached.withLock { isAttached in
      defer { isAttached = false }
      return isAttached
    }
    guard wasAttached, let own = try? Stat(mount.descriptor),
      let there = try? Stat(FilePath(path), followTargetSymlink: false), there.isSameFile(as: own)
    else { return }
    _ = unsafe path.withCString { unsafe clinux_detach_mount($0) }
  }
}

extension MemTree {
  /// Mounts the tree on a directory: for root, or a process that has left for a mount namespace of its own (unshare(2)), before
  /// which every process in the namespace sees it. A tree may be attached at several paths.
  ///
  /// - Parameter directory: An existing directory, which is covered.
  /// - Returns: The attachment, during whose life the tree is there. It keeps the tree alive.
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/treeUnavailable``, or the error number of realpath(3).
  ///
  /// Calls move_mount(2), open_tree(2).
  public func attach(at directory: String) throws(ArchiveError) -> AttachedTree {
    let path: FilePath
    do throws(Errno) { path = try FilePath(directory).resolvedDirectory() } catch {
      throw .system("realpath", error, doing: "looking for \"\(directory)\"")
    }
    return AttachedTree(self, try attachMount(at: path), at: path.string)
  }
}
