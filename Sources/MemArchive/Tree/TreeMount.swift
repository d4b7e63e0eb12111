internal import CLinux
internal import SealedMemory
internal import SystemPackage

/// A tmpfs without a mount point that is filled through one mount of it and read through another, which is read-only.
struct TreeMount: ~Copyable {
  /// For filling it.
  let writable: OwnedDescriptor
  /// What readers get; nil where `writable` is made read-only at the end.
  private let readOnly: OwnedDescriptor?

  /// - Parameters:
  ///   - bytes: The most it may hold: the kernel's own bound, beyond the ledger's.
  ///   - inodes: How many files, directories and links.
  ///   - method: By this process, which may mount, or by a helper where it may not.
  static func create(
    bytes: UInt64, inodes: UInt64, mode: UInt32, method: ExtractionContext.Hooks.MountMethod
  ) throws(ArchiveError) -> Self {
    var options = clinux_tree_options(bytes: bytes, inodes: inodes, mode: mode)
    var tree = unsafe clinux_tree()
    // The helper's two mounts come first: a mount of this process's own can be made read-only only while no child that
    // the host forked meanwhile holds one of its files open for writing.
    if method != .own { unsafe clinux_tree_make_in_helper(&options, &tree) }
    if unsafe method == .own || (method == .automatic && tree.call != nil) {
      var own = unsafe clinux_tree()
      unsafe clinux_tree_make(&options, &own)
      // A process that may not mount is told what the helper was refused: that can be changed.
      if unsafe method == .own || own.call == nil { unsafe tree = own }
    }
    let writable = unsafe tree.writable < 0 ? nil : OwnedDescriptor(FileDescriptor(rawValue: tree.writable))
    let readOnly = unsafe tree.readonly < 0 ? nil : OwnedDescriptor(FileDescriptor(rawValue: tree.readonly))
    if let call = unsafe tree.call {
      throw unsafe .treeUnavailable(call: String(cString: call), Errno(rawValue: tree.error))
    }
    guard let writable else { throw .treeUnavailable(call: "fsmount", .ioError) }
    return Self(writable: writable, readOnly: readOnly)
  }

  /// A child between fork(2) and execve(2) has this process's files open too, those for writing among them; that ends soon,
  /// but a bound is needed.
  private borrowing func makeReadOnly() throws(Errno) {
    for _ in 0..<10_000 {
      do throws(Errno) {
        _ = try SystemCalls.valueOrErrno { clinux_make_readonly(writable.descriptor.rawValue) }
        return
      } catch .resourceBusy {
        SystemCalls.yield()
      }
    }
    throw .resourceBusy
  }

  private var readOnlyNumber: FileDescriptor? {
    switch readOnly {
    case .some(let owned): owned.descriptor
    case .none: nil
    }
  }

  private init(writable: consuming OwnedDescriptor, readOnly: consuming OwnedDescriptor?) {
    self.writable = writable
    self.readOnly = readOnly
  }

  /// The mount that can only be read. Every file that was open for writing is closed by now.
  borrowing func finish() throws(ArchiveError) -> OwnedDescriptor {
    do throws(Errno) {
      if readOnlyNumber == nil {
        try makeReadOnly()
      }
    } catch {
      throw .treeUnavailable(call: "mount_setattr", error)
    }
    do throws(Errno) {
      let descriptor = readOnlyNumber ?? writable.descriptor
      return OwnedDescriptor(try SystemCalls.duplicate(descriptor, closeOnExec: true))
    } catch {
      throw .system("fcntl", error, doing: "duplicating a descriptor")
    }
  }
}
