import TestSupport
import Testing

/// --formats: what may be read, and what is read only on request.
struct FormatTests {
  static let fixtures: [(format: ByteString, archive: ByteString)] = [
    ("tar", "tar-ustar.tar"), ("tar", "tree.tar.gz"), ("zip", "zip-deflated.zip"), ("7z", "7z-lzma2.7z"),
    ("cpio", "cpio-newc.cpio"), ("ar", "ar-package.deb"), ("file", "hello.txt.gz"), ("cpio", "rpm-xz.rpm"),
  ]

  @Test func `The help names every format, and each is accepted`() throws {
    let help = try Program.run("list", "--help").output.text.split(whereSeparator: \.isWhitespace)
    let listed = help.joined(separator: " ").firstMatch(of: #/separated by commas: ([a-z0-9, ]+)\./#)
    let names = try #require(listed).1.split(separator: ", ").map { ByteString($0.utf8) }
    for name in ["standard", "all", "rar", "rar4", "rar5"] + Self.fixtures.map(\.format) {
      #expect(names.contains(name), "\(name)")
    }
    for name in names {
      #expect(try Program.run("list", "--formats", name, "nowhere").end == .exit(4), "\(name)")
    }
  }

  @Test(arguments: fixtures)
  func `A format that is named is read as it is by default`(format: ByteString, archive: ByteString) throws {
    let byDefault = try Program.run("digest", archive)
    #expect(byDefault.end == .exit(0))
    for list in ["warc," + format, "all"] {
      try Program.expect("digest", "--formats", list, archive, gives: byDefault)
    }
  }

  @Test(arguments: fixtures)
  func `A format that is not named is refused`(format: ByteString, archive: ByteString) throws {
    for other in ["tar", "zip", "7z", "cpio", "ar", "file"] as [ByteString] where other != format {
      let outcome = try Program.run("digest", "--formats", other, archive)
      #expect(outcome.end == .exit(1))
      #expect(outcome.output == "")
      #expect(outcome.errors.lines.count == 1)
      let start = "memarchive: \(archive): the format "
      #expect(outcome.errors.text.hasPrefix(start), "\(outcome.errors)")
    }
  }

  @Test(arguments: fixtures)
  func `What the error calls a format is what --formats takes`(format: ByteString, archive: ByteString) throws
  {
    let byDefault = try Program.run("digest", archive)
    let outcome = try Program.run("digest", "--formats", "warc", archive)
    let named = try #require(outcome.errors.text.firstMatch(of: #/: the format (\S+) /#), "\(outcome.errors)")
    #expect(ByteString(named.1.utf8) == format)
    try Program.expect("digest", "--formats", "warc," + ByteString(named.1.utf8), archive, gives: byDefault)
  }

  @Test func `The error about a format says which option allows it`() throws {
    let outcome = try Program.run("list", "--formats", "zip", "tree.tar.gz")
    #expect(outcome.end == .exit(1))
    #expect(outcome.errors.text.contains("--formats"), "\(outcome.errors)")
  }

  @Test(arguments: [("iso", "iso9660"), ("xar", "xar"), ("warc", "warc")])
  func `A rare format is read in the sandbox, and on request without`(format: String, written: String) throws
  {
    try withTemporaryDirectory { directory in
      try Content.hello.bytes.write(to: directory + "/hello.txt")
      let made = try Program.shell(
        "bsdtar --format=\(written) -cf archive hello.txt && $m cat --sandbox off archive hello.txt",
        in: directory)
      #expect(made.end == .exit(1))
      #expect(made.output == "")
      #expect(
        made.errors.text.hasPrefix("memarchive: archive: the format \(format) is not "), "\(made.errors)")
      for list in [format, "all", "standard,\(format)"] {
        let outcome = try Program.shell("exec $m cat --formats \(list) archive hello.txt", in: directory)
        #expect(outcome == .done(Content.hello.bytes), "\(list)")
      }
      let sandboxed = try Program.shell("exec $m cat archive hello.txt", in: directory)
      #expect(sandboxed == .done(Content.hello.bytes))
    }
  }

  @Test(arguments: ["", "nonsense", "tar,nonsense", "tar zip", ","])
  func `An unknown format is wrong usage`(list: String) throws {
    let outcome = try Program.run("list", "--formats", "\(list)", "tar-ustar.tar")
    #expect(outcome.end == .exit(2))
    #expect(outcome.output == "")
    #expect(outcome.errors.lines.first == "memarchive: The value '\(list)' is invalid for '--formats <list>'")
  }
}
