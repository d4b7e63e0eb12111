import MemArchive
import TestSupport

extension Attack {
  /// A tar entry whose size field holds these twelve bytes.
  private static func tarClaiming(_ size: Bytes, type: Character = "0") -> Bytes {
    var header = Tar.entry("a", type: type)
    header.replaceSubrange(124..<136, with: size)
    header.replaceSubrange(148..<156, with: Bytes("        ".utf8))
    let sum = String(header.reduce(0) { $0 + Int($1) }, radix: 8)
    let digits = String(repeating: "0", count: 6 - sum.count) + sum
    header.replaceSubrange(148..<156, with: Bytes((digits + "\0 ").utf8))
    return header + hello + Tar.end
  }

  /// A sparse file (GNU's format 1.0 in pax) of this size, all of it a hole.
  private static func sparseTar(_ size: Int64) -> Bytes {
    let records = ["major=1", "minor=0", "name=big", "realsize=\(size)"].map { record in
      let text = " GNU.sparse.\(record)\n"
      // The length counts its own digits, two of them here.
      return "\(text.utf8.count + 2)" + text
    }
    let map = Bytes("0\n".utf8) + Bytes(repeating: 0, count: 510)
    return Tar.archive(
      Tar.entry("pax", Bytes(records.joined().utf8), type: "x"), Tar.entry("GNUSparseFile.0/big", map))
  }

  /// A pax header that gives the next entry this name.
  private static func paxNamed(_ name: Bytes) -> Bytes {
    Tar.archive(Tar.pax("path", name), Tar.entry("short", hello))
  }

  static let tarAttacks: [Attack] = [
    Attack("tar: names that lead out", .files(["../x", "/x", "a\\..\\b", "a/../../b"])) {
      Tar.archive(
        Tar.entry("../x", hello), Tar.entry("/x", hello), Tar.entry("a\\..\\b", hello),
        Tar.entry("a/../../b", hello))
    },
    Attack(
      "tar: a name that leads out, where none may", .error(.insecureName, entry: "../x"),
      options: ExtractionOptions { $0.insecureNames = .reject }
    ) { Tar.archive(Tar.entry("../x", hello)) },
    Attack(
      "tar: links out, in circles and to devices",
      .files(["a", "b"], warnings: ["leads out", "is circular", "has no entry"])
    ) {
      Tar.archive(
        Tar.entry("a", hello), Tar.entry("b", type: "1", link: "a"),
        Tar.entry("out", type: "2", link: "/etc/passwd"),
        Tar.entry("round", type: "2", link: "round"), Tar.entry("gone", type: "1", link: "../../etc/shadow"),
        Tar.entry("fifo", type: "6"), Tar.entry("null", type: "3"), Tar.entry("disk", type: "4"))
    },
    Attack("tar: the same name twice", .files(["a"], warnings: [""])) {
      Tar.archive(Tar.entry("a", [1]), Tar.entry("a", [2]))
    },
    Attack(
      "tar: the same name twice, where it may not be", .error(.duplicateEntry, entry: "a"),
      options: ExtractionOptions { $0.duplicates = .reject }
    ) { Tar.archive(Tar.entry("a", [1]), Tar.entry("a", [2])) },
    Attack("pax: a NUL in a name", .error(.corrupt)) { paxNamed([0x61, 0, 0x62]) },
    Attack("pax: a name that is not UTF-8", .files(["a\u{F7FF}b"])) { paxNamed([0x61, 0xFF, 0x62]) },
    Attack(
      "tar: names that look the same",
      .files(
        ["e\u{301}", "\u{E9}", "README", "readme", "./a", "\u{430}", "x\u{202E}gpj.exe"],
        warnings: ["a later entry of the same name", "equivalent"])
    ) {
      Tar.archive(
        Tar.entry("e\u{301}", hello), Tar.entry("\u{E9}", hello), Tar.entry("README", hello),
        Tar.entry("readme", hello), Tar.entry("a", hello), Tar.entry("./a", hello),
        Tar.entry("\u{430}", hello),
        Tar.entry("x\u{202E}gpj.exe", hello))
    },
    Attack("tar: a name of 100 KB", .error(.limitExceeded)) {
      Tar.archive(
        Tar.entry("long", Bytes(repeating: 0x61, count: 100_000), type: "L"), Tar.entry("short", hello))
    },
    Attack("tar: cut inside a body", .error(.truncated, entry: "big")) {
      Bytes(Tar.entry("big", Bytes(repeating: 1, count: 2000)).prefix(1500))
    },
    Attack("tar: cut on a block's border", .files(["a"], warnings: ["end-of-archive marker is missing"])) {
      Tar.entry("a", hello)
    },
    Attack("tar: a wrong header checksum", .error(.corrupt)) {
      Tar.archive(Tar.entry("a", hello), Tar.entry("b", hello, breakingChecksum: true))
    },
    Attack("tar: more declared than there is", .error(.truncated, entry: "a")) {
      Tar.entry("a", hello, size: 1 << 20) + Tar.end
    },
    Attack("tar: less declared than there is", .error(.corrupt)) {
      Tar.archive(Tar.entry("a", Bytes(repeating: 0x41, count: 2000), size: 512), Tar.entry("b", hello))
    },
    Attack("tar: a size of 2^62", .error(.limitExceeded)) {
      tarClaiming([0x80, 0, 0, 0, 0x40] + Bytes(repeating: 0, count: 7))
    },
    Attack("tar: a negative size", .error(.corrupt)) { tarClaiming(Bytes(repeating: 0xFF, count: 12)) },
    Attack("tar: a long name of 1 TiB", .error(.corrupt)) {
      tarClaiming([0x80, 0, 0, 0, 0, 0, 1] + Bytes(repeating: 0, count: 5), type: "L")
    },
    Attack("tar: a pax header of 1 TiB", .error(.corrupt)) {
      tarClaiming([0x80, 0, 0, 0, 0, 0, 1] + Bytes(repeating: 0, count: 5), type: "x")
    },
    Attack("tar: a hole of 100 GiB", .error(.limitExceeded, entry: "big")) { sparseTar(100 << 30) },
    Attack("tar: a hole of 8 EiB", .error(.limitExceeded, entry: "big")) { sparseTar(.max) },
    Attack(
      "tar: more entries than may be", .error(.limitExceeded),
      options: ExtractionOptions(limits: ExtractionLimits(entries: 1000))
    ) { (0..<1001).flatMap { Tar.entry("f\($0)") } + Tar.end },
    Attack("tar: bytes after its end", .files(["hello"], warnings: ["after the end"])) {
      tar + Bytes("anything".utf8)
    },
    Attack("tar: another one after its end, far away", .files(["hello"], warnings: ["after the end"])) {
      tar + Bytes(repeating: 0, count: 1 << 20) + Tar.archive(Tar.entry("hidden", hello))
    },
    Attack("tar: another one after its end, compressed", .files(["hello"], warnings: ["after the end"])) {
      Gzip.deflated(tar + Bytes(repeating: 0, count: 3 << 20) + Tar.archive(Tar.entry("hidden", hello)))
    },
    Attack("tar: padding after its end", .files(["hello"])) { tar + Bytes(repeating: 0, count: 1 << 20) },
  ]
}
