internal import CLinux
internal import Libc
internal import SealedMemory
internal import SystemPackage

/// A finished tree, or several over each other, under a layer in memory that takes changes: overlayfs.
///
/// What is below stays as it is, read-only. The layer has copies of what is changed, bounded by what `heldBytes` leaves, and goes
/// with the last mount and the last open file.
struct TreeOverlay: ~Copyable {
  /// Without a mount point.
  let mount: OwnedDescriptor
  /// What was changed, added or removed.
  private let changed: OwnedDescriptor
  /// What is below.
  private let tree: OwnedDescriptor
  private let layers: [EntryPath]

  /// - Parameters:
  ///   - tree: The tree's mount, which can only be looked into afterwards.
  ///   - layers: Directories below its top; of two entries with the same name, that in the first of these is seen.
  ///   - place: A directory that is covered meanwhile; nil for a helper process's.
  init(
    _ tree: consuming OwnedDescriptor, layers: [EntryPath], at place: FilePath?, mode: UInt32,
    _ ledger: Ledger
  ) throws(ArchiveError) {
    let snapshot = ledger.snapshot
    let left = ledger.heldLimit == .max ? 0 : max(1 << 20, ledger.heldLimit - snapshot.held)
    let inodes = ledger.heldLimit == .max ? 0 : left / TreeAccount.inodeSize + 64
    var overlay = unsafe clinux_overlay()
    unsafe overlay.lower = tree.descriptor.rawValue
    unsafe overlay.layer_count = layers.count
    unsafe overlay.limits = clinux_tree_options(bytes: UInt64(left), inodes: UInt64(inodes), mode: mode)
    // One text with a zero after each, to which the pointers lead.
    let text = layers.flatMap { $0.isTop ? [0] : $0.cString }
    unsafe text.withUnsafeBufferPointer { text in
      var pointers: [UnsafePointer<CChar>?] = unsafe []
      var start = 0
      for layer in layers {
        unsafe pointers.append(text.baseAddress.map { unsafe $0 + start })
        start += layer.isTop ? 1 : layer.cString.count
      }
      unsafe pointers.withUnsafeBufferPointer { pointers in
        unsafe overlay.layers = pointers.baseAddress
        if let place {
          unsafe place.withPlatformString { unsafe clinux_overlay_make(&overlay, $0) }
        } else {
          unsafe clinux_overlay_make_in_helper(&overlay)
        }
        unsafe overlay.layers = nil
      }
    }
    if let call = unsafe overlay.call {
      throw unsafe .treeUnavailable(call: String(cString: call), Errno(rawValue: overlay.error))
    }
    mount = OwnedDescriptor(FileDescriptor(rawValue: unsafe overlay.mount))
    changed = OwnedDescriptor(FileDescriptor(rawValue: unsafe overlay.changes))
    self.tree = tree
    self.layers = layers
  }

  /// Lets nothing more be changed through the mount.
  borrowing func makeReadOnly() throws(ArchiveError) {
    do throws(Errno) {
      _ = try SystemCalls.valueOrErrno { clinux_make_readonly(mount.descriptor.rawValue) }
    } catch {
      throw .treeUnavailable(call: "mount_setattr", error)
    }
  }

  /// What differs from the tree, sorted by name.
  ///
  /// - Parameter top: The directory below the mount's top that names begin in.
  borrowing func changes(below top: EntryPath) throws(ArchiveError) -> [MemTree.Change] {
    var changes: [MemTree.Change] = []
    var directories = [top]
    while let directory = directories.popLast() {
      do throws(Errno) {
        try look(into: directory, top) { (path: EntryPath, kind: MemTree.Change.Kind?, isDirectory: Bool) in
          if let kind {
            changes.append(
              .init(name: EntryName.key(path.raw.dropFirst(top.isTop ? 0 : top.raw.count + 1)), kind: kind))
          }
          if isDirectory { directories.append(path) }
        }
      } catch {
        throw .system(
          "openat2", error, doing: "looking for changes in a tree", entry: EntryName.key(directory.raw))
      }
    }
    return changes.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
  }

  /// Calls `body` for each entry of one directory of the layer; without a kind for a directory that only leads to others.
  private borrowing func look(
    into directory: EntryPath, _ top: EntryPath, _ body: (EntryPath, MemTree.Change.Kind?, Bool) -> Void
  ) throws(Errno) {
    let opened: OwnedDescriptor
    do throws(Errno) {
      opened = try SystemCalls.open(beneath: changed.descriptor, directory.cString, O_RDONLY | O_DIRECTORY)
    } catch .noSuchFileOrDirectory where directory == top {
      // Nothing was changed.
      return
    }
    var names: Set<RawPath> = []
    for name in try SystemCalls.names(in: opened.descriptor) {
      names.insert(name)
      let path = directory.appending(name.dropLast().map { UInt8(bitPattern: $0) })
      let status = try SystemCalls.status(of: name, in: opened.descriptor)
      let below = self.below(path)
      switch status.type {
      // overlayfs marks what was removed by a device 0, 0.
      case .characterSpecial where status.specialDeviceID.rawValue == 0: body(path, .removed, false)
      case .directory where below.map { $0.status.hasSameOwnerAndMode(as: status) } ?? false:
        body(path, nil, true)
      case .directory: body(path, below == nil ? .added : .modified, true)
      default:
        // A file is copied when it is opened for writing, whether anything is written or not.
        if let below, isSame(below, status, name, in: opened.descriptor) { continue }
        body(path, below == nil ? .added : .modified, false)
      }
    }
    // A directory that took the place of a removed one shows nothing of that.
    guard clinux_is_opaque(opened.descriptor.rawValue) != 0 else { return }
    for layer in layers {
      guard
        let old = try? SystemCalls.open(
          beneath: tree.descriptor, layer.appending(directory).cString, O_RDONLY | O_DIRECTORY)
      else { continue }
      for name in try SystemCalls.names(in: old.descriptor) where names.insert(name).inserted {
        body(directory.appending(name.dropLast().map { UInt8(bitPattern: $0) }), .removed, false)
      }
    }
  }

  /// What the tree has at a path.
  private borrowing func below(_ path: EntryPath) -> (path: EntryPath, status: Stat)? {
    for layer in layers {
      let whole = layer.appending(path)
      guard let parent = try? SystemCalls.openDirectory(whole.parent, beneath: tree.descriptor),
        let status = try? SystemCalls.status(of: whole.last, in: parent.descriptor)
      else { continue }
      return (whole, status)
    }
    return nil
  }

  private borrowing func isSame(
    _ below: (path: EntryPath, status: Stat), _ status: Stat, _ name: RawPath, in directory: FileDescriptor
  ) -> Bool {
    guard below.status.hasSameOwnerAndMode(as: status), below.status.size == status.size,
      below.status.st_mtim.tv_sec == status.st_mtim.tv_sec,
      below.status.st_mtim.tv_nsec == status.st_mtim.tv_nsec
    else { return false }
    guard status.type == .regular else { return true }
    // Programs that copy files set their times too.
    guard let old = try? SystemCalls.open(beneath: tree.descriptor, below.path.cString, O_RDONLY),
      let new = try? SystemCalls.open(beneath: directory, name, O_RDONLY)
    else { return false }
    return (try? SystemCalls.haveSameContent(old.descriptor, new.descriptor)) ?? false
  }
}

extension Stat {
  /// Whether both are of one kind, with the same permissions, for the same user and group.
  fileprivate func hasSameOwnerAndMode(as other: Self) -> Bool {
    mode == other.mode && userID == other.userID && groupID == other.groupID
  }
}

extension SystemCalls {
  /// Whether two files of one size hold the same bytes.
  fileprivate static func haveSameContent(
    _ one: FileDescriptor, _ other: FileDescriptor
  ) throws(Errno) -> Bool {
    var (first, second) = ([UInt8](repeating: 0, count: 64 << 10), [UInt8](repeating: 0, count: 64 << 10))
    var offset: Int64 = 0
    while true {
      let count = try read(one, at: offset, into: &first)
      guard count == (try read(other, at: offset, into: &second)), first[..<count] == second[..<count] else {
        return false
      }
      if count == 0 { return true }
      offset += Int64(count)
    }
  }

  private static func read(
    _ file: FileDescriptor, at offset: Int64, into bytes: inout [UInt8]
  ) throws(Errno) -> Int {
    var elements = bytes.mutableSpan
    var all = unsafe elements.mutableBytes
    return try read(file, at: offset, into: &all)
  }
}

extension MemTree {
  /// What somebody did to an entry of a writable tree.
  public struct Change: Hashable, Sendable {
    /// The way in which something changed.
    public enum Kind: Hashable, Sendable, CaseIterable {
      /// It was not there before.
      case added
      /// Its content, its metadata or its kind is another one.
      case modified
      /// It is there no more. Of a directory, what was in it is not listed.
      case removed
    }
    /// The path from the tree's top, written as ``ArchiveEntry/name`` is.
    public let name: String
    /// What happened to it.
    public let kind: Kind
  }
}

extension MemTree.Change: CustomStringConvertible {
  /// The change in one line, such as "modified d/f", escaped like ``ArchiveError/description``.
  public var description: String { PlainText.escaped("\(kind) \(name)") }
}
