#if TESTABLE
import CLinux
import Glibc

@testable import MemArchive

extension Lie {
  /// Files that are not what they are said to be.
  static let files: [Lie] = [
    Lie("an honest worker", nil) { liar in
      try liar.begin()
      try liar.say(.header(), .own(), with: [memfd()])
      try liar.say(.end)
    },
    with("no seals") { memfd(seals: 0) },
    with("one seal too few") {
      memfd(seals: CLINUX_F_SEAL_SEAL | CLINUX_F_SEAL_SHRINK | CLINUX_F_SEAL_GROW)
    },
    with("future write only") {
      memfd(
        seals: CLINUX_F_SEAL_SEAL | CLINUX_F_SEAL_SHRINK | CLINUX_F_SEAL_GROW | CLINUX_F_SEAL_FUTURE_WRITE)
    },
    with("another size", size: 4) { memfd() },
    with("a gigantic size", size: .max) { memfd() },
    with("a negative size", size: -1) { memfd() },
    with("a tmpfs file") {
      let path = "/dev/shm/lie-\(getpid())"
      let descriptor = open(path, O_CREAT | O_EXCL | O_RDWR, 0o600)
      unlink(path)
      _ = write(descriptor, "abc", 3)
      return descriptor
    },
    with("a directory") { open("/", O_RDONLY) },
    with("a pipe") {
      var ends: [CInt] = [0, 0]
      pipe(&ends)
      return ends[0]
    },
    with("a socket") { CInt(CLINUX_WORKER_SOCKET) },
    with("a file on disk") { open("/proc/self/exe", O_RDONLY) },
    // O_PATH, which Swift's Glibc has not.
    with("a path only") { open("/proc/self/fd/\(memfd())", 0o10000000) },
    with("a file that cannot be read") {
      let file = memfd(seals: 0)
      let writable = open("/proc/self/fd/\(file)", O_WRONLY)
      _ = clinux_add_seals(file, 15)
      return writable
    },
    Lie("no descriptor") { liar in
      try liar.begin()
      try liar.say(.header(), .own())
    },
    Lie("descriptors that nothing speaks of") { liar in
      try liar.begin()
      try liar.say(.header(), .own(), with: [memfd(), memfd()])
      try liar.say(.end)
    },
    Lie("a file that nobody asked for") { liar in
      try liar.begin()
      try liar.say(.own(position: 5), with: [memfd()])
    },
    Lie("one file twice") { liar in
      try liar.begin()
      try liar.say(.header(), .own(), .own(), with: [memfd(), memfd()])
    },
    Lie("a file at an impossible position") { liar in
      try liar.begin()
      try liar.say(.header(), .own(position: .max), with: [memfd()])
    },
  ]

  /// This file for the content of the one entry.
  private static func with(
    _ name: String, size: Int64 = 3, _ file: @escaping @Sendable () -> CInt
  ) -> Lie {
    Lie(name) { liar in
      try liar.begin()
      try liar.say(.header(), .own(size: size), with: [file()])
    }
  }

  /// As many as the socket has no room for the answers to, none of which is taken.
  package static let manyFiles = Lie("many files", nil) { try tell(of: 3000, $0) }

  package static let someFilesTakenLate = Lie("some files, taken late", nil) { liar in
    try tell(of: 60, liar)
    try liar.takeAllThatWaits()
    try liar.say(.end)
  }

  private static func tell(of count: Int64, _ liar: Liar) throws {
    try liar.begin()
    for position in 0..<count {
      let file = memfd()
      try liar.say(.header(position == 0 ? "a" : "a\(position)"), .own(position: position), with: [file])
      close(file)
    }
  }
}
#endif
