import Testing

/// --recursive: archives inside the archive.
struct RecursiveTests {
  private static let inner = Tar.archive(
    Tar.entry("dir/in", "hello\n"), Tar.entry("link", type: "1", link: "dir/in"))
  private static let outer = Command.Input.pipe(
    Tar.archive(Tar.entry("in.tar", inner), Tar.entry("out", "world\n")))

  /// A tar in a tar in a tar, `levels` in all.
  private static func nested(_ levels: Int) -> Bytes {
    (1..<levels).reduce(Tar.archive(Tar.entry("x", "hello\n"))) { archive, _ in
      Tar.archive(Tar.entry("t", archive))
    }
  }

  @Test func `list shows inner entries after their archive, under long names`() throws {
    let outcome = try Program.run(["list", "-r", "--json", "-"], input: Self.outer)
    #expect(outcome.end == .exit(0))
    #expect(
      try JSONLines(outcome.output).objects.map { $0["name"] }
        == ["in.tar", "in.tar/dir/in", "in.tar/link", "out"].map { .text($0) })
    let flat = try Program.run(["list", "--json", "-"], input: Self.outer)
    #expect(try JSONLines(flat.output).objects.map { $0["name"] } == [.text("in.tar"), .text("out")])
  }

  @Test func `cat writes inner entries`() throws {
    #expect(
      try Program.run(["cat", "-r", "-", "in.tar/dir/in", "out"], input: Self.outer)
        == .done("hello\nworld\n"))
  }

  @Test func `run takes the path of an inner entry`() throws {
    let outcome = try Program.run(
      ["run", "-r", "-", "--", "cat", "{in.tar/dir/in}", "{out}"], input: Self.outer)
    #expect(outcome == .done("hello\nworld\n"))
  }

  @Test func `run reports only names that exist nowhere, not those of inner entries`() throws {
    let outcome = try Program.run(
      ["run", "-r", "-", "--", "cat", "{in.tar/dir/in}", "{nope}"], input: Self.outer)
    #expect(outcome.end == .exit(2))
    #expect(outcome.errors.text.contains("\"nope\""))
    #expect(!outcome.errors.text.contains("no entry \"in.tar/dir/in\""))
  }

  @Test func `test counts inner entries too, and the limits apply to all of them`() throws {
    let outcome = try Program.run(["test", "-r", "-"], input: Self.outer)
    #expect(outcome.end == .exit(0))
    #expect(outcome.output.text == "-: OK, 4 entries, 3 with content, 2572 bytes\n")
    let refused = try Program.run(["test", "-r", "--max-total", "2571", "-"], input: Self.outer)
    #expect(refused.end == .exit(3))
    #expect(refused.errors.text.contains("--max-total"))
    #expect(try Program.run(["test", "-r", "--max-total", "2572", "-"], input: Self.outer).end == .exit(0))
  }

  @Test func `Archives nested too deeply are refused by name`() throws {
    #expect(try Program.run(["test", "-r", "-"], input: .pipe(Self.nested(4))).end == .exit(0))
    let outcome = try Program.run(["test", "-r", "-"], input: .pipe(Self.nested(5)))
    #expect(outcome.end != .exit(0))
    #expect(outcome.errors.text.contains("\"t/t/t/t\""))
  }
}
