import Testing

struct InsecureNameTests {
  @Test func `With --reject-insecure-names a name that leads out is an error, and without it a name`() throws
  {
    let outcome = try Program.run("list", "--reject-insecure-names", "zip-escaping-names.zip")
    #expect(outcome.end == .exit(1))
    #expect(outcome.errors.text.contains("leads out of the directory"))
    #expect(try Program.run("list", "-q", "zip-escaping-names.zip").end == .exit(0))
  }

  @Test func `A hard link to a symbolic link is not a file, and not an error`() throws {
    let tar = Tar.archive(
      Tar.entry("link", type: "2", link: "nowhere"), Tar.entry("again", type: "1", link: "link"),
      Tar.entry("file", Bytes("x".utf8)))
    let outcome = try Program.run("digest", "links.tar", beside: ["links.tar": tar])
    #expect(outcome.end == .exit(0))
    #expect(outcome.output.lines.count == 1)
    #expect(outcome.errors == "")
  }
}
