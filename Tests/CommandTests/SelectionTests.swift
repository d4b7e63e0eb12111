import TestSupport
import Testing

/// --include and --exclude.
struct SelectionTests {
  /// Options and the entries of tar-all-kinds.tar that they select.
  static let cases: [([String], [String])] = [
    (["--include", "all/file"], ["all/file"]),
    (["--include", "*link"], ["all/symlink", "all/hardlink"]),
    (
      ["--include", "all/s*", "--include", "all/last"],
      ["all/symlink", "all/sticky/", "all/setuid", "all/last"]
    ),
    (["--include", "*/"], ["all/", "all/sticky/"]),
    (["--include", "all/[bc]*", "--exclude", "*k"], ["all/character", "all/contiguous"]),
    (["--exclude", "*/*i*", "--exclude", "*link"], ["all/", "all/block", "all/character", "all/last"]),
  ]

  @Test(arguments: cases)
  func `Only entries that a glob includes and none excludes are listed`(options: [String], names: [String])
    throws
  {
    let outcome = try Program.run(
      ["list", "--json", "tar-all-kinds.tar"] + options.map { ByteString($0.utf8) })
    #expect(outcome.end == .exit(0))
    #expect(outcome.errors == "")
    #expect(Set(try JSONLines(outcome.output).objects.map { $0["name"] }) == Set(names.map { .text($0) }))
  }

  /// A misspelled pattern is not a success.
  @Test(
    arguments: [["--include", "typo*"], ["--exclude", "*"]] as [[ByteString]],
    ["off", "auto"] as [ByteString])
  func `Where nothing is left it is said`(options: [ByteString], sandbox: ByteString) throws {
    for archive in ["tar-all-kinds.tar", "zip-deflated.zip"] as [ByteString] {
      for command in [["list"], ["list", "-r"], ["digest"], ["test"], ["test", "-r"]] as [[ByteString]] {
        let outcome = try Program.run(command + ["--sandbox", sandbox, archive] + options)
        #expect(outcome.end == .exit(2))
        #expect(
          outcome.errors
            == "memarchive: " + archive
            + ": no entry is left by --include and --exclude. See memarchive list.\n")
      }
    }
    let cat = try Program.run("cat", "--include", "typo*", "tar-all-kinds.tar")
    #expect(cat.end == .exit(2) && cat.output == "")
  }

  @Test func `cat takes patterns in place of names`() throws {
    let named = try Program.run("cat", "tar-all-kinds.tar", "all/file", "all/hardlink")
    #expect(named.end == .exit(0))
    let outcome = try Program.run(
      "cat", "--include", "all/file", "--include", "*hardlink", "--include", "all/", "tar-all-kinds.tar")
    #expect(outcome == named)
    let pattern = try Program.run("cat", "tar-all-kinds.tar", "all/f*")
    #expect(pattern.end == .exit(2))
    #expect(
      pattern.errors.text.contains("there is no entry \"all/f*\".")
        && pattern.errors.text.contains("Patterns are for --include."))
  }

  @Test func `digest and test apply the globs as well`() throws {
    let outcome = try Program.run(
      "digest", "--include", "*hardlink", "--include", "*last", "tar-all-kinds.tar")
    #expect(outcome == .done(Content.hello.line("all/hardlink") + Content.hello.line("all/last")))
    let test = try Program.run("test", "--exclude", "*/contiguous", "tar-all-kinds.tar")
    #expect(test == .done("tar-all-kinds.tar: OK, 10 entries, 3 with content, 61 bytes\n"))
  }

  @Test func `A glob may be bytes that are not UTF-8`() throws {
    let outcome = try Program.run("digest", "--include", "caf" + [0xE9] + "*", "tar-latin1-name.tar")
    #expect(outcome == .done(Content.hello.line("caf" + [0xE9] + ".txt")))
  }
}
