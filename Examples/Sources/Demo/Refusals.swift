import Glibc
import MemArchive

/// How the kernel refuses each way to change a sealed file.
struct Refusals {
  private(set) var lines: [String] = []

  init(by file: MemFile) throws {
    let before = try Self.content(of: file)
    try file.withPath { path in
      // The owner may lift the file's mode; what is asked here is what the seals say then.
      guard chmod(path, S_IRUSR | S_IWUSR) == 0 else { throw Failure("chmod: \(Self.text(of: errno))") }
      try expect("write(2) through its path", Self.attempt(on: path) { pwrite($0, "x", 1, 0) })
      try expect("open(2) with O_TRUNC", Self.attempt(on: path, opening: O_TRUNC) { _ in 0 })
      try expect("ftruncate(2) to nothing", Self.attempt(on: path) { Int(ftruncate($0, 0)) })
      try expect(
        "ftruncate(2) to one byte more", Self.attempt(on: path) { Int(ftruncate($0, file.size + 1)) })
      try expect(
        "mmap(2), shared and writable",
        Self.attempt(on: path) {
          mmap(nil, file.size, PROT_READ | PROT_WRITE, MAP_SHARED, $0, 0) == MAP_FAILED ? -1 : 0
        })
    }
    guard try Self.content(of: file) == before else { throw Failure("\(file.name) has changed") }
  }

  /// Takes the error number of a call that must have been refused.
  private mutating func expect(_ what: String, _ number: CInt) throws {
    guard number == EPERM else {
      throw Failure(number == 0 ? "\(what) went through" : "\(what): \(Self.text(of: number))")
    }
    lines.append("\(padded(what, to: 30)) EPERM")
  }

  private static func text(of number: CInt) -> String { String(cString: strerror(number)) }

  /// Opens `path` for writing and makes a call that answers as system calls do; returns errno, 0 for success.
  private static func attempt(on path: String, opening flags: CInt = 0, _ call: (CInt) -> Int) -> CInt {
    let descriptor = open(path, O_RDWR | O_CLOEXEC | flags)
    guard descriptor >= 0 else { return errno }
    defer { close(descriptor) }
    return call(descriptor) < 0 ? errno : 0
  }

  private static func content(of file: MemFile) throws -> [UInt8] {
    try file.withBytes { $0.withUnsafeBytes { Array($0) } }
  }
}

extension Refusals: CustomStringConvertible {
  var description: String {
    "\(lines.count) ways to change a file, all refused, its bytes as before"
      + lines.map { "\n     " + $0 }.joined()
  }
}
