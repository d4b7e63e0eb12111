import Foundation
import TestSupport
import Testing

/// Several archives that are read at once print what one after another prints.
struct JobTests {
  private func expectSame(
    _ arguments: [ByteString], input: Command.Input = .nothing,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let expected = try Program.run(arguments + ["--jobs", "1"], input: input).withoutAmounts
    for jobs in ["2", "5"] as [ByteString] {
      let outcome = try Program.run(arguments + ["--jobs", jobs], input: input).withoutAmounts
      #expect(outcome == expected, sourceLocation: sourceLocation)
    }
  }

  /// Intact, damaged, missing and unreadable ones, small beside large, each of which says something of its own.
  private static let archives: [ByteString] = [
    "zip-3mib.zip", "nowhere.zip", "tree.tar.gz", "odd/zip/method-1.zip", "big.tar.zst", "tree.tar.gz",
    "table.json",
    "odd/tar/neg256.tar", "7z-lzma2.7z", "odd/tar/pax-bad-size.tar", "tar-300-entries.tar.gz", ".",
    "hello.txt.gz",
    "odd/rar/rar15.rar", "zip-lzma.zip", "odd/7z/aes.7z", "tar-latin1-name.tar", "tar-ustar.tar",
  ]

  /// The archives but the first, each after --also.
  private static let also = archives.dropFirst().flatMap { ["--also", $0] as [ByteString] }

  @Test(
    arguments: [
      [], ["-v"], ["-q"], ["--json"], ["--keep-going", "--json"], ["-r"], ["--hold"], ["--max-entry", "20"],
      ["--include", "*hello*"], ["--sandbox", "off", "-v"], ["--formats", "tar"], ["--timeout", "60"],
    ] as [[ByteString]])
  func `test prints the same`(_ options: [ByteString]) throws {
    try expectSame(["test"] + options + Self.archives)
  }

  @Test(arguments: [[], ["-l"], ["-r"], ["--json"], ["--sandbox", "off"]] as [[ByteString]])
  func `list prints the same`(_ options: [ByteString]) throws {
    try expectSame(["list"] + options + [Self.archives[0]] + Self.also)
    try expectSame(["list"] + options + [Self.archives[0], "*hello*", "tree"] + Self.also)
  }

  @Test(arguments: [[], ["-r"], ["--json"], ["--keep-going"], ["--sandbox", "off"]] as [[ByteString]])
  func `digest prints the same`(_ options: [ByteString]) throws {
    try expectSame(["digest"] + options + [Self.archives[0]] + Self.also)
    try expectSame(["digest"] + options + [Self.archives[0], "tree/hello.txt"] + Self.also)
  }

  @Test func `digest shows each archive of several under its name, and one without`() throws {
    let one = try Program.run("digest", "tree.tar.gz")
    let other = try Program.run("digest", "zip-deflated.zip")
    #expect(
      try Program.run("digest", "tree.tar.gz", "--also", "zip-deflated.zip")
        == .done("tree.tar.gz:\n" + one.output + "\nzip-deflated.zip:\n" + other.output))
  }

  @Test func `Standard input is read in its place, and once`() throws {
    let input = Command.Input.pipe(try ByteString.fixture("tar-ustar.tar"))
    try expectSame(["test", "zip-3mib.zip", "-", "tree.tar.gz", "-", "7z-lzma2.7z"], input: input)
    try expectSame(["list", "-", "--also", "tree.tar.gz", "--also", "-"], input: input)
  }

  @Test func `A pipe that is named twice is read by one after another`() throws {
    let input = Command.Input.pipe(try ByteString.fixture("tree.tar.gz"))
    try expectSame(["test", "/dev/stdin", "zip-3mib.zip", "/dev/stdin", "tree.tar.gz"], input: input)
  }

  @Test func `What is larger than may wait is shown whole and in order`() throws {
    let names = (0..<12_000).map { ByteString("\(String(repeating: "n", count: 90))\($0)".utf8) }
    let archive = ByteString.tar(ByteString(names.flatMap { ByteString.entry($0, "").values }))
    try withTemporaryDirectory { directory in
      for name in ["a.tar", "b.tar", "c.tar"] { try archive.write(to: directory + "/" + name) }
      var lists: [Outcome] = []
      for jobs in ["1", "3"] as [ByteString] {
        var command = Program.command("list", "a.tar", "--also", "b.tar", "--also", "c.tar", "--jobs", jobs)
        command.directory = directory
        lists.append(try command.run())
      }
      #expect(lists[0].output.values.count > 4 << 20)
      // Not shown when it fails: it is too long.
      let isSame = lists[0] == lists[1]
      #expect(isSame)
    }
  }

  @Test func `A reader who goes away ends all of it`() throws {
    for arguments in [
      [
        "list", "-v", "tar-300-entries.tar.gz", "--also", "tree.tar.gz", "--also", "nowhere", "--also",
        "big.tar.zst",
      ],
      ["test", "-v", "nowhere", "zip-3mib.zip", "tar-300-entries.tar.gz", "tree.tar.gz"],
    ] as [[ByteString]] {
      var command = Program.command(arguments + ["--jobs", "3"])
      command.output = .brokenPipe
      let outcome = try command.run()
      #expect(outcome.end == .signal(13))
    }
  }

  @Test func `A low limit on descriptors is shared`() throws {
    let archives: ByteString = "tar-300-entries.tar.gz tree.tar.gz tar-300-entries.tar.gz zip-deflated.zip"
    let expected = try Program.shell("$m test --jobs 1 " + archives)
    #expect(try Program.shell("ulimit -n 200; $m test --jobs 4 " + archives) == expected)
  }

  @Test(.enabled(if: Trace.isPossible, "strace cannot attach to a process here"))
  func `One archive takes no thread more than it takes alone`() throws {
    try withTemporaryDirectory { directory in
      func clones(_ options: ByteString...) throws -> Int {
        let log = directory + "/log"
        let trace: [ByteString] = [
          "strace", "-f", "-qq", "-e", "trace=clone,clone3", "-o", ByteString(log.utf8),
        ]
        let outcome = try Command(trace + [Program.path, "test", "zip-deflated.zip"] + options).run()
        #expect(outcome.end == .exit(0))
        return try ByteString(contentsOfFile: log).lines.filter { $0.text.contains("CLONE_THREAD") }.count
      }
      let alone = try clones("--jobs", "1")
      #expect(try clones("--jobs", "8") == alone)
    }
  }

  @Test(arguments: ["0", "-1", "x"] as [ByteString])
  func `No jobs are a usage error`(_ jobs: ByteString) throws {
    let outcome = try Program.run("test", "--jobs", jobs, "tree.tar.gz")
    #expect(outcome.end == .exit(2))
    #expect(outcome.errors.text.contains("--jobs"))
  }
}

extension Outcome {
  /// The same without the time and memory that reading took.
  var withoutAmounts: Self {
    guard output.values.first == UInt8(ascii: "{") else { return self }
    let text = output.text.replacing(#/"(held|milliseconds)":\d+,/#, with: "")
    return Self(end: end, output: ByteString(text.utf8), errors: errors)
  }
}
