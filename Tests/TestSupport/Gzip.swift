import CZlib

/// Members of gzip files.
package enum Gzip {
  /// One member of stored blocks (RFC 1951, 3.2.4): no compressor is needed, and every byte is where one expects it.
  package static func member(
    _ body: Bytes, name: String? = nil, comment: String? = nil, crc: UInt32? = nil, length: UInt32? = nil
  ) -> Bytes {
    let flags: UInt8 = (name == nil ? 0 : 8) | (comment == nil ? 0 : 16)
    var bytes: Bytes = [0x1F, 0x8B, 8, flags, 0, 0, 0, 0, 0, 3]
    if let name { bytes += Bytes(name.utf8) + [0] }
    if let comment { bytes += Bytes(comment.utf8) + [0] }
    var rest = body[...]
    repeat {
      let block = rest.prefix(65_535)
      rest = rest.dropFirst(block.count)
      bytes += [rest.isEmpty ? 1 : 0] + little(UInt16(block.count)) + little(~UInt16(block.count)) + block
    } while !rest.isEmpty
    return bytes + little(crc ?? checksum(body)) + little(length ?? UInt32(truncatingIfNeeded: body.count))
  }

  /// One member, compressed as well as zlib can.
  package static func deflated(_ body: Bytes) -> Bytes {
    var size = compressBound(UInt(body.count))
    var bytes = Bytes(repeating: 0, count: Int(size))
    compress2(&bytes, &size, body, UInt(body.count), Z_BEST_COMPRESSION)
    // zlib's wrapping (RFC 1950) is two bytes in front and four behind.
    return [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 3] + bytes[2..<(Int(size) - 4)] + little(checksum(body))
      + little(UInt32(body.count))
  }

  /// A member as bgzip(1) writes it, which says how long it is (Sequence Alignment/Map Format Specification, 4.1).
  ///
  /// - Parameter size: What it says instead.
  package static func blocked(_ member: Bytes, size: Int? = nil) -> Bytes {
    let field: Bytes = [6, 0, UInt8(ascii: "B"), UInt8(ascii: "C"), 2, 0]
    return member[..<3] + [4] + member[4..<10] + field + little(UInt16((size ?? member.count + 8) - 1))
      + member[10...]
  }

  package static func checksum(_ body: Bytes) -> UInt32 { UInt32(crc32(0, body, UInt32(body.count))) }
}
