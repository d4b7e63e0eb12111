internal import CLinux
internal import Glibc
internal import SystemPackage

/// What is asked of a descriptor that another process made, before anything about it is believed.
///
/// The seals prove that size and bytes are final; the rest proves that they are where they are said to be, in memory. A hole
/// costs as much as any byte, for reading one through a mapping allocates it: the size is what is charged.
enum ReceivedDescriptor {
  /// What is wrong with a descriptor.
  struct Refusal: Error {
    let reason: String
    var call: String?
    var errno: Errno?
  }

  /// The device that memory files of this process are on: a mount of the kernel's own, which is never unmounted. Whatever else
  /// is on it is on tmpfs too.
  private static let ownDevice = try? SystemCalls.status(
    of: Memfd.create(name: "probe", executable: false).descriptor
  ).device

  /// Takes a descriptor over if it is a memory file of exactly this size that nobody can change any more.
  ///
  /// The seals come first: once they are all there, what is asked next cannot change. Nothing here opens its path, which a
  /// lease of the sender's (fcntl(2), F_SETLEASE) could hold up; see ``reopened(_:name:)``.
  ///
  /// - Parameters:
  ///   - memfd: Its owner; closed when this throws.
  ///   - claimedSize: What the sender says; nil where nobody says anything.
  static func verify(_ memfd: consuming Memfd, claimedSize: Int64?) throws(Refusal) -> VerifiedMemory {
    let descriptor = memfd.descriptor
    let seals: MemFile.Seals
    let status: SystemCalls.Status
    do throws(Errno) {
      seals = MemFile.Seals(rawValue: try SystemCalls.seals(of: descriptor))
    } catch {
      throw Refusal(reason: "has no seals", call: "fcntl", errno: error)
    }
    guard seals.isSuperset(of: .final) else {
      throw Refusal(reason: "lacks the seals \(MemFile.Seals.final.subtracting(seals))")
    }
    do throws(Errno) {
      status = try SystemCalls.status(of: descriptor)
      guard status.isRegular else { throw .invalidArgument }
      // hugetlbfs carries seals too, and its pages are a scarce resource of the whole system.
      if status.device != ownDevice, try !SystemCalls.isOnTmpfs(descriptor) { throw .invalidArgument }
    } catch {
      throw Refusal(reason: "is no regular file in memory", call: "fstatfs", errno: error)
    }
    guard status.size >= 0, status.size == claimedSize ?? status.size else {
      throw Refusal(reason: "has \(status.size) bytes and not \(claimedSize ?? 0) as its sender says")
    }
    do throws(Errno) {
      // A descriptor for writing alone, or for the path alone (O_PATH), is of no use.
      guard [O_RDONLY, O_RDWR].contains(try SystemCalls.accessMode(of: descriptor)) else {
        throw .badFileDescriptor
      }
    } catch {
      throw Refusal(reason: "cannot be read", call: "fcntl", errno: error)
    }
    return VerifiedMemory(memfd: memfd, size: Int(status.size), seals: seals)
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

/// A sealed memory file of somebody else.
struct VerifiedMemory: ~Copyable {
  let memfd: Memfd
  let size: Int
  let seals: MemFile.Seals

  consuming func charged(with charge: consuming Charge) -> SealedMemory {
    SealedMemory(memfd: memfd, size: size, seals: seals, charge: charge)
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
