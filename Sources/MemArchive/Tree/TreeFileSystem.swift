internal import CLinux
internal import Libc
internal import SealedMemory
internal import Synchronization
internal import SystemPackage

/// A tree's file system while it is filled: one top directory with an unguessable name, and a staging directory beside it
/// for files that get their names later.
///
/// `/proc/self/fd/N` of a mount without a mount point reads as "/", so a resolved path below it would
/// name a file of the *host's*, if the tree did not begin one unguessable level further down.
final class TreeFileSystem: Sendable {
  let ledger: Ledger
  /// The name of the top directory.
  let topName: String
  let stage: OwnedDescriptor
  private let stageName: String
  private let mount: TreeMount
  let account: TreeAccount
  let looks: TreeLooks
  /// Whether the process's umask(2) changes the modes that files are made with.
  let hasUmask: Bool
  private let stageCount = Atomic<Int>(0)

  /// - Parameters:
  ///   - mode: The top directory's mode, which decides who else may enter it.
  ///   - hasUmask: False if the process's umask(2) is 0 and does not change.
  init(
    _ ledger: Ledger, mode: UInt32 = 0o700, method: ExtractionContext.Hooks.MountMethod = .automatic,
    hasUmask: Bool = true, looks: TreeLooks = TreeLooks()
  ) throws(ArchiveError) {
    self.ledger = ledger
    self.looks = looks
    self.hasUmask = hasUmask
    // The ledger refuses before memory is committed; the kernel's own bound is for memory it does not see. tmpfs(5)
    let bytes = ledger.heldLimit == .max ? 0 : UInt64(max(1, ledger.heldLimit)) + (64 << 20)
    let inodes = UInt64(max(1, ledger.heldLimit)) / UInt64(TreeAccount.inodeSize) + 4096
    // The helper's file system knows no users but its own.
    let method = method == .automatic && !looks.isOwn ? .own : method
    mount = try TreeMount.create(bytes: bytes, inodes: inodes, mode: mode, method: method)
    account = TreeAccount(ledger)
    do throws(Errno) {
      (topName, stageName) = (Self.randomName(), Self.randomName())
      _ = try SystemCalls.makeDirectory(
        EntryPath.cString(Array(topName.utf8)), in: mount.writable.descriptor, mode: mode | 0o055,
        hasUmask: hasUmask)
      try looks.setOwner(of: EntryPath.cString(Array(topName.utf8)), in: mount.writable.descriptor, nil)
      stage = try SystemCalls.makeDirectory(
        EntryPath.cString(Array(stageName.utf8)), in: mount.writable.descriptor, mode: 0o700,
        hasUmask: hasUmask)
    } catch {
      throw .system("mkdirat", error, doing: "making a tree's top directory")
    }
  }

  /// The top directory, to make entries below it.
  func openTop() throws(ArchiveError) -> OwnedDescriptor {
    do throws(Errno) {
      return try SystemCalls.openDirectory(
        EntryPath(raw: Array(topName.utf8)), beneath: mount.writable.descriptor)
    } catch {
      throw .system("openat2", error, doing: "opening a tree's top directory")
    }
  }

  /// Finishes the tree: nothing can be written any more through any of this object's descriptors.
  ///
  /// - Returns: A descriptor of the mount.
  func finish() throws(ArchiveError) -> OwnedDescriptor {
    do throws(Errno) {
      let name = EntryPath.cString(Array(stageName.utf8))
      try SystemCalls.remove(name, in: mount.writable.descriptor, isDirectory: true)
    } catch {
      throw .system("unlinkat", error, doing: "removing a tree's stage")
    }
    return try mount.finish()
  }

  /// Creates a directory that others may read; it gets its own mode later, if it has one.
  func makeDirectory(_ name: RawPath, in directory: FileDescriptor) throws(Errno) -> OwnedDescriptor {
    let made = try SystemCalls.makeDirectory(name, in: directory, mode: 0o755, hasUmask: hasUmask)
    try looks.setOwner(of: name, in: directory, nil)
    return made
  }

  /// An unused name on the stage.
  func nextStageName() -> RawPath {
    EntryPath.cString(Array(String(stageCount.add(1, ordering: .relaxed).newValue).utf8))
  }

  /// Removes a file, and its memory unless a hard link needs it.
  func removeFile(_ name: RawPath, in directory: FileDescriptor) throws(Errno) {
    let status = try SystemCalls.status(of: name, in: directory)
    try SystemCalls.remove(name, in: directory)
    if status.type == .regular, status.linkCount == 1 { account.giveBack(size: status.size) }
  }

  /// Removes a file from the stage, or a directory with its content. Its subdirectories are moved to the stage first, so that only one
  /// directory at a time is open.
  func removeFromStage(_ name: RawPath) throws(Errno) {
    let stage = stage.descriptor
    var waiting = [name]
    do throws(Errno) {
      return try removeFile(name, in: stage)
    } catch .isDirectory {}
    while let name = waiting.popLast() {
      // A directory has its own mode by now, which may deny the user access.
      try SystemCalls.changeMode(name, in: stage, to: 0o700)
      let directory = try SystemCalls.open(beneath: stage, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
      for child in try SystemCalls.names(in: directory.descriptor) {
        do throws(Errno) { try removeFile(child, in: directory.descriptor) } catch .isDirectory {
          try SystemCalls.changeMode(child, in: directory.descriptor, to: 0o700)
          waiting.append(nextStageName())
          try SystemCalls.rename(
            child, in: directory.descriptor, to: waiting[waiting.count - 1], in: stage)
        }
      }
      try SystemCalls.remove(name, in: stage, isDirectory: true)
    }
  }

  /// 128 bits of getrandom(2).
  private static func randomName() -> String {
    (0..<2).map { _ in
      let digits = String(UInt64.random(in: 0 ... .max), radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }
}

/// Charges a ledger for a tree's files, until the tree is released.
final class TreeAccount: Sendable {
  /// The kernel's memory for an inode of a tmpfs with its directory entry, approximately.
  static let inodeSize: Int64 = 1024
  /// Content takes whole pages.
  private static let pageSize: Int64 = 4096
  /// For the entries, warnings and errors.
  let entries: EntryAccount
  private let charge: Mutex<Charge>

  init(_ ledger: Ledger) {
    entries = EntryAccount(ledger)
    charge = Mutex(Charge(ledger, entry: "tree"))
  }

  /// Counts another file, directory or link.
  func addInode(entry: String) throws(ArchiveError) { try entries.hold(Self.inodeSize, entry: entry) }

  /// Takes over the charge of a file of `size` bytes, and counts the unused part of its last page.
  func take(_ other: inout Charge, size: Int64, entry: String) throws(ArchiveError) {
    try other.hold(Self.rounded(size) - size, entry: entry)
    charge.withLock { other.move(to: &$0) }
  }

  /// Gives back the charge of a file of this size.
  func giveBack(size: Int64) { charge.withLock { $0.giveBack(Self.rounded(size)) } }

  private static func rounded(_ size: Int64) -> Int64 {
    let (sum, overflow) = size.addingReportingOverflow(pageSize - 1)
    return overflow ? size : sum / pageSize * pageSize
  }
}
