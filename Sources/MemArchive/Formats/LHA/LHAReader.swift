/// The members of an LHA archive.
///
/// libarchive (up to 3.8.9) loses members whose names are not in the character set that it assumes, knows headers by an
/// attribute that programs of Amiga leave out, and says nothing of an archive that is cut inside a header.
final class LHAReader: EntryParser {
  private let input: FormatInput
  private let warnings: WarningLog
  private var member: LHAHeader?
  private var contentEnd: Int64 = 0

  private static let mostHeader = 1 << 20

  init(_ input: FormatInput, warnings: WarningLog) {
    self.input = input
    self.warnings = warnings
  }

  var isExhausted: Bool { input.isExhausted }

  func nextHeader() throws(ArchiveError) -> Header? {
    try input.skip(to: contentEnd, inside: "a member")
    guard let bytes = try readHeader() else { return nil }
    do throws(ArchiveError) {
      let header = try LHAHeader(bytes)
      guard header.packedSize <= Int64.max - input.position else {
        throw .corrupt("a member claims \(header.packedSize) bytes")
      }
      contentEnd = input.position + Int64(header.packedSize)
      member = header
    } catch {
      // Where the next one is, is unknown.
      input.isExhausted = true
      throw error
    }
    return try member?.entry()
  }

  func forEachBlock(
    declared _: Int64?, _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) -> Int64 {
    guard let member, member.packedSize > 0 || member.size > 0 else { return 0 }
    var checksum = CRC16()
    var size: Int64 = 0
    func take(_ block: RawSpan, _ offset: Int64) throws(ArchiveError) {
      checksum.update(block)
      size = offset + Int64(block.byteCount)
      try body(block, offset)
    }
    switch member.method {
    case "-lh0-", "-lz4-", "-pm0-": try input.forEachBlock(to: contentEnd, inside: "the member", take)
    case "-lh4-", "-lh5-": try decode(member, windowBits: 13, take)
    case "-lh6-": try decode(member, windowBits: 15, take)
    // LHARK's method of this name is another.
    case "-lh7-" where member.system != UInt8(ascii: " "): try decode(member, windowBits: 16, take)
    default:
      throw ArchiveError(
        .unsupportedFeature,
        "the method \(member.method) of LHA is not decoded", advice: "Unpack it by lhasa.")
    }
    guard checksum.value == member.checksum else {
      throw .corrupt("the content's CRC-16 is not the one that its header says")
    }
    return size
  }

  private func decode(
    _ member: LHAHeader, windowBits: Int, _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) {
    var decoder = LZHDecoder(input, to: contentEnd, windowBits: windowBits)
    try decoder.forEachBlock(of: Int64(clamping: member.size), body)
  }

  // MARK: Headers

  /// The next header's bytes; nil at the end, which a zero in place of a size marks.
  private func readHeader() throws(ArchiveError) -> [UInt8]? {
    var header = try input.bytes(LHAHeader.commonSize)
    guard let first = header.first else {
      warnings.addMissingEnd()
      return nil
    }
    if first == 0 {
      let hasMore = try input.hasDataAfterEnd()
      if hasMore || header.contains(where: { $0 != 0 }) { warnings.addDataAfterEnd() }
      return nil
    }
    guard header.count == LHAHeader.commonSize else { throw input.truncated(inside: "a header") }
    guard header[2] == UInt8(ascii: "-"), header[6] == UInt8(ascii: "-") else {
      throw lost("a member does not end where its header says")
    }
    switch header[20] {
    case 0: try extend(&header, to: Int(first) + 2)
    case 1:
      try extend(&header, to: Int(first) + 2)
      // Each ends with the size of the next one.
      while case let size = header.little(UInt16.self, at: header.count - 2), size > 0 {
        try extend(&header, to: header.count + Int(size))
      }
    case 2:
      let size = Int(header.little(UInt16.self, at: 0))
      try extend(&header, to: 24)
      // LHA for OS-9/68k does not count the two bytes of the size.
      try extend(&header, to: header[23] == UInt8(ascii: "K") ? size + 2 : size)
    case 3:
      try extend(&header, to: 28)
      try extend(&header, to: Int(header.little(UInt32.self, at: 24)))
    default:
      input.isExhausted = true
      throw ArchiveError(
        .unsupportedFeature, "headers of level \(header[20]) are not read",
        advice: "Unpack it by the program that made it.")
    }
    return header
  }

  private func extend(_ header: inout [UInt8], to count: Int) throws(ArchiveError) {
    guard count >= header.count, count <= Self.mostHeader else {
      throw lost("a member's header claims \(count) bytes")
    }
    header += try input.bytes(count - header.count, inside: "a header")
  }

  private func lost(_ text: String) -> ArchiveError {
    input.isExhausted = true
    return .corrupt(text)
  }
}
