import TestSupport
import Testing

/// {NAME} in the arguments of `run`.
struct RunTemplateTests {
  /// What `printf` writes of the arguments, a line each.
  private func filled(_ arguments: ByteString...) throws -> ByteString {
    let outcome = try Program.run(["run", "-q", "tar-all-kinds.tar", "--", "printf", "%s\\n"] + arguments)
    #expect(outcome.end == .exit(0))
    #expect(outcome.errors == "")
    return outcome.output
  }

  @Test func `A doubled brace is a brace, and a closing brace alone is one`() throws {
    #expect(try filled("{{", "{{x}", "}", "a}b", "{{{{", "${{HOME}") == "{\n{x}\n}\na}b\n{{\n${HOME}\n")
  }

  @Test func `An argument without a brace passes as it is`() throws {
    #expect(
      try filled("", "a b", "\\n", "*", "$HOME", "x" + [0xFF, 0xFE])
        == "\na b\n\\n\n*\n$HOME\nx" + [0xFF, 0xFE] + "\n")
  }

  @Test func `A name becomes a path anywhere in an argument`() throws {
    let output = try filled("{all/file}", "--in={all/file}", "{all/file}:{all/last}", "{{{all/file}}").text
    let paths = output.matches(of: #//proc/self/fd/\d+/#).map(\.output)
    try #require(paths.count == 5, "\(output)")
    let (file, last) = (paths[0], paths[3])
    #expect(output == "\(file)\n--in=\(file)\n\(file):\(last)\n{\(file)}\n")
    #expect(file != last)
  }

  @Test(
    arguments: [
      ("tar-latin1-name.tar", "caf" + [0xE9] + ".txt"), ("tar-latin1-name.tar", "th" + [0xE9]),
      ("tar-odd-names.tar", "new\nline"), ("tar-odd-names.tar", "back\\slash"),
      ("tar-odd-names.tar", " space "),
      ("tar-odd-names.tar", "-rf"), ("tar-odd-names.tar", "quote'\""),
    ] as [(ByteString, ByteString)])
  func `Names are taken by their bytes`(archive: ByteString, name: ByteString) throws {
    try Program.expect("run", archive, "--", "cat", "{" + name + "}", gives: .done(Content.hello.bytes))
  }

  @Test(arguments: [[], ["--hold"], ["--tree"]] as [[ByteString]])
  func `A doubled closing brace is one of the name`(options: [ByteString]) throws {
    let names: [(ByteString, ByteString)] = [
      ("a}b", "{a}}b}"), ("a}", "{a}}}"), ("}", "{}}}"), ("}}", "{}}}}}"), ("x{y}z", "{x{y}}z}"),
    ]
    let archive = ByteString.tar(
      names.reduce("") { $0 + ByteString.entry($1.0, $1.0) } + ByteString.entry("a", "plain"))
    for (name, written) in names {
      let outcome = try Program.run(
        ["run"] + options + ["braces.tar", "--", "cat", written], beside: ["braces.tar": archive])
      #expect(outcome == .done(name), "\(written)")
    }
    // Where none but doubled ones come, the first closes the name.
    let echoed = try Program.run(
      ["run"] + options + ["braces.tar", "--", "sh", "-c", "echo \"$1\"", "sh", "{a}}"],
      beside: ["braces.tar": archive])
    #expect(echoed.end == .exit(0) && echoed.output.text.hasSuffix("}\n"), "\(echoed)")
  }

  @Test(arguments: ["{a}b}", "{\"k\": {a}}", "{nope}}}"] as [ByteString])
  func `The error for an unknown name says how braces are written, where some may be meant`(
    _ argument: ByteString
  )
    throws
  {
    let outcome = try Program.run("run", "tar-all-kinds.tar", "--", "echo", argument)
    #expect(outcome.end == .exit(2))
    #expect(
      outcome.errors.text.hasSuffix("Write {{ for a brace that begins no name, and }} for one in a name.\n"),
      "\(outcome.errors)")
  }

  @Test(
    arguments: [
      ("tar-all-kinds.tar", "all/symlink", .hello), ("tar-all-kinds.tar", "all/hardlink", .hello),
      ("zip-deflated.zip", "tree/link", .hello), ("cpio-newc-hardlink.cpio", "two", .poem),
      ("cpio-newc-hardlink.cpio", "one", .poem), ("cpio-newc-hardlink.cpio", "three", .poem),
    ] as [(ByteString, ByteString, Content)])
  func `A link is a path to the content it leads to`(archive: ByteString, name: ByteString, content: Content)
    throws
  {
    try Program.expect("run", archive, "--", "cat", "{" + name + "}", gives: .done(content.bytes))
  }

  @Test func `Of two entries with the same name the last is used, with a warning`() throws {
    let outcome = try Program.run("run", "tar-duplicate-name.tar", "--", "cat", "{twice.txt}")
    let says: ByteString = """
      memarchive: tar-duplicate-name.tar: warning: entry "twice.txt": a later entry of the same name \
      replaced it

      """
    #expect(outcome == .done(Content.poem.bytes, errors: says))
  }

  @Test func `A program that is in the archive itself is executed`() throws {
    try Program.expect("run", "tree.tar.gz", "--", "{tree/run.sh}", gives: .done("run\n"))
  }

  @Test func `A machine program in the archive is executed, also by a link`() throws {
    try withTemporaryDirectory { directory in
      let script: ByteString =
        "mkdir bin && cp /usr/bin/printf bin/own && ln -s own bin/link && tar -cf bin.tar bin"
      var making = Command("sh", "-c", script)
      making.directory = directory
      let made = try making.run()
      try #require(made.end == .exit(0))
      var command = Program.command("run", "bin.tar", "--", "{bin/own}", "%s %s\\n", "of", "{{its own")
      command.directory = directory
      #expect(try command.run() == .done("of {its own\n"))
      command.arguments[4] = "{bin/link}"
      #expect(try command.run() == .done("of {its own\n"))
    }
  }

  @Test func `Entries are executable only if the archive contains the command`() throws {
    let outcome = try Program.run(
      "run", "tree.tar.gz", "--", "sh", "-c", "exec \"$1\"", "sh", "{tree/run.sh}")
    #expect(outcome.end == .exit(126))
    #expect(outcome.output == "")
  }
}
