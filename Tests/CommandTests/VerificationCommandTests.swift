import TestSupport
import Testing

/// --sha256, --sha256-file and --verify, which every command has.
struct VerificationCommandTests {
  /// Runs a line of sh(1) in a directory with the archive a.tar.gz, a key pair of minisign (m.pub, m.key) and one of SSH (s.pub, s).
  private func shell(_ script: String) throws -> Outcome {
    let whole = """
      cp "$1" a.tar.gz; minisign -G -W -p m.pub -s m.key >/dev/null; ssh-keygen -q -t ed25519 -N '' -f s
      \(script)
      """
    return try withTemporaryDirectory { directory in
      try Program.shell(ByteString(whole.utf8), "\(Fixture.path("tree.tar.gz"))", in: directory)
    }
  }

  @Test(arguments: [
    "list a.tar.gz", "test a.tar.gz", "digest a.tar.gz", "cat a.tar.gz tree/hello.txt",
    "run a.tar.gz -- cat {tree/hello.txt}", "run --tree a.tar.gz -- cat {tree/hello.txt}",
  ])
  func `Every command reads what is verified, and nothing else`(_ command: String) throws {
    let words = command.split(separator: " ")
    let (name, rest) = ("\(words[0])", words.dropFirst().joined(separator: " "))
    let outcome = try shell(
      """
      sha256sum a.tar.gz >sums; sum=$(cut -c 1-64 sums)
      minisign -S -s m.key -t 'release 7' -m a.tar.gz
      $m \(name) \(rest) >plain
      for how in "--sha256 $sum" "--sha256-file sums" "--verify m.pub"; do $m \(name) $how \(rest) >out && cmp out plain || exit 1; done
      printf x >>a.tar.gz
      for how in "--sha256 $sum" "--sha256-file sums" "--verify m.pub"; do $m \(name) -q $how \(rest) && exit 1; done
      exit 0
      """)
    #expect(outcome.end == .exit(0), "\(outcome)")
    #expect(outcome.output == "")
    let lines = outcome.errors.lines.map(\.text)
    #expect(
      lines.first == "memarchive: a.tar.gz: verified by a.tar.gz.minisig: release 7", "\(outcome.errors)")
    #expect(
      lines.count == 4 && lines[1].hasPrefix("memarchive: a.tar.gz: its SHA-256 is "), "\(outcome.errors)")
    #expect(lines.last?.contains("its signature is not of these bytes") ?? false, "\(outcome.errors)")
  }

  @Test func `Standard input, a named signature, and SSH's beside the archive`() throws {
    let outcome = try shell(
      """
      ssh-keygen -q -Y sign -n file -f s a.tar.gz && $m list --verify s.pub a.tar.gz >/dev/null &&
      $m list --verify s.pub --signature a.tar.gz.sig - <a.tar.gz >/dev/null && $m list --verify s.pub - <a.tar.gz
      """)
    #expect(outcome.end == .exit(1))
    #expect(
      outcome.errors
        == "memarchive: -: standard input has no signature beside it. Name the signature with --signature.\n")
  }

  @Test func `sha256sum's other formats, and a file without the archive's line`() throws {
    let outcome = try shell(
      """
      mkdir d; mv a.tar.gz d; cd d
      sha256sum --tag a.tar.gz >tagged; sha256sum -b a.tar.gz >binary; cd ..
      for sums in tagged binary; do $m list --sha256-file d/$sums d/a.tar.gz >/dev/null || exit 9; done
      : >none; $m list --sha256-file none d/a.tar.gz
      """)
    #expect(outcome.end == .exit(1))
    #expect(
      outcome.errors.text.hasPrefix("memarchive: d/a.tar.gz: none has no SHA-256 of it."), "\(outcome.errors)"
    )
  }

  @Test(
    arguments: [
      ["--sha256", "12"], ["--signature", "x"], ["--verify", "k", "--sha256-file", "s"],
    ] as [[ByteString]])
  func `What makes no sense is wrong usage`(_ options: [ByteString]) throws {
    let outcome = try Program.run(["list", "hello.txt.gz"] + options)
    #expect(outcome.end == .exit(2), "\(outcome)")
  }

  @Test func `A key that cannot be read is an error of the system`() throws {
    let outcome = try Program.run("list", "--verify", "absent", "hello.txt.gz")
    #expect(outcome.end == .exit(4), "\(outcome)")
    #expect(outcome.errors.text.hasPrefix("memarchive: cannot read \"absent\""), "\(outcome.errors)")
  }
}
