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
    "each --jobs 1 a.tar.gz -- cat {}", "convert --to tar a.tar.gz -",
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

  @Test(arguments: [
    "b.tar.gz -- echo ran {tree/hello.txt}", "--hold b.tar.gz -- echo ran {tree/hello.txt}",
    "--exec tree/run.sh b.tar.gz", "--tree b.tar.gz -- echo ran",
    "--tree a.tar.gz --also b.tar.gz -- echo ran",
    "--tree --merge a.tar.gz --also b.tar.gz -- echo ran", "--image b.tar.gz -- echo ran",
  ])
  func `No command runs that is given what is not verified, and its status is not said to be the command's`(
    _ line: String
  ) throws {
    let outcome = try shell(
      """
      cp a.tar.gz b.tar.gz; printf x >>b.tar.gz
      for name in a b; do minisign -S -s m.key -m a.tar.gz -x $name.tar.gz.minisig; done
      $m run -q --verify m.pub \(line)
      """)
    #expect(outcome.end == .exit(125), "\(outcome)")
    #expect(outcome.output.lines.allSatisfy { $0.text != "ran" }, "\(outcome)")
    #expect(outcome.errors.text.contains("its signature is not of these bytes"), "\(outcome)")
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

  /// Writes one archive into the pipe, and once its reader has closed it, another one to whoever opens it again.
  private static let exchange = """
    import os
    with open("fifo", "wb") as pipe:
      pipe.write(open("a.tar.gz", "rb").read())
    while True:
      try:
        os.close(os.open("fifo", os.O_WRONLY | os.O_NONBLOCK))
      except OSError:
        break
    with open("fifo", "wb") as pipe:
      pipe.write(open("other.tar.gz", "rb").read())
    """

  @Test(arguments: [
    "list -l ARCHIVE", "digest ARCHIVE tree/hello.txt", "cat ARCHIVE tree/hello.txt",
    "run ARCHIVE -- cat {tree/hello.txt}", "run --hold ARCHIVE -- cat {tree/hello.txt}",
    "run --tree ARCHIVE -- cat {tree/hello.txt}", "run --exec tree/run.sh ARCHIVE",
    "each --jobs 1 ARCHIVE -- cat {}", "convert --to tar ARCHIVE -",
  ])
  func `A pipe is read once, whatever comes after what was verified`(_ line: String) throws {
    let words = line.split(separator: " ", maxSplits: 1)
    let verified = "\(words[0]) --sha256 $sum \(words[1])"
    let outcome = try shell(
      """
      sum=$(sha256sum a.tar.gz | cut -c 1-64); mkfifo fifo
      mkdir tree; for name in hello.txt run.sh; do echo exchanged >tree/$name; done; tar -czf other.tar.gz tree
      $m \(line.replacing("ARCHIVE", with: "a.tar.gz")) >plain || exit 2
      cat a.tar.gz | $m \(verified.replacing("ARCHIVE", with: "-")) >out && cmp plain out || exit 3
      python3 -c '\(Self.exchange)' & writer=$!
      $m \(verified.replacing("ARCHIVE", with: "fifo")) >out && cmp plain out || exit 4
      kill $writer
      """)
    #expect(outcome.end == .exit(0), "\(outcome)")
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
