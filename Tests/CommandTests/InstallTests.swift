import Foundation
import TestSupport
import Testing

/// What `make install` puts in place once programs are built.
struct InstallTests {
  @Test
  func
    `Programs without debug information, the manual page and completions are installed, and nothing is built`()
    throws
  {
    try withTemporaryDirectory { directory in
      let script = ByteString(Repository.path("Scripts/install").utf8)
      let built = ByteString(URL(fileURLWithPath: Program.path.text).deletingLastPathComponent().path.utf8)
      // Without a compiler to be found.
      var command = Command(
        "env", "PATH=/usr/bin:/bin", script, built, "", ByteString(directory.utf8), "lib", "program",
        "worker",
        "development")
      command.directory = "/"
      let outcome = try command.run()
      #expect(outcome == .done())
      let files = try Command("find", ".", "-type", "f", "-printf", "%m %P\\n").run(in: directory)
      #expect(
        files.output.lines.map(\.text).sorted() == [
          "644 include/memarchive.h", "644 lib/cmake/memarchive/memarchive-config-version.cmake",
          "644 lib/cmake/memarchive/memarchive-config.cmake", "644 lib/pkgconfig/memarchive.pc",
          "644 share/bash-completion/completions/memarchive",
          "644 share/fish/vendor_completions.d/memarchive.fish",
          "644 share/man/man1/memarchive.1", "644 share/zsh/site-functions/_memarchive", "755 bin/memarchive",
          "755 libexec/memarchive/memarchive-worker",
        ])
      for program in ["bin/memarchive", "libexec/memarchive/memarchive-worker"] as [ByteString] {
        let sections = try Command("readelf", "-SW", program).run(in: directory)
        #expect(sections.end == .exit(0) && !sections.output.text.contains(".debug_"))
      }
      let list = try Command(ByteString((directory + "/bin/memarchive").utf8), "list", "tar-ustar.tar").run()
      #expect(list == (try Program.run("list", "tar-ustar.tar")))
    }
  }
}

extension Command {
  fileprivate func run(in directory: String) throws -> Outcome {
    var command = self
    command.directory = directory
    return try command.run()
  }
}
