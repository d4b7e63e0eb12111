import TestSupport
import Testing

/// `list --long`, and what `list` can be asked for.
struct ListLongTests {
  private static let heading: ByteString =
    "mode        owner                    size        packed  method     crc32     time                  name\n"

  @Test func `A zip has what unzip -v says of each file, and totals`() throws {
    let expected: ByteString = """
      drwxr-xr-x  0/0                         0             -  -          -         2023-11-14T22:13:20Z  tree/
      -rw-------  0/0                         0             0  stored     00000000  2023-11-14T22:13:20Z  tree/empty
      -rw-r--r--  0/0                        21            21  stored     4c0ee58e  2023-11-14T22:13:20Z  tree/hello.txt
      lrwxrwxrwx  0/0                         0             -  -          -         2023-11-14T22:13:20Z  tree/link -> hello.txt
      -rw-r-----  0/0                      1480           136  deflate    18a68e7a  2023-11-14T22:13:20Z  tree/poem.txt
      -rwxr-xr-x  0/0                        19            19  stored     b2e6a2bc  2023-11-14T22:13:20Z  tree/run.sh
      6 entries, 4 files, 1520 bytes, 176 packed

      """
    for sandbox in ["off", "auto"] as [ByteString] {
      let outcome = try Program.run("list", "-l", "--sandbox", sandbox, "zip-deflated.zip")
      #expect(outcome == .done(Self.heading + expected))
    }
  }

  @Test func `Each kind has its letter, and what a tar does not record is a dash`() throws {
    let outcome = try Program.run("list", "--long", "tar-all-kinds.tar")
    let modes = outcome.output.lines.dropFirst().dropLast().map { ByteString($0.values.prefix(24)).text }
    #expect(
      modes
        == [
          "drwxr-xr-x", "-rw-r--r--", "lrwxrwxrwx", "hrw-r--r--", "drwxrwxrwt", "-rwsr-xr-x", "prw-r--r--",
          "crw-rw-rw-", "brw-rw----", "-rw-r--r--", "-rw-r--r--",
        ].map { $0 + "  -           " })
    #expect(outcome.output.lines.last == "11 entries, 4 files, 1541 bytes")
  }

  @Test func `An owner has names where the archive has them`() throws {
    let tar = try Command(
      "tar", "-c", "--format=ustar", "--owner=alice:1000", "--group=staff:50", "--mtime=@1700000000",
      "--mode=4754",
      "README.md"
    ).run()
    let outcome = try Program.run("list", "-l", "-", input: .pipe(tar.output))
    #expect(outcome.output.lines[1].text.hasPrefix("-rwsr-xr--  alice/staff      "), "\(outcome.output)")
  }

  @Test func `Encrypted content is marked`() throws {
    let outcome = try Program.run("list", "-l", "odd/7z/aes.7z", "*.txt", "*hello")
    let line = try #require(outcome.output.lines.dropFirst().first).text
    #expect(line.hasPrefix("-rw-r-----E "), "\(outcome)")
    let json = try JSONLines(try Program.run("list", "--json", "odd/7z/aes.7z").output).objects
    #expect(json.contains { $0["encrypted"] == .flag(true) })
    #expect(
      json.allSatisfy {
        ($0["encrypted"] == nil) == ($0["kind"] == .text("directory") || $0["packed"] == .number(0))
      })
  }

  @Test func `A size that is not known is in no total`() throws {
    let expected: ByteString =
      "-?????????  -                           -             -  -          -         2023-11-14T22:13:20Z  hello.txt\n1 entries, 1 files\n"
    try Program.expect("list", "-l", "hello.txt.gz", gives: .done(Self.heading + expected))
  }

  @Test func `Nothing is totalled of what cannot be read, and an empty archive is one of no entries`() throws
  {
    let outcome = try Program.run("list", "-l", "nowhere.tar")
    #expect(outcome.end == .exit(4) && outcome.output == "")
    try Program.expect("list", "-l", "tar-empty.tar", gives: .done("0 entries, 0 files, 0 bytes, 0 packed\n"))
  }

  @Test func `Sizes can be for people`() throws {
    let expected: ByteString = """
      -rw-r--r--  -                     3.0 MiB      16.0 KiB  deflate    f15a7b8a  2023-11-14T22:13:20Z  big.txt
      1 entries, 1 files, 3.0 MiB, 16.0 KiB packed

      """
    try Program.expect(
      "list", "-l", "--human-readable", "zip-3mib.zip", gives: .done(Self.heading + expected))
    try Program.expect(
      "list", "--human-readable", "tar-ustar.tar", "tree/hello.txt",
      gives: .done("file              21 B  2023-11-14T22:13:20Z  tree/hello.txt\n"))
  }

  /// Python's own reader of zip is the other witness.
  @Test(
    arguments: [
      "zip-deflated.zip", "zip-stored.zip", "zip-bzip2.zip", "zip-lzma.zip", "zip-streamed.zip",
      "zip-zip64-forced.zip",
      "zip-ppmd.zip", "zip-xz.zip", "zip-prefixed.zip", "zip-3mib.zip",
    ])
  func `Packed sizes, checksums and methods are those of zipfile`(archive: String) throws {
    let script: ByteString = """
      import sys, zipfile
      names = {0: "stored", 8: "deflate", 12: "bzip2", 14: "lzma", 95: "xz", 98: "ppmd"}
      for i in zipfile.ZipFile(sys.argv[1]).infolist():
        if i.external_attr >> 28 not in (4, 10):
          print(i.filename, i.compress_size, "%08x" % i.CRC, names[i.compress_type])
      """
    let expected = try Command("python3", "-c", script, "\(archive)").run()
    let lines = try JSONLines(try Program.run("list", "--json", "\(archive)").output).objects.compactMap {
      entry in
      guard case .text(let name)? = entry["name"], case .number(let packed)? = entry["packed"],
        case .text(let crc)? = entry["crc32"], case .text(let method)? = entry["method"]
      else { return nil as String? }
      return "\(name) \(packed) \(crc) \(method)"
    }
    #expect(expected.end == .exit(0))
    #expect(!lines.isEmpty && Set(lines) == Set(expected.output.lines.map(\.text)))
  }

  /// Fields that other formats have, as 7z l -slt and lha v show them.
  @Test(
    arguments: [
      ("7z-not-solid.7z", "tree/poem.txt", 127, "18a68e7a", "lzma2"),
      ("7z-lzma2.7z", "tree/poem.txt", nil, "18a68e7a", "lzma2"),
      ("7z-bcj.7z", nil, nil, nil, "lzma2"), ("7z-ppmd.7z", nil, nil, nil, "ppmd"),
      ("7z-copy.7z", nil, nil, nil, "stored"),
      ("odd/rar/rar15.rar", "LICENSE.TXT", 99, "8eaf20c4", "rar"),
      ("odd/rar/rar5-solid.rar", "test2.bin", 25, "f166afcb", "rar"),
      ("odd/lha/after-end.lzh", "a.txt", 5, nil, "stored"), ("odd/cab/lzx-e8.cab", "e8.bin", nil, nil, "lzx"),
    ] as [(String, String?, Int64?, String?, String)])
  func `Other formats have what they record`(
    archive: String, name: String?, packed: Int64?, crc: String?, method: String
  ) throws {
    let outcome = try Program.run("list", "-q", "--json", "\(archive)")
    let files = try JSONLines(outcome.output).objects.filter { $0["method"] != nil }
    let file = try #require(files.first { name == nil || $0["name"] == name.map { .text($0) } }, "\(outcome)")
    #expect(file["method"] == .text(method))
    guard name != nil else { return }
    #expect(file["packed"] == packed.map { .number($0) })
    #expect(file["crc32"] == crc.map { .text($0) })
  }

  @Test func `A name is an entry, a directory with what is in it, or a pattern`() throws {
    func names(_ arguments: ByteString...) throws -> [String] {
      try Program.run(["list"] + arguments).output.lines.map { String($0.text.dropFirst(46)) }
    }
    let all = try names("zip-deflated.zip")
    #expect(try names("zip-deflated.zip", "tree") == all)
    #expect(try names("zip-deflated.zip", "tree/") == all)
    #expect(try names("zip-deflated.zip", "tree/hello.txt", "*.sh") == ["tree/hello.txt", "tree/run.sh"])
    #expect(try names("zip-deflated.zip", "tree", "--exclude", "*.txt").count == 4)
    #expect(try names("zip-deflated.zip", "tre").isEmpty)
  }

  @Test func `What is not there is said, with what may have been meant`() throws {
    let outcome = try Program.run(
      "list", "zip-deflated.zip", "tree/run.sh", "x*", "tree/hallo.txt", "zip-stored.zip")
    let errors: ByteString = """
      memarchive: zip-deflated.zip: no entry matches "x*".
      memarchive: zip-deflated.zip: there is no entry "tree/hallo.txt". Did you mean "tree/hello.txt"?
      memarchive: zip-deflated.zip: there is no entry "zip-stored.zip". Another archive is given by --also zip-stored.zip.

      """
    #expect(
      outcome
        == .failed(2, output: "file                19  2023-11-14T22:13:20Z  tree/run.sh\n", errors: errors))
  }

  @Test func `Several archives are listed each under its name`() throws {
    let outcome = try Program.run("list", "zip-deflated.zip", "--also", "tar-ustar.tar", "tree/run.sh")
    let line: ByteString = "file                19  2023-11-14T22:13:20Z  tree/run.sh\n"
    #expect(outcome == .done("zip-deflated.zip:\n" + line + "\ntar-ustar.tar:\n" + line))
    let json = try Program.run("list", "--json", "zip-deflated.zip", "--also", "tar-ustar.tar", "tree/run.sh")
    let archives = try JSONLines(json.output).objects.map { $0["archive"] }
    #expect(archives == [.text("zip-deflated.zip"), .text("tar-ustar.tar")])
  }

  @Test func `-v says how the archive is read and repeats no entry`() throws {
    for command in ["list", "digest"] as [ByteString] {
      let outcome = try Program.run(command, "-v", "--sandbox", "off", "zip-stored.zip")
      #expect(outcome.errors == "memarchive: zip-stored.zip: read by this process, without a sandbox\n")
    }
  }
}
