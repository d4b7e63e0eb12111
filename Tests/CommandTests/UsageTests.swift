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
    Mistake("frobnicate", says: "Error: There is no command 'frobnicate'."),
    Mistake("lst", "tar-ustar.tar", says: "Error: There is no command 'lst'. Did you mean 'list'?"),
    Mistake(
      "tar-ustar.tar",
      says: "Error: There is no command 'tar-ustar.tar'. Did you mean 'memarchive list tar-ustar.tar'?"),
    Mistake(
      "extract", "a.zip",
      says: """
        Error: There is no command 'extract': memarchive itself writes nothing to a disk. To copy an archive's files there: \
        memarchive run --tree --chdir a.zip -- cp -r . DIRECTORY
        """),
    Mistake("--verzion", says: "Error: Unknown option '--verzion'. Did you mean '--version'?"),
    Mistake("list", says: "Error: Missing expected argument '<archive>'"),
    Mistake(
      "list", "--json", "-l", "tar-ustar.tar",
      says: "Error: --json has everything; --long and --human-readable are for people."),
    Mistake(
      "list", "--jsno", "tar-ustar.tar", says: "Error: Unknown option '--jsno'. Did you mean '--json'?"),
    Mistake("digest", says: "Error: Missing expected argument '<archive>'"),
    Mistake("cat", "tar-ustar.tar", says: "Error: Give the names of entries, or a pattern by --include."),
    Mistake("test", says: "Error: Missing expected argument '<archive> ...'"),
    Mistake("test", "--max-total", says: "Error: Missing value for '--max-total <size>'"),
    Mistake("run", says: "Error: Missing expected argument '<archive>'"),
    Mistake("run", "tar-ustar.tar", says: "Error: Give the command after --, or use --exec."),
    Mistake("run", "tar-ustar.tar", "--", says: "Error: Give the command after --, or use --exec."),
    Mistake("run", "tar-ustar.tar", "true", says: "Error: Give the command after --, or use --exec."),
    Mistake("run", "--", "true", says: "Error: Missing expected argument '<archive>'"),
  ]

  @Test(arguments: mistakes)
  func `Wrong usage exits 2 with the usage on standard error`(_ mistake: Mistake) throws {
    let outcome = try Program.run(mistake.arguments)
    #expect(outcome.end == .exit(2))
    #expect(outcome.output == "")
    #expect(outcome.errors.lines.first == mistake.says)
    let command = Set(["list", "digest", "cat", "test", "run"]).intersection(mistake.arguments.map(\.text))
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
            Error: Give the command after --, or use --exec.
            Usage: memarchive run <archive> [<options>] -- <command> [<arg> ...]
              See 'memarchive run --help' for more information.

            """))
  }

  @Test func `A name that begins with a dash can be given after --`() throws {
    try Program.expect("cat", "tar-odd-names.tar", "--", "-rf", gives: .done(Content.hello.bytes))
  }
}
