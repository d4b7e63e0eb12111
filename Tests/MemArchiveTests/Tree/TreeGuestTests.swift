import Foundation
import Glibc
import MemArchive
import TestSupport
import Testing

/// A tree is made inside a host that has its own ideas, and leaves nothing there.
@Suite(.slow) struct TreeGuestTests {
  private static let archive = Tar.archive(Tar.entry("a/b", Bytes("content".utf8)))

  /// Makes a tree with the helper process, and reads from it.
  private static func isMade() -> Bool {
    let tree = try? ArchiveReader(bytes: archive).tree(in: .making(.helper))
    return (try? tree?.withPath(of: "a/b") { try Bytes(contentsOfFile: $0) }) == Bytes("content".utf8)
  }

  /// Each open descriptor and its target, without that of the directory read here.
  private static func openDescriptors() -> Set<String> {
    Set(
      (0..<1024).compactMap { number in
        let path = "/proc/self/fd/\(number)"
        return (try? FileManager.default.destinationOfSymbolicLink(atPath: path)).map { "\(number) \($0)" }
      })
  }

  // wait(2): __WALL includes children that send no signal.
  private static let all: CInt = 0x4000_0000

  @Test func `A host that ignores SIGCHLD gets its tree, and no child is left`() async {
    await #expect(processExitsWith: .success) {
      signal(SIGCHLD, SIG_IGN)
      for _ in 0..<20 where !Self.isMade() { exit(1) }
      guard waitpid(-1, nil, Self.all | WNOHANG) == -1, errno == ECHILD else { exit(2) }
    }
  }

  @Test func `A host's handler of SIGCHLD is not called`() async {
    await #expect(processExitsWith: .success) {
      signal(SIGCHLD) { _ in _exit(3) }
      for _ in 0..<20 where !Self.isMade() { exit(1) }
    }
  }

  @Test func `A host that reaps every child is tolerated`() async {
    await #expect(processExitsWith: .success) {
      Thread.detachNewThread { while true { _ = waitpid(-1, nil, Self.all) } }
      for _ in 0..<200 where !Self.isMade() { exit(1) }
    }
  }

  @Test func `The mask of signals, the umask and the limits stay as they were`() async {
    await #expect(processExitsWith: .success) {
      umask(0o777)
      var before = sigset_t()
      sigemptyset(&before)
      sigaddset(&before, SIGUSR1)
      pthread_sigmask(SIG_SETMASK, &before, nil)
      guard Self.isMade() else { exit(1) }
      var after = sigset_t()
      pthread_sigmask(SIG_SETMASK, nil, &after)
      guard sigismember(&after, SIGUSR1) == 1, sigismember(&after, SIGTERM) == 0 else { exit(2) }
      guard umask(0) == 0o777 else { exit(3) }
    }
  }

  @Test func `An ordinary user owns the tree`() async {
    await #expect(processExitsWith: .success) {
      // After a process changes its user, its files in /proc belong to root.
      if geteuid() == 0 { guard setgid(65534) == 0, setuid(65534) == 0 else { exit(1) } }
      let tree = try ArchiveReader(bytes: Self.archive).tree()
      var status = stat()
      guard stat(try tree.path + "/a/b", &status) == 0 else { exit(3) }
      guard status.st_uid == geteuid(), status.st_gid == getegid() else { exit(4) }
      guard open(try tree.path + "/a/b", O_WRONLY) == -1, errno == EROFS else { exit(5) }
      withExtendedLifetime(tree) {}
    }
  }

  @Test func `A user who may start no process is told which call was refused`() async {
    await #expect(processExitsWith: .success) {
      if geteuid() == 0 { guard setgid(65534) == 0, setuid(65534) == 0 else { exit(1) } }
      var none = rlimit(rlim_cur: 0, rlim_max: 0)
      guard setrlimit(__rlimit_resource_t(6 /* RLIMIT_NPROC */), &none) == 0 else { exit(2) }
      do throws(ArchiveError) {
        _ = try ArchiveReader(bytes: Self.archive).tree()
        exit(3)
      } catch {
        guard error.code == .treeUnavailable, error.call == "clone", error.errno != nil else { exit(4) }
        guard "\(error)".contains("user namespaces") else { exit(5) }
      }
      // Without the leak check, which starts a process.
      _exit(0)
    }
  }

  @Test func `Failed trees leave no descriptor`() async {
    await #expect(processExitsWith: .success) {
      // Descriptors that a first extraction opens for the life of the process do not count.
      guard Self.isMade() else { exit(4) }
      let before = Self.openDescriptors()
      let good = Tar.entry("good", Bytes(repeating: 1, count: 5000))
      let failures: [Bytes] = [
        Bytes((good + Tar.entry("cut", Bytes(repeating: 1, count: 5000))).dropLast(1000)),
        Zip.archive(.init("a", [1]), .init("b", [2], crc: 1)),
        Tar.archive(good, Tar.entry("good/x", [1])),
        Gzip.member(Tar.archive(good), crc: 1),
      ]
      for way in TreeTests.ways {
        for round in 0..<100 {
          let failing = ArchiveReader(bytes: failures[round % failures.count])
          guard (try? failing.tree(in: .making(way))) == nil else { exit(1) }
          _ = try ArchiveReader(bytes: Self.archive).tree(in: .making(way))
        }
      }
      ExtractionPool.shared.end()
      // What a thread closes as it ends is closed a moment later, on a busy machine.
      for _ in 0..<10_000 {
        if Self.openDescriptors().isSubset(of: before) { break }
        sched_yield()
      }
      let left = Self.openDescriptors().subtracting(before)
      guard left.isEmpty else {
        print(left)
        exit(2)
      }
      guard waitpid(-1, nil, Self.all | WNOHANG) == -1, errno == ECHILD else { exit(3) }
    }
  }

  @Test(
    .enabled(if: MemoryGroup.isAvailable, "no control group with a memory limit can be made here"),
    .timeLimit(.minutes(10)), arguments: [false, true])
  func `A tree ends with a host that is killed`(_ isSandboxed: Bool) async throws {
    let group = try MemoryGroup(bytes: 512 << 20)
    defer { group.remove() }
    await #expect(processExitsWith: .signal(SIGKILL)) {
      [group = group as MemoryGroup, isSandboxed = isSandboxed as Bool] in
      guard group.enter() else { exit(1) }
      let reader = ArchiveReader(bytes: Tar.archive(Tar.entry("large", Bytes(repeating: 7, count: 32 << 20))))
      let tree = try reader.tree(options: ExtractionOptions(sandbox: isSandboxed ? .required : .off))
      guard let held = group.sharedMemory, held >= 32 << 20 else { exit(2) }
      kill(getpid(), SIGKILL)
      withExtendedLifetime(tree) {}
    }
    // The kernel frees it with a delay.
    while let held = group.sharedMemory, held > 0 { sched_yield() }
    #expect(group.sharedMemory == 0)
  }

  @Test func `The held limit bounds content, pages and names`() throws {
    func error(_ archive: Bytes, _ limits: ExtractionLimits) -> ArchiveError? {
      #expect(throws: ArchiveError.self) {
        try ArchiveReader(bytes: archive).tree(options: ExtractionOptions(limits: limits))
      }
    }
    let large = Gzip.deflated(Tar.archive(Tar.entry("large", Bytes(repeating: 0, count: 2 << 20))))
    #expect(error(large, ExtractionLimits(heldBytes: 1 << 20))?.code == .limitExceeded)
    let names = Zip.archive((0..<3000).map { Zip.Entry("\($0)", []) })
    #expect(error(names, ExtractionLimits(heldBytes: 1 << 20))?.code == .limitExceeded)
    let pages = Zip.archive((0..<300).map { Zip.Entry("\($0)", [1]) })
    #expect(error(pages, ExtractionLimits(heldBytes: 1 << 20))?.code == .limitExceeded)
    #expect(
      try ArchiveReader(bytes: pages).extract(options: .init(limits: ExtractionLimits(heldBytes: 1 << 20)))
        .count == 300
    )
  }

  @Test(arguments: [
    ExtractionOptions { $0.parallelism = 1 }, ExtractionOptions { $0.parallelism = 4 },
    ExtractionOptions(sandbox: .required),
  ])
  func `Holes of a sparse entry stay holes, however many copied it`(_ options: ExtractionOptions) throws {
    let cases = ["tar-sparse-pax-1.0.tar", "tar-sparse-old-gnu-all-hole.tar"].map {
      ArchiveReader(path: Fixture.path($0))
    }
    // Zeros that are not a hole in the archive, before, in and after a page.
    let zeros =
      Bytes(repeating: 1, count: 100) + Bytes(repeating: 0, count: 40_000) + Bytes(repeating: 2, count: 5000)
      + Bytes(repeating: 0, count: 20_001)
    let all = Bytes(repeating: 0, count: 300_000)
    let own = ArchiveReader(bytes: Tar.archive(Tar.entry("zeros", zeros), Tar.entry("all", all)))
    for reader in cases + [own] {
      let files = try reader.extract()
      let tree = try reader.tree(options: options)
      #expect(files.contains { $0.file.size >= 16 << 10 })
      for (name, file) in files where file.size >= 16 << 10 {
        var status = stat()
        try tree.withPath(of: name) { path throws in
          _ = stat(path, &status)
          #expect(try Bytes(contentsOfFile: path) == file.content)
        }
        #expect(Int(status.st_size) == file.size)
        #expect(Int(status.st_blocks) * 512 < file.size)
      }
    }
  }
}
