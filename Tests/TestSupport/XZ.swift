/// Streams of xz, of stored chunks: no compressor is needed, and every byte is where one expects it (The .xz File Format, 1.0.4).
package enum XZ {
  /// The sizes of a block as an index states them.
  package struct Sizes {
    package var packed: Int
    package var content: Int
  }

  /// - Parameter change: What the index says instead.
  package static func stream(_ blocks: [Bytes], index change: (inout [Sizes]) -> Void = { _ in }) -> Bytes {
    // CRC-32.
    let flags: Bytes = [0, 1]
    var bytes: Bytes = [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0] + flags + little(Gzip.checksum(flags))
    var sizes: [Sizes] = []
    for content in blocks {
      let block = block(content)
      sizes.append(Sizes(packed: block.count, content: content.count))
      bytes += padded(Bytes(block[..<(block.count - 4)])) + block.suffix(4)
    }
    change(&sizes)
    let records = sizes.reduce(number(sizes.count)) { $0 + number($1.packed) + number($1.content) }
    let index = padded([0] + records)
    let footer = little(UInt32(index.count / 4)) + flags
    return bytes + index + little(Gzip.checksum(index)) + little(Gzip.checksum(footer)) + footer
      + Bytes("YZ".utf8)
  }

  /// Without padding; the check is at the end.
  private static func block(_ content: Bytes) -> Bytes {
    // One filter, LZMA2 with a dictionary of 64 KiB.
    let header: Bytes = [2, 0, 0x21, 1, 8, 0, 0, 0]
    var bytes = header + little(Gzip.checksum(header))
    var rest = content[...]
    while !rest.isEmpty {
      let chunk = rest.prefix(65_536)
      let size = UInt16(chunk.count - 1)
      // The first one resets the dictionary.
      bytes += [rest.count == content.count ? 1 : 2, UInt8(size >> 8), UInt8(size & 0xFF)] + chunk
      rest = rest.dropFirst(chunk.count)
    }
    return bytes + [0] + little(Gzip.checksum(content))
  }

  private static func padded(_ bytes: Bytes) -> Bytes {
    bytes + Bytes(repeating: 0, count: (4 - bytes.count % 4) % 4)
  }

  private static func number(_ value: Int) -> Bytes {
    var (rest, bytes) = (value, Bytes())
    while rest > 0x7F {
      bytes.append(UInt8(rest & 0x7F) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }
}
