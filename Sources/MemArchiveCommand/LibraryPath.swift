import Libc
import MemArchive
import SystemPackage

/// `run --library-path`: puts a directory of the archive first in LD_LIBRARY_PATH, ld.so(8).
enum LibraryPath {
  /// Whether the loader reads it as one directory.
  static func isUsable(_ directory: String) -> Bool {
    !directory.isEmpty && !directory.utf8.contains { $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ";") }
  }

  static func prepend(_ directory: FilePath) throws {
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
    let path = try tree.pathBelow(to: directory)
    try prepend(RawText.path(Array("/proc/self/fd/\(try tree.duplicate().rawValue)".utf8) + path))
    withExtendedLifetime(tree) {}
  }
}
