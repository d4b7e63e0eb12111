public import Glibc
internal import SealedMemory
internal import SystemPackage

extension MemFile {
  /// Calls `body` with a path that opens this file, and keeps the file alive until `body` returns.
  ///
  /// The path is `/proc/self/fd/N`: it means this file in this process and its threads, and only while the
  /// closure runs. A library that opens it later, or again later, needs the `MemFile` held for as long.
  ///
  /// - Returns: What `body` returns.
  /// - Throws: What `body` throws; otherwise as ``path``.
  public func withPath<Result: ~Copyable>(_ body: (String) throws -> Result) throws -> Result {
    let path = try path
    return try withExtendedLifetime(self) { try body(path) }
  }

  /// Calls `body` with a C stream that reads this file from its beginning, and closes the stream afterwards.
  ///
  /// The stream has an offset of its own, so that several can read at once.
  ///
  /// - Returns: What `body` returns.
  /// - Throws: What `body` throws; otherwise as ``reopen()``.
  ///
  /// Calls open(2), fdopen(3).
  public func withFILE<Result: ~Copyable>(
    _ body: (UnsafeMutablePointer<FILE>) throws -> Result
  ) throws -> Result {
    let descriptor = try reopen()
    let stream: UnsafeMutablePointer<FILE>
    do throws(Errno) {
      unsafe stream = try SystemCalls.stream(descriptor)
    } catch {
      SystemCalls.close(descriptor)
      throw ArchiveError.system("fdopen", error, doing: "opening a stream", entry: name)
    }
    defer { unsafe _ = fclose(stream) }
    return try unsafe body(stream)
  }

  /// A path that opens this file: `/proc/self/fd/N`.
  ///
  /// It is valid **only while this object is alive**, and an optimised build may release the object right after
  /// this call: `open(try file.path, O_RDONLY)` as the last use of `file` can open a closed descriptor, or another
  /// file under the same number. Use ``withPath(_:)``, or hold the object with `withExtendedLifetime`.
  ///
  /// A child process has another /proc/self: give it the descriptor (``duplicate(closeOnExec:)``) first.
  ///
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/pathUnavailable`` when /proc is not mounted; for a packed file
  ///   also as ``fileDescriptor``.
  public var path: String {
    get throws(ArchiveError) {
      let descriptor = try fileDescriptor
      let path = "/proc/self/fd/\(descriptor.rawValue)"
      do throws(Errno) {
        guard try unsafe Stat(path).isSameFile(as: Stat(descriptor)) else { throw .noSuchFileOrDirectory }
        return path
      } catch {
        throw .noProc(path, error, file: name)
      }
    }
  }
}
