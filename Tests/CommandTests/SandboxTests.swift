import Foundation
import Glibc
import TestSupport
import Testing

/// --sandbox, --timeout, and what -v reports about them.
struct SandboxTests {
  private static let line = "zip-stored.zip: read by "

  @Test(arguments: ["list", "digest", "test"] as [ByteString])
  func `An archive is read the same with and without`(command: ByteString) throws {
    for archive in ["zip-deflated.zip", "tree.tar.gz", "7z-lzma2.7z", "cpio-newc.cpio"] as [ByteString] {
      let without = try Program.run(command, "--sandbox", "off", archive)
      #expect(without.end == .exit(0))
      for choice in ["required", "auto"] as [ByteString] {
        try Program.expect(command, "--sandbox", choice, archive, gives: without)
      }
    }
  }

  @Test func `-v says what protected the extraction`() throws {
    for command in ["list", "digest", "test"] as [ByteString] {
      let sandboxed = try Program.run(command, "-v", "zip-stored.zip")
      let line = sandboxed.errors.lines.map(\.text).filter { $0.contains(Self.line) }
      #expect(line.count == 1 && line[0].contains("Landlock") && line[0].contains("seccomp"), "\(line)")
      let plain = try Program.run(command, "-v", "--sandbox", "off", "zip-stored.zip")
      #expect(plain.errors.text.contains(Self.line + "this process, without a sandbox"))
    }
  }

  @Test func `Without a sandbox, auto warns in one line and required gives up`() throws {
    let expected = try Program.run("digest", "--sandbox", "off", "tree.tar.gz")
    var command = Program.command("digest", "tree.tar.gz")
    command.environment["MEMARCHIVE_WORKER"] = "/nowhere"
    let automatic = try command.run()
    #expect(automatic.end == .exit(0))
    #expect(automatic.output == expected.output)
    #expect(automatic.errors.lines.count == 1)
    #expect(
      automatic.errors.text.hasPrefix("memarchive: warning: there is no sandbox: "), "\(automatic.errors)")
    command.arguments.insert("--sandbox=required", at: 2)
    let required = try command.run()
    #expect(required.end == .exit(4))
    #expect(required.output == "")
    #expect(required.errors.text.contains("--sandbox off"), "\(required.errors)")
  }

  @Test func `A worker that is killed is told with what the kernel kills for`() throws {
    try withTemporaryDirectory { directory in
      // A worker that is killed at once, whatever for.
      let outcome = try Program.shell(
        """
        printf '#!/bin/sh\nkill -9 $$\n' > killed; chmod +x killed; export MEMARCHIVE_WORKER="$PWD/killed"
        $m test -q "$1"; ulimit -t 100000; $m test -q "$1"
        """, "\(Fixture.path("zip-stored.zip"))", in: directory)
      #expect(outcome.end == .exit(1))
      let killed = "was killed (SIGKILL), as the kernel does when memory runs out"
      let lines = outcome.errors.lines.map(\.text)
      try #require(lines.count == 2, "\(outcome)")
      #expect(lines[0].contains(killed + "."), "\(outcome)")
      #expect(lines[1].contains(killed + ", or the processor time that ulimit -t allows."), "\(outcome)")
    }
  }

  /// A system that lacks one part, simulated by strace(1).
  @Test(
    .enabled(if: Trace.isPossible, "strace cannot attach to a process here"),
    arguments: [
      ("landlock_create_ruleset", "ENOSYS", "Landlock"),
      ("landlock_create_ruleset", "EOPNOTSUPP", "Landlock"),
      ("seccomp", "EINVAL", "seccomp"),
    ] as [(ByteString, ByteString, String)])
  func `Without a part of it, auto warns in one line and required names the part`(
    call: ByteString, error: ByteString, part: String
  ) throws {
    let strace: [ByteString] = [
      "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + call, "-e",
      "inject=" + call + ":error=" + error, Program.path,
    ]
    func run(_ arguments: ByteString...) throws -> Outcome {
      var command = Command(strace + arguments)
      command.directory = Fixture.directory
      return try command.run()
    }
    let expected = try Program.run("digest", "--sandbox", "off", "tree.tar.gz")
    let automatic = try run("digest", "tree.tar.gz")
    #expect(automatic.end == .exit(0) && automatic.output == expected.output)
    #expect(
      automatic.errors.text.hasPrefix("memarchive: warning: the sandbox lacks \(part), "),
      "\(automatic.errors)")
    #expect(automatic.errors.lines.count == 1)
    let listing = try run("list", "--sandbox", "auto", "tree.tar.gz")
    #expect(listing.end == .exit(0) && listing.errors == automatic.errors)
    let required = try run("digest", "--sandbox", "required", "tree.tar.gz")
    #expect(required.end == .exit(4) && required.output == "")
    #expect(required.errors.text.contains("\(part): "), "\(required.errors)")
  }

  @Test func `A stalled pipe ends with the timeout`() throws {
    let outcome = try Program.shell(
      "(cat zip-stored.zip; exec sleep 30) | { $m list --timeout 0.3 -; echo $? >&2; kill 0; }")
    #expect(outcome.errors.text.contains("--timeout"), "\(outcome.errors)")
    #expect(outcome.errors.text.contains("\n3\n"), "\(outcome.errors)")
  }

  @Test(arguments: ["0", "-1", "x", "nan"] as [ByteString])
  func `A timeout is a time to come`(time: ByteString) throws {
    #expect(try Program.run("list", "--timeout=" + time, "tree.tar.gz").end == .exit(2))
  }

  @Test func `A worker ends with the program that it works for`() throws {
    // When the program is killed, the worker is the last to hold the reading end.
    let ends = try PipeEnds()
    defer { close(ends.writing) }
    // Enough to begin with, and no end.
    let bytes = try Fixture.bytes("tar-ustar.tar")
    _ = bytes.dropLast(512).withUnsafeBytes { write(ends.writing, $0.baseAddress, $0.count) }
    var command = Program.command("list", "-v", "--sandbox", "required", "-")
    command.input = .descriptor(ends.reading)
    let running = try command.start()
    close(ends.reading)
    // The first line appears once the worker is reading.
    var byte: UInt8 = 0
    let read = Glibc.read(running.errorDescriptor, &byte, 1)
    #expect(read == 1)
    kill(running.pid, SIGKILL)
    // Without a reader, the writing end reports an error, poll(2).
    var state = pollfd(fd: ends.writing, events: 0, revents: 0)
    #expect(poll(&state, 1, 30_000) == 1)
    #expect(state.revents & Int16(POLLERR) != 0)
    _ = try running.wait()
  }
}
