import Libc
import MemArchive
import SystemPackage

/// A file that an archive is written to. Whoever opens it finds what was there before or the whole archive, which is written beside
/// it and gets its name when it is complete; other than regular files are written to at once.
struct ArchiveFile {
  let argument: String
  let format: ArchiveWriter.Format
  private let descriptor: FileDescriptor
  private let place: Place?

  /// Where it is written, and the names there, meanwhile and at the end.
  private struct Place {
    let directory: FileDescriptor
    let meanwhile: FilePath
    let name: FilePath
    /// Whether the file has no name, not even meanwhile.
    let isUnnamed: Bool

    func link(_ file: FileDescriptor) throws(Errno) {
      let result = unsafe meanwhile.withPlatformString { name in
        unsafe linkat(AT_FDCWD, ArchiveFile.path(of: file), directory.rawValue, name, AT_SYMLINK_FOLLOW)
      }
      guard result == 0 else { throw Errno(rawValue: errno) }
    }

    func rename() throws(Errno) {
      let result = unsafe meanwhile.withPlatformString { old in
        unsafe name.withPlatformString { new in
          unsafe renameat(directory.rawValue, old, directory.rawValue, new)
        }
      }
      guard result == 0 else { throw Errno(rawValue: errno) }
    }

    func unlink() { unsafe _ = meanwhile.withPlatformString { unsafe unlinkat(directory.rawValue, $0, 0) } }
  }

  /// - Parameter format: The one that is wanted; nil for what the name ends in.
  /// - Throws: `ExitStatus`, reported.
  init(_ argument: String, _ format: ArchiveWriter.Format?, failing status: ExitStatus) throws {
    guard let format = format ?? ArchiveWriter.Format(fileName: argument) else {
      Diagnostics.report("\(argument): \(Self.formatHint)")
      throw ExitStatus.usage
    }
    (self.argument, self.format) = (argument, format)
    if argument == "-" {
      (descriptor, place) = (.standardOutput, nil)
      return
    }
    do {
      (descriptor, place) = try Self.open(RawText.path(ArchiveEntry.rawName(of: argument)))
    } catch {
      Diagnostics.report("cannot write \"\(argument)\": \(error)")
      throw status
    }
  }

  private struct DanglingLink: Error, CustomStringConvertible {
    var description: String {
      "it is a symbolic link to a file that does not exist. Give the file's own name, or remove the link."
    }
  }

  static let formatHint =
    "the name ends in none of .tar, .tar.gz, .tgz, .tar.bz2, .tbz2, .tar.xz, .txz, .tar.zst, .tzst, .zip, which tell the format."

  private static func open(_ path: FilePath) throws -> (FileDescriptor, Place?) {
    // Where links lead, so that the file and not the link is replaced.
    let real = try? resolved(path)
    var status = stat()
    let error = unsafe path.withPlatformString { unsafe stat($0, &status) == 0 ? 0 : errno }
    let isThere = error == 0
    if !isThere {
      // What the kernel does not follow (fs.protected_symlinks, proc(5)) is not followed here.
      guard error == ENOENT else { throw Errno(rawValue: error) }
      // Nor is a place written to that nobody has named, as cp(1) has it.
      guard unsafe path.withPlatformString({ unsafe lstat($0, &status) }) != 0 else { throw DanglingLink() }
    }
    guard !isThere || status.st_mode & S_IFMT == S_IFREG else {
      return (try FileDescriptor.open(real ?? path, .writeOnly, options: .closeOnExec), nil)
    }
    guard let name = (real ?? path).lastComponent, name.kind == .regular else { throw Errno.isDirectory }
    let above = (real ?? path).removingLastComponent()
    let directory = try FileDescriptor.open(
      above.isEmpty ? "." : above, .readOnly, options: [.directory, .closeOnExec])
    let meanwhile = FilePath(".memarchive-\(getpid())")
    do {
      let unnamed = unnamed(in: above)
      let descriptor =
        try unnamed
        ?? FileDescriptor.open(
          above.appending(meanwhile.components), .writeOnly,
          options: [.create, .exclusiveCreate, .closeOnExec], permissions: FilePermissions(rawValue: 0o666))
      if isThere { _ = fchmod(descriptor.rawValue, status.st_mode & 0o777) }
      return (
        descriptor,
        Place(
          directory: directory, meanwhile: meanwhile, name: FilePath(name.string), isUnnamed: unnamed != nil)
      )
    } catch {
      try? directory.close()
      throw error
    }
  }

  /// A file of which nothing is left however this program ends (O_TMPFILE, open(2)); nil where the file system has none, or no
  /// /proc could lead to it when it is to have a name.
  private static func unnamed(in directory: FilePath) -> FileDescriptor? {
    guard
      let descriptor = try? FileDescriptor.open(
        directory.isEmpty ? "." : directory, .writeOnly,
        options: [.init(rawValue: __O_TMPFILE | O_DIRECTORY), .closeOnExec],
        permissions: FilePermissions(rawValue: 0o666))
    else { return nil }
    guard unsafe access(path(of: descriptor), F_OK) == 0 else {
      try? descriptor.close()
      return nil
    }
    return descriptor
  }

  private static func path(of descriptor: FileDescriptor) -> String { "/proc/self/fd/\(descriptor.rawValue)" }

  /// realpath(3) of what is there.
  private static func resolved(_ path: FilePath) throws -> FilePath {
    guard let resolved = unsafe path.withPlatformString({ unsafe realpath($0, nil) }) else {
      throw Errno(rawValue: errno)
    }
    defer { unsafe free(resolved) }
    return unsafe FilePath(platformString: resolved)
  }

  /// Calls `body` to write the archive, which then has its name; after an error everything is as it was.
  ///
  /// - Throws: `ExitStatus`, reported.
  func write(_ body: (FileDescriptor) throws(ArchiveError) -> Void) throws {
    do throws(ArchiveError) {
      try body(descriptor)
    } catch {
      discard()
      // Where the reader is gone, other programs say nothing either.
      if argument == "-", error.errno == .brokenPipe, BrokenPipe.endsProgram { throw ExitStatus.readerGone }
      Diagnostics.report("\(argument): \(error.description { $0.inOptions })")
      throw ExitStatus(error)
    }
    guard let place else { return }
    do {
      // linkat(2) replaces nothing, but rename(2) does.
      if place.isUnnamed { try place.link(descriptor) }
      do {
        try descriptor.close()
        try place.rename()
      } catch {
        place.unlink()
        throw error
      }
    } catch {
      Diagnostics.report("cannot write \"\(argument)\": \(error)")
      throw ExitStatus.system
    }
  }

  /// Leaves everything as it was.
  func discard() {
    if let place, !place.isUnnamed { place.unlink() }
  }
}
