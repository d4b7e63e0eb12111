#if FastDecoders
import TestSupport
import Testing

/// What is asked for by name, and nothing else, is decoded and verified.
struct SparingTests {
  /// More than is read at once for a header.
  private static func body(_ name: String) -> ByteString { ByteString("the \(name)\n".utf8) * 40_000 }

  /// Three entries, each in a block of its own; that of the first is damaged, near its end.
  private static let archive: ByteString = {
    let bodies = ["first", "second", "third"].map { body($0).values }
    let blocks = bodies.enumerated().map { Tar.entry("e\($0)", $1) } + [Tar.end]
    var bytes = XZ.stream(blocks)
    bytes[bodies[0].count] ^= 1
    return ByteString(bytes)
  }()

  @Test(arguments: ["--sandbox=required", "--sandbox=off"] as [ByteString])
  func `cat and run meet no damage in what they are not asked for`(_ sandbox: ByteString) throws {
    let files = ["a.tar.xz": Self.archive]
    #expect(
      try Program.run("cat", sandbox, "a.tar.xz", "e1", "e2", beside: files)
        == .done(Self.body("second") + Self.body("third")))
    #expect(
      try Program.run("run", sandbox, "a.tar.xz", "--", "cat", "{e2}", beside: files)
        == .done(Self.body("third")))
  }

  @Test func `They meet the damage in what they are asked for, and test meets all`() throws {
    let commands: [[ByteString]] = [
      ["cat", "a.tar.xz", "e0"], ["run", "a.tar.xz", "--", "cat", "{e0}"], ["test", "a.tar.xz"],
    ]
    for arguments in commands {
      let outcome = try Program.run(arguments, beside: ["a.tar.xz": Self.archive])
      #expect(!outcome.output.text.contains("first"))
      #expect(outcome.end != .exit(0))
      #expect(outcome.errors.text.contains("the xz stream is damaged"))
    }
  }
}
#endif
