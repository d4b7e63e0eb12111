import Foundation
import Glibc
import TestSupport
import Testing

/// Each line of README that begins with `memarchive run` does what it says.
struct ReadmeRunTests {
  private static let lines: [String] =
    (try? Repository.text(of: "README.md"))?
    .split(separator: "\n").filter { $0.hasPrefix("memarchive run") }.map(String.init) ?? []

  /// A part of each line, and its output.
  private static let outcomes: [(part: String, says: String)] = [
    ("fluidsynth", "loud"), ("ls -l", "libgreet.so"), ("sqlite3", "42"),
    ("--hold", "a package says hello to python"), ("--exec", "a program says hello"),
  ]

  @Test func `README has an example of each kind`() {
    #expect(Self.lines.count == Self.outcomes.count)
    for outcome in Self.outcomes {
      #expect(Self.lines.count { $0.contains(outcome.part) } == 1, "\(outcome.part)")
    }
  }

  /// Making its archives needs a writable directory.
  @Test(.enabled(if: access(NSTemporaryDirectory(), W_OK) == 0), arguments: outcomes)
  func `The example works`(part: String, says: String) throws {
    let line = try #require(Self.lines.first { $0.contains(part) })
    try withTemporaryDirectory { directory in
      var making = Command([
        "sh", "-c", ByteString(Self.making.utf8), ByteString(try Archives.path("demo").utf8),
        ByteString(try Archives.path("sqlite").utf8), ByteString(try Archives.path("package").utf8),
        ByteString(try Archives.path("programs").utf8),
      ])
      making.directory = directory
      try #require(try making.run() == .done())
      let measured = line.contains("fluidsynth") ? " | " + Consumer.measure : ""
      let command = line.split(separator: "  #")[0].replacing("memarchive run", with: "$m run") + measured
      let outcome = try Program.shell(ByteString(command.utf8), in: directory)
      #expect(outcome.end == .exit(0), "\(outcome)")
      #expect(outcome.output.text.contains(says), "\(outcome)")
    }
  }

  /// The archives named by the lines.
  private static let making = """
    set -e
    cp "$0" demo.zip
    cp "$1" site.tar
    mkdir song tools
    (cd song; bsdtar -xf "$0"; mv music/tiny.sf2 gm.sf2; mv music/tune.mid .
      bsdtar -cf ../song.zip --format zip gm.sf2 tune.mid)
    (cd tools; bsdtar -xf "$2"; bsdtar -xf "$3"; mkdir bin lib; mv printf bin/tool; bsdtar -cf ../tools.tar *)
    """
}
