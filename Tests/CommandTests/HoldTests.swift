import Foundation
import Glibc
import TestSupport
import Testing

/// `run --hold`: a separate process keeps the files.
struct HoldTests {
  @Test func `A command that closes its descriptors, and its children, still find the files`() throws {
    let script: ByteString = """
      import os, subprocess, sys
      os.closerange(3, 4096)
      print(open(sys.argv[1]).read(), end="")
      subprocess.run(["cat", sys.argv[1]], close_fds=True)
      """
    let outcome = try Program.run(
      "run", "--hold", "tar-ustar.tar", "--", "python3", "-u", "-c", script, "{tree/hello.txt}")
    #expect(outcome == .done(Content.hello.bytes * 2))
  }

  @Test func `The paths name the holder, and the command inherits one end of a pipe`() throws {
    let outcome = try Program.run(
      "run", "--hold", "tar-all-kinds.tar", "--", "sh", "-c",
      "echo $$ $1 $2 $3; find /proc/$$/fd -mindepth 1 -printf '%f\\n'; :",
      "sh", "{all/file}",
      "{all/last}",
      "{all/file}")
    #expect(outcome.end == .exit(0) && outcome.errors == "")
    let shape = #/(\d+) /proc/(\d+)/fd/(\d+) /proc/(\d+)/fd/(\d+) /proc/\2/fd/\3\n0\n1\n2\n\d+\n/#
    let match = try #require(try shape.wholeMatch(in: outcome.output.text), "\(outcome.output)")
    #expect(match.2 == match.4 && match.1 != match.2 && match.3 != match.5)
  }

  @Test func `The holder has the files and nothing else`() throws {
    let script: ByteString = """
      holder=${{1%/fd/*}
      find $holder/fd -mindepth 1 -printf '%l\\n' | sed 's/.*pidfd.*/pidfd/; s/pipe.*/pipe/' | sort
      readlink $holder/cwd
      cat $holder/comm
      """
    let outcome = try Program.run(
      "run", "--hold", "tar-all-kinds.tar", "--", "sh", "-c", script, "sh", "{all/file}", "{all/last}")
    let expected: ByteString = """
      /memfd:/all/file (deleted)
      /memfd:/all/last (deleted)
      pidfd
      pipe
      /
      memarchive-hold

      """
    #expect(outcome == .done(expected))
  }

  @Test func `What the command leaves running finds the files, and then the holder ends`() throws {
    try withTemporaryDirectory { directory in
      try #require(mkfifo(directory + "/go", 0o600) == 0)
      try #require(mkfifo(directory + "/said", 0o600) == 0)
      let script: ByteString = """
        ( exec > /dev/null 2>&1; read x < \(directory)/go; {{ cat $1; echo $1; } > \(directory)/said ) &
        """
      let outcome = try Program.run(
        "run", "--hold", "tar-ustar.tar", "--", "sh", "-c", script, "sh", "{tree/hello.txt}")
      #expect(outcome == .done())
      try #require(FileHandle(forWritingAtPath: directory + "/go")).close()
      let said = try #require(try FileHandle(forReadingAtPath: directory + "/said")?.readToEnd())
      let lines = String(decoding: said, as: UTF8.self).split(separator: "\n")
      #expect(lines.first == "Hello, sealed world.")
      #expect(try holder(of: #require(lines.last)).ends)
    }
  }

  @Test func `A file that somebody has open stays, whatever that process closed`() throws {
    let script: ByteString = """
      import os, sys, time
      path = sys.argv[1]
      if os.fork() == 0:
          os.closerange(3, 4096)
          file = open(path)
          os.write(1, b"open\\n")
          os.close(1)
          time.sleep(1)
          again = open(path).read()
          os.write(2, again.encode())
      else:
          os.close(2)
          sys.stdin.read()
      """
    let outcome = try Program.run(
      "run", "--hold", "tar-ustar.tar", "--", "python3", "-c", script, "{tree/hello.txt}")
    #expect(outcome.end == .exit(0))
    #expect(outcome.errors == Content.hello.bytes)
  }

  @Test func `The files stay until the process of --hold= has ended`() throws {
    let script: ByteString = """
      sleep 600 & s=$!
      path=$($m run --hold=$s tar-ustar.tar -- sh -c 'echo $1' sh '{tree/hello.txt}' 3>&-)
      cat $path
      kill $s; wait $s 2>/dev/null
      while test -e $path; do sleep 0.05; done
      """
    #expect(try Program.shell(script) == .done(Content.hello.bytes))
    let none = try Program.run("run", "--hold=1073741824", "tar-ustar.tar", "--", "cat", "{tree/hello.txt}")
    #expect(none.end == .exit(125))
    #expect(none.errors.text.contains("Give --hold= the number of a process that runs."))
    let word = try Program.run("run", "--hold=x", "tar-ustar.tar", "--", "cat", "{tree/hello.txt}")
    #expect(word.end == .exit(2))
    #expect(word.errors.lines.first == "memarchive: --hold= takes the number of a process.")
  }

  @Test(arguments: [0, 7, 255] as [Int32])
  func `The command's exit status is the program's, and a script can wait for its children`(status: Int32)
    throws
  {
    let outcome = try Program.run(
      "run", "--hold", "tar-ustar.tar", "--", "sh", "-c", "true & wait; exit \(status)", "sh",
      "{tree/hello.txt}")
    #expect(outcome == Outcome(end: .exit(status), output: "", errors: ""))
  }

  @Test func `A command that waits for children it never made finds none`() throws {
    let script: ByteString = """
      import os
      try:
          os.wait()
      except ChildProcessError:
          print("none")
      """
    let outcome = try Program.run(
      "run", "--hold", "tar-ustar.tar", "--", "python3", "-c", script, "{tree/hello.txt}")
    #expect(outcome == .done("none\n"))
  }

  @Test func `Signals, limits and standard input reach the command as they were`() throws {
    let look: [ByteString] = ["grep", "^Sig[BIP]", "/proc/self/status"]
    let env: [ByteString] = ["env", "--block-signal=USR1", "--block-signal=CHLD", "--ignore-signal=INT"]
    let expected = try Command(env + look).run()
    let held = try Command(
      env + [
        Program.path, "run", "--hold", "tar-ustar.tar", "--", "sh", "-c", "exec \"$@\"", "{tree/hello.txt}",
      ] + look
    ).run()
    #expect(held == expected)
    try Program.expect(
      "run", "--hold", "tar-ustar.tar", "--", "cat", "-", "{tree/hello.txt}", input: .pipe("first\n"),
      gives: .done("first\n" + Content.hello.bytes))
  }

  @Test(
    .enabled(if: PidNamespace.isPossible, "no pid namespace can be made here"),
    arguments: [[], ["--hold"], ["--tree"]] as [[ByteString]])
  func `In a new pid namespace the paths are those of the /proc that is mounted`(_ way: [ByteString]) throws {
    let run: [ByteString] = [Program.path, "run", "tree.tar.gz"] + way
    let outcome = try Command(PidNamespace.command + run + ["--", "cat", "{tree/hello.txt}"]).run()
    #expect(outcome == .done(Content.hello.bytes))
  }

  private func holder(of path: Substring) throws -> Stranger {
    try Stranger(#require(pid_t(path.split(separator: "/")[1])))
  }

  /// Starts a command that writes its paths and then waits for the end of its standard input.
  private func withWaiting(_ body: (pid_t, Substring, _ finish: () -> Void) throws -> Void) throws -> Outcome
  {
    try withTemporaryDirectory { directory in
      let (fifo, said) = (directory + "/fifo", directory + "/said")
      try #require(mkfifo(fifo, 0o600) == 0)
      try #require(mkfifo(said, 0o600) == 0)
      let script: ByteString = "echo $1 > \(said); read line < \(fifo); cat $1 2>/dev/null || echo gone"
      let running = try Program.command(
        "run", "--hold", "tar-ustar.tar", "--", "sh", "-c", script, "sh", "{tree/hello.txt}"
      ).start()
      let reading = try #require(FileHandle(forReadingAtPath: said))
      let path = String(decoding: try #require(try reading.readToEnd()), as: UTF8.self)
      try body(running.pid, path.dropLast()) {
        if let handle = FileHandle(forWritingAtPath: fifo) { try? handle.close() }
      }
      return try running.wait()
    }
  }

  @Test func `kill -9 of the command ends the holder, and nothing is left`() throws {
    let outcome = try withWaiting { pid, path, _ in
      let holder = try holder(of: path)
      #expect(FileManager.default.fileExists(atPath: String(path)))
      kill(pid, SIGKILL)
      #expect(holder.ends)
      #expect(!FileManager.default.fileExists(atPath: String(path)))
    }
    #expect(outcome.end == .signal(SIGKILL))
  }

  @Test func `kill -9 of the holder ends the files, and the command goes on without them`() throws {
    let outcome = try withWaiting { _, path, finish in
      let holder = try holder(of: path)
      kill(holder.pid, SIGKILL)
      #expect(holder.ends)
      finish()
    }
    #expect(outcome == .done("gone\n"))
  }

  @Test func `No gentler signal ends the holder`() throws {
    let outcome = try withWaiting { _, path, finish in
      let holder = try holder(of: path)
      for signal in [SIGTERM, SIGINT, SIGHUP, SIGQUIT] { kill(holder.pid, signal) }
      finish()
    }
    #expect(outcome == .done(Content.hello.bytes))
  }
}
