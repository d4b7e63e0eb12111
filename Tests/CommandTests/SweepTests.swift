import TestSupport
import Testing

/// Every fixture against the table of what was put into it.
@Suite(.slow) struct SweepTests {
  /// All but the one that libarchive reads otherwise (Fixtures/README.md); the library's tests look at it.
  static let fixtures = Fixture.all.filter { $0.file != "zip-central-order.zip" }

  @Test func `The table holds all the fixtures`() {
    #expect(Self.fixtures.count > 130)
  }

  @Test(arguments: fixtures)
  func `Every fixture is listed as its table says`(_ fixture: Fixture) throws {
    let outcome = try Program.run("list", "--json", ByteString(fixture.file.utf8))
    #expect(outcome.end == .exit(0))
    #expect((outcome.errors == "") == (fixture.warnings == nil), "\(outcome.errors)")
    let objects = try JSONLines(outcome.output).objects
    #expect(objects.count == fixture.entries.count)
    for (object, entry) in zip(objects, fixture.entries) {
      var expected: [String: JSONLines.Value] = ["name": .text(entry.name), "kind": .text(entry.kind)]
      expected["link"] = entry.link.map { .text($0) }
      // A lone compressed file has no declared size; a zip's local time has no zone, so the table has none.
      if object["size"] != nil { expected["size"] = .number(entry.size) }
      expected["mtime"] = entry.mtime.map { .number($0) } ?? object["mtime"]
      expected["mode"] = entry.mode.map { .text($0) } ?? object["mode"]
      expected["raw"] = entry.raw.map { .text($0) }
      // What the table does not have.
      let others: Set = ["packed", "method", "crc32", "uid", "gid", "user", "group"]
      #expect(object.filter { !others.contains($0.key) } == expected)
    }
  }

  @Test(arguments: fixtures)
  func `Every fixture digests as its table says`(_ fixture: Fixture) throws {
    let outcome = try Program.run("digest", ByteString(fixture.file.utf8))
    #expect(outcome.end == .exit(0))
    #expect((outcome.errors == "") == (fixture.warnings == nil), "\(outcome.errors)")
    #expect(outcome.output == fixture.digestLines)
  }
}

extension Fixture {
  /// What sha256sum(1) would print of the unpacked files, in the archive's order.
  fileprivate var digestLines: ByteString {
    entries.reduce("") { lines, entry in
      guard let digest = digest(of: entry) else { return lines }
      var name: ByteString = ""
      for byte in entry.rawName.values {
        switch byte {
        case UInt8(ascii: "\\"): name = name + "\\\\"
        case UInt8(ascii: "\n"): name = name + "\\n"
        default: name = name + [byte]
        }
      }
      return lines + (name == entry.rawName ? "" : "\\") + "\(digest)  " + name + "\n"
    }
  }

  /// All names of a file share the content that one of them carries; in cpio's newc that is the last.
  private func digest(of entry: Entry) -> String? {
    guard entry.kind == "file" || entry.kind == "hardlink" else { return nil }
    if entry.size > 0 { return entry.sha256 }
    let names = entries.filter { ($0.link ?? $0.name) == (entry.link ?? entry.name) }
    return names.first { $0.size > 0 }?.sha256 ?? names.first { $0.kind == "file" }?.sha256
  }
}
