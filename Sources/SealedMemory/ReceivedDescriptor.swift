internal import CLinux
internal import Libc
package import SystemPackage

/// What is asked of a descriptor that another process made before anything about it is believed.
///
/// The seals prove that size and bytes are final; the rest proves that they are in memory, as claimed. A hole costs as much
/// as any byte, because reading it through a mapping allocates it: the size is what counts.
package enum ReceivedDescriptor {
  /// What is wrong with a descriptor.
  package struct Refusal: Error {
    package let reason: String
    package var call: String?
    package var errno: Errno?
  }

  /// The device of this process's own memory files: a mount of the kernel's that is never unmounted. Any other file on it is on
  /// tmpfs too.
  package static let ownDevice: DeviceID? = {
    guard let memfd = try? Memfd.create(name: "probe", executable: false) else { return nil }
    // Its descriptor is closed with it.
    defer { extendLifetime(memfd) }
    return try? Stat(memfd.descriptor).deviceID
  }()

  /// Takes a descriptor over if it is a memory file of exactly this size that can no longer change.
  ///
  /// The seals come first: once they are all there, what is asked next cannot change. Nothing here opens the file's path,
  /// which a lease of the sender's (fcntl(2), F_SETLEASE) could delay; see ``reopened(_:)``.
  ///
  /// - Parameters:
  ///   - memfd: Closed when this throws.
  ///   - claimedSize: The size that the sender states; nil where none is stated.
  package static func verify(
    _ memfd: consuming Memfd, claimedSize: Int64?
  ) throws(Refusal) -> SealedMemfd {
    let descriptor = memfd.descriptor
    let seals: Int32
    let status: Stat
    do throws(Errno) { seals = try SystemCalls.seals(of: descriptor) } catch {
      throw Refusal(reason: "has no seals", call: "fcntl", errno: error)
    }
    let missing = SealedMemfd.finalSeals & ~seals
    guard missing == 0 else { throw Refusal(reason: "lacks the seals \(SealedMemfd.names(of: missing))") }
    do throws(Errno) {
      status = try Stat(descriptor)
      guard status.type == .regular else { throw .invalidArgument }
      // hugetlbfs has seals too, but its pages are a scarce resource of the whole system.
      if status.deviceID != ownDevice, try !SystemCalls.isOnTmpfs(descriptor) { throw .invalidArgument }
    } catch {
      throw Refusal(reason: "is no regular file in memory", call: "fstatfs", errno: error)
    }
    guard status.size >= 0, status.size == claimedSize ?? status.size else {
      throw Refusal(reason: "has \(status.size) bytes and not \(claimedSize ?? 0) as its sender says")
    }
    do throws(Errno) {
      // A descriptor for writing only, or for the path only (O_PATH), is of no use.
      guard [O_RDONLY, O_RDWR].contains(try SystemCalls.accessMode(of: descriptor)) else {
        throw .badFileDescriptor
      }
    } catch {
      throw Refusal(reason: "cannot be read", call: "fcntl", errno: error)
    }
    return SealedMemfd(memfd: memfd, size: Int(status.size), seals: seals)
  }

  /// Opens a verified file anew, read-only: with an offset that nobody shares, and from then on without a lease that delays
  /// whoever opens its path, because a write lease is given only to a file's sole opener.
  ///
  /// Without /proc there are no paths, and the descriptor is kept.
  ///
  /// - Throws: The error of open(2) when a lease is held or the permissions forbid it.
  package static func reopened(_ sealed: consuming SealedMemfd) throws(Errno) -> SealedMemfd {
    guard let descriptor = try SystemCalls.reopen(sealed.memfd.descriptor) else { return sealed }
    let memfd = Memfd(adopting: descriptor)
    let (own, opened) = (try Stat(sealed.memfd.descriptor), try Stat(descriptor))
    // In a mount namespace of somebody else's making, /proc could be anything.
    guard opened.isSameFile(as: own), opened.mode == own.mode, opened.userID == own.userID,
      opened.size == own.size, opened.linkCount == own.linkCount
    else { throw .noSuchFileOrDirectory }
    return SealedMemfd(memfd: memfd, size: sealed.size, seals: sealed.seals)
  }
}

extension Stat {
  /// Whether both describe one file: the same inode on the same device.
  package func isSameFile(as other: Self) -> Bool { deviceID == other.deviceID && inode == other.inode }
}
