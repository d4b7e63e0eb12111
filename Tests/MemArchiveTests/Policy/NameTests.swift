import Foundation
import MemArchive
import TestSupport
import Testing

/// Names are data: reversible, compared byte by byte.
struct NameTests {
  @Test(arguments: [
    ("plain.txt", "plain.txt"), ("für.txt", "für.txt"), ("日本", "日本"), ("😀", "😀"),
  ])
  func `Valid UTF-8 is kept as is`(raw: String, name: String) {
    #expect(ArchiveEntry.name(raw: Bytes(raw.utf8)).utf8.elementsEqual(name.utf8))
  }

  @Test func `Every other byte is escaped, and comes back`() {
    #expect(ArchiveEntry.name(raw: [0x63, 0xE9, 0x2E]) == "c\u{F7E9}.")
    // Bytes that would encode U+F7E9 itself are escaped one by one, so that they are another name.
    #expect(ArchiveEntry.name(raw: Bytes("\u{F7E9}".utf8)) == "\u{F7EF}\u{F79F}\u{F7A9}")
    #expect(ArchiveEntry.name(raw: Bytes("\u{F77F}\u{F800}".utf8)) == "\u{F77F}\u{F800}")
  }

  @Test func `No two raw names share a name, and all are reversible`() {
    var random = SplitMix(state: 42)
    var names: [String: Bytes] = [:]
    let alphabet: Bytes = [0x2F, 0x61, 0x80, 0x9F, 0xA9, 0xC3, 0xE9, 0xEF, 0xF0, 0xFF]
    for _ in 0..<20_000 {
      let raw = (0..<Int(random.next() % 6)).map { _ in alphabet[Int(random.next() % 10)] }
      let name = ArchiveEntry.name(raw: raw)
      #expect(ArchiveEntry.rawName(of: name) == raw)
      if let other = names.updateValue(raw, forKey: Data(name.utf8).base64EncodedString()) {
        #expect(other == raw)
      }
    }
  }

  @Test(arguments: Isolation.allCases)
  func `NFC and NFD are two files`(_ isolation: Isolation) throws {
    let files = try ArchiveReader(path: Fixture.path("tar-pax-nfc-nfd.tar")).extract(
      options: isolation.applied())
    #expect(files.count == 2)
    let composed = try #require(files["f\u{FC}r.txt"])
    let decomposed = try #require(files["fu\u{308}r.txt"])
    #expect(try composed.content != decomposed.content)
    #expect(files.dictionary.count == 1)
  }

  @Test(arguments: [
    ("a/b", true), ("a..b/c", true), ("", nil), ("/a", false), ("../a", false), ("a/../b", false),
    ("a\\..\\b", false),
    ("\\a", false), ("a/..", false), ("./a", true),
  ])
  func `Names that lead out are recognized`(name: String, isSafe: Bool?) throws {
    for isolation in Isolation.allCases {
      let files = try ArchiveReader(bytes: Zip.archive(.init("x", [1]))).extract(options: isolation.applied())
      let entry = try #require(files.first?.file.entry)
      #expect(entry.isSafeRelative)
      #expect(EntryNameProbe.isSafe(name) == isSafe)
    }
  }
}

/// An entry of any name, by way of a tar; none is without one.
enum EntryNameProbe {
  static func isSafe(_ name: String) -> Bool? {
    try? ArchiveReader(bytes: Tar.archive(Tar.entry(name, [1]))).entries().first?.isSafeRelative
  }
}

/// A small seeded generator, so that a failure can be reproduced.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
