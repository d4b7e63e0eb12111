import Glibc
import MemArchive

/// The program's arguments as the kernel gave them: bytes, which need not be UTF-8, encoded like entry names so that
/// they survive the argument parser.
enum RawArguments {
  static func keys() -> [String] {
    (1..<max(1, Int(CommandLine.argc))).compactMap { index in
      guard let argument = unsafe CommandLine.unsafeArgv[index] else { return nil }
      return unsafe ArchiveEntry.name(
        raw: Array(UnsafeRawBufferPointer(start: argument, count: strlen(argument))))
    }
  }
}
