import Libc
import MemArchive
import SystemPackage

/// A file that an archive is written to. Whoever opens it finds what was there before or the whole archive, which is written beside
/// it and gets its name when it is complete; other than regular files are written to at once.
struct ArchiveFile {
  let argument: String
  let format: ArchiveWriter.Format
  private let descriptor: FileDescriptor
  /// Where it is written, and the names there, meanwhile and at the end.
  private let place: (directory: FileDescriptor, meanwhile: FilePath, name: FilePath)?

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

  static let formatHint =
    "the name ends in none of .tar, .tar.gz, .tgz, .tar.bz2, .tbz2, .tar.xz, .txz, .tar.zst, .tzst, .zip, which tell the format."

  private static func open(
    _ path: FilePath
  ) throws -> (FileDescriptor, (FileDescriptor, FilePath, FilePath)?) {
    // Where links lead, so that the file and not the link is replaced.
    let real = try? resolved(path)
    var status = stat()
    let isThere = unsafe (real ?? path).withPlatformString { unsafe stat($0, &status) } == 0
    guard !isThere || status.st_mode & S_IFMT == S_IFREG else {
      return (try FileDescriptor.open(real ?? path, .writeOnly, options: .closeOnExec), nil)
    }
    guard let name = (real ?? path).lastComponent, name.kind == .regular else { throw Errno.isDirectory }
    let above = (real ?? path).removingLastComponent()
    let directory = try FileDescriptor.open(
      above.isEmpty ? "." : above, .readOnly, options: [.directory, .closeOnExec])
    let meanwhile = FilePath(".memarchive-\(getpid())")
    do {
      let descriptor = try FileDescriptor.open(
        above.appending(meanwhile.components), .writeOnly,
        options: [.create, .exclusiveCreate, .closeOnExec], permissions: FilePermissions(rawValue: 0o666))
      if isThere { _ = fchmod(descriptor.rawValue, status.st_mode & 0o777) }
      return (descriptor, (directory, meanwhile, FilePath(name.string)))
    } catch {
      try? directory.close()
      throw error
    }
  }

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
      try descriptor.close()
      let renamed = unsafe place.meanwhile.withPlatformString { old in
        unsafe place.name.withPlatformString { new in
          unsafe renameat(place.directory.rawValue, old, place.directory.rawValue, new)
        }
      }
      guard renamed == 0 else { throw Errno(rawValue: errno) }
    } catch {
      discard()
      Diagnostics.report("cannot write \"\(argument)\": \(error)")
      throw ExitStatus.system
    }
  }

  /// Leaves everything as it was.
  func discard() {
    guard let place else { return }
    unsafe _ = place.meanwhile.withPlatformString { unsafe unlinkat(place.directory.rawValue, $0, 0) }
  }
}
