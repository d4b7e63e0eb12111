// Optimized builds have no @testable modules, and skip these tests.
#if TESTABLE
import TestSupport
import Testing

@testable import MemArchive

/// What an image's text says: JSON, digests, users.
struct ImagePartTests {
  private func parsed(_ text: Bytes) -> JSON? { try? JSON(text.span.bytes) }

  @Test func `JSON is read as RFC 8259 has it`() {
    let rows: [(String, JSON)] = [
      ("null", .null), (" true ", .bool(true)), ("false", .bool(false)), ("0", .number(0)),
      ("-1", .number(-1)),
      ("9223372036854775807", .number(.max)), ("9223372036854775808", .number(nil)), ("1.5", .number(nil)),
      ("-0e+2", .number(nil)), ("1E5", .number(nil)), ("\"\"", .string("")), ("\"é\"", .string("é")),
      (#""\"\\\/\b\f\n\r\tA\ud83d\ude00""#, .string("\"\\/\u{8}\u{C}\n\r\tA😀")), ("[]", .array([])),
      ("[1 ,\t2\r\n]", .array([.number(1), .number(2)])), ("{}", .object([:])),
      (#"{"a" : [{}], "b":null}"#, .object(["a": .array([.object([:])]), "b": .null])),
      (
        String(repeating: "[", count: 64) + String(repeating: "]", count: 64),
        (0..<63).reduce(.array([])) { value, _ in .array([value]) }
      ),
    ]
    for (text, value) in rows { #expect(parsed(Bytes(text.utf8)) == value, "\(text)") }
  }

  @Test func `Anything else is no JSON`() {
    let texts = [
      "", " ", "nul", "nulll", "True", "01", "-", "+1", "1.", ".5", "1e", "0x1", "NaN", "[1,]", "[,1]", "[1",
      "[1 2]",
      "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{\"a\":1 \"b\":2}", "{\"a\":1,\"a\":2}", "\"",
      "\"\\\"",
      "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\n\"", "1 2", "[] []",
      "\u{FEFF}{}", "/* */1", "'a'", String(repeating: "[", count: 65) + String(repeating: "]", count: 65),
    ]
    for text in texts { #expect(parsed(Bytes(text.utf8)) == nil, "\(text)") }
    for bytes in [
      [0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0, 0x22],
    ] as [Bytes] {
      #expect(parsed(bytes) == nil)
    }
  }

  @Test(.seeded) func `Any bytes end`() {
    var generator = SeededGenerator()
    let letters = Bytes(#"{}[],:"\u0truefalsn1.-e d8"#.utf8)
    for _ in 0..<20_000 {
      let count = Int.random(in: 0..<24, using: &generator)
      _ = parsed((0..<count).map { _ in letters.randomElement(using: &generator) ?? 0 })
    }
  }

  @Test func `A digest is that of FIPS 180-4, however it is computed`() throws {
    let cancellation = Cancellation()
    for count in [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000] {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
      var portable = PortableSHA256()
      portable.update(bytes.span.bytes.extracting(0..<count / 2))
      portable.update(bytes.span.bytes.extracting(count / 2..<count))
      let hex = portable.finish().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
      #expect(hex == Image.digest(bytes))
      #expect(try SHA256.hex(of: MemFile(name: "x", bytes: bytes), cancellation) == hex)
    }
    #expect(
      Image.digest(Bytes("abc".utf8)) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  }

  @Test func `A user is looked up as docker does`() throws {
    let passwords = Bytes(
      "root:x:0:0:root:/root:/bin/sh\nann:x:7:8:,:/home/ann:/bin/sh\n9:x:11:12::/nine:/\n".utf8)
    let groups = Bytes("root:x:0:\nstaff:x:50:ann,bob\nann:x:8:ann\nodd:x\n".utf8)
    let rows: [(String, (UInt32, UInt32, [UInt32], String)?)] = [
      ("", (0, 0, [], "/root")), ("ann", (7, 8, [50], "/home/ann")), ("7", (7, 8, [50], "/home/ann")),
      ("ann:root", (7, 0, [], "/home/ann")), ("ann:51", (7, 51, [], "/home/ann")),
      ("ann:", (7, 8, [50], "/home/ann")),
      ("123", (123, 0, [], "/")), ("123:staff", (123, 50, [], "/")), ("9", (11, 12, [], "/nine")),
      (":50", (0, 50, [], "/root")),
      ("nobody", nil), ("ann:nothing", nil), ("-1", nil), ("4294967295", nil), ("+7", nil), ("7:+8", nil),
    ]
    for (text, expected) in rows {
      let user = try? ImageUser(text, passwords: passwords, groups: groups)
      #expect(user?.user == expected?.0 && user?.group == expected?.1, "\(text)")
      #expect(user?.groups == expected?.2 && user?.home == expected?.3, "\(text)")
    }
  }
}
#endif
