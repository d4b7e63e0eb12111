import TestSupport

/// A zip whose one entry is the zip itself: whoever goes into it goes on for ever.
///
/// A program in DEFLATE's two instructions that prints itself, as quines of any language: `literal` writes what follows,
/// `again` writes once more what was written last (RFC 1951, 3.2.4 and 3.2.6). What stands in front of it and behind it, the
/// headers, is printed too. The checksum of a file that holds its own checksum is the solution of 32 linear equations.
enum Quine {
  /// 30 bytes, so that the local header has 60: with one instruction more, as much as `again` can have in 5 bytes.
  static let name = "what-is-in-it-is-this-file.zip"

  static let zip: Bytes = {
    // CRC32 is affine in the bits of the file, so that of itself is where (C + 1) x = c(0).
    let zero = Gzip.checksum(file(checksum: 0))
    var rows = (0..<32).map { bit in
      let column = Gzip.checksum(file(checksum: 1 << bit)) ^ zero
      return UInt64(column ^ 1 << bit)
    }
    rows = (0..<32).map { row in
      rows.indices.reduce((UInt64(zero) >> row & 1) << 32) { $0 | (rows[$1] >> row & 1) << $1 }
    }
    for column in 0..<32 {
      guard let pivot = (column..<32).first(where: { rows[$0] >> column & 1 == 1 }) else { continue }
      rows.swapAt(column, pivot)
      for row in rows.indices where row != column && rows[row] >> column & 1 == 1 {
        rows[row] ^= rows[column]
      }
    }
    return file(checksum: (0..<32).reduce(UInt32(0)) { $0 | UInt32(rows[$1] >> 32 & 1) << $1 })
  }()

  private static func file(checksum: UInt32) -> Bytes {
    // Sizes do not depend on what the headers say.
    let empty = parts(checksum, size: 0, compressed: 0)
    let size = empty.front.count + empty.program.count + empty.back.count
    let whole = parts(checksum, size: size, compressed: empty.program.count)
    return whole.front + whole.program + whole.back
  }

  private static func parts(
    _ checksum: UInt32, size: Int, compressed: Int
  ) -> (front: Bytes, program: Bytes, back: Bytes) {
    let front = Zip.localHeader(name, method: 8, checksum: checksum, compressed: compressed, size: size)
    let directory = Zip.centralHeader(
      name, method: 8, checksum: checksum, compressed: compressed, size: size, offset: 0)
    let back = directory + Zip.end(count: 1, size: directory.count, offset: front.count + compressed)

    let again4 = block([(264, 0, 0, 8, 3, 3), (264, 0, 0, 8, 3, 3)])  // 20 bytes, 20 back
    let againFront = block([(276, 3, 6, 12, 5, 0)]) { $0.endEmptyBlock() }  // 65 bytes, 65 back
    let literal4 = literal(20)
    let literal1 = literal(5)
    let literalFront = literal(front.count + 5)
    // The last block: all of what is behind it, and itself.
    let againBack = block([(279, 4, 3, 13, 5, 5)], isLast: true)  // 102 bytes, 102 back
    let literalBack = literal(againBack.count + back.count)
    let nothing = literal(0)

    var program = literalFront + front + literalFront + againFront
    program += literal1 + againFront + literal1 + literal1
    program += literal4 + againFront + literal1 + literal1 + literal4 + again4
    program += literal4 + again4 + literal4 + again4 + literal4 + again4
    program += literal4 + again4 + nothing + nothing + literalBack
    program += again4 + nothing + nothing + literalBack + againBack + back + againBack
    return (front, program, back)
  }

  private static func literal(_ count: Int) -> Bytes {
    [0] + little(UInt16(count)) + little(~UInt16(count))
  }

  /// Length's code, its extra bits, their value, and the same of the distance.
  private typealias Match = (Int, Int, Int, Int, Int, Int)

  private static func block(
    _ matches: [Match], isLast: Bool = false, _ more: (inout Bits) -> Void = { _ in }
  ) -> Bytes {
    var bits = Bits()
    bits.put(isLast ? 0b011 : 0b010, 3)
    for (length, lengthBits, lengthExtra, distance, distanceBits, distanceExtra) in matches {
      bits.putCode(length < 280 ? length - 256 : length - 280 + 0b1100_0000, length < 280 ? 7 : 8)
      bits.put(lengthExtra, lengthBits)
      bits.putCode(distance, 5)
      bits.put(distanceExtra, distanceBits)
    }
    bits.putCode(0, 7)
    more(&bits)
    return bits.bytes
  }

  private struct Bits {
    private(set) var bytes: Bytes = []
    private var count = 0

    mutating func put(_ value: Int, _ width: Int) {
      for bit in 0..<width {
        if count % 8 == 0 { bytes.append(0) }
        if value >> bit & 1 == 1 { bytes[bytes.count - 1] |= 1 << UInt8(count % 8) }
        count += 1
      }
    }

    /// Huffman codes come with their highest bit first (RFC 1951, 3.1.1).
    mutating func putCode(_ code: Int, _ width: Int) {
      for bit in (0..<width).reversed() { put(code >> bit & 1, 1) }
    }

    /// A block of nothing.
    mutating func endEmptyBlock() {
      put(0b010, 3)
      putCode(0, 7)
    }
  }
}
