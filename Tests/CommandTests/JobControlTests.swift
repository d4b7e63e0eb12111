import Glibc
import TestSupport
import Testing

/// A shell's job is the command itself, even if another process keeps its files.
@Suite(.serialized)
struct JobControlTests {
  static let ways: [[ByteString]] = [[], ["--hold"], ["--tree"]]

  @Test(arguments: ways)
  func `The command stops and goes on as if it were run directly`(_ options: [ByteString]) throws {
    let script: ByteString = "kill -STOP $$; cat \"$1\"; exit 7"
    let running = try Program.command(
      ["run", "tree.tar.gz"] + options + ["--", "sh", "-c", script, "sh", "{tree/hello.txt}"]
    ).start()
    var status: CInt = 0
    #expect(waitpid(running.pid, &status, WUNTRACED) == running.pid)
    // wait(2): stopped, and by which signal.
    #expect(status & 0xFF == 0x7F && status >> 8 & 0xFF == SIGSTOP)
    kill(running.pid, SIGCONT)
    let outcome = try running.wait()
    #expect(outcome == Outcome(end: .exit(7), output: Content.hello.bytes, errors: ""))
  }

  @Test(arguments: ways)
  func `The command has the terminal`(_ options: [ByteString]) throws {
    // The process group, and the one in the terminal's foreground; `exec` keeps the process that $$ names.
    let line: ByteString = "exec $m run -q tree.tar.gz \(options.first ?? "") -- ps -o pgid= -o tpgid= -p $$"
    var command = Command("script", "-qec", line, "/dev/null")
    command.environment["m"] = Program.path.text
    let outcome = try command.run()
    let numbers = outcome.output.text.split { $0.isWhitespace }
    #expect(outcome.end == .exit(0) && numbers.count == 2 && numbers.first == numbers.last, "\(outcome)")
  }
}
