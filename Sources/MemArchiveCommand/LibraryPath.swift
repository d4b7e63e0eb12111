import Libc
import MemArchive
import SystemPackage

/// `run --library-path`: puts a directory of the archive first in LD_LIBRARY_PATH, ld.so(8).
enum LibraryPath {
  /// Whether the loader reads it as one directory.
  static func isUsable(_ directory: String) -> Bool {
    !directory.isEmpty && !directory.utf8.contains { $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ";") }
  }

  /// - Parameters:
  ///   - directory: The path; nil where there is nothing.
  ///   - name: The directory's name in the archive.
  static func prepend(_ directory: FilePath?, named name: String, of archive: Archive) throws {
    var status = stat()
    guard let directory, unsafe directory.withPlatformString({ unsafe stat($0, &status) }) == 0,
      status.st_mode & S_IFMT == S_IFDIR
    else {
      Diagnostics.report(
        "\(archive.name): --library-path \(name): the archive has no such directory. See memarchive list.")
      throw ExitStatus.usage
    }
    let old = unsafe getenv("LD_LIBRARY_PATH").map {
      unsafe [UInt8](UnsafeRawBufferPointer(start: $0, count: strlen($0)))
    }
    let new = RawText.bytes(directory) + (old.map { [UInt8(ascii: ":")] + $0 } ?? [])
    guard unsafe setenv("LD_LIBRARY_PATH", new.map { CChar(bitPattern: $0) } + [0], 1) == 0 else {
      Diagnostics.report("LD_LIBRARY_PATH: \(Errno(rawValue: Libc.errno))")
      throw ExitStatus.beforeCommand
    }
  }

  /// Lets the command inherit a tree with the content of the directory.
  static func pass(
    _ directory: String, of archive: Archive, nested: ExtractionOptions.NestedArchives
  ) throws {
    @Sendable func components(_ name: String) -> [Substring] {
      name.split(separator: "/").filter { $0 != "." }
    }
    let wanted = components(directory)
    let tree = try archive.reader.tree(
      .matching { components($0.name).starts(with: wanted) }, nested: nested,
      in: archive.context.withOwnAccount)
    // The command inherits the duplicate.
    let top = Array("/proc/self/fd/\(try tree.duplicate().rawValue)".utf8)
    let path = (try? tree.pathBelow(to: directory)).map { RawText.path(top + $0) }
    try prepend(path, named: directory, of: archive)
    withExtendedLifetime(tree) {}
  }
}
