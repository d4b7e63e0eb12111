import Foundation
import TestSupport
import Testing

/// The completion scripts for shells, as `make install` installs them.
struct CompletionTests {
  @Test(arguments: ["bash", "zsh", "fish"])
  func `A shell's script knows every subcommand and option`(shell: String) throws {
    let outcome = try Program.run("--generate-completion-script", ByteString(shell.utf8))
    #expect(outcome.end == .exit(0))
    #expect(outcome.errors == "")
    let script = outcome.output.text
    for word in [
      "list", "digest", "cat", "test", "run", "each", "recursive", "keep-going", "passphrase-file",
    ] {
      #expect(script.contains(word))
    }
  }

  @Test func `bash can read its script`() throws {
    let script = try Program.run("--generate-completion-script", "bash").output
    var shell = Command("/bin/bash", "-n")
    shell.input = .pipe(script)
    let outcome = try shell.run()
    #expect(outcome.end == .exit(0))
    #expect(outcome.errors == "")
  }

  /// What a shell makes of the line when Tab is pressed: its words, and what was shown.
  private func completed(_ line: ByteString, by shell: ByteString, in directory: String) throws -> (
    words: [ByteString], shown: [ByteString]
  ) {
    let script = try Program.run("--generate-completion-script", shell).output
    return try withTemporaryDirectory { place in
      try script.write(to: place + "/script")
      let driver = ByteString(Repository.path("Tests/CommandTests/completion.py").utf8)
      var command = Command(
        "python3", driver, shell, "\(place)/script", Program.path, ByteString(directory.utf8), line)
      command.directory = place
      let outcome = try command.run()
      #expect(outcome.end == .exit(0), "\(outcome)")
      return (outcome.output.lines, outcome.errors.lines)
    }
  }

  private static let shells: [ByteString] = ["bash", "zsh"]

  @Test(.slow, arguments: shells)
  func `An entry of the archive on the line is completed`(shell: ByteString) throws {
    let directory = Fixture.directory
    let cat = try completed("memarchive cat -q zip-deflated.zip tree/he", by: shell, in: directory)
    #expect(cat.words == ["memarchive", "cat", "-q", "zip-deflated.zip", "tree/hello.txt"])
    let several = try completed(
      "memarchive list --max-entries 9 tar-all-kinds.tar all/s", by: shell, in: directory)
    #expect(several.words.last == "all/s", "\(several)")
    #expect(
      ["symlink", "sticky/", "setuid"].allSatisfy { end in several.shown.contains { $0.text.hasSuffix(end) }
      }, "\(several)")
    let tree = try completed(
      "memarchive run --tree --links keep --only '*' --mode 600 zip-deflated.zip --exec tree/ru", by: shell,
      in: directory)
    #expect(tree.words.last == "tree/run.sh", "\(tree)")
    let exec = try completed("memarchive run zip-deflated.zip --exec tree/ru", by: shell, in: directory)
    #expect(exec.words.last == "tree/run.sh", "\(exec)")
  }

  @Test(.slow, arguments: shells)
  func `With -r, an entry of an archive inside the archive is completed`(shell: ByteString) throws {
    try withTemporaryDirectory { directory in
      let inner = ByteString.tar(.entry("leaf.txt", "x"))
      try ByteString.tar(.entry("in.tar", inner)).write(to: directory + "/out.tar")
      for option: ByteString in ["-r", "-qr", "--recursive"] {
        let cat = try completed("memarchive cat \(option) out.tar in.tar/l", by: shell, in: directory)
        #expect(cat.words.last == "in.tar/leaf.txt", "\(cat)")
      }
      let plain = try completed("memarchive cat out.tar in.tar/l", by: shell, in: directory)
      #expect(plain.words.last == "in.tar/l", "\(plain)")
      let template = try completed("memarchive run -r out.tar -- cat '{in.tar/l", by: shell, in: directory)
      #expect(template.words.last == "{in.tar/leaf.txt}", "\(template)")
    }
  }

  @Test(.slow, arguments: shells)
  func `After -- the command is completed, and {NAME} in it`(shell: ByteString) throws {
    let directory = Fixture.directory
    let program = try completed("memarchive run zip-deflated.zip -- sha256su", by: shell, in: directory)
    #expect(program.words.last == "sha256sum", "\(program)")
    let name = try completed("memarchive run zip-deflated.zip -- cat '{tree/po", by: shell, in: directory)
    #expect(name.words.last == "{tree/poem.txt}", "\(name)")
    let file = try completed("memarchive run zip-deflated.zip -- cat READM", by: shell, in: directory)
    #expect(file.words.last == "README.md", "\(file)")
    for (line, word) in [
      ("each zip-defl", "zip-deflated.zip"), ("each tree.tar.gz zip-defl", "zip-deflated.zip"),
      ("each tree.tar.gz --jobs 2 -- sha256su", "sha256sum"), ("each tree.tar.gz -- cat READM", "README.md"),
    ] as [(ByteString, ByteString)] {
      let each = try completed("memarchive " + line, by: shell, in: directory)
      #expect(each.words.last == word, "\(each)")
    }
  }

  /// bash expands what a completion offers.
  @Test(.slow, arguments: shells)
  func `A name from an archive is never a command of the shell's`(shell: ByteString) throws {
    try withTemporaryDirectory { directory in
      let names: [ByteString] = [
        "a$(touch pwned)", "b`touch pwned`", "c;touch pwned", "d e", "e'f\"g", "h\\i", "j${IFS}k", "l:m",
      ]
      let archive = ByteString.tar(names.map { ByteString.entry($0, "x") }.reduce("", +))
      try archive.write(to: directory + "/names.tar")
      for name in names where name != "l:m" || shell == "zsh" {
        // bash would insert these as they are: they are not offered.
        let isOffered =
          shell == "zsh" || !name.values.contains { $0 == UInt8(ascii: "$") || $0 == UInt8(ascii: "`") }
        let start = ByteString(name.values.prefix(1))
        let outcome = try completed("memarchive cat names.tar " + start, by: shell, in: directory)
        #expect(outcome.words.last == (isOffered ? name : start), "\(outcome)")
      }
      #expect(!FileManager.default.fileExists(atPath: directory + "/pwned"))
    }
  }
}
