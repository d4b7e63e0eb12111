// Optimized builds have no @testable modules, and skip these tests.
#if DEBUG
import Foundation
import SystemPackage
import Testing

@testable import MemArchive

/// A worker that was taken over by its archive lies about everything; this process trusts none of it.
@Suite(.serialized) struct HostileWorkerTests {
  /// The actions of a worker written in Python, after it has received the request.
  struct Lie: CustomTestStringConvertible {
    let name: String
    let script: String
    var code: ArchiveError.Code? = .sandboxViolation
    var storage = ExtractionOptions.Storage.dedicated
    var testDescription: String { name }
  }

  private static let prelude = """
    import fcntl, os, socket, struct, sys, time
    s = socket.socket(fileno=3)
    number = 0
    def u32(n): return struct.pack("<I", n & 0xFFFFFFFF)
    def i64(n): return struct.pack("<q", n)
    def text(t): return u32(len(t)) + t
    def record(payload): return u32(len(payload)) + payload
    def packet(payload, fds=(), claim=None, at=None):
      global number
      n = number if at is None else at
      head = u32(n) + u32(len(fds) if claim is None else claim)
      number += 1
      socket.send_fds(s, [head + payload], list(fds))
    def entry(name=b"a", size=3):
      return b"\\4\\1" + struct.pack("<qqqIHBB", size, 0, 1, 0, 0, 0, 2) + text(name) + b"\\0"
    def big(payload):
      for start in range(0, len(payload), 48 << 10): packet(payload[start:start + (48 << 10)])
    def attributed(name, count):
      return entry(name)[:-1] + b"\\1" + b"\\0" * 9 + u32(1) + text(b"user.a") + text(b"x" * count)
    def warning(words): return b"\\11\\0" + text(words)
    def note(words, at=b"\\0"): return b"\\7" + text(b"corrupt") + b"\\0" + text(words) + b"\\0\\0" + text(b"") + at
    def own(position=0, size=3): return b"\\5" + struct.pack("<qqqII", position, size, 0, 0, 0)
    def packed(position=0, size=3, slab=1, offset=0):
      return b"\\5" + struct.pack("<qqqII", position, size, offset, slab, 1)
    def slab(size=3, n=1): return b"\\6" + u32(n) + i64(size)
    def end(): return b"\\10"
    def memfd(content=b"abc", seals=15, flags=os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC):
      fd = os.memfd_create("lie", flags)
      os.write(fd, content)
      if seals: fcntl.fcntl(fd, 1033, seals)
      return fd
    data, fds, _, _ = socket.recv_fds(s, 1 << 20, 64)
    def ready(version=b"\(PlatformReport.version)"):
      packet(record(b"\\1" + text(version) + b"\\1\\7\\0\\0\\0\\1\\1") + record(b"\\3\\0"))

    """

  /// Does nothing after the last message: an honest host has decided by then.
  private static let postlude = "\ns.recv(100)\n"

  private static let lies: [Lie] = [
    Lie(
      name: "an honest worker",
      script: "ready(); packet(record(entry()) + record(own()), [memfd()]); packet(record(end()))", code: nil),
    Lie(name: "no seals", script: "ready(); packet(record(entry()) + record(own()), [memfd(seals=0)])"),
    Lie(
      name: "one seal too few", script: "ready(); packet(record(entry()) + record(own()), [memfd(seals=7)])"),
    Lie(
      name: "future write only",
      script: "ready(); packet(record(entry()) + record(own()), [memfd(seals=1|2|4|16)])"),
    Lie(name: "another size", script: "ready(); packet(record(entry()) + record(own(size=4)), [memfd()])"),
    Lie(
      name: "a gigantic size",
      script: "ready(); packet(record(entry()) + record(own(size=(1<<63)-1)), [memfd()])"),
    Lie(
      name: "a negative size", script: "ready(); packet(record(entry()) + record(own(size=-1)), [memfd()])"),
    Lie(
      name: "a tmpfs file",
      script:
        "ready(); fd = os.open('/dev/shm', os.O_TMPFILE | os.O_RDWR); os.write(fd, b'abc'); packet(record(entry()) + record(own()), [fd])"
    ),
    Lie(
      name: "a directory",
      script: "ready(); packet(record(entry()) + record(own()), [os.open('/', os.O_RDONLY)])"),
    Lie(name: "a call that kills without a word", script: "ready(); os.kill(os.getpid(), 31)"),
    Lie(name: "a pipe", script: "ready(); packet(record(entry()) + record(own()), [os.pipe()[0]])"),
    Lie(name: "a socket", script: "ready(); packet(record(entry()) + record(own()), [3])"),
    Lie(
      name: "a file on disk",
      script: "ready(); packet(record(entry()) + record(own()), [os.open(sys.argv[0], os.O_RDONLY)])"),
    Lie(
      name: "a path only",
      script:
        "ready(); packet(record(entry()) + record(own()), [os.open('/proc/self/fd/%d' % memfd(), os.O_PATH)])"
    ),
    Lie(
      name: "a file that cannot be read",
      script:
        "ready(); fd = os.memfd_create('x', 3); w = os.open('/proc/self/fd/%d' % fd, os.O_WRONLY); os.write(fd, b'abc'); fcntl.fcntl(fd, 1033, 15); packet(record(entry()) + record(own()), [w])"
    ),
    Lie(
      name: "fewer descriptors than claimed",
      script: "ready(); packet(record(entry()) + record(own()), [memfd()], claim=2)"),
    Lie(
      name: "more descriptors than claimed",
      script: "ready(); packet(record(entry()) + record(own()), [memfd(), memfd()], claim=1)"),
    Lie(name: "no descriptor", script: "ready(); packet(record(entry()) + record(own()))"),
    Lie(
      name: "descriptors that nothing speaks of",
      script: "ready(); packet(record(entry()) + record(own()), [memfd(), memfd()]); packet(record(end()))"),
    Lie(
      name: "ever more descriptors",
      script: "ready()\nfd = memfd()\nfor i in range(20): packet(b'', [fd] * 64)"),
    Lie(name: "too many descriptors at once", script: "ready(); packet(b'', [memfd()] * 100)"),
    Lie(name: "a cut message", script: "ready(); packet(record(entry()[:-3]))"),
    Lie(name: "an empty record", script: "ready(); packet(record(b''))"),
    Lie(name: "an unknown message", script: "ready(); packet(record(b'\\x63'))"),
    Lie(name: "a record without an end", script: "ready(); packet(u32(0xFFFFFFFF) + b'x')"),
    Lie(name: "a gigantic name", script: "ready(); packet(record(b'\\4\\1' + u32(0x7FFFFFFF) + b'a'))"),
    Lie(name: "a packet without a header", script: "ready(); s.send(b'abc')"),
    Lie(name: "a packet that is too long", script: "ready(); s.send(u32(1) + u32(0) + b'x' * 100000)"),
    Lie(
      name: "a packet twice", script: "ready(); packet(record(entry()), at=1); packet(record(end()), at=1)"),
    Lie(name: "a file that nobody asked for", script: "ready(); packet(record(own(position=5)), [memfd()])"),
    Lie(
      name: "one file twice",
      script: "ready(); packet(record(entry()) + record(own()) + record(own()), [memfd(), memfd()])"),
    Lie(
      name: "a file at an impossible position",
      script: "ready(); packet(record(entry()) + record(own(position=(1<<63)-1)), [memfd()])"),
    Lie(
      name: "a failure at an entry that was none",
      script: "ready(); packet(record(note(b'x', b'\\1' + i64((1<<63)-1))))"),
    Lie(
      name: "a failure before the first entry",
      script: "ready(); packet(record(note(b'x', b'\\1' + i64(-1))))"),
    Lie(name: "an end before the file", script: "ready(); packet(record(entry()) + record(end()))"),
    Lie(
      name: "words after the end",
      script: "ready(); packet(record(entry()) + record(own()) + record(end()) + record(entry()), [memfd()])"),
    Lie(
      name: "an entry that is none of the wanted",
      script: "ready(); packet(record(b'\\4\\0' + entry()[2:]) + record(end()))"),
    Lie(name: "a question that nobody allowed", script: "ready(); packet(record(b'\\4\\2' + entry()[2:]))"),
    Lie(
      name: "a range beyond its slab",
      script: "ready(); packet(record(entry()) + record(packed(offset=1)) + record(slab()), [memfd()])",
      storage: .packed),
    Lie(
      name: "a slab that no file lies in",
      script: "ready(); packet(record(entry()) + record(slab()), [memfd()])", storage: .packed),
    Lie(
      name: "a file in a slab that was complete",
      script: """
        ready()
        packet(record(entry()) + record(entry(b"b")) + record(entry(b"c")) + record(packed(2, slab=2)) + record(packed(0)) + record(slab()) + record(packed(1)), [memfd()])
        """, storage: .packed),
    Lie(
      name: "a file larger than its slab",
      script: "ready(); packet(record(entry()) + record(packed(size=4)) + record(slab()), [memfd()])",
      storage: .packed),
    Lie(
      name: "a range beyond all numbers",
      script: "ready(); packet(record(entry()) + record(packed(size=(1<<63)-1, offset=(1<<63)-1)))",
      storage: .packed),
    Lie(
      name: "one slab twice",
      script:
        "ready(); packet(record(entry()) + record(packed()) + record(slab()) + record(slab()), [memfd(), memfd()])",
      storage: .packed),
    Lie(
      name: "a slab that never comes",
      script: "ready(); packet(record(entry()) + record(packed()) + record(end()))", storage: .packed),
    Lie(
      name: "an unsealed slab",
      script: "ready(); packet(record(entry()) + record(packed()) + record(slab()), [memfd(seals=0)])",
      storage: .packed),
    Lie(
      name: "memory after a slab that never comes",
      script: """
        ready(); packet(record(entry()) + record(packed(size=(1<<62), slab=0)))
        for i in range(1, 4):
          packet(record(entry(b"%d" % i, 1<<19)) + record(packed(i, 1<<19, i)) + record(slab(1<<19, i)), [memfd(b"x" * (1<<19))])
        """, code: .limitExceeded, storage: .packed),
    Lie(
      name: "more than its slab has, many times over",
      script: """
        ready()
        for i in range(4): packet(record(entry(b"%d" % i, 1<<19)) + record(packed(i, 1<<19)))
        packet(record(slab(1<<19)), [memfd(b"x" * (1<<19))])
        """, code: .limitExceeded, storage: .packed),
    Lie(
      name: "an error of a kind that does not exist",
      script: "ready(); packet(record(b'\\7' + text(b'nonsense')))"),
    Lie(name: "a name that is not UTF-8", script: "ready(); packet(record(entry(name=b'\\xff')))"),
    Lie(
      name: "attributes beyond their limit",
      script: "ready(); big(record(attributed(b'a', 1 << 20)))", code: .limitExceeded),
    Lie(
      name: "a record longer than any",
      script: "ready(); packet(u32(0xFFFFFFF0) + b'x' * 1000)"),
    Lie(
      name: "entries without end",
      script: "ready()\nfor i in range(1000): big(record(entry(b'x' * 40000 + b'%d' % i)))",
      code: .limitExceeded),
    Lie(
      name: "attributes without end",
      script: "ready()\nfor i in range(1000): big(record(attributed(b'%d' % i, 100000)))",
      code: .limitExceeded),
    Lie(
      name: "entries without end after a slab that never comes",
      script: """
        ready(); packet(record(entry()) + record(packed()))
        for i in range(1000): big(record(entry(b'x' * 40000 + b'%d' % i)))
        """, code: .limitExceeded, storage: .packed),
    Lie(
      name: "warnings without number, and an honest end",
      script: """
        ready()
        for i in range(20000): packet(record(warning(b'w' * 10000)))
        packet(record(entry()) + record(own()), [memfd()]); packet(record(end()))
        """, code: nil),
    Lie(
      name: "more than the ledger allows",
      script: "ready(); packet(record(entry()) + record(own(size=1<<21)), [memfd(b'x' * (1<<21))])",
      code: .limitExceeded),
    Lie(name: "a death without a word", script: "ready(); os._exit(3)", code: .workerFailed),
    Lie(name: "a crash", script: "ready(); os.kill(os.getpid(), 11); time.sleep(60)", code: .workerFailed),
    Lie(
      name: "a closed socket and a life after it", script: "ready(); s.close()\nwhile True: time.sleep(60)",
      code: .workerFailed),
    Lie(name: "a death before ready", script: "os._exit(0)", code: .sandboxUnavailable),
    Lie(name: "another version", script: "ready(version=b'99')", code: .sandboxUnavailable),
    Lie(name: "nonsense in place of ready", script: "packet(b'hello, world')", code: .sandboxUnavailable),
    Lie(name: "nothing forever", script: "time.sleep(3600)", code: .timedOut),
    Lie(name: "nothing after ready", script: "ready(); time.sleep(3600)", code: .timedOut),
    Lie(
      name: "signs of life forever",
      script: "ready()\nwhile True:\n  packet(b'', at=0xFFFFFFFE); time.sleep(0.01)", code: .timedOut),
  ]

  private static let python: String? = ["/usr/bin/python3", "/usr/local/bin/python3"].first {
    access($0, X_OK) == 0
  }

  /// A worker whose program is this script.
  static func withWorker(_ script: String, _ body: (FilePath) throws -> Void) throws {
    let python = try #require(python)
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("worker-\(UUID().uuidString)")
      .path
    try "#!\(python) -IS\n\(prelude)\(script)\(postlude)".write(
      toFile: path, atomically: false, encoding: .utf8)
    defer { unlink(path) }
    chmod(path, 0o700)
    try body(FilePath(path))
  }

  @Test(arguments: lies)
  func `A lie is detected`(_ lie: Lie) throws {
    try Self.withWorker(lie.script) { try see(lie, $0) }
  }

  private func see(_ lie: Lie, _ worker: FilePath) throws {
    var options = ExtractionOptions(
      limits: Limits(heldBytes: 1 << 20), storage: lie.storage, sandbox: .required, worker: worker)
    // Either bound is enough for a worker that sends nothing at all.
    if lie.name.hasPrefix("nothing ") {
      #expect(try outcome(options, longestSilence: 300)?.code == .timedOut)
    }
    // Long for a worker that answers, and short for one that never does.
    options.timeout = lie.code == .timedOut ? .milliseconds(600) : .seconds(50)
    let error = try outcome(options)
    #expect(error?.code == lie.code, "\(error.map { "\($0)" } ?? "it was believed")")
    #expect(OpenFiles(labelled: "lie") == .none)
  }

  /// More files than the socket has room for acknowledgements.
  private static let manyFiles = """
    ready()
    packet(record(entry()) + record(own()), [memfd()])
    for i in range(1, 3000):
      fd = memfd(); packet(record(entry(b"a%d" % i)) + record(own(i)), [fd]); os.close(fd)

    """

  @Test func `A worker that never reads its socket is ended`() throws {
    try Self.withWorker(Self.manyFiles + "time.sleep(3600)") { worker in
      var options = ExtractionOptions(sandbox: .required, worker: worker)
      options.timeout = .milliseconds(2000)
      #expect(try outcome(options)?.code == .timedOut)
      options.timeout = nil
      let error = try outcome(options, longestSilence: 300)
      #expect(error?.code == .sandboxViolation)
      #expect(error?.reason.contains("did not read what was sent to it") == true)
    }
    #expect(OpenFiles(labelled: "lie") == .none)
  }

  @Test func `A worker that reads its socket late is waited for`() throws {
    let late = """
      s.setblocking(False)
      try:
        while s.recv(1 << 16): pass
      except BlockingIOError: pass
      s.setblocking(True)
      packet(record(end()))
      time.sleep(3600)
      """
    try Self.withWorker(Self.manyFiles.replacingOccurrences(of: "3000", with: "60") + late) { worker in
      let error = try outcome(ExtractionOptions(sandbox: .required, worker: worker))
      #expect(error == nil)
    }
  }

  @Test func `A pipe that gives something is no excuse for silence`() throws {
    try Self.withWorker("ready(); time.sleep(3600)") { worker in
      var options = ExtractionOptions(sandbox: .required, worker: worker)
      let hooks = ExtractionContext.Hooks(longestSilence: 300)
      let full = FileDescriptor(rawValue: try pipe(filledWith: [1, 2, 3]))
      let error = #expect(throws: ArchiveError.self) {
        try ArchiveReader(descriptor: full).extract(in: ExtractionContext(options, hooks: hooks))
      }
      #expect(error?.code == .timedOut)
      #expect(error?.reason.contains("0.3 seconds") == true)
      // A pipe that gives nothing is one, for as long as the extraction may take.
      let empty = try FileDescriptor.pipe()
      options.timeout = .milliseconds(900)
      let other = #expect(throws: ArchiveError.self) {
        try ArchiveReader(descriptor: empty.readEnd).extract(in: ExtractionContext(options, hooks: hooks))
      }
      #expect(other?.reason.contains("longer than") == true)
      for descriptor in [full, empty.readEnd, empty.writeEnd] { try descriptor.close() }
    }
  }

  private func errorOnceStarted(_ body: () throws(ArchiveError) -> Void) -> ArchiveError? {
    var last: ArchiveError?
    // A process that another test starts may still have the script open for writing (ETXTBSY).
    for _ in 0..<100 where last == nil || last?.reason.contains("Text file busy") == true {
      do throws(ArchiveError) {
        try body()
        return nil
      } catch {
        last = error
      }
    }
    return last
  }

  /// The visitor keeps nothing, so only queued entries count.
  private struct Forgetful: EntryVisitor {
    var prefetch: Prefetch { .contents() }
    func wants(_ entry: ArchiveEntry) -> Bool { entry.hasContent }
    func add(_: MemFile?, for _: ArchiveEntry, position _: Int) {}
    func note(_: ArchiveError) {}
    func end(warnings _: [ArchiveWarning], failedPosition _: Int?) {}
  }

  @Test(arguments: [
    "for i in range(1000): big(record(entry(b'x' * 40000 + b'%d' % i)))",
    """
    packet(record(entry()) + record(packed()))
    for i in range(1000): big(record(note(b'n' * 40000)))
    """,
  ])
  func `Entries queued in the host are held`(_ script: String) throws {
    try Self.withWorker("ready()\n" + script) { worker in
      let options = ExtractionOptions(
        limits: Limits(heldBytes: 1 << 20), onError: .keepGoing, sandbox: .required, worker: worker,
        timeout: .seconds(50))
      let ledger = Ledger(options.limits)
      let error = errorOnceStarted { () throws(ArchiveError) in
        var visitor = Forgetful()
        try ArchiveReader(bytes: [1]).visit(&visitor, in: ExtractionContext(options, ledger: ledger))
      }
      #expect(error?.code == .limitExceeded, "\(String(describing: error))")
      #expect(ledger.snapshot.held == 0)
    }
  }

  @Test func `Kept warnings are held`() throws {
    try Self.withWorker("ready()\nfor i in range(1000): big(record(note(b'n' * 40000)))") { worker in
      let options = ExtractionOptions(
        limits: Limits(heldBytes: 1 << 20), onError: .keepGoing, sandbox: .required, worker: worker,
        timeout: .seconds(50))
      let error = errorOnceStarted { () throws(ArchiveError) in
        _ = try ArchiveReader(bytes: [1]).extract(options: options)
      }
      #expect(error?.code == .limitExceeded, "\(String(describing: error))")
    }
  }

  /// The error; nil if the only file has arrived as it should.
  private func outcome(
    _ options: ExtractionOptions, longestSilence: Int = 60_000
  ) throws -> ArchiveError? {
    for _ in 0..<100 {
      do {
        let hooks = ExtractionContext.Hooks(longestSilence: longestSilence)
        let files = try ArchiveReader(bytes: [1]).extract(in: ExtractionContext(options, hooks: hooks))
        #expect(try files["a"]?.text == "abc")
        return nil
      } catch let error as ArchiveError {
        // A process that another test starts may still have the script open for writing (ETXTBSY).
        if !error.reason.contains("Text file busy") { return error }
      }
    }
    return nil
  }
}
#endif
