public import Libc
internal import SealedMemory
public import SystemPackage

/// A path that is valid while its owner lives.
struct OwnedPath {
  private let owner: AnyObject
  private let path: String

  init(of owner: AnyObject, _ path: String) { (self.owner, self.path) = (owner, path) }

  /// Calls `body` with the path, and keeps the owner alive until it returns.
  func use<Result: ~Copyable, Failure: Error>(
    _ body: (String) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    defer { withExtendedLifetime(owner) {} }
    return try body(path)
  }

  func use<Result>(
    isolation: isolated (any Actor)?, _ body: (String) async throws -> Result
  ) async throws -> Result {
    defer { withExtendedLifetime(owner) {} }
    return try await body(path)
  }
}

extension MemFile {
  /// Calls `body` with a path that opens this file, and keeps the file alive until `body` returns.
  ///
  /// The path is `/proc/self/fd/N`: it refers to this file only in this process, and only while the
  /// closure runs. For a library that opens it later, or again later, hold the `MemFile` as long.
  ///
  /// - Returns: The result of `body`.
  /// - Throws: What `body` throws; otherwise ``ArchiveError`` as ``path``.
  public func withPath<Result: ~Copyable>(_ body: (String) throws -> Result) throws -> Result {
    try OwnedPath(of: self, path).use(body)
  }

  /// For a body that throws nothing but this library's errors.
  @_documentation(visibility: internal)
  public func withPath<Result: ~Copyable>(
    _ body: (String) throws(ArchiveError) -> Result
  ) throws(ArchiveError) -> Result {
    try OwnedPath(of: self, path).use(body)
  }

  /// Calls `body`, which may suspend, with a path that opens this file, and keeps the file alive until `body` returns;
  /// otherwise like the synchronous form.
  public func withPath<Result>(
    isolation: isolated (any Actor)? = #isolation, _ body: (String) async throws -> Result
  ) async throws -> Result {
    try await OwnedPath(of: self, path).use(isolation: isolation, body)
  }

  /// Calls `body` with a C stream that reads this file from its beginning, and closes the stream afterwards.
  ///
  /// The stream has an offset of its own, so that several can read at once.
  ///
  /// - Returns: The result of `body`.
  /// - Throws: What `body` throws; otherwise ``ArchiveError`` as ``reopen()``.
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
  /// It is valid **only while this object is alive**, and an optimized build may release the object right after
  /// this call: `open(try file.path, O_RDONLY)` as the last use of `file` can find the descriptor closed, or another
  /// file under the same number. Use ``withPath(_:)``, or hold the object with `withExtendedLifetime`.
  ///
  /// In a child process, /proc/self is another directory: pass it the descriptor (``duplicate(closeOnExec:)``) first.
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

  /// Opens the file again, read-only, with close-on-exec and an offset of its own that starts at 0: the descriptor
  /// **belongs to the caller**, who closes it, and stays valid after this object is gone.
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
