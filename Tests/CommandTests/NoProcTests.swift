import TestSupport
import Testing

/// Without /proc there are bytes, and no paths.
struct NoProcTests {
  private func run(_ arguments: ByteString...) throws -> Outcome { try run(arguments) }

  private func run(_ arguments: [ByteString]) throws -> Outcome {
    var command = Command(
      ["bwrap", "--ro-bind", "/", "/", "--tmpfs", "/proc", "--dev", "/dev", "--", Program.path] + arguments)
    command.directory = Fixture.directory
    return try command.run()
  }

  @Test func `digest works without /proc`() throws {
    let outcome = try run("digest", "hello.txt.gz")
    #expect(outcome.end == .exit(0))
    #expect(outcome.output == Content.hello.line("hello.txt"))
  }

  @Test func `each works without /proc, where the entry is standard input`() throws {
    #expect(try run("each", "hello.txt.gz", "--", "cat") == .done(Content.hello.bytes))
    for options in [["--hold"], []] as [[ByteString]] {
      let outcome = try run(["each", "hello.txt.gz"] + options + ["--", "cat", "{}"])
      #expect(outcome.end == .exit(4))
      #expect(outcome.errors.text.contains("Mount /proc."), "\(outcome.errors)")
    }
  }

  @Test func `each says that there is no /dev/null`() throws {
    var command = Command(
      "bwrap", "--ro-bind", "/", "/", "--tmpfs", "/dev", "--", Program.path, "each", "--sandbox", "off",
      "hello.txt.gz", "--", "cat", "{}")
    command.directory = Fixture.directory
    #expect(
      try command.run() == .failed(4, errors: "memarchive: /dev/null: No such file or directory\n"))
  }

  @Test func `run says that there are no paths without /proc`() throws {
    let outcome = try run("run", "hello.txt.gz", "--", "cat", "{hello.txt}")
    #expect(outcome.end == .exit(125))
    #expect(outcome.output == "")
    #expect(outcome.errors.text.contains("/proc"), "\(outcome.errors)")
  }
}
