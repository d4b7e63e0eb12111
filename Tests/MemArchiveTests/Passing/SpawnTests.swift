import Foundation
import Glibc
import MemArchive
import SystemPackage
import TestSupport
import Testing

/// Files that a child inherits.
struct SpawnTests {
  /// The output of a child with these file actions and arguments.
  private func output(
    _ arguments: [String], _ add: (inout posix_spawn_file_actions_t) throws -> [String]
  ) throws -> String {
    var ends: [CInt] = [-1, -1]
    let made = pipe(&ends)
    try #require(made == 0)
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    defer { close(ends[0]) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
    var pointers = (arguments + (try add(&actions))).map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    var pid: pid_t = 0
    let failure = posix_spawnp(&pid, arguments[0], &actions, nil, &pointers, environ)
    close(ends[1])
    try #require(failure == 0)
    let text = FileHandle(fileDescriptor: ends[0]).readDataToEndOfFile()
    var status: CInt = 0
    try #require(waitpid(pid, &status, 0) == pid)
    #expect(status == 0)
    return String(decoding: text, as: UTF8.self)
  }

  @Test func `A child finds the files under the paths that it was given`() throws {
    let files = try ["one", "two", "three"].map { try MemFile(name: $0, bytes: Array(($0 + "\n").utf8)) }
    let text = try output(["cat"]) { actions in try files.map { try $0.addToFileActions(&actions) } }
    #expect(text == "one\ntwo\nthree\n")
    withExtendedLifetime(files) {}
  }

  @Test func `The child finds a file under a number of the caller's choice`() throws {
    let file = try MemFile(name: "input", bytes: Array("as standard input".utf8))
    let text = try output(["cat"]) { actions in
      let path = try file.addToFileActions(&actions, as: 0)
      #expect(path == "/proc/self/fd/0")
      return []
    }
    #expect(text == "as standard input")
    let high = try output(["cat"]) { actions in [try file.addToFileActions(&actions, as: 200)] }
    #expect(high == "as standard input")
  }

  @Test func `Only that child inherits`() throws {
    let file = try MemFile(name: "only-that-child", bytes: [])
    let count = "find -H /proc/self/fd -lname '/memfd:/only-that-child*' | wc -l"
    let with = try output(["sh", "-c", count]) { actions in
      _ = try file.addToFileActions(&actions)
      return []
    }
    #expect(with == "1\n")
    #expect(try output(["sh", "-c", count]) { _ in [] } == "0\n")
    withExtendedLifetime(file) {}
  }

  @Test func `An impossible number is an error`() throws {
    let file = try MemFile(name: "x", bytes: [])
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    let error = #expect(throws: ArchiveError.self) { try file.addToFileActions(&actions, as: -1) }
    #expect(error?.code == .system && error?.errno == .badFileDescriptor)
  }

  @Test func `Another process opens the external path, which ends with the file`() throws {
    var file: MemFile? = try MemFile(name: "x", bytes: Array("from outside".utf8))
    let path = try #require(file).externalPath
    #expect(path.hasPrefix("/proc/\(getpid())/fd/"))
    // As swift-subprocess starts its children: without any of our descriptors.
    let text = try output(["cat", path]) { actions in
      for number in 3..<256 as Range<CInt> { posix_spawn_file_actions_addclose(&actions, number) }
      return []
    }
    #expect(text == "from outside")
    let number = try #require(file).fileDescriptor.rawValue
    file = nil
    #expect(
      fcntl(number, F_GETFD) == -1
        || (try? FileManager.default.destinationOfSymbolicLink(atPath: path)) != "/memfd:/x (deleted)")
  }

  private typealias Unshare = @convention(c) (CInt) -> CInt
  private typealias Fork = @convention(c) () -> pid_t

  @Test(.enabled(if: geteuid() == 0, "only root makes a pid namespace"))
  func `In a new pid namespace the external path is that of the /proc that is mounted`() async {
    await #expect(processExitsWith: .success) {
      // Swift's module hides them.
      let unshare = unsafeBitCast(dlsym(nil, "unshare"), to: Unshare.self)
      let fork = unsafeBitCast(dlsym(nil, "fork"), to: Fork.self)
      let newPidNamespace: CInt = 0x2000_0000
      guard unshare(newPidNamespace) == 0 else { exit(1) }
      let child = fork()
      if child == 0 {
        guard getpid() == 1, let file = try? MemFile(name: "x", bytes: Array("inside".utf8)),
          let path = try? file.externalPath
        else { _exit(2) }
        _exit(
          withExtendedLifetime(file) { (try? Bytes(contentsOfFile: path)) == Bytes("inside".utf8) } ? 0 : 3)
      }
      var status: CInt = 0
      guard child > 0, waitpid(child, &status, 0) == child else { exit(4) }
      exit(status >> 8 & 0xFF)
    }
  }
}
