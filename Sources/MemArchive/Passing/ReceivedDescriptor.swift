internal import CLinux
internal import Glibc
internal import SystemPackage

/// What is asked of a descriptor that another process made, before anything about it is believed.
///
/// The seals prove that size and bytes are final; the rest proves that they are where they are said to be, in memory, and
/// that looking at them costs no more than what was charged.
enum ReceivedDescriptor {
  /// Verifies a descriptor in this order: seals, kind, file system, size, charge, holes.
  ///
  /// Nothing here opens its path, which a lease of the sender's (fcntl(2), F_SETLEASE) could hold up; see
  /// ``reopened(_:name:)``.
  ///
  /// - Parameters:
  ///   - memfd: Its owner; closed when this throws.
  ///   - claimedSize: What the sender says; nil where nobody says anything.
  ///   - holes: How many bytes may be missing from memory. A hole is charged like content, for reading one through a
  ///     mapping allocates it.
  ///   - charge: Grows to the file's size.
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/untrusted``, or ``ArchiveError/Code/limitExceeded``.
  static func verify(
    _ memfd: consuming Memfd, name: String?, claimedSize: Int64?, holes: Int64 = .max,
    charge: consuming Charge
  ) throws(ArchiveError) -> SealedMemory {
    let descriptor = memfd.descriptor
    let seals: MemFile.Seals
    let status: SystemCalls.Status
    do throws(Errno) {
      seals = MemFile.Seals(rawValue: try SystemCalls.seals(of: descriptor))
    } catch {
      throw .untrusted("what was received has no seals", entry: name, call: "fcntl", errno: error)
    }
    guard seals.isSuperset(of: .final) else {
      throw .untrusted(
        "what was received lacks the seals \(MemFile.Seals.final.subtracting(seals))", entry: name)
    }
    do throws(Errno) {
      status = try SystemCalls.status(of: descriptor)
      guard status.isRegular else { throw .invalidArgument }
      // hugetlbfs carries seals too, and its pages are a scarce resource of the whole system.
      guard try SystemCalls.isOnTmpfs(descriptor) else { throw .invalidArgument }
    } catch {
      throw .untrusted(
        "what was received is no regular file in memory", entry: name, call: "fstatfs", errno: error)
    }
    guard status.size >= 0, status.size == claimedSize ?? status.size else {
      throw .untrusted(
        "what was received has \(status.size) bytes and not \(claimedSize ?? 0) as its sender says",
        entry: name)
    }
    guard try isReadable(descriptor, name: name) else {
      throw .untrusted("what was received cannot be read", entry: name)
    }
    var charge = charge
    try charge.grow(to: status.size)
    guard try !hasHoles(of: holes, in: descriptor, size: status.size, name: name) else {
      throw .untrusted("more than \(holes) bytes of what was received are holes", entry: name)
    }
    return SealedMemory(memfd: memfd, size: Int(status.size), seals: seals, charge: charge)
  }

  /// A descriptor for writing alone, or for the path alone (O_PATH), is of no use.
  private static func isReadable(_ descriptor: FileDescriptor, name: String?) throws(ArchiveError) -> Bool {
    do throws(Errno) {
      let mode = try SystemCalls.accessMode(of: descriptor)
      return mode == O_RDONLY || mode == O_RDWR
    } catch {
      throw .system("fcntl", error, doing: "looking at a received descriptor", entry: name)
    }
  }

  /// Whether more than `allowance` bytes below `size` are holes. With the seals nobody can make one any more.
  ///
  /// st_blocks cannot tell: the last huge folio counts in full, also behind the end. The offset that lseek(2) moves is
  /// shared with the sender, and nobody here uses it.
  private static func hasHoles(
    of allowance: Int64, in descriptor: FileDescriptor, size: Int64, name: String?
  ) throws(ArchiveError) -> Bool {
    guard allowance < size else { return false }
    var missing: Int64 = 0
    var offset: Int64 = 0
    while offset < size {
      do throws(Errno) {
        let hole = min(size, try SystemCalls.seekHole(descriptor, from: offset))
        guard hole < size else { break }
        offset = min(size, try SystemCalls.seekData(descriptor, from: hole) ?? size)
        missing += offset - hole
      } catch {
        throw .system("lseek", error, doing: "looking for holes in a received file", entry: name)
      }
      if missing > allowance { return true }
    }
    return false
  }

  /// Opens a verified file anew, read-only: an offset that nobody shares, and from then on no lease that holds up those
  /// who open its path, because a lease for writing is given to a sole opener.
  ///
  /// Without /proc there are no paths, and the descriptor is kept.
  ///
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/untrusted`` when a lease is held, or the permissions forbid it.
  static func reopened(_ memory: consuming SealedMemory, name: String?) throws(ArchiveError) -> SealedMemory {
    do throws(Errno) {
      guard let descriptor = try SystemCalls.reopen(memory.memfd.descriptor) else { return memory }
      let memfd = Memfd(adopting: descriptor)
      // /proc could be anything in a mount namespace of somebody else's making.
      guard try SystemCalls.status(of: descriptor) == SystemCalls.status(of: memory.memfd.descriptor) else {
        throw .noSuchFileOrDirectory
      }
      return SealedMemory(memfd: memfd, size: memory.size, seals: memory.seals, charge: memory.charge)
    } catch .tooManyOpenFiles, .tooManyOpenFilesInSystem {
      throw .system("open", .tooManyOpenFiles, doing: "opening a received file", entry: name)
    } catch {
      throw .untrusted(
        "what was received cannot be opened by its path", entry: name, call: "open", errno: error)
    }
  }
}

/// The descriptors of one message. Those that nobody takes are closed.
struct ReceivedDescriptors: ~Copyable {
  private var rest: ArraySlice<FileDescriptor>

  /// How many there are still.
  var count: Int { rest.count }

  init(owning descriptors: [FileDescriptor]) { rest = descriptors[...] }

  deinit { for descriptor in rest { SystemCalls.close(descriptor) } }

  /// The next one, which the caller owns now.
  mutating func next() -> Memfd? { rest.popFirst().map { Memfd(adopting: $0) } }
}

extension ArchiveError {
  static func untrusted(_ reason: String, entry: String?, call: String? = nil, errno: Errno? = nil) -> Self {
    Self(
      .untrusted, entry: entry, reason, call: call, errno: errno,
      advice: "Nothing of it is used: ask who sent it for a memfd with all of its seals.")
  }
}
