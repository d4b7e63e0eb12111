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
    (["--include", "nothing"], []),
    (["--exclude", "*"], []),
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
