import CLinux
import Glibc
import MemArchive

/// The program's arguments as the kernel gave them: bytes, which need not be UTF-8, encoded like entry names so that
/// they survive the argument parser. Swift's own list comes from /proc/self/cmdline, and is empty where that is missing.
enum RawArguments {
  static func keys() -> [String] {
    (1..<max(1, clinux_argument_count())).compactMap { index in
      guard let argument = unsafe clinux_argument(index) else { return nil }
      return unsafe ArchiveEntry.name(
        raw: Array(UnsafeRawBufferPointer(start: argument, count: strlen(argument))))
    }
  }
}
