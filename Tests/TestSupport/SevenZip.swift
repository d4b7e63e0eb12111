/// 7z archives, built byte by byte (7zFormat.txt of the LZMA SDK). What is counted may lie.
package enum SevenZip {
  /// Packed streams and a header, each where the first 32 bytes say.
  package static func archive(_ packed: Bytes = [], _ header: Bytes, version: UInt8 = 0) -> Bytes {
    let place =
      little(UInt64(packed.count)) + little(UInt64(header.count)) + little(Gzip.checksum(header))
    return [0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C, version, 4] + little(Gzip.checksum(place)) + place + packed
      + header
  }

  /// A header of packed streams, folders and files.
  ///
  /// - Parameters:
  ///   - packed: The size of each packed stream.
  ///   - folders: Each without its sizes.
  ///   - sizes: The size of each coder's output.
  ///   - contents: The part about the contents of the folders; none if each has one.
  package static func header(
    packed: [UInt64], folders: [Bytes], count: UInt64? = nil, sizes: [UInt64], contents: Bytes = [],
    files: Bytes
  ) -> Bytes {
    [1, 4, 6] + number(0) + number(UInt64(packed.count)) + [9] + packed.flatMap(number) + [0]
      + [7, 0x0B] + number(count ?? UInt64(folders.count)) + [0] + folders.joined() + [0x0C]
      + sizes.flatMap(number) + [0] + contents + [0] + files + [0]
  }

  /// The part about files: their names, and other properties before them.
  package static func files(_ names: [String], count: UInt64? = nil, properties: Bytes = []) -> Bytes {
    let text = names.flatMap { $0.utf16 + [0] }.flatMap { little($0) }
    return [5] + number(count ?? UInt64(names.count)) + properties + property(0x11, [0] + text) + [0]
  }

  package static func property(_ type: UInt8, _ bytes: Bytes) -> Bytes {
    [type] + number(UInt64(bytes.count)) + bytes
  }

  /// One file that is stored.
  package static func stored(_ name: String, _ content: Bytes, properties: Bytes = []) -> Bytes {
    let size = UInt64(content.count)
    return archive(
      content,
      header(
        packed: [size], folders: [copy], sizes: [size], files: files([name], properties: properties)))
  }

  /// A folder that copies.
  package static let copy: Bytes = [1, 1, 0]

  /// A number in its longest form, or in its shortest if that is one byte.
  package static func number(_ value: UInt64) -> Bytes {
    value < 0x80 ? [UInt8(value)] : [0xFF] + little(value)
  }
}
