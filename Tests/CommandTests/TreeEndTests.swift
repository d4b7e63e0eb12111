import Foundation
import Glibc
import TestSupport
import Testing

/// `run --tree` and kill -9: whichever process is killed, nothing is left.
///
/// As root: nobody else may inspect a process that has entered a user namespace and not executed a program since, proc(5).
@Suite(.enabled(if: geteuid() == 0))
struct TreeEndTests {
  /// Starts a command in a tree that waits for the end of its standard input, and then reads a file of the tree; with the
  /// other processes of its namespace.
  private func withWaiting(_ body: (Running, _ namespace: String, [Stranger]) throws -> Void) throws
    -> Outcome
  {
    try withTemporaryDirectory { directory in
      let said = directory + "/said"
      try #require(mkfifo(said, 0o600) == 0)
      let script: ByteString = "readlink /proc/self/ns/mnt > \(said); read line; cat $1"
      let input = Pipe()
      var command = Program.command(
        "run", "--tree", "--at", "/srv", "tree.tar.gz", "--", "sh", "-c", script, "sh", "{tree/hello.txt}")
      command.input = .descriptor(input.fileHandleForReading.fileDescriptor)
      let running = try command.start()
      let reading = try #require(FileHandle(forReadingAtPath: said))
      let namespace = String(decoding: try #require(try reading.readToEnd()).dropLast(), as: UTF8.self)
      let others = try Stranger.all(inMountNamespace: namespace).filter { $0.pid != running.pid }
      try body(running, namespace, others)
      try input.fileHandleForWriting.close()
      return try running.wait()
    }
  }

  @Test func `kill -9 of the command ends the process that frees the tree`() throws {
    let outcome = try withWaiting { running, _, others in
      #expect(others.count == 1)
      kill(running.pid, SIGKILL)
      for other in others { #expect(other.ends) }
    }
    #expect(outcome.end == .signal(SIGKILL))
  }

  @Test func `The process that frees the tree has only one descriptor, which shows the command's end`() throws
  {
    let outcome = try withWaiting { running, _, others in
      let other = try #require(others.first).pid
      let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(other)/fd")
        .map { try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(other)/fd/\($0)") }
      #expect(open.count == 1 && open[0].contains("pidfd"), "\(open)")
      // Neither a child of the command nor in its session: the command waits for no such child, and its terminal is its own.
      let status = try String(contentsOfFile: "/proc/\(other)/status", encoding: .utf8)
      #expect(!status.contains("PPid:\t\(running.pid)\n"))
      #expect(getsid(other) == other)
    }
    #expect(outcome == .done(Content.hello.bytes))
  }

  @Test func `kill -9 of the process that frees the tree takes no file from the command`() throws {
    let outcome = try withWaiting { _, _, others in
      for other in others {
        kill(other.pid, SIGKILL)
        #expect(other.ends)
      }
    }
    #expect(outcome == .done(Content.hello.bytes))
  }

  @Test func `A child that outlives the command keeps the tree`() throws {
    try withTemporaryDirectory { directory in
      let (go, said) = (directory + "/go", directory + "/said")
      for fifo in [go, said] { try #require(mkfifo(fifo, 0o600) == 0) }
      let script: ByteString = "(read line < \(go); cat $1 > \(said)) > /dev/null 2>&1 & "
      let outcome = try Program.run(
        "run", "--tree", "--at", "/srv", "tree.tar.gz", "--", "sh", "-c", script, "sh", "{tree/hello.txt}")
      #expect(outcome == .done())
      try #require(FileHandle(forWritingAtPath: go)).close()
      let reading = try #require(FileHandle(forReadingAtPath: said))
      #expect(try reading.readToEnd() == Data(Content.hello.bytes.values))
    }
  }

  @Test(arguments: [[], ["--sandbox", "off"]] as [[ByteString]])
  func `kill -9 while the tree is filled leaves no process`(_ options: [ByteString]) throws {
    let pipe = Pipe()
    var command = Program.command(
      ["run", "--tree", "--at", "/srv"] + options + ["-", "--", "echo", "ran"])
    command.input = .descriptor(pipe.fileHandleForReading.fileDescriptor)
    let running = try command.start()
    // More than a pipe holds: when it is written it has been read, and what follows never comes.
    let archive = ByteString.entry("large", ByteString([UInt8](repeating: 1, count: 400_000))).values
    try pipe.fileHandleForWriting.write(contentsOf: archive.prefix(300_000))
    let namespace = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(running.pid)/ns/mnt")
    let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/mnt")
    #expect(namespace != own)
    let others = try Stranger.all(inMountNamespace: namespace).filter { $0.pid != running.pid }
    #expect(!others.isEmpty)
    kill(running.pid, SIGKILL)
    for other in others { #expect(other.ends) }
    #expect(try running.wait().end == .signal(SIGKILL))
  }
}
