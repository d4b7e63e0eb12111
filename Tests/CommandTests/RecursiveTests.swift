import TestSupport
import Testing

/// --recursive: archives inside the archive.
struct RecursiveTests {
  private static let inner = ByteString.tar(
    .entry("dir/in", "hello\n"), ByteString.entry("link", type: "1", link: "dir/in"))
  private static let outer = Command.Input.pipe(
    ByteString.tar(ByteString.entry("in.tar", inner), ByteString.entry("out", "world\n")))

  /// A tar in a tar in a tar, so many in all.
  private static func nested(_ levels: Int) -> ByteString {
    (1..<levels).reduce(ByteString.tar(ByteString.entry("x", "hello\n"))) { archive, _ in
      ByteString.tar(ByteString.entry("t", archive))
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

  /// Hard links to what comes before, what comes after, another link, and nothing.
  private static let links = ByteString.tar(
    .entry("file", "hello\n"), ByteString.entry("link", type: "1", link: "./file"),
    ByteString.entry("early", type: "1", link: "late"), ByteString.entry("late", "late\n"),
    ByteString.entry("chain", type: "1", link: "early"), ByteString.entry("none", type: "1", link: "nothing"))

  @Test(
    arguments: ["off", "required"], [[], ["--include", "*link"], ["--include", "*early"]] as [[ByteString]])
  func `Hard links are digested from a pipe as from a file, inside and outside`(
    sandbox: ByteString, options: [ByteString]
  )
    throws
  {
    // A name outside is not that of the same name inside.
    let outer = ByteString.tar(
      ByteString.entry("in.tar", Self.links), ByteString.entry("file", "other\n"),
      ByteString.entry("x", type: "1", link: "file"))
    for archive in [Self.links, outer] {
      let arguments: [ByteString] = ["digest", "-r", "--keep-going", "--sandbox", sandbox] + options
      let file = try Program.run(arguments + ["a.tar"], beside: ["a.tar": archive])
      let pipe = try Program.run(arguments + ["-"], input: .pipe(archive))
      #expect(pipe.output == file.output)
      #expect(pipe.end == file.end && file.end == .exit(options.isEmpty ? 1 : 0), "\(file)\(pipe)")
      let names = file.output.lines.map { $0.text.dropFirst(66) }
      let inner = ["file", "link", "early", "late", "chain"].map { archive == outer ? "in.tar/" + $0 : $0 }
      switch options.last {
      case nil: #expect(names.filter { $0.hasPrefix("in.tar/") || archive != outer } == inner.map { $0[...] })
      case let pattern?:
        #expect(names == inner.filter { $0.hasSuffix(pattern.text.dropFirst()) }.map { $0[...] })
      }
      let digests = Dictionary(uniqueKeysWithValues: zip(names, file.output.lines.map { $0.text.prefix(64) }))
      if options.isEmpty {
        #expect(
          digests[inner[0][...]] == digests[inner[1][...]] && digests[inner[2][...]] == digests[inner[4][...]]
        )
      }
      if options.isEmpty, archive == outer { #expect(digests["x"] == digests["file"]) }
    }
  }

  @Test(arguments: ["in.tar/link", "in.tar/early", "in.tar/chain"] as [ByteString])
  func `A hard link inside leads to its content from a pipe`(name: ByteString) throws {
    let outer = ByteString.tar(ByteString.entry("in.tar", Self.links))
    let content: ByteString = name == "in.tar/link" ? "hello\n" : "late\n"
    #expect(try Program.run(["cat", "-r", "-", name], input: .pipe(outer)) == .done(content))
    for options in [[], ["--tree"]] as [[ByteString]] {
      let outcome = try Program.run(
        ["run", "-r", "-q"] + options + ["-", "--", "cat", "{" + name + "}"], input: .pipe(outer))
      #expect(outcome == .done(content), "\(options)")
    }
  }
}
