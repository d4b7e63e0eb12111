import CLinux
import Foundation
import Glibc
import TestSupport
import Testing

/// Where links lead while the kernel cannot say, because something is renamed all the time.
struct PathWalkTests {
  /// What a path leads to: a file, or an error.
  private enum End: Equatable {
    case file(UInt64)
    case error(Int32)

    init(_ descriptor: Int32) {
      guard descriptor >= 0 else {
        self = .error(errno)
        return
      }
      defer { close(descriptor) }
      var status = stat()
      self = fstat(descriptor, &status) == 0 ? .file(UInt64(status.st_ino)) : .error(errno)
    }
  }

  private static let targets = [
    "file": "d/file", "up": "d/e/../file", "out": "..", "far": "d/../../d", "root": "/", "none": "d/none",
    "in-file": "d/file/x", "file-slash": "d/file/", "dir": "d/e/", "dots": ".//./d/./e/..", "self": "self",
    "one": "two", "two": "one", "through": "dir/../file", "through-none": "none/..", "slashes": "d//e//",
    "long-name": String(repeating: "n", count: 256), "longest-name": String(repeating: "n", count: 255),
    "longest": String(repeating: "./", count: 2044) + "d/file", "d/e/back": "../../file",
  ]

  @Test func `A path leads where the kernel says`() throws {
    // As many links as are followed, and one more.
    let chain = (0...40).map { ("n\($0)", $0 == 0 ? "d" : "n\($0 - 1)") }
    let starts = Self.targets.keys + chain.map(\.0) + ["d", ".", "..", "/", "nothing", "./n20/../n18"]
    let ends = ["", "/", "/.", "/..", "/file", "/e/../file", "/e/back", "/../.."]
    let long = String(repeating: "d/../", count: 818)
    try withTemporaryDirectory { directory in
      try FileManager.default.createDirectory(atPath: directory + "/d/e", withIntermediateDirectories: true)
      try Data("x".utf8).write(to: URL(filePath: directory + "/d/file"))
      for (name, target) in Self.targets + chain {
        try #require(symlink(target, directory + "/" + name) == 0)
      }
      let top = open(directory, CInt(CLINUX_O_PATH) | O_DIRECTORY | O_CLOEXEC)
      try #require(top >= 0)
      defer { close(top) }
      for path in starts.flatMap({ start in ends.map { start + $0 } }) + ["", long + "d/e", long + "d/../d"] {
        #expect(End(clinux_walk_beneath(top, path, nil)) == End(clinux_follow_beneath(top, path)), "\(path)")
      }
    }
  }
}
