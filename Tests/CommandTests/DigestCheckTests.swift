import TestSupport
import Testing

/// The format of `digest` against the original program's.
struct DigestCheckTests {
  static let archives = [
    "tar-ustar.tar", "tar-odd-names.tar", "tar-latin1-name.tar", "tar-escape-twins.tar",
    "tar-pax-long-utf8.tar",
    "tar-gnu-nfc-nfd.tar", "tar-sparse-pax-1.0.tar", "tree.tar.xz",
  ]

  @Test(arguments: archives)
  func `sha256sum --check accepts the digests for what tar unpacks`(archive: String) throws {
    try withTemporaryDirectory { directory in
      let outcome = try Program.shell(
        "tar -xf \"$1\" && $m digest \"$1\" | sha256sum --check --strict",
        ByteString((Fixture.directory + "/" + archive).utf8), in: directory)
      #expect(outcome.end == .exit(0))
      #expect(outcome.errors == "")
      let digests = try Program.run("digest", ByteString(archive.utf8)).output.lines
      #expect(!digests.isEmpty && outcome.output.lines.count == digests.count)
      #expect(outcome.output.lines.allSatisfy { $0.text.hasSuffix(": OK") }, "\(outcome.output)")
    }
  }

  @Test(arguments: archives)
  func `sha256sum writes the very same lines`(archive: String) throws {
    let names = try #require(Fixture.all.first { $0.file == archive }).entries
      .filter { $0.kind == "file" || $0.kind == "hardlink" }.map(\.rawName)
    try withTemporaryDirectory { directory in
      let path = ByteString((Fixture.directory + "/" + archive).utf8)
      var sums = Command(["sh", "-c", "tar -xf \"$0\" && sha256sum -- \"$@\"", path] + names)
      sums.directory = directory
      let expected = try sums.run()
      #expect(expected.end == .exit(0))
      try Program.expect("digest", ByteString(archive.utf8), gives: expected)
    }
  }
}
