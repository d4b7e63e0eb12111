import TestSupport
import Testing

struct HelpTests {
  /// A text that is committed beside these tests.
  private func expected(_ name: String) throws -> ByteString {
    try ByteString(contentsOfFile: Repository.path("Tests/CommandTests/Expected/\(name)"))
  }

  @Test(arguments: ["memarchive", "list", "digest", "cat", "test", "run", "each", "convert"])
  func `The help of a command is the committed text`(command: String) throws {
    let arguments: [ByteString] = command == "memarchive" ? [] : [ByteString(command.utf8)]
    let expected = Outcome.done(try expected("\(command).txt"))
    try Program.expect(arguments + ["--help"], gives: expected)
    try Program.expect(arguments + ["-h"], gives: expected)
    try Program.expect(["help"] + arguments, gives: expected)
  }

  @Test func `The program alone shows its help`() throws {
    try Program.expect(gives: .done(try expected("memarchive.txt")))
  }

  @Test func `--version shows the versions, the kernel and its features`() throws {
    let outcome = try Program.run("--version")
    #expect(outcome.end == .exit(0))
    #expect(outcome.errors == "")
    let shape =
      #/
      memarchive\ \d+\.\d+\.\d+\n
      (?:\ \ \S.*\n)+
      sandbox:\ /.+/memarchive-worker\ \(memarchive-ward\ .+\n
      kernel:\ Linux\ .+\n
      (?:\ \ \S.*?\ {2,}(?:yes|no\ |\?\ \ )\ \ \S.*\n){7}
      /#
    #expect(try shape.wholeMatch(in: outcome.output.text) != nil, "\(outcome.output)")
    let lines = outcome.output.lines.map(\.text)
    let features = [
      "memfd_create, sealing", "/proc/self/fd", "MFD_NOEXEC_SEAL", "MADV_COLLAPSE", "shmem_enabled",
      "Landlock",
      "user namespaces",
    ]
    for start in ["  libarchive 3.", "  zlib 1."] + features.map({ "  \($0)  " }) {
      #expect(lines.contains { $0.hasPrefix(start) }, "a line that begins with \"\(start)\"")
    }
    #expect(try Program.run("-v") == outcome)
    #expect(try Program.run("--version", "-v") == outcome)
    let release = try #require(try Command("uname", "-r").run().output.lines.first)
    #expect(lines.contains { $0.hasPrefix("kernel: Linux \(release.text)") })
  }
}
