internal import CLinux
internal import SealedMemory
internal import SystemPackage

/// A tmpfs without a mount point that is filled through one mount and read through another, read-only one.
struct TreeMount: ~Copyable {
  /// For filling it.
  let writable: OwnedDescriptor
  /// The readers' mount; nil if `writable` is made read-only at the end.
  private let readOnly: OwnedDescriptor?

  /// - Parameters:
  ///   - bytes: Upper bound of its content: the kernel's own bound, beyond the ledger's.
  ///   - inodes: Upper bound of files, directories and links.
  ///   - method: By this process, or by a helper if it may not mount.
  static func create(
    bytes: UInt64, inodes: UInt64, mode: UInt32, method: ExtractionContext.Hooks.MountMethod
  ) throws(ArchiveError) -> Self {
    var options = clinux_tree_options(bytes: bytes, inodes: inodes, mode: mode)
    var tree = unsafe clinux_tree()
    // The helper's two mounts are preferred: this process's own mount can be made read-only only while no child that the
    // host has forked in the meantime holds one of its files open for writing.
    if method != .own { unsafe clinux_tree_make_in_helper(&options, &tree) }
    if unsafe method == .own || (method == .automatic && tree.call != nil) {
      var own = unsafe clinux_tree()
      unsafe clinux_tree_make(&options, &own)
      // A process that may not mount reports the helper's error, which can be fixed.
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

  /// Another mount of a directory at the top of a mount without a place, which has none either.
  ///
  /// A mount can be copied from a directory below its top only while it has a place itself: that is the path, for a moment.
  ///
  /// - Parameter mounting: Makes a call, and throws the caller's error about it.
  static func directory(
    _ name: String, of mount: FileDescriptor, at path: FilePath,
    _ mounting: (String, () -> CInt) throws(ArchiveError) -> CInt
  ) throws(ArchiveError) -> OwnedDescriptor {
    let (number, path) = (mount.rawValue, SystemCalls.raw(path))
    _ = try mounting("move_mount") { unsafe clinux_attach_mount(number, path) }
    let copy: OwnedDescriptor
    do throws(ArchiveError) {
      copy = OwnedDescriptor(
        FileDescriptor(rawValue: try mounting("open_tree") { unsafe clinux_clone_mount(number, name) }))
    } catch {
      _ = unsafe clinux_detach_mount(path)
      throw error
    }
    _ = try mounting("umount2") { unsafe clinux_detach_mount(path) }
    return copy
  }

  /// A child between fork(2) and execve(2) has this process's files open too, including those for writing; that ends soon,
  /// but the wait needs a bound.
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

  /// The read-only mount. Every file that was open for writing has been closed.
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
