import Foundation
import TestSupport
import Testing

/// An archive must not be able to control the terminal that shows its names.
struct TerminalTests {
  /// A name in an archive, and how a terminal shows it.
  private static let names: [(name: ByteString, shown: ByteString)] = [
    ("plain", "plain"), ("clear\u{1B}[2J\u{1B}]0;title\u{7}", "clear\\u{1B}[2J\\u{1B}]0;title\\u{7}"),
    ("c1\u{9B}31mX\u{9D}0;t\u{9C}", "c1\\u{9B}31mX\\u{9D}0;t\\u{9C}"),
    ("raw" + [0x9B] + "31m", "raw\\x9B31m"), ("caf" + [0xE9], "caf" + [0xE9]), ("über", "über"),
    ("new\nline", "new\\nline"), ("over\rwritten", "over\\rwritten"), ("\u{202E}gnp.exe", "\\u{202E}gnp.exe"),
    ("mark\u{200F}\u{2066}", "mark\\u{200F}\\u{2066}"), ("del\u{7F}bs\u{8}", "del\\u{7F}bs\\u{8}"),
    ("tab\t", "tab\\t"), ("line\u{2028}end", "line\\u{2028}end"), ("back\\u{1B}", "back\\\\u{1B}"),
  ]
  private static let target: ByteString = "\u{1B}[31mx\ny"

  private static let archive = ByteString.tar(
    names.map { ByteString.entry($0.name, "x") }.reduce("", +),
    ByteString.entry("lnk", type: "2", link: target))

  /// What a terminal is sent, without the carriage return that it gets before each newline.
  private func onTerminal(_ line: ByteString) throws -> ByteString {
    try withTemporaryDirectory { directory in
      try Self.archive.write(to: directory + "/esc.tar")
      var command = Command("script", "-qc", line, "/dev/null")
      command.directory = directory
      command.environment["m"] = Program.path.text
      let outcome = try command.run()
      return ByteString(outcome.output.values.filter { $0 != UInt8(ascii: "\r") })
    }
  }

  private func expectHarmless(_ bytes: ByteString, sourceLocation: SourceLocation = #_sourceLocation) {
    let harmful = bytes.text.unicodeScalars.filter {
      $0 != "\n"
        && ($0.properties.generalCategory == .control || $0.properties.isBidiControl || $0 == "\u{2028}")
    }
    #expect(harmful.isEmpty, "\(bytes)", sourceLocation: sourceLocation)
    // A C1 byte that is not part of a character.
    #expect(
      !EscapedBytes(bytes).stray.contains { (0x80..<0xA0).contains($0) }, "\(bytes)",
      sourceLocation: sourceLocation)
  }

  @Test func `list shows names and link targets on a terminal with an escape for each control character`()
    throws
  {
    let output = try onTerminal("exec $m list -q esc.tar")
    expectHarmless(output)
    let shown = output.lines.map { ByteString($0.values.dropFirst(46)) }
    #expect(shown == Self.names.map(\.shown) + ["lnk -> \\u{1B}[31mx\\ny"])
  }

  @Test func `digest marks a name escaped for a terminal as sha256sum marks its own`() throws {
    let output = try onTerminal("exec $m digest -q esc.tar")
    expectHarmless(output)
    let digest = try Program.run("digest", "-", input: .pipe(ByteString.tar(ByteString.entry("x", "x"))))
    let sum = ByteString(digest.output.values.prefix(64))
    let expected = Self.names.map { ($0.name == $0.shown ? "" : "\\") + sum + "  " + $0.shown + "\n" }
    #expect(output == expected.reduce("", +))
  }

  @Test(
    arguments: [
      "list -q --json esc.tar", "digest -q --json esc.tar", "list -v esc.tar", "test -v esc.tar",
      "test --max-entry 0 --keep-going esc.tar", "cat esc.tar nosuch plai", "run esc.tar -- true '{tab}'",
      "cat -q esc.tar \"$(printf 'clear\\033')\"", "list \"$(printf 'no\\033[2J\\302\\233')\"",
      "list \"--include=$(printf '\\033[2J')\" --no-such-option=\"$(printf '\\033[2J')\"",
    ] as [ByteString])
  func `Nothing that a terminal would obey reaches it`(arguments: ByteString) throws {
    expectHarmless(try onTerminal("exec $m " + arguments))
  }

  @Test func `In a pipe names are as sha256sum writes them`() throws {
    let outcome = try Program.run("list", "-", input: .pipe(Self.archive))
    let names = outcome.output.lines.map { ByteString($0.values.dropFirst(46)) }
    let expected = Self.names.map { entry in
      switch entry.name {
      case "new\nline", "over\rwritten", "back\\u{1B}": entry.shown
      default: entry.name
      }
    }
    #expect(names == expected + ["lnk -> \u{1B}[31mx\\ny"])
  }

  @Test func `Standard error always has an escape for each`() throws {
    let outcome = try Program.run("test", "-v", "-", input: .pipe(Self.archive))
    expectHarmless(outcome.errors)
    for entry in Self.names where entry.name != "back\\u{1B}" {
      #expect(outcome.errors.lines.contains("memarchive: -: file " + entry.shown), "\(entry.shown)")
    }
    let missing = try Program.run("cat", "-", "\u{1B}plain", "tab\n", input: .pipe(Self.archive))
    let says: ByteString = """
      memarchive: -: there is no entry "\\u{1B}plain". Did you mean "plain"?
      memarchive: -: there is no entry "tab\\n". Did you mean "tab\\t"?

      """
    #expect(missing == .failed(2, errors: says))
  }

  @Test func `JSON uses its own escapes`() throws {
    let outcome = try Program.run("list", "--json", "-", input: .pipe(Self.archive))
    expectHarmless(outcome.output)
    let names = try JSONLines(outcome.output).objects.map { $0["name"] }
    let expected = Self.names.map { JSONLines.Value.text(EscapedBytes($0.name).key) }
    #expect(names == expected + [.text("lnk")])
  }
}

/// ByteString as the program holds names: text, and U+F700+b for a byte b that is part of none.
private struct EscapedBytes {
  private(set) var key = ""
  private(set) var stray: [UInt8] = []

  init(_ bytes: ByteString) {
    var rest = bytes.values[...]
    while let first = rest.first {
      let length = (1...4).first { String(validating: rest.prefix($0), as: UTF8.self) != nil }
      if let length {
        key += String(decoding: rest.prefix(length), as: UTF8.self)
      } else {
        stray.append(first)
        key.unicodeScalars.append(Unicode.Scalar(0xF700 + UInt32(first))!)
      }
      rest = rest.dropFirst(length ?? 1)
    }
  }
}
