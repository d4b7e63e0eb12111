import Foundation
import TestSupport
import Testing

struct PassphraseTests {
  /// hello.txt, stored and encrypted: `zip -qX0 -P sesame secret.zip hello.txt`.
  private static let archive = """
    UEsDBAoACQAAAKqxbleO5Q5MIQAAABUAAAAJAAAAaGVsbG8udHh0FtO9DRbyUxb+Jg/NqOX+U+9sD08djQrZaLoT4biHuqmv
    UEsHCI7lDkwhAAAAFQAAAFBLAQIeAwoACQAAAKqxbleO5Q5MIQAAABUAAAAJAAAAAAAAAAAAAACkgQAAAABoZWxsby50eHRQ
    SwUGAAAAAAEAAQA3AAAAWAAAAAAA
    """

  /// Runs the program beside the archive secret.zip and a file `passphrases`.
  private func run(_ arguments: ByteString..., passphrases: ByteString = "") throws -> Outcome {
    let archive = try #require(Data(base64Encoded: Self.archive, options: .ignoreUnknownCharacters))
    return try Program.run(
      arguments, beside: ["secret.zip": ByteString(archive), "passphrases": passphrases])
  }

  @Test func `Names need no passphrase`() throws {
    let outcome = try run("list", "secret.zip")
    #expect(outcome.end == .exit(0))
    #expect(outcome.errors == "")
    #expect(outcome.output.text.hasSuffix("  hello.txt\n"))
  }

  @Test func `Without a passphrase, content is refused with exit 1`() throws {
    for outcome in [
      try run("cat", "secret.zip", "hello.txt"), try run("digest", "secret.zip"),
      try run("cat", "secret.zip", "hello.txt", "--passphrase-file", "passphrases"),
    ] {
      #expect(outcome.end == .exit(1))
      #expect(outcome.output == "")
      let start = "memarchive: secret.zip: entry \"hello.txt\": Passphrase required for this entry"
      #expect(outcome.errors.lines.count == 1 && outcome.errors.text.hasPrefix(start), "\(outcome.errors)")
    }
    let outcome = try run("cat", "secret.zip", "hello.txt")
    #expect(outcome.errors.text.contains("--passphrase-file"), "\(outcome.errors)")
  }

  @Test func `A wrong passphrase is distinguished from a missing one`() throws {
    let outcome = try run(
      "cat", "secret.zip", "hello.txt", "--passphrase-file", "passphrases", passphrases: "wrong\n")
    #expect(outcome.end == .exit(1))
    #expect(outcome.output == "")
    let start = "memarchive: secret.zip: entry \"hello.txt\": Incorrect passphrase"
    #expect(outcome.errors.lines.count == 1 && outcome.errors.text.hasPrefix(start), "\(outcome.errors)")
  }

  @Test(arguments: ["1", "3"] as [ByteString])
  func `A pipe gives the passphrases of all archives`(_ jobs: ByteString) throws {
    let archive = try #require(Data(base64Encoded: Self.archive, options: .ignoreUnknownCharacters))
    try withTemporaryDirectory { directory in
      try ByteString(archive).write(to: directory + "/secret.zip")
      let line: ByteString =
        "echo sesame | $m test --passphrase-file /dev/stdin --jobs $1 secret.zip secret.zip secret.zip"
      let says: ByteString = "secret.zip: OK, 1 entries, 1 with content, 21 bytes\n"
      #expect(try Program.shell(line, jobs, in: directory) == .done(says + says + says))
    }
  }

  @Test(arguments: ["sesame\n", "sesame", "wrong\nsesame\nanother\n", "\nsesame\n"])
  func `The right passphrase opens the content, on whichever line it is`(passphrases: String) throws {
    let passphrases = ByteString(passphrases.utf8)
    let cat = try run(
      "cat", "secret.zip", "hello.txt", "--passphrase-file", "passphrases", passphrases: passphrases)
    #expect(cat == .done(Content.hello.bytes))
    let digest = try run("digest", "secret.zip", "--passphrase-file", "passphrases", passphrases: passphrases)
    #expect(digest == .done(Content.hello.line("hello.txt")))
    let test = try run("test", "secret.zip", "--passphrase-file", "passphrases", passphrases: passphrases)
    #expect(test == .done("secret.zip: OK, 1 entries, 1 with content, 21 bytes\n"))
  }

  @Test func `run opens what the command reads`() throws {
    let outcome = try run(
      "run", "secret.zip", "--passphrase-file", "passphrases", "--", "cat", "{hello.txt}",
      passphrases: "sesame\n")
    #expect(outcome == .done(Content.hello.bytes))
    let missing = try run("run", "secret.zip", "--", "cat", "{hello.txt}")
    #expect(missing.end == .exit(125))
    #expect(missing.output == "")
  }

  @Test func `A passphrase file that is not there exits 4, and 125 before a command`() throws {
    let says: ByteString =
      "memarchive: cannot read the passphrase file \"nowhere\": No such file or directory\n"
    let outcome = try run("cat", "secret.zip", "hello.txt", "--passphrase-file", "nowhere")
    #expect(outcome == .failed(4, errors: says))
    let before = try run("run", "secret.zip", "--passphrase-file", "nowhere", "--", "cat", "{hello.txt}")
    #expect(before == .failed(125, errors: says))
  }
}
