internal import SealedMemory
internal import SystemPackage

/// Which permissions files in memory show, as the options say.
struct FileModes: Sendable {
  /// Whether files may be executed at all; if not, the kernel refuses such a mode (F_SEAL_EXEC).
  let executable: Bool
  private let given: UInt16?

  init(_ options: ExtractionOptions) {
    executable = options.executable
    given = options.mode.map { $0 & (options.executable ? 0o777 : 0o666) }
  }

  /// The permissions of an entry's file: its own without those to write, which nobody has, and readable by its owner, the
  /// user. Whoever may read a program may execute it.
  func mode(of entry: ArchiveEntry?) -> UInt16? {
    if let given { return given }
    guard let mode = entry?.mode else { return nil }
    let readable = mode & 0o444 | 0o400
    return executable ? readable | readable >> 2 : readable
  }
}

extension MemFile {
  /// Gives the memory file the permissions and the time of its entry.
  ///
  /// That is done when its descriptor is first wanted, because most files are read where they are mapped and two system calls
  /// are a tenth of what a small file costs. A process that has become another user in the meantime may not (EPERM): then
  /// the file stays as it was made, 0444.
  func takeLooks(_ descriptor: FileDescriptor) throws(ArchiveError) {
    do throws(Errno) {
      if let mode { try SystemCalls.changeMode(descriptor, to: UInt32(mode)) }
      if let entry { try SystemCalls.setTimes(of: descriptor, to: entry) }
    } catch .notPermitted {
    } catch {
      throw .system("fchmod", error, doing: "giving a file in memory its entry's permissions", entry: name)
    }
  }
}
