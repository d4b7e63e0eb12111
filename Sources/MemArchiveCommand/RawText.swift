import CLinux
import Libc
import MemArchive
import SystemPackage

/// Conversions between raw bytes, which need not be UTF-8, and other types.
enum RawText {
  /// A path from raw bytes.
  static func path(_ bytes: [UInt8]) -> FilePath {
    unsafe (bytes.map { CChar(bitPattern: $0) } + [0]).withUnsafeBufferPointer { buffer in
      unsafe buffer.baseAddress.map { unsafe FilePath(platformString: $0) } ?? FilePath()
    }
  }

  /// The raw bytes of a path.
  static func bytes(_ path: FilePath) -> [UInt8] {
    unsafe path.withPlatformString { unsafe Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) }
  }

  /// The text of a small file.
  static func read(_ path: [UInt8]) throws -> String { String(decoding: try content(path), as: UTF8.self) }

  /// The bytes of a small file.
  static func content(_ path: [UInt8]) throws -> [UInt8] {
    let descriptor = try FileDescriptor.open(self.path(path), .readOnly, options: .closeOnExec)
    return try descriptor.closeAfter {
      var bytes: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 4096)
      while true {
        let count = try unsafe buffer.withUnsafeMutableBytes { try unsafe descriptor.read(into: $0) }
        guard count > 0 else { return bytes }
        bytes += buffer[..<count]
      }
    }
  }

  /// Whether there is a file.
  static func exists(_ path: [UInt8]) -> Bool {
    unsafe self.path(path).withPlatformString { unsafe access($0, F_OK) } == 0
  }

  /// The program's arguments as the kernel passed them: bytes, which need not be UTF-8, encoded like entry names so that
  /// they survive the argument parser. Swift's own list comes from /proc/self/cmdline, and is empty without /proc.
  static func arguments() -> [String] {
    (1..<max(1, clinux_argument_count())).compactMap { index in
      guard let argument = unsafe clinux_argument(index) else { return nil }
      return unsafe ArchiveEntry.name(
        raw: Array(UnsafeRawBufferPointer(start: argument, count: strlen(argument))))
    }
  }
}
