/// The fixed part of an entry's header: newc and crc, odc, and the binary forms in both byte orders (cpio(5)).
struct CpioHeader {
  /// The file that several names may share.
  struct File: Hashable {
    let device: UInt64
    let number: UInt64
  }

  /// The number of bytes that tell which form it is.
  static let magicSize = 6
  static let binarySize = 26
  private static let regular: UInt64 = 0o100000

  let file: File
  let mode: UInt64
  let userID: UInt64
  let groupID: UInt64
  let linkCount: UInt64
  let modified: UInt64
  /// The size of the name with the NUL at its end.
  let nameSize: UInt64
  let size: UInt64
  /// The sum of the content's bytes; nil if there is none.
  let sum: UInt32?
  /// Header and name together, and the content, are filled up to a multiple of it.
  let alignment: UInt64

  /// The number of bytes of a header that begins like this; nil if none does.
  static func size(of magic: [UInt8]) -> Int? {
    if magic.elementsEqual("070701".utf8) || magic.elementsEqual("070702".utf8) { return 110 }
    if magic.elementsEqual("070707".utf8) { return 76 }
    return magic.starts(with: [0xC7, 0x71]) || magic.starts(with: [0x71, 0xC7]) ? binarySize : nil
  }

  /// nil if something else than numbers is in it.
  init?(_ header: [UInt8]) {
    switch header.count {
    case 110: self.init(newc: header)
    case 76: self.init(odc: header)
    case Self.binarySize: self.init(binary: header)
    default: return nil
    }
  }

  /// Thirteen numbers of eight hexadecimal digits.
  private init?(newc header: [UInt8]) {
    var fields: [UInt64] = []
    for start in stride(from: 6, to: 110, by: 8) {
      guard let number = Self.number(header[start..<start + 8], 16) else { return nil }
      fields.append(number)
    }
    file = File(device: fields[7] << 32 | fields[8], number: fields[0])
    (mode, userID, groupID, linkCount) = (fields[1], fields[2], fields[3], fields[4])
    (modified, size, nameSize) = (fields[5], fields[6], fields[11])
    // All hard links but the last have no content, and symbolic links have no checksum.
    let isSummed = header[5] == UInt8(ascii: "2") && mode & 0o170000 == Self.regular && size > 0
    sum = isSummed ? UInt32(fields[12]) : nil
    alignment = 4
  }

  /// Octal digits (POSIX.1-2001, pax, "cpio Interchange Format").
  private init?(odc header: [UInt8]) {
    var fields: [UInt64] = []
    var start = 6
    for count in [6, 6, 6, 6, 6, 6, 6, 11, 6, 11] {
      guard let number = Self.number(header[start..<start + count], 8) else { return nil }
      fields.append(number)
      start += count
    }
    file = File(device: fields[0], number: fields[1])
    (mode, userID, groupID, linkCount) = (fields[2], fields[3], fields[4], fields[5])
    (modified, nameSize, size) = (fields[7], fields[8], fields[9])
    (sum, alignment) = (nil, 1)
  }

  /// Thirteen words of sixteen bits; of two that are one number, the higher comes first.
  private init(binary header: [UInt8]) {
    let isLittle = header[0] == 0xC7
    let words = (0..<13).map { index in
      let (first, second) = (UInt64(header[2 * index]), UInt64(header[2 * index + 1]))
      return isLittle ? first | second << 8 : first << 8 | second
    }
    file = File(device: words[1], number: words[2])
    (mode, userID, groupID, linkCount) = (words[3], words[4], words[5], words[6])
    (modified, nameSize, size) = (words[8] << 16 | words[9], words[10], words[11] << 16 | words[12])
    (sum, alignment) = (nil, 2)
  }

  private static func number(_ field: ArraySlice<UInt8>, _ radix: Int) -> UInt64? {
    guard field.first != UInt8(ascii: "+") else { return nil }
    return UInt64(String(decoding: field, as: UTF8.self), radix: radix)
  }

  var kind: ArchiveEntry.Kind {
    switch mode & 0o170000 {
    case 0o040000: .directory
    case 0o120000: .symlink
    case 0o010000: .fifo
    case 0o140000: .socket
    case 0o020000: .character
    case 0o060000: .block
    default: .file
    }
  }
}
