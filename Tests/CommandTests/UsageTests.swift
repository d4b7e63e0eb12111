import TestSupport
import Testing

struct UsageTests {
  /// Wrong arguments, and the first line of the error.
  struct Mistake: CustomTestStringConvertible {
    let arguments: [ByteString]
    let says: ByteString
    var testDescription: String { arguments.map(\.text).joined(separator: " ") }

    init(_ arguments: ByteString..., says: ByteString) {
      self.arguments = arguments
      self.says = says
    }
  }

  static let mistakes = [
    Mistake("frobnicate", says: "memarchive: There is no command 'frobnicate'."),
    Mistake("help", "frobnicate", says: "memarchive: There is no command 'frobnicate'."),
    Mistake("help", "lst", says: "memarchive: There is no command 'lst'. Did you mean 'list'?"),
    Mistake("lst", "tar-ustar.tar", says: "memarchive: There is no command 'lst'. Did you mean 'list'?"),
    Mistake(
      "tar-ustar.tar",
      says: "memarchive: There is no command 'tar-ustar.tar'. Did you mean 'memarchive list tar-ustar.tar'?"),
    Mistake(
      "extract", "a.zip",
      says: """
        memarchive: There is no command 'extract': memarchive itself unpacks nothing to a disk. To copy an archive's files there: \
        memarchive run --tree --chdir a.zip -- cp -r . DIRECTORY
        """),
    Mistake(
      "help", "extract",
      says: """
        memarchive: There is no command 'extract': memarchive itself unpacks nothing to a disk. To copy an archive's files there: \
        memarchive run --tree --chdir ARCHIVE -- cp -r . DIRECTORY
        """),
    Mistake("--verzion", says: "memarchive: Unknown option '--verzion'. Did you mean '--version'?"),
    Mistake("list", says: "memarchive: Missing expected argument '<archive>'"),
    Mistake(
      "list", "--json", "-l", "tar-ustar.tar",
      says: "memarchive: --json has everything; --long and --human-readable are for people."),
    Mistake(
      "list", "--jsno", "tar-ustar.tar", says: "memarchive: Unknown option '--jsno'. Did you mean '--json'?"),
    Mistake("digest", says: "memarchive: Missing expected argument '<archive>'"),
    Mistake(
      "cat", "tar-ustar.tar", says: "memarchive: Give the names of entries, or a pattern by --include."),
    Mistake("test", says: "memarchive: Missing expected argument '<archive> ...'"),
    Mistake("test", "--max-total", says: "memarchive: Missing value for '--max-total <size>'"),
    Mistake("run", says: "memarchive: Missing expected argument '<archive>'"),
    Mistake("run", "tar-ustar.tar", says: "memarchive: Give the command after --, or use --exec."),
    Mistake("run", "tar-ustar.tar", "--", says: "memarchive: Give the command after --, or use --exec."),
    Mistake("run", "tar-ustar.tar", "true", says: "memarchive: Give the command after --, or use --exec."),
    Mistake(
      "-dash.zip",
      says:
        "memarchive: Unknown option '-dash.zip'. A file whose name begins with a dash is given as './-dash.zip'."
    ),
    Mistake(
      "test", "--timeout", "-1", "tar-ustar.tar",
      says: "memarchive: --timeout must be greater than 0, and at most 1e9."),
    Mistake(
      "test", "--max-entries", "-1", "tar-ustar.tar", says: "memarchive: --max-entries must not be negative."),
    Mistake(
      "test", "--max-total", "-1", "tar-ustar.tar",
      says:
        "memarchive: The value '-1' is invalid for '--max-total <size>': a size is a number of bytes such as 4096, 512M or 2GiB."
    ),
    Mistake("run", "--", "true", says: "memarchive: Missing expected argument '<archive>'"),
    Mistake("each", "--", "true", says: "memarchive: Give at least one archive."),
    Mistake("each", "tar-ustar.tar", says: "memarchive: Give the command after --, or --clamd."),
    Mistake("each", "tar-ustar.tar", "--", says: "memarchive: Give the command after --, or --clamd."),
  ]

  @Test(arguments: mistakes)
  func `Wrong usage exits 2 with the usage on standard error`(_ mistake: Mistake) throws {
    let outcome = try Program.run(mistake.arguments)
    #expect(outcome.end == .exit(2))
    #expect(outcome.output == "")
    #expect(outcome.errors.lines.first == mistake.says)
    let command = Set(["list", "digest", "cat", "test", "run", "each"]).intersection(
      mistake.arguments.map(\.text)
    )
    .first
    let usage = "Usage: memarchive \(command ?? "[")"
    #expect(
      outcome.errors.lines.contains { $0.text.hasPrefix(usage) }, "a line that begins with \"\(usage)\"")
  }

  @Test func `Wrong usage is reported with the error, the usage and where to find help`() throws {
    let outcome = try Program.run("run", "tar-ustar.tar")
    #expect(
      outcome
        == .failed(
          2,
          errors: """
            memarchive: Give the command after --, or use --exec.
            Usage: memarchive run <archive> [<options>] -- <command> [<arg> ...]
              See 'memarchive run --help' for more information.

            """))
  }

  @Test func `A file that begins with a dash is no cluster of flags, of which the last is -h`() throws {
    let says: ByteString = """
      memarchive: Unknown option '-dash.zip'. A file whose name begins with a dash is given as './-dash.zip'.
      Usage: memarchive [--version] <subcommand>
        See 'memarchive --help' for more information.

      """
    for command in [[], ["list"], ["cat", "-q"], ["run", "--tree"]] as [[ByteString]] {
      #expect(try Program.run(command + ["-dash.zip"]) == .failed(2, errors: says))
    }
    #expect(try Program.run("list", "-qv", "--", "-dash.zip").end == .exit(4))
    #expect(try Program.run("run", "-q", "tar-ustar.tar", "--", "echo", "-dash") == .done("-dash\n"))
  }

  @Test func `A name that begins with a dash can be given after --`() throws {
    try Program.expect("cat", "tar-odd-names.tar", "--", "-rf", gives: .done(Content.hello.bytes))
  }
}
