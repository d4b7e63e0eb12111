import TestSupport
import Testing

struct ListJSONTests {
  @Test func `--json gives an object for each entry, with the archive's fields`() throws {
    let outcome = try Program.run("list", "--json", "tar-all-kinds.tar")
    let expected = try JSONLines(
      """
      {"name":"all/","kind":"directory","size":0,"mtime":1700000000,"mode":"0755"}
      {"name":"all/file","kind":"file","size":21,"mtime":1700000000,"mode":"0644"}
      {"name":"all/symlink","kind":"symlink","size":0,"mtime":1700000000,"mode":"0777","link":"file"}
      {"name":"all/hardlink","kind":"hardlink","size":0,"mtime":1700000000,"mode":"0644","link":"all/file"}
      {"name":"all/sticky/","kind":"directory","size":0,"mtime":1700000000,"mode":"1777"}
      {"name":"all/setuid","kind":"file","size":19,"mtime":1700000000,"mode":"4755"}
      {"name":"all/fifo","kind":"fifo","size":0,"mtime":1700000000,"mode":"0644"}
      {"name":"all/character","kind":"character","size":0,"mtime":1700000000,"mode":"0666"}
      {"name":"all/block","kind":"block","size":0,"mtime":1700000000,"mode":"0660"}
      {"name":"all/contiguous","kind":"file","size":1480,"mtime":1700000000,"mode":"0644"}
      {"name":"all/last","kind":"file","size":21,"mtime":1700000000,"mode":"0644"}

      """)
    #expect(outcome.end == .exit(0))
    #expect(outcome.errors == "")
    #expect(try JSONLines(outcome.output) == expected)
  }

  @Test func `A name's line stays one line in JSON, whatever the name holds`() throws {
    let outcome = try Program.run("list", "--json", "tar-odd-names.tar")
    let names = ["new\nline", "back\\slash", " space ", "tab\t", "\u{1B}[31mred", "-rf", "quote'\""]
    #expect(try JSONLines(outcome.output).objects.map { $0["name"] } == names.map { .text($0) })
    #expect(outcome.output.values.allSatisfy { $0 >= 0x20 || $0 == UInt8(ascii: "\n") })
  }

  @Test func `A byte of a name that is not UTF-8 becomes U+F700 plus the byte`() throws {
    let outcome = try Program.run("list", "--json", "tar-latin1-name.tar")
    let objects = try JSONLines(outcome.output).objects
    #expect(
      objects.map { $0["name"] } == [
        .text("caf\u{F7E9}.txt"), .text("th\u{F7E9}"), .text("cut-\u{F7E2}\u{F782}"),
      ])
    #expect(objects.map { $0["link"] } == [nil, .text("caf\u{F7E9}.txt"), nil])
  }

  @Test func `A time before 1970 is a negative number`() throws {
    let outcome = try Program.run("list", "--json", "tar-pax-time.tar")
    #expect(
      try JSONLines(outcome.output).objects.map { $0["mtime"] } == [.number(1_700_000_000), .number(-2)])
  }

  @Test func `Fields that an archive does not have are left out`() throws {
    let outcome = try Program.run("list", "--json", "hello.txt.gz")
    #expect(
      try JSONLines(outcome.output)
        == JSONLines("{\"name\":\"hello.txt\",\"kind\":\"file\",\"mtime\":1700000000}\n"))
  }
}
