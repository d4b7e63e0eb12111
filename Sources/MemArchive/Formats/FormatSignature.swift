/// The signature of each format. It decides the format, rather than the highest bid of libarchive's readers, which look
/// further into the content (and find a zip stored in a rar, say).
enum FormatSignature {
  /// The number of bytes that `recognize` needs: an ISO 9660 image has its signature after 32 KiB of anything.
  static let headSize = 32_774

  /// The one format that these first bytes belong to; nil for what only a look further in could tell.
  ///
  /// - Parameter isWrapped: Whether they came out of a compression or an archive, which may hold any text: where the signature is
  ///   one, the first header has to be whole and valid.
  static func recognize(_ head: [UInt8], isWrapped: Bool = false) -> ArchiveFormats? {
    func starts(_ bytes: UInt8..., at offset: Int = 0) -> Bool { head.dropFirst(offset).starts(with: bytes) }
    func starts(_ text: String, at offset: Int = 0) -> Bool { head.dropFirst(offset).starts(with: text.utf8) }

    if isTar(head) { return .tar }
    if starts("PK\u{3}\u{4}") || starts("PK\u{5}\u{6}") || starts("PK\u{7}\u{8}") || starts("PK00PK") {
      return .zip
    }
    if starts(0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C) { return .sevenZip }
    // A header of 60 bytes ends like this (deb(5), ar(5)); an archive without members has none.
    if starts("!<arch>\n"), head.count == 8 || starts("`\n", at: 66) || (!isWrapped && head.count < 68) {
      return .ar
    }
    if isCpio(head, isWrapped: isWrapped) { return .cpio }
    if starts(0x52, 0x61, 0x72, 0x21, 0x1A, 0x07, 0x00) { return .rar }
    if starts(0x52, 0x61, 0x72, 0x21, 0x1A, 0x07, 0x01, 0x00) { return .rar5 }
    if starts("MSCF\0\0\0\0") { return .cab }
    if starts("xar!"), !isWrapped || starts(0, at: 4) { return .xar }
    if starts("WARC/"), !isWrapped || isWARC(head) { return .warc }
    // The superblock's version.
    if starts("hsqs"), starts(4, 0, 0, 0, at: 28) { return .squashfs }
    if isLHA(head, isWrapped: isWrapped) { return .lha }
    if starts("CD001", at: 32_769) { return .iso9660 }
    return nil
  }

  /// Whether the first block is a tar header of any dialect.
  private static func isTar(_ head: [UInt8]) -> Bool {
    guard head.count >= TarHeader.size, head[0] != 0 || head[257] != 0 else { return false }
    return TarHeader.hasChecksum(head.prefix(TarHeader.size))
  }

  /// "WARC/1.0" and a field.
  private static func isWARC(_ head: [UInt8]) -> Bool {
    let lines = head.prefix(1024).split(separator: UInt8(ascii: "\n"), maxSplits: 2)
    guard lines.count > 1, lines[1].contains(UInt8(ascii: ":")) else { return false }
    return lines[0].dropFirst(5).allSatisfy { $0 <= UInt8(ascii: "9") && $0 != UInt8(ascii: " ") }
  }

  /// The magic of the binary forms is too short to decide: the name has to end where its length says (cpio(5), "Old Binary
  /// Format").
  private static func isCpio(_ head: [UInt8], isWrapped: Bool) -> Bool {
    guard let size = CpioHeader.size(of: Array(head.prefix(CpioHeader.magicSize))) else { return false }
    guard isWrapped || size == CpioHeader.binarySize else { return true }
    guard let header = CpioHeader(Array(head.prefix(size))), header.nameSize > 1 else { return false }
    let name = head.dropFirst(size).prefix(Int(header.nameSize))
    return name.count == header.nameSize && name.firstIndex(of: 0) == name.endIndex - 1
  }

  /// "-lh5-" or a similar method in the first header, and its level.
  private static func isLHA(_ head: [UInt8], isWrapped: Bool) -> Bool {
    guard head.count >= (isWrapped ? LHAHeader.commonSize : 7), head[2] == 0x2D, head[6] == 0x2D,
      !isWrapped || head[20] <= 3
    else {
      return false
    }
    return ["lh", "lz", "pm"].contains { head[3...].starts(with: $0.utf8) }
  }
}
