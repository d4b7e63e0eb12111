import MemArchive
import TestSupport

/// The formats that are read only on request: declared sizes that differ from the actual ones, and content that does not
/// match its checksum. Each archive contains "a", which lies, and "b".
extension Attack {
  /// The size that the header of "a" declares for its 13 bytes.
  private struct Claim {
    var size = hello.count
    var packed = hello.count
    var content = hello
    var isEncrypted = false
  }

  private static func row(
    _ what: String, _ verdict: Verdict, _ claim: Claim, _ make: @escaping @Sendable (Claim) -> Bytes
  ) -> Attack {
    let bytes = make(claim)
    return Attack(what, verdict, options: ExtractionOptions(formats: .all)) { bytes }
  }

  static var requestedAttacks: [Attack] {
    var changed = hello
    changed[3] ^= 1
    let (less, more) = (hello.count - 8, 5000)
    var rows: [Attack] = []
    for (format, make) in [("rar 4", rar4), ("rar 5", rar5), ("lha", lha)]
      as [(String, @Sendable (Claim) -> Bytes)]
    {
      rows += [
        row("\(format): nothing wrong", .files(["a", "b"]), Claim(), make),
        row("\(format): a changed byte", .error(.corrupt, entry: "a"), Claim(content: changed), make),
        row("\(format): less declared than there is", .error(.corrupt, entry: "a"), Claim(size: less), make),
        row("\(format): more declared than there is", .error(.corrupt, entry: "a"), Claim(size: more), make),
        row(
          "\(format): less declared, twice", .error(.corrupt, entry: "a"), Claim(size: less, packed: less),
          make),
        row(
          "\(format): more declared, twice", .error(.truncated, entry: "a"), Claim(size: more, packed: more),
          make),
      ]
    }
    // With the header's size or its offset they wrap, or are negative from the beginning.
    for packed in [Int.max, .max - 40, .max - 255, .min, -1, -41, 1 << 62] {
      rows.append(
        row("rar 4: \(packed) bytes declared", .error(.corrupt), Claim(packed: packed), rar4))
    }
    for (packed, code) in [
      (Int.max, ArchiveError.Code.truncated), (.max - 40, .truncated), (1 << 62, .corrupt),
    ] {
      rows.append(row("rar 5: \(packed) bytes declared", .error(code), Claim(packed: packed), rar5))
    }
    return rows + [
      row("rar 5: encrypted", .error(.unsupportedFeature, entry: "a"), Claim(isEncrypted: true), rar5),
      row("warc: nothing wrong", .files(["a", "b"]), Claim(), warc),
      row("warc: less declared than there is", .error(.corrupt), Claim(size: less), warc),
      row("warc: more declared than there is", .error(.truncated, entry: "a"), Claim(size: more), warc),
      row("cab: nothing wrong", .files(["a", "b"]), Claim(), cab),
      row("cab: less declared than there is", .error(.corrupt, entry: "b"), Claim(size: less), cab),
      row("cab: more declared than there is", .error(.corrupt, entry: "a"), Claim(size: more), cab),
      row(
        "cab: less declared in a block than there is", .error(.corrupt, entry: "a"), Claim(packed: less),
        cab),
      row(
        "cab: more declared in a block than there is", .error(.corrupt, entry: "a"), Claim(packed: more),
        cab),
    ]
  }

  // MARK: RAR 4

  @Sendable private static func rar4(_ claim: Claim) -> Bytes {
    func block(_ type: UInt8, _ flags: UInt16, _ fields: Bytes) -> Bytes {
      let header = [type] + little(flags) + little(UInt16(7 + fields.count)) + fields
      return little(UInt16(truncatingIfNeeded: Gzip.checksum(header))) + header
    }
    func file(_ name: String, _ claim: Claim) -> Bytes {
      let packed = UInt64(bitPattern: Int64(claim.packed))
      let sizes = little(UInt32(truncatingIfNeeded: packed)) + little(UInt32(claim.size))
      // Unix; the checksum; a time; version 2.0; stored.
      var fields = sizes + [3] + little(Gzip.checksum(hello)) + little(UInt32(0)) + [20, 0x30]
      fields += little(UInt16(1)) + little(UInt32(0o100_644))
      // The upper halves of the sizes.
      let isWide = packed > UInt64(UInt32.max)
      if isWide { fields += little(UInt32(packed >> 32)) + little(UInt32(0)) }
      return block(0x74, isWide ? 0x8100 : 0x8000, fields + Bytes(name.utf8)) + claim.content
    }
    return Bytes("Rar!".utf8) + [0x1A, 7, 0] + block(0x73, 0, Bytes(repeating: 0, count: 6))
      + file("a", claim) + file("b", Claim()) + block(0x7B, 0x4000, [])
  }

  // MARK: RAR 5

  /// Seven bits a byte, the lowest first.
  private static func number(_ value: Int) -> Bytes {
    value < 128 ? [UInt8(value)] : [UInt8(value & 127 | 128)] + number(value >> 7)
  }

  @Sendable private static func rar5(_ claim: Claim) -> Bytes {
    func block(_ fields: Bytes) -> Bytes {
      let header = number(fields.count) + fields
      return little(Gzip.checksum(header)) + header
    }
    func file(_ name: String, _ claim: Claim) -> Bytes {
      // An encryption record: the first version, its flags, rounds, salt and vector.
      let record = claim.isEncrypted ? [36, 1, 0, 0, 15] + Bytes(repeating: 7, count: 32) : []
      // A file with data, and with records or without; a checksum in it; stored; Unix.
      var fields = claim.isEncrypted ? [2, 3] + number(record.count) : [2, 2]
      fields += number(claim.packed) + [4] + number(claim.size) + number(0o100_644)
      fields += little(Gzip.checksum(hello)) + [0, 1, 1] + Bytes(name.utf8) + record
      return block(fields) + claim.content
    }
    return Bytes("Rar!".utf8) + [0x1A, 7, 1, 0] + block([1, 0, 0]) + file("a", claim) + file("b", Claim())
      + block([5, 0, 0])
  }

  // MARK: lha

  /// Level 0, stored.
  @Sendable private static func lha(_ claim: Claim) -> Bytes {
    func file(_ name: String, _ claim: Claim) -> Bytes {
      let sizes = little(UInt32(claim.packed)) + little(UInt32(claim.size))
      let header =
        Bytes("-lh0-".utf8) + sizes + little(UInt32(0)) + [0x20, 0, 1] + Bytes(name.utf8)
        + little(LHA.checksum(hello))
      return [UInt8(header.count), header.reduce(0, &+)] + header + claim.content
    }
    return file("a", claim) + file("b", Claim()) + [0]
  }

  // MARK: WARC

  @Sendable private static func warc(_ claim: Claim) -> Bytes {
    func record(_ name: String, _ size: Int) -> Bytes {
      let lines = [
        "WARC/1.0", "WARC-Type: resource", "WARC-Target-URI: file://\(name)",
        "WARC-Date: 2020-01-01T00:00:00Z",
        "WARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-000000000001>", "Content-Type: text/plain",
        "Content-Length: \(size)", "", "",
      ]
      return Bytes(lines.joined(separator: "\r\n").utf8) + hello + Bytes("\r\n\r\n".utf8)
    }
    return record("a", claim.size) + record("b", hello.count)
  }

  // MARK: CAB

  /// Both files in one block that is not compressed and has no checksum.
  @Sendable private static func cab(_ claim: Claim) -> Bytes {
    func file(_ name: String, _ size: Int, _ offset: Int) -> Bytes {
      little(UInt32(size)) + little(UInt32(offset)) + [0, 0, 0, 0x50, 0, 0, 0x20, 0] + Bytes(name.utf8) + [0]
    }
    let files = file("a", claim.size, 0) + file("b", hello.count, hello.count)
    let content = hello + hello
    let block =
      little(UInt32(0)) + little(UInt16(content.count))
      + little(UInt16(content.count - hello.count + claim.packed))
      + content
    let dataStart = 44 + files.count
    let size = little(UInt32(dataStart + block.count)) + little(UInt32(0))
    return Bytes("MSCF\0\0\0\0".utf8) + size + little(UInt32(44)) + little(UInt32(0)) + [3, 1, 1, 0, 2, 0]
      + Bytes(repeating: 0, count: 6) + little(UInt32(dataStart)) + [1, 0, 0, 0] + files + block
  }
}
