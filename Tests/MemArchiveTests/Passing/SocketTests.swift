import Glibc
import MemArchive
import SealedMemory
import SystemPackage
import TestSupport
import Testing

/// Both ends of a Unix socket, closed with their owner.
final class SocketPair {
  let one: FileDescriptor
  let other: FileDescriptor
  private var oneIsOpen = true

  init(_ type: __socket_type = SOCK_STREAM) throws {
    var ends: [CInt] = [-1, -1]
    try #require(socketpair(AF_UNIX, CInt(type.rawValue), 0, &ends) == 0)
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    (one, other) = (FileDescriptor(rawValue: ends[0]), FileDescriptor(rawValue: ends[1]))
  }

  func closeOne() {
    if oneIsOpen { close(one.rawValue) }
    oneIsOpen = false
  }

  deinit {
    closeOne()
    close(other.rawValue)
  }
}

/// Files passed from process to process.
struct SocketTests {
  /// Otherwise each file that arrives costs another system call.
  @Test func `The device of this process's own memory files is known`() throws {
    let memfd = try Memfd.create(name: "own", executable: false)
    #expect(try ReceivedDescriptor.ownDevice == Stat(memfd.descriptor).deviceID)
    extendLifetime(memfd)
  }

  @Test(arguments: [SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM].map(\.rawValue))
  func `A file arrives with its name, size and bytes, under a descriptor of the receiver's own`(type: UInt32)
    throws
  {
    let pair = try SocketPair(__socket_type(type))
    let sent = try MemFile(name: "a/ü\u{F7E9}.txt", bytes: Array("hello".utf8))
    try sent.send(to: pair.one)
    let got = try MemFile(receivedFrom: pair.other)
    #expect(got.name == sent.name && got.size == 5 && got.entry == nil)
    #expect(try got.text == "hello")
    #expect(try got.seals.isSuperset(of: .final))
    #expect(try got.fileDescriptor != sent.fileDescriptor)
    #expect(try got.withPath { try FileDescriptor.open($0, .readOnly).closeAfter { 7 } } == 7)
  }

  @Test func `The receiver's offset is its own, and no child inherits what it got`() throws {
    let pair = try SocketPair()
    let sent = try MemFile(name: "offset", bytes: Array("hello".utf8))
    try sent.send(to: pair.one)
    let got = try MemFile(receivedFrom: pair.other)
    #expect(lseek(try sent.fileDescriptor.rawValue, 3, SEEK_SET) == 3)
    #expect(lseek(try got.fileDescriptor.rawValue, 0, SEEK_CUR) == 0)
    #expect(fcntl(try got.fileDescriptor.rawValue, F_GETFD) == FD_CLOEXEC)
    #expect(fcntl(try got.fileDescriptor.rawValue, F_GETFL) & O_ACCMODE == O_RDONLY)
  }

  @Test(arguments: [SOCK_STREAM, SOCK_SEQPACKET].map(\.rawValue))
  func `A batch of more files than one message takes arrives in order`(type: UInt32) throws {
    let pair = try SocketPair(__socket_type(type))
    let names = (0..<150).map { "batch/\($0)" }
    try MemFile.send(
      names.map { try MemFile(name: $0, bytes: Array($0.utf8)) }, to: pair.one)
    try MemFile.send([], to: pair.one)
    let got = try #require(try MemFile.receive(from: pair.other))
    #expect(got.map(\.name) == names)
    #expect(try got.map { try $0.text } == names)
    #expect(try MemFile.receive(from: pair.other)?.isEmpty == true)
    pair.closeOne()
    #expect(try MemFile.receive(from: pair.other) == nil)
  }

  @Test(arguments: [SOCK_STREAM, SOCK_SEQPACKET].map(\.rawValue))
  func `A name of 64 KiB arrives, and a longer one is refused by its sender`(type: UInt32) throws {
    let pair = try SocketPair(__socket_type(type))
    let name = String(repeating: "n", count: 65_536)
    let files = try [name, "short", name].map { try MemFile(name: $0, bytes: [1]) }
    try MemFile.send(files, to: pair.one)
    #expect(try MemFile.receive(from: pair.other)?.map(\.name) == [name, "short", name])
    let long = try MemFile(name: String(repeating: "n", count: 100_000), bytes: [])
    let error = #expect(throws: ArchiveError.self) { try long.send(to: pair.one) }
    #expect(error?.code == .unsupportedFeature)
  }

  @Test func `A packed file and a sparse one can be sent`() throws {
    let pair = try SocketPair()
    let packed = try ArchiveReader(path: Fixture.path("tree.tar.gz")).extract(
      options: ExtractionOptions { $0.storage = .packed })
    let file = try #require(packed["tree/hello.txt"])
    let sparse = try ArchiveReader(path: Fixture.path("tar-sparse-pax-1.0.tar")).extract()
    let hole = try #require(sparse.first?.file)
    try MemFile.send([file, hole], to: pair.one)
    let got = try #require(try MemFile.receive(from: pair.other))
    #expect(try got.map { try sha256($0) } == [sha256(file), sha256(hole)])
  }

  @Test func `A file outlives its sender`() throws {
    let pair = try SocketPair()
    func send() throws { try MemFile(name: "left", bytes: Array("still here".utf8)).send(to: pair.one) }
    try send()
    pair.closeOne()
    #expect(try MemFile(receivedFrom: pair.other).text == "still here")
  }

  @Test func `A closed peer is an error for the sender, and not a signal`() throws {
    let pair = try SocketPair()
    pair.closeOne()
    let file = try MemFile(name: "x", bytes: [])
    let error = #expect(throws: ArchiveError.self) { try file.send(to: pair.other) }
    #expect(error?.code == .system && error?.errno == .brokenPipe && error?.call == "sendmsg")
  }

  @Test func `A socket that is closed before a file, or within a batch, is reported`() throws {
    let pair = try SocketPair()
    pair.closeOne()
    let error = #expect(throws: ArchiveError.self) { try MemFile(receivedFrom: pair.other) }
    #expect(error?.code == .truncated)
  }

  @Test func `Limits apply to received files`() throws {
    func received(_ limits: ExtractionLimits) throws -> [MemFile]? {
      let pair = try SocketPair()
      try MemFile.send(
        try ["a", "b", "c"].map { try MemFile(name: $0, bytes: [UInt8](repeating: 1, count: 1000)) },
        to: pair.one)
      return try MemFile.receive(from: pair.other, limits: limits)
    }
    for limits in [
      ExtractionLimits(totalBytes: 2999), ExtractionLimits(heldBytes: 2999),
      ExtractionLimits(entryBytes: 999), ExtractionLimits(entries: 2),
    ] {
      let error = #expect(throws: ArchiveError.self) { try received(limits) }
      #expect(error?.code == .limitExceeded)
    }
    #expect(
      try received(ExtractionLimits(totalBytes: 3000, heldBytes: 3000, entryBytes: 1000, entries: 3))?.count
        == 3)
  }

  /// Calls `body` while this process can open only this many more descriptors.
  private static func leavingDescriptors<Result>(_ count: Int, _ body: () throws -> Result) rethrows -> Result
  {
    var limit = rlimit(rlim_cur: 0, rlim_max: 0)
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    let before = limit
    // The lowest free numbers.
    let free = (0...count).map { _ in dup(0) }
    for number in free { close(number) }
    limit.rlim_cur = rlim_t(free[count])
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    var all = before
    defer { setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &all) }
    return try body()
  }

  /// The number of descriptors that can still be opened.
  private static func freeDescriptors() -> Int {
    var opened: [CInt] = []
    while opened.count < 100, case let number = dup(0), number >= 0 { opened.append(number) }
    for number in opened { close(number) }
    return opened.count
  }

  /// The number of descriptors of sealed files, F_GET_SEALS. The runtime may open others at any time.
  private static func memoryFiles() -> Int { (0..<CInt(256)).count { fcntl($0, 1034) >= 0 } }

  private static func code(_ body: () throws -> Void) -> ArchiveError.Code? {
    do {
      try body()
      return nil
    } catch {
      return (error as? ArchiveError)?.code
    }
  }

  @Test(arguments: [0, 3])
  func `A receiver with too few free descriptors is told so, and keeps none`(free: Int) async {
    await #expect(processExitsWith: .success) { [free] in
      let pair = try SocketPair()
      try MemFile.send((0..<5).map { try MemFile(name: "\($0)", bytes: [1]) }, to: pair.one)
      Self.leavingDescriptors(free) {
        guard Self.freeDescriptors() == free else { exit(1) }
        let before = Self.memoryFiles()
        guard Self.code({ _ = try MemFile.receive(from: pair.other) }) == .descriptorLimit else { exit(2) }
        guard Self.memoryFiles() == before else { exit(3) }
      }
    }
  }

  @Test func `A sender without a free descriptor sends files that have one, and gets an error for others`()
    async
  {
    await #expect(processExitsWith: .success) {
      let pair = try SocketPair()
      let own = try MemFile(name: "own", bytes: Array("sent".utf8))
      let files = try ArchiveReader(path: Fixture.path("tree.tar.gz")).extract(
        options: ExtractionOptions { $0.storage = .packed })
      guard let packed = files["tree/hello.txt"] else { exit(1) }
      Self.leavingDescriptors(0) {
        guard Self.code({ try own.send(to: pair.one) }) == nil else { exit(2) }
        guard Self.code({ try packed.send(to: pair.one) }) == .descriptorLimit else { exit(3) }
      }
      // The socket remains usable.
      guard try MemFile(receivedFrom: pair.other).text == "sent" else { exit(4) }
      try packed.send(to: pair.one)
      guard try MemFile(receivedFrom: pair.other).text == "Hello, sealed world.\n" else { exit(5) }
    }
  }
}
