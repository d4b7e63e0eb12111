import TestSupport
import Testing

/// --timeout: one for an archive and all archives inside it.
struct TimeoutTests {
  private static let count = 400

  /// Archives in an archive, each of which takes some thousandths of a second or more, and all together several times the timeout.
  private func withArchives(_ body: (String) throws -> Void) throws {
    try withTemporaryDirectory { directory in
      let made = try Program.shell(
        """
        truncate -s 20M big; echo small > small; tar cf in.tar big small; gzip -1 in.tar; mkdir all
        for n in $(seq \(Self.count)); do ln in.tar.gz all/$n; done
        tar cf outer.tar --hard-dereference -C all .; cp in.tar.gz one.gz; tar cf one.tar one.gz
        """, in: directory)
      try #require(made.end == .exit(0), "\(made)")
      try body(directory)
    }
  }

  private static let names = (1...count).map { ByteString("{./\($0)/small}".utf8) }

  @Test(arguments: ["off", "required"] as [ByteString])
  func `It ends each command that goes into inner archives`(_ sandbox: ByteString) throws {
    let commands: [(arguments: [ByteString], status: Int32)] = [
      (["test", "-r"], 3), (["list", "-r"], 3), (["digest", "-r"], 3), (["cat", "-r"], 3),
      (["each", "-r"], 3), (["run", "-r"], 125),
      (["run", "-r", "--tree"], 125),
    ]
    try withArchives { directory in
      for (arguments, status) in commands {
        let rest: [ByteString] =
          switch arguments[0] {
          case "cat": ["./\(Self.count)/small"]
          case "each": ["--", "true"]
          case "run": ["--", "true"] + (arguments.count == 2 ? Self.names : [])
          default: []
          }
        var command = Program.command(
          arguments + ["--sandbox", sandbox, "--timeout", "0.3", "outer.tar"] + rest)
        command.directory = directory
        let outcome = try command.run()
        #expect(outcome.end == .exit(status), "\(arguments) \(outcome)")
        #expect(outcome.errors.text.contains("longer than"), "\(arguments) \(outcome)")
        #expect(outcome.errors.lines.count == 1, "\(arguments) \(outcome)")
        // One alone takes less.
        command.arguments = command.arguments.map { $0 == "outer.tar" ? "one.tar" : $0 == "0.3" ? "60" : $0 }
        if arguments[0] == "test" { #expect(try command.run().end == .exit(0)) }
      }
    }
  }

  @Test func `--keep-going does not continue after it`() throws {
    try withArchives { directory in
      var command = Program.command("test", "-r", "--keep-going", "--timeout", "0.3", "outer.tar")
      command.directory = directory
      let outcome = try command.run()
      #expect(outcome.end == .exit(3))
      #expect(outcome.errors.lines.count == 1, "\(outcome)")
    }
  }

  @Test func `It applies while a pipe is copied for a second reading`() throws {
    let outcome = try Program.shell(
      "(cat tar-ustar.tar; exec sleep 30) | { $m cat --timeout 0.3 - tree/link; echo $? >&2; kill 0; }")
    #expect(outcome.errors.text.contains("--timeout"), "\(outcome.errors)")
    #expect(outcome.errors.text.contains("\n3\n"), "\(outcome.errors)")
  }
}
