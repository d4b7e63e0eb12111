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
    for word in ["list", "digest", "cat", "test", "run", "recursive", "keep-going", "passphrase-file"] {
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
}
