import Foundation
import TestSupport
import Testing

/// The subcommand `test`.
struct VerifyTests {
  @Test func `An archive has a line with its verdict, its entries and its bytes`() throws {
    let outcome = try Program.run("test", "tar-all-kinds.tar")
    #expect(outcome == .done("tar-all-kinds.tar: OK, 11 entries, 4 with content, 1541 bytes\n"))
  }

  @Test func `Several archives have a line each, in the order they were named`() throws {
    let outcome = try Program.run(
      "test", "zip-3mib.zip", "tar-all-kinds.tar", "tar-empty.tar", "cpio-newc-hardlink.cpio")
    let expected: ByteString = """
      zip-3mib.zip: OK, 1 entries, 1 with content, 3148800 bytes
      tar-all-kinds.tar: OK, 11 entries, 4 with content, 1541 bytes
      tar-empty.tar: OK, 0 entries, 0 with content, 0 bytes
      cpio-newc-hardlink.cpio: OK, 4 entries, 3 with content, 1499 bytes

      """
    #expect(outcome == .done(expected))
  }

  @Test(arguments: ["automatic", "dedicated"])
  func `--hold keeps more files than the soft limit allows descriptors`(storage: String) throws {
    let outcome = try Program.shell(
      "ulimit -Sn 64; exec $m test --hold --storage \(storage) tar-300-entries.tar.gz tar-all-kinds.tar")
    let expected: ByteString = """
      tar-300-entries.tar.gz: OK, 300 entries, 300 with content, 2890 bytes held
      tar-all-kinds.tar: OK, 11 entries, 4 with content, 1541 bytes held

      """
    #expect(outcome == .done(expected))
  }

  @Test(arguments: ["automatic", "packed"])
  func `When descriptors run out while holding, files are packed`(storage: String) throws {
    let script: ByteString = "ulimit -n 64; exec $m test --hold --storage \(storage) tar-300-entries.tar.gz"
    let expected: ByteString = "tar-300-entries.tar.gz: OK, 300 entries, 300 with content, 2890 bytes held\n"
    #expect(try Program.shell(script) == .done(expected))
  }

  @Test func `When descriptors run out and each entry must have one, the error is reported with exit 4`()
    throws
  {
    let outcome = try Program.shell(
      "ulimit -n 64; exec $m test --hold --storage dedicated tar-300-entries.tar.gz")
    #expect(outcome.end == .exit(4))
    #expect(outcome.output.text.hasPrefix("tar-300-entries.tar.gz: FAILED, "), "\(outcome.output)")
    #expect(outcome.errors.lines.count == 1 && outcome.errors.text.contains("no descriptor is left"))
  }

  @Test(arguments: ["test", "digest", "cat"])
  func `Without --hold a handful of descriptors is enough`(command: String) throws {
    let names: ByteString = command == "cat" ? " $(seq -f many/%03.0f.txt 0 299)" : ""
    let script: ByteString = " \(command) tar-300-entries.tar.gz" + names
    let outcome = try Program.shell("ulimit -n 16; exec $m" + script)
    let unlimited = try Program.shell("exec $m" + script)
    #expect(outcome == unlimited)
    #expect(outcome.end == .exit(0))
    #expect(outcome.output.values.count >= 60)
  }

  @Test func `An archive that fails has its line too, and the worst status wins`() throws {
    try withTemporaryDirectory { directory in
      try Damage.loneGzip().write(to: directory + "/bad.gz")
      let good = ByteString((Fixture.directory + "/tar-ustar.tar").utf8)
      let outcome = try Program.shell(
        "$m test bad.gz nowhere \"$1\"; echo $?; $m test bad.gz \"$1\"", good, in: directory)
      #expect(outcome.end == .exit(1))
      let lines: (bad: ByteString, good: ByteString) = (
        "bad.gz: FAILED, 1 entries, 0 with content, 0 bytes\n",
        good + ": OK, 6 entries, 4 with content, 1520 bytes\n"
      )
      let nowhere: ByteString = "nowhere: FAILED, 0 entries, 0 with content, 0 bytes\n"
      #expect(outcome.output == lines.bad + nowhere + lines.good + "4\n" + lines.bad + lines.good)
      let says = [
        "bad.gz: entry \"hello.txt\": the gzip", "nowhere: cannot be opened", "bad.gz: entry",
      ]
      #expect(outcome.errors.lines.count == 3)
      for (line, start) in zip(outcome.errors.lines, says) {
        #expect(line.text.hasPrefix("memarchive: " + start), "\(line)")
      }
    }
  }

  @Test func `--json has an object for each archive, with its own status and errors`() throws {
    let outcome = try Program.run("test", "--json", "zip-deflated.zip", "nowhere").withoutAmounts
    let expected: ByteString = """
      {"archive":"zip-deflated.zip","bytes":1520,"entries":6,"files":4,"status":0,"verdict":"OK"}
      {"archive":"nowhere","bytes":0,"entries":0,"error":"cannot be opened (open: No such file or directory). Check the path \
      and its permissions; an archive must be a file or a pipe.","errors":[{"code":"system","error":"cannot be opened (open: \
      No such file or directory). Check the path and its permissions; an archive must be a file or a pipe.","status":4}],\
      "failures":1,"files":0,"refusals":[{"code":"system","count":1}],"status":4,"verdict":"FAILED"}

      """
    #expect(outcome.end == .exit(4))
    #expect(outcome.withoutAmounts.output == expected)
    #expect(outcome.errors.lines.count == 1)
  }

  /// Two of three are damaged.
  @Test(arguments: ["-q", "-r"])
  func `--json with --keep-going names each damaged entry`(option: ByteString) throws {
    try withTemporaryDirectory { directory in
      var archive = Zip.archive(.init("a", [1, 2, 3]), .init("b", [4, 5, 6]), .init("c", [7, 8, 9]))
      for content: [UInt8] in [[1, 2, 3], [7, 8, 9]] {
        archive.replace(content, with: [0, 0, 0])
      }
      try Data(archive).write(to: URL(filePath: directory + "/three.zip"))
      let outcome = try Program.shell(
        "$m test --json --keep-going \"$1\" three.zip 2>errors; echo $? >&2; grep -c . errors >&2", option,
        in: directory)
      #expect(outcome.errors == "1\n2\n")
      let object = try #require(try JSONLines(outcome.output).objects.first)
      #expect(object["failures"] == .number(2))
      guard case .list(let errors) = object["errors"] else { throw CocoaError(.coderValueNotFound) }
      #expect(errors.map { $0["name"] } == [.text("a"), .text("c")])
      #expect(errors.allSatisfy { $0["code"] == .text("corrupt") && $0["status"] == .number(1) })
      #expect(object["error"] == errors.first?["error"])
    }
  }

  @Test func `A warning changes neither verdict nor status, and -q keeps it back`() throws {
    let line: ByteString = "tar-no-end-marker.tar: OK, 6 entries, 4 with content, 1520 bytes\n"
    let warning: ByteString =
      "memarchive: tar-no-end-marker.tar: warning: the end-of-archive marker is missing\n"
    try Program.expect("test", "tar-no-end-marker.tar", gives: .done(line, errors: warning))
    try Program.expect("test", "-q", "tar-no-end-marker.tar", gives: .done(line))
  }

  @Test func `-v reports each entry on standard error`() throws {
    let outcome = try Program.run("test", "-v", "cpio-newc-hardlink.cpio")
    let says: ByteString = """
      memarchive: cpio-newc-hardlink.cpio: file between
      memarchive: cpio-newc-hardlink.cpio: file two
      memarchive: cpio-newc-hardlink.cpio: hardlink one
      memarchive: cpio-newc-hardlink.cpio: hardlink three

      """
    #expect(outcome.end == .exit(0))
    #expect(outcome.output == "cpio-newc-hardlink.cpio: OK, 4 entries, 3 with content, 1499 bytes\n")
    // Another line reports the protection of the extraction.
    #expect(outcome.errors.text.hasPrefix(says.text), "\(outcome.errors)")
    #expect(outcome.errors.lines.count == 5)
  }

  @Test func `An archive's own name is escaped as an entry's is`() throws {
    let archive = ByteString.tar(ByteString.entry("a", "b"))
    let outcome = try Program.run("test", "new\nline.tar", beside: ["new\nline.tar": archive])
    #expect(outcome == .done("new\\nline.tar: OK, 1 entries, 1 with content, 1 bytes\n"))
  }
}
