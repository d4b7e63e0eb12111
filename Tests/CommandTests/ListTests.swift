import TestSupport
import Testing

struct ListTests {
  @Test func `Each kind of entry is listed with size, time and link`() throws {
    let expected: ByteString = """
      directory            0  2023-11-14T22:13:20Z  all/
      file                21  2023-11-14T22:13:20Z  all/file
      symlink              0  2023-11-14T22:13:20Z  all/symlink -> file
      hardlink             0  2023-11-14T22:13:20Z  all/hardlink -> all/file
      directory            0  2023-11-14T22:13:20Z  all/sticky/
      file                19  2023-11-14T22:13:20Z  all/setuid
      fifo                 0  2023-11-14T22:13:20Z  all/fifo
      character            0  2023-11-14T22:13:20Z  all/character
      block                0  2023-11-14T22:13:20Z  all/block
      file              1480  2023-11-14T22:13:20Z  all/contiguous
      file                21  2023-11-14T22:13:20Z  all/last

      """
    try Program.expect("list", "tar-all-kinds.tar", gives: .done(expected))
  }

  @Test func `A socket is listed as one`() throws {
    let outcome = try Program.run("list", "--include", "*socket", "cpio-newc-all-kinds.cpio")
    #expect(outcome == .done("socket               0  2023-11-14T22:13:20Z  all/socket\n"))
  }

  @Test func `A zip's directory and symlink are listed as such`() throws {
    let expected: ByteString = """
      directory            0  2023-11-14T22:13:20Z  tree/
      file                 0  2023-11-14T22:13:20Z  tree/empty
      file                21  2023-11-14T22:13:20Z  tree/hello.txt
      symlink              0  2023-11-14T22:13:20Z  tree/link -> hello.txt
      file              1480  2023-11-14T22:13:20Z  tree/poem.txt
      file                19  2023-11-14T22:13:20Z  tree/run.sh

      """
    try Program.expect("list", "zip-deflated.zip", gives: .done(expected))
  }

  @Test func `Two entries of one name are both listed`() throws {
    let expected: ByteString = """
      file                21  2023-11-14T22:13:20Z  twice.txt
      file                19  2023-11-14T22:13:20Z  between.txt
      file              1480  2023-11-14T22:13:20Z  twice.txt

      """
    try Program.expect("list", "tar-duplicate-name.tar", gives: .done(expected))
  }

  @Test func `Only backslash and newline in a name are escaped, other bytes written as they are`() throws {
    let start: ByteString = "file                21  2023-11-14T22:13:20Z  "
    let names: [ByteString] = [
      "new\\nline", "back\\\\slash", " space ", "tab\t", "\u{1B}[31mred", "-rf", "quote'\"",
    ]
    let expected = names.reduce("") { $0 + start + $1 + "\n" }
    try Program.expect("list", "tar-odd-names.tar", gives: .done(expected))
  }

  @Test(arguments: ["C", "C.UTF-8"])
  func `Names and link targets that are not UTF-8 are written as their bytes`(locale: String) throws {
    var command = Program.command("list", "tar-latin1-name.tar")
    command.environment["LC_ALL"] = locale
    let caf = "caf" + [0xE9] + ".txt"
    let expected =
      "file                21  2023-11-14T22:13:20Z  " + caf + "\n"
      + "symlink              0  2023-11-14T22:13:20Z  th" + [0xE9] + " -> " + caf + "\n"
      + "file                19  2023-11-14T22:13:20Z  cut-" + [0xE2, 0x82] + "\n"
    #expect(try command.run() == .done(expected))
  }

  @Test func `An unknown size is a dash`() throws {
    try Program.expect(
      "list", "hello.txt.gz", gives: .done("file                 -  2023-11-14T22:13:20Z  hello.txt\n"))
    try Program.expect(
      "list", "hello.txt.xz", gives: .done("file                 -  -                     hello.txt\n"))
  }

  @Test func `A file without bytes is an archive without entries, with a warning`() throws {
    try Program.expect(
      "list", "empty", gives: .done(errors: "memarchive: empty: warning: the archive has no bytes\n"))
  }

  @Test(arguments: ["tar-empty.tar", "zip-empty.zip"])
  func `An archive without an entry lists as nothing`(archive: String) throws {
    try Program.expect("list", ByteString(archive.utf8), gives: .done())
    try Program.expect("list", "--json", ByteString(archive.utf8), gives: .done())
  }

  @Test func `Times are shown in UTC in every time zone`() throws {
    var command = Program.command("list", "tar-ustar.tar", "--include", "tree/")
    command.environment["TZ"] = "Asia/Kolkata"
    #expect(try command.run() == .done("directory            0  2023-11-14T22:13:20Z  tree/\n"))
  }

  @Test(arguments: [
    0, -1, -2_208_988_800, 253_402_300_799, 253_402_300_800, -12_219_292_801, -62_135_596_801, 1 << 50,
  ])
  func `A time is shown as by date(1), in any century`(seconds: Int64) throws {
    let date = try Command("date", "-u", "-d", "@\(seconds)", "+%Y-%m-%dT%H:%M:%SZ").run()
    try #require(date.end == .exit(0))
    let archive = ByteString.tar(ByteString.entry("when", modified: seconds))
    let outcome = try Program.run("list", "-", input: .pipe(archive))
    #expect(outcome == .done("file                 0  \(date.output.lines[0].text)  when\n"))
  }
}
