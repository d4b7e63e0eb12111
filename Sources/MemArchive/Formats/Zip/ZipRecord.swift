/// One header of a zip: a file header of the central directory (APPNOTE 4.3.12), or a local file header (4.3.7).
struct ZipRecord {
  let flags: UInt16
  let method: UInt16
  let date: UInt32
  let checksum: UInt32
  let compressedSize: UInt64
  let size: UInt64
  /// The offset of the local header; 0 in a local header.
  let localOffset: UInt64
  let disk: UInt16
  let madeBy: UInt16
  let externalAttributes: UInt32
  let rawName: ArraySlice<UInt8>
  let comment: ArraySlice<UInt8>
  let extra: ZipExtraFields
  /// The header's size in bytes.
  let length: Int

  /// The fixed part of either header.
  private static let centralFixedLength = 46
  static let localFixedLength = 30

  var isEncrypted: Bool { flags & 1 != 0 }
  /// Whether the sizes and the checksum follow the content.
  var hasDataDescriptor: Bool { flags & 1 << 3 != 0 }
  /// The name's bytes.
  var name: [UInt8] { extra.name ?? Array(rawName) }

  /// Reads the central header at `offset`; nil if it is missing or broken.
  init?(central bytes: [UInt8], at offset: Int) {
    guard offset + Self.centralFixedLength <= bytes.count,
      bytes.little(UInt32.self, at: offset) == 0x0201_4B50
    else { return nil }
    let nameLength = Int(bytes.little(UInt16.self, at: offset + 28))
    let extraLength = Int(bytes.little(UInt16.self, at: offset + 30))
    let commentLength = Int(bytes.little(UInt16.self, at: offset + 32))
    let nameEnd = offset + Self.centralFixedLength + nameLength
    let extraEnd = nameEnd + extraLength
    guard extraEnd + commentLength <= bytes.count else { return nil }
    rawName = bytes[(nameEnd - nameLength)..<nameEnd]
    comment = bytes[extraEnd..<extraEnd + commentLength]
    length = extraEnd + commentLength - offset
    madeBy = bytes.little(UInt16.self, at: offset + 4)
    flags = bytes.little(UInt16.self, at: offset + 8)
    method = bytes.little(UInt16.self, at: offset + 10)
    date = bytes.little(UInt32.self, at: offset + 12)
    checksum = bytes.little(UInt32.self, at: offset + 16)
    var extra = ZipExtraFields(bytes, nameEnd..<extraEnd, rawName: rawName, date: date)
    size = extra.wide(bytes.little(UInt32.self, at: offset + 24))
    compressedSize = extra.wide(bytes.little(UInt32.self, at: offset + 20))
    localOffset = extra.wide(bytes.little(UInt32.self, at: offset + 42))
    disk = bytes.little(UInt16.self, at: offset + 34)
    externalAttributes = bytes.little(UInt32.self, at: offset + 38)
    self.extra = extra
  }

  /// Reads the local header at `offset`; nil if it is missing or broken.
  init?(local bytes: [UInt8], at offset: Int) {
    guard let length = Self.localLength(bytes, at: offset), length <= bytes.count - offset else { return nil }
    self.length = length
    let nameStart = offset + Self.localFixedLength
    let nameEnd = nameStart + Int(bytes.little(UInt16.self, at: offset + 26))
    rawName = bytes[nameStart..<nameEnd]
    flags = bytes.little(UInt16.self, at: offset + 6)
    method = bytes.little(UInt16.self, at: offset + 8)
    date = bytes.little(UInt32.self, at: offset + 10)
    checksum = bytes.little(UInt32.self, at: offset + 14)
    var extra = ZipExtraFields(bytes, nameEnd..<offset + length, rawName: rawName, date: date)
    // Some writers, and 7z and unzip with them, mind no local size where a data descriptor follows.
    let isKnown = flags & 1 << 3 == 0
    size = extra.wide(bytes.little(UInt32.self, at: offset + 22), isKnown: isKnown)
    compressedSize = extra.wide(bytes.little(UInt32.self, at: offset + 18), isKnown: isKnown)
    (localOffset, disk, madeBy, externalAttributes, comment) = (0, 0, 0, 0, [])
    self.extra = extra
  }

  /// The full size of the local header at `offset`; nil if there is none.
  static func localLength(_ bytes: [UInt8], at offset: Int) -> Int? {
    guard bytes.count - offset >= localFixedLength, bytes.little(UInt32.self, at: offset) == 0x0403_4B50
    else {
      return nil
    }
    return localFixedLength + Int(bytes.little(UInt16.self, at: offset + 26))
      + Int(bytes.little(UInt16.self, at: offset + 28))
  }
}
