internal import Libc
internal import SealedMemory
internal import SystemPackage

/// Whom the files of a tree belong to, and with which permissions.
struct TreeLooks: Sendable {
  private let owner: ExtractionOptions.Owner
  private let mode: UInt16?

  init(_ options: ExtractionOptions = ExtractionOptions()) { (owner, mode) = (options.owner, options.mode) }

  /// Whether all that is made keeps the user that makes it.
  var isOwn: Bool { owner == .user }

  /// The permissions of an entry: without set-user-ID, set-group-ID and sticky bits, and always readable by the owner.
  ///
  /// - Parameter beginsLikeProgram: What a file without permissions is executable for.
  func mode(of entry: ArchiveEntry, beginsLikeProgram: Bool = false) -> UInt32 {
    if entry.kind == .directory { return UInt32(entry.mode ?? 0o755) & 0o777 | 0o500 }
    return UInt32(mode ?? entry.mode ?? (beginsLikeProgram ? 0o755 : 0o644)) & 0o777 | 0o400
  }

  /// Whether the first bytes are those of an ELF file or of a script.
  static func beginsLikeProgram(_ content: RawSpan) -> Bool {
    unsafe content.withUnsafeBytes { bytes in
      unsafe bytes.starts(with: "#!".utf8) || bytes.starts(with: [0x7F] + Array("ELF".utf8))
    }
  }

  /// fchown(2), where somebody else is to have it.
  func setOwner(of descriptor: FileDescriptor, _ entry: ArchiveEntry?) throws(Errno) {
    guard let (user, group) = ids(of: entry) else { return }
    _ = try SystemCalls.valueOrErrno { fchown(descriptor.rawValue, user, group) }
  }

  /// fchownat(2), AT_SYMLINK_NOFOLLOW
  func setOwner(of name: RawPath, in directory: FileDescriptor, _ entry: ArchiveEntry?) throws(Errno) {
    guard let (user, group) = ids(of: entry) else { return }
    _ = try SystemCalls.valueOrErrno {
      unsafe fchownat(directory.rawValue, name, user, group, AT_SYMLINK_NOFOLLOW)
    }
  }

  private func ids(of entry: ArchiveEntry?) -> (user: uid_t, group: gid_t)? {
    switch owner {
    case .user: return nil
    case .given(let user, let group): return (user, group)
    case .archive:
      guard let user = entry?.userID, let group = entry?.groupID else { return nil }
      // The last number is none: chown(2) would leave the owner as it is.
      return (uid_t(exactly: user) ?? .max - 1, gid_t(exactly: group) ?? .max - 1)
    }
  }
}
