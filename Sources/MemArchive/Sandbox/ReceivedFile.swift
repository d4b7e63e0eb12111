internal import CLinux
internal import SystemPackage

/// A descriptor that somebody sent who is not trusted, and what it takes for a file in memory to be made of it.
enum ReceivedFile {
  /// What is wrong with a descriptor.
  struct Refusal: Error, Equatable {
    let reason: String
  }

  /// tmpfs(5), where memory files lie.
  private static let tmpfs: UInt64 = 0x0102_1994

  /// Takes the descriptor over if it is a memory file of exactly this size that nobody can change any more.
  ///
  /// The seals come first: once they are all there, what is asked next cannot change. A hole counts like
  /// any byte, because the size is what the ledger is charged with.
  static func verify(_ descriptor: HeldDescriptor, size: Int64) throws(Refusal) -> VerifiedMemory {
    let file = FileDescriptor(rawValue: descriptor.rawValue)
    let seals: MemFile.Seals
    let status: SystemCalls.Status
    do throws(Errno) {
      seals = MemFile.Seals(rawValue: try SystemCalls.seals(of: file))
      status = try SystemCalls.status(of: file)
    } catch {
      throw Refusal(reason: "a descriptor that is no file in memory (\(error))")
    }
    guard seals.isSuperset(of: .final) else {
      throw Refusal(reason: "a file without all seals (it has \(seals))")
    }
    guard status.isRegular else { throw Refusal(reason: "a descriptor that is no regular file") }
    guard clinux_file_system(file.rawValue) == tmpfs else {
      throw Refusal(reason: "a file that lies elsewhere than in memory")
    }
    guard status.size == size else {
      throw Refusal(reason: "a file of \(status.size) bytes and spoke of \(size)")
    }
    // O_WRONLY is 1; such a descriptor gives nothing.
    guard [0, 2].contains(clinux_access_mode(file.rawValue)), let taken = descriptor.take() else {
      throw Refusal(reason: "a descriptor that cannot be read")
    }
    return VerifiedMemory(memfd: Memfd(takingOver: taken), size: Int(size), seals: seals)
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
