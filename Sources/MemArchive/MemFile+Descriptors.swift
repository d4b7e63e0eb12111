internal import SealedMemory
public import SystemPackage

extension MemFile {
  /// A further descriptor for the same open file: it **belongs to the caller**, who closes it, and stays valid after
  /// this object is gone. The file offset is shared with ``fileDescriptor``.
  ///
  /// - Parameter closeOnExec: `false` lets it pass to a program that is executed.
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/descriptorLimit``.
  ///
  /// Calls fcntl(2) with F_DUPFD_CLOEXEC or F_DUPFD.
  public func duplicate(closeOnExec: Bool = true) throws(ArchiveError) -> FileDescriptor {
    let descriptor = try fileDescriptor
    do { return try SystemCalls.duplicate(descriptor, closeOnExec: closeOnExec) } catch {
      throw .system("fcntl", error, doing: "duplicating a descriptor", entry: name)
    }
  }

  /// Opens the file anew, read-only, with an offset of its own at 0 and close-on-exec: the descriptor **belongs to
  /// the caller**, who closes it, and stays valid after this object is gone.
  ///
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/pathUnavailable`` when /proc is not mounted, or
  ///   ``ArchiveError/Code/descriptorLimit``.
  ///
  /// Calls open(2) on /proc/self/fd/N.
  public func reopen() throws(ArchiveError) -> FileDescriptor {
    let path = try path
    do { return try SystemCalls.openReadOnly(FilePath(path)) } catch {
      throw .system("open", error, doing: "reopening a file in memory", entry: name)
    }
  }
}
