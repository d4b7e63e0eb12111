/// Decodes -lh4- to -lh7-: blocks of literals and matches in Huffman codes (LHa for UNIX, "slide.c", "huf.c").
struct LZHDecoder: ~Copyable {
  private let input: FormatInput
  /// Where the compressed data ends.
  private let end: Int64
  /// The number of position codes, and the number of bits that count them.
  private let (positions, positionBits): (Int, Int)

  private var bytes: [UInt8] = []
  private var next = 0
  /// The next bits are the lowest `count` ones; the last `missing` of them are beyond the end.
  private var (bits, count, missing): (UInt64, Int, Int) = (0, 0, 0)

  /// Content since the last block; before it, that of the block before, or spaces, to which matches may reach back.
  private var window = [UInt8](repeating: 0x20, count: windowSize)
  private var filled = 0

  /// The largest window of all methods.
  private static let windowSize = 64 << 10
  private static let (literals, lengths, shortestMatch) = (510, 19, 3)

  /// - Parameter windowBits: The method's window as a power of two.
  init(_ input: FormatInput, to end: Int64, windowBits: Int) {
    (self.input, self.end) = (input, end)
    (positions, positionBits) = (windowBits + 1, windowBits < 15 ? 4 : 5)
  }

  /// Calls `body` with each block of `size` bytes of content and its offset.
  mutating func forEachBlock(
    of size: Int64, _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) {
    var written: Int64 = 0
    while written < size {
      var codes = try take(16)
      guard codes > 0 else { throw Self.damage("a block is empty") }
      let lengthCode = try readCode(most: Self.lengths, countBits: 5, gapAfter: 3)
      let literalCode = try readLiteralCode(lengthCode)
      let positionCode = try readCode(most: positions, countBits: positionBits)
      while codes > 0, written < size {
        codes -= 1
        let code = try decode(literalCode)
        var (length, distance): (Int64, Int) = (1, 0)
        if code >= 256 {
          length = min(Int64(code - 256 + Self.shortestMatch), size - written)
          distance = try position(positionCode) + 1
        }
        for _ in 0..<length {
          window[filled] =
            distance == 0 ? UInt8(code) : window[(filled - distance) & (Self.windowSize - 1)]
          filled += 1
          written += 1
          if filled == Self.windowSize || written == size {
            try body(unsafe window.span.bytes.extracting(0..<filled), written - Int64(filled))
            filled = 0
          }
        }
      }
    }
  }

  private static func damage(_ text: String) -> ArchiveError {
    .corrupt("the compressed content is damaged: \(text)")
  }

  // MARK: Codes

  private static let longestWord = 16

  private mutating func decode(_ code: borrowing PrefixCode) throws(ArchiveError) -> Int {
    let word = code[try peek(code.bits)]
    _ = try take(word.length)
    return word.symbol
  }

  /// The code of lengths, or that of positions: lengths of three bits, or more in unary.
  private mutating func readCode(
    most: Int, countBits: Int, gapAfter: Int? = nil
  ) throws(ArchiveError) -> PrefixCode {
    let number = try take(countBits)
    guard number > 0 else {
      let symbol = try take(countBits)
      guard symbol < most else { throw Self.damage("a code has no such symbol") }
      return PrefixCode(constant: symbol)
    }
    var lengths: [UInt8] = []
    while lengths.count < number {
      var length = try take(3)
      if length == 7 { while try take(1) == 1, length <= Self.longestWord { length += 1 } }
      lengths.append(UInt8(length))
      if lengths.count == gapAfter { lengths += repeatElement(0, count: try take(2)) }
    }
    return try Self.code(lengths, most: most)
  }

  /// The code of literals and of the lengths of matches, whose own lengths are in a code.
  private mutating func readLiteralCode(_ lengthCode: borrowing PrefixCode) throws(ArchiveError) -> PrefixCode
  {
    let number = try take(9)
    guard number > 0 else {
      let symbol = try take(9)
      guard symbol < Self.literals else { throw Self.damage("a code has no such symbol") }
      return PrefixCode(constant: symbol)
    }
    var lengths: [UInt8] = []
    while lengths.count < number {
      switch try decode(lengthCode) {
      case 0: lengths.append(0)
      case 1: lengths += repeatElement(0, count: try take(4) + 3)
      case 2: lengths += repeatElement(0, count: try take(9) + 20)
      case let symbol: lengths.append(UInt8(symbol - 2))
      }
    }
    return try Self.code(lengths, most: Self.literals)
  }

  private static func code(_ lengths: [UInt8], most: Int) throws(ArchiveError) -> PrefixCode {
    guard lengths.count <= most, let code = PrefixCode(lengths) else {
      throw damage("the lengths of a code contradict each other")
    }
    return code
  }

  /// The distance of a match less one: the code is the number of its bits.
  private mutating func position(_ code: borrowing PrefixCode) throws(ArchiveError) -> Int {
    let bits = try decode(code)
    return bits > 1 ? try 1 << (bits - 1) | take(bits - 1) : bits
  }

  // MARK: Bits

  /// The next `number` bits, at most 16, highest first.
  private mutating func peek(_ number: Int) throws(ArchiveError) -> Int {
    while count < number {
      if next == bytes.count, missing == 0 {
        let wanted = min(end - input.position, 16 << 10)
        bytes = try input.bytes(Int(wanted), inside: "the member")
        next = 0
      }
      if next < bytes.count {
        bits = bits << 8 | UInt64(bytes[next])
        next += 1
      } else {
        bits <<= 8
        missing += 8
      }
      count += 8
    }
    return Int(truncatingIfNeeded: bits >> UInt64(count - number)) & (1 << number - 1)
  }

  private mutating func take(_ number: Int) throws(ArchiveError) -> Int {
    let value = try peek(number)
    count -= number
    guard count >= missing else { throw Self.damage("it ends too early") }
    return value
  }
}
