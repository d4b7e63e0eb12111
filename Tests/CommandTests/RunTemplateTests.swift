import Testing

/// {NAME} in the arguments of `run`.
struct RunTemplateTests {
  /// The arguments as printed by `printf`, one per line.
  private func filled(_ arguments: Bytes...) throws -> Bytes {
    let outcome = try Program.run(["run", "tar-all-kinds.tar", "--", "printf", "%s\\n"] + arguments)
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
    ] as [(Bytes, Bytes)])
  func `Names are compared by their bytes`(archive: Bytes, name: Bytes) throws {
    try Program.expect("run", archive, "--", "cat", "{" + name + "}", gives: .done(Content.hello.bytes))
  }

  @Test(
    arguments: [
      ("tar-all-kinds.tar", "all/symlink", .hello), ("tar-all-kinds.tar", "all/hardlink", .hello),
      ("zip-deflated.zip", "tree/link", .hello), ("cpio-newc-hardlink.cpio", "two", .poem),
      ("cpio-newc-hardlink.cpio", "one", .poem), ("cpio-newc-hardlink.cpio", "three", .poem),
    ] as [(Bytes, Bytes, Content)])
  func `A link is a path to the content it leads to`(archive: Bytes, name: Bytes, content: Content) throws {
    try Program.expect("run", archive, "--", "cat", "{" + name + "}", gives: .done(content.bytes))
  }

  @Test func `Of two entries with the same name the last is used, with a warning`() throws {
    let outcome = try Program.run("run", "tar-duplicate-name.tar", "--", "cat", "{twice.txt}")
    let says: Bytes = """
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
      let script: Bytes =
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
