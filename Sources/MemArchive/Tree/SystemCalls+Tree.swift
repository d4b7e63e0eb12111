internal import CLinux
internal import Libc
internal import SealedMemory
internal import SystemPackage

/// A path as the kernel takes it: bytes that end with a zero.
typealias RawPath = [CChar]

extension SystemCalls {
  /// openat2(2), RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS; always close-on-exec.
  static func open(
    beneath directory: FileDescriptor, _ path: RawPath, _ flags: Int32, mode: UInt32 = 0
  ) throws(Errno) -> OwnedDescriptor {
    let number = try valueOrErrno {
      unsafe clinux_open_beneath(directory.rawValue, path, UInt64(flags), mode)
    }
    return OwnedDescriptor(FileDescriptor(rawValue: number))
  }

  /// openat2(2), O_PATH, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS: where a path and the symbolic links in it lead, in a
  /// directory in which nobody else renames anything.
  static func follow(_ path: RawPath, beneath directory: FileDescriptor) throws(Errno) -> OwnedDescriptor {
    let number = try valueOrErrno { unsafe clinux_follow_beneath(directory.rawValue, path) }
    return OwnedDescriptor(FileDescriptor(rawValue: number))
  }

  /// The same where the directory will be mounted at `place`, so that absolute links to there lead beneath it.
  static func follow(
    _ path: RawPath, beneath directory: FileDescriptor, at place: FilePath
  ) throws(Errno) -> OwnedDescriptor {
    let number = try valueOrErrno {
      unsafe place.withPlatformString { unsafe clinux_walk_beneath(directory.rawValue, path, $0) }
    }
    return OwnedDescriptor(FileDescriptor(rawValue: number))
  }

  /// openat(2), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW; always close-on-exec. The process's umask(2) has a part in the mode.
  ///
  /// - Parameter name: One component, so that no link can be on the way.
  static func makeFile(
    _ name: RawPath, in directory: FileDescriptor, mode: UInt32
  ) throws(Errno) -> OwnedDescriptor {
    OwnedDescriptor(
      FileDescriptor(
        rawValue: try valueOrErrno { unsafe clinux_make_file(directory.rawValue, name, mode_t(mode)) }))
  }

  /// openat2(2), O_PATH | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS
  static func openDirectory(_ path: EntryPath, beneath top: FileDescriptor) throws(Errno) -> OwnedDescriptor {
    try open(beneath: top, path.cString, CInt(CLINUX_O_PATH) | O_DIRECTORY)
  }

  /// openat2(2) for reading, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS; what has become a pipe meanwhile is not waited for.
  static func openFile(_ path: EntryPath, beneath top: FileDescriptor) throws(Errno) -> OwnedDescriptor {
    try open(beneath: top, path.cString, O_RDONLY | O_NONBLOCK | O_NOFOLLOW)
  }

  /// mkdirat(2), and fchmodat(2) where the process's umask(2) may leave nothing of the mode; the directory as it is opened
  /// by `openDirectory`.
  static func makeDirectory(
    _ name: RawPath, in directory: FileDescriptor, mode: UInt32, hasUmask: Bool
  ) throws(Errno) -> OwnedDescriptor {
    _ = try valueOrErrno { unsafe mkdirat(directory.rawValue, name, mode) }
    if hasUmask { try changeMode(name, in: directory, to: mode) }
    return try open(beneath: directory, name, CInt(CLINUX_O_PATH) | O_DIRECTORY)
  }

  /// fchmodat(2) of what is no symbolic link.
  static func changeMode(_ name: RawPath, in directory: FileDescriptor, to mode: UInt32) throws(Errno) {
    _ = try valueOrErrno { unsafe fchmodat(directory.rawValue, name, mode, 0) }
  }

  /// The names in a directory, but "." and "..".
  static func names(in directory: FileDescriptor) throws(Errno) -> [RawPath] {
    try entries(of: directory).map(\.name)
  }

  /// The names in a directory, but "." and "..", with their kinds (DT_DIR, DT_LNK): fdopendir(3), readdir(3)
  static func entries(of directory: FileDescriptor) throws(Errno) -> [(name: RawPath, type: Int)] {
    let copy = try duplicate(directory, closeOnExec: true)
    guard let stream = unsafe fdopendir(copy.rawValue) else {
      let error = lastError
      close(copy)
      throw error
    }
    defer { unsafe _ = closedir(stream) }
    var entries: [(name: RawPath, type: Int)] = []
    while let entry = unsafe readdir(stream) {
      guard let name = unsafe entry.pointer(to: \.d_name) else { continue }
      let start = unsafe UnsafeRawPointer(name).assumingMemoryBound(to: CChar.self)
      let bytes = unsafe RawPath(UnsafeBufferPointer(start: start, count: strlen(start) + 1))
      entries.append((bytes, unsafe Int(entry.pointee.d_type)))
    }
    return entries.filter {
      $0.name != EntryPath.cString(Array(".".utf8)) && $0.name != EntryPath.cString(Array("..".utf8))
    }
  }

  /// readlinkat(2)
  static func readLink(_ path: EntryPath, beneath top: FileDescriptor) throws(Errno) -> [UInt8] {
    let parent = try openDirectory(path.parent, beneath: top)
    var target = RawPath(repeating: 0, count: Int(PATH_MAX))
    let count = try valueOrErrno {
      unsafe Int32(readlinkat(parent.descriptor.rawValue, path.last, &target, target.count))
    }
    return target.prefix(Int(count)).map { UInt8(bitPattern: $0) }
  }

  /// unlinkat(2), in a directory that has its own mode already, which may deny writing, and keeps it and its times.
  static func removeLink(_ path: EntryPath, beneath top: FileDescriptor) throws(Errno) {
    let parent = try open(beneath: top, path.parent.cString, O_RDONLY | O_DIRECTORY)
    let directory = parent.descriptor
    let status = try Stat(directory)
    _ = try valueOrErrno { fchmod(directory.rawValue, 0o700) }
    try remove(path.last, in: directory)
    _ = try valueOrErrno { fchmod(directory.rawValue, mode_t(status.permissions.rawValue)) }
    let times = [status.st_atim, status.st_mtim]
    _ = try valueOrErrno { unsafe futimens(directory.rawValue, times) }
  }

  /// umask(2): the one before.
  static func setUmask(_ mask: UInt32) -> UInt32 { UInt32(umask(mode_t(mask))) }

  /// symlinkat(2)
  static func makeLink(_ name: RawPath, in directory: FileDescriptor, to target: RawPath) throws(Errno) {
    _ = try valueOrErrno { unsafe symlinkat(target, directory.rawValue, name) }
  }

  /// linkat(2); a symbolic link is linked itself.
  static func link(
    _ name: RawPath, in directory: FileDescriptor, to target: RawPath, in targetDirectory: FileDescriptor
  ) throws(Errno) {
    _ = try valueOrErrno {
      unsafe linkat(targetDirectory.rawValue, target, directory.rawValue, name, 0)
    }
  }

  /// renameat(2)
  static func rename(
    _ name: RawPath, in directory: FileDescriptor, to newName: RawPath, in newDirectory: FileDescriptor
  ) throws(Errno) {
    _ = try valueOrErrno {
      unsafe renameat(directory.rawValue, name, newDirectory.rawValue, newName)
    }
  }

  /// unlinkat(2)
  static func remove(
    _ name: RawPath, in directory: FileDescriptor, isDirectory: Bool = false
  ) throws(Errno) {
    _ = try valueOrErrno { unsafe unlinkat(directory.rawValue, name, isDirectory ? AT_REMOVEDIR : 0) }
  }

  /// futimens(2), where the entry has a time.
  static func setTimes(of descriptor: FileDescriptor, to entry: ArchiveEntry) throws(Errno) {
    guard let modified = entry.modified else { return }
    let times = [timespec(entry.accessed ?? modified), timespec(modified)]
    _ = try valueOrErrno { unsafe futimens(descriptor.rawValue, times) }
  }

  /// utimensat(2) of a symbolic link itself.
  static func setTimes(
    ofLink name: RawPath, in directory: FileDescriptor, modified: ArchiveEntry.Time
  ) throws(Errno) {
    let times = [timespec(modified), timespec(modified)]
    _ = try valueOrErrno { unsafe utimensat(directory.rawValue, name, times, AT_SYMLINK_NOFOLLOW) }
  }

  /// fstatat(2), AT_SYMLINK_NOFOLLOW
  static func status(of path: RawPath, in directory: FileDescriptor) throws(Errno) -> Stat {
    try unsafe Stat(path, relativeTo: directory, flags: .symlinkNoFollow)
  }

  /// A path's bytes, with the zero.
  static func raw(_ path: FilePath) -> RawPath {
    unsafe path.withPlatformString { unsafe Array(UnsafeBufferPointer(start: $0, count: strlen($0) + 1)) }
  }

  /// lstat(2)
  static func isThere(_ path: FilePath) -> Bool { (try? Stat(path, followTargetSymlink: false)) != nil }
}

extension timespec {
  /// Nanoseconds that are none make the call fail; what they claim is an archive's.
  fileprivate init(_ time: ArchiveEntry.Time) {
    self.init(tv_sec: Int(time.seconds), tv_nsec: max(0, min(999_999_999, time.nanoseconds)))
  }
}
