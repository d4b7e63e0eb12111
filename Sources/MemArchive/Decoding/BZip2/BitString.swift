/// Bits, the most significant of each byte first.
struct BitString {
  /// The last one is filled up with zeros.
  private(set) var bytes: [UInt8]
  private var count: Int

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    count = 8 * bytes.count
  }

  /// Appends the first `more` bits; where it ends inside a byte, `append(_:_:)` of a number has to follow.
  mutating func append(_ bits: [UInt8], _ more: Int) {
    assert(count % 8 == 0)
    bytes += bits
    count += more
  }

  /// Appends the low `more` bits of a number.
  mutating func append(_ number: UInt64, _ more: Int) {
    for bit in stride(from: more - 1, through: 0, by: -1) {
      if count % 8 == 0 { bytes.append(0) }
      bytes[count / 8] |= UInt8(number >> UInt64(bit) & 1) << UInt8(7 - count % 8)
      count += 1
    }
  }
}

extension InputBuffer {
  /// The 64 buffered bits from a bit on; zeros after the last one.
  func word(at bit: Int) -> UInt64 {
    var word: UInt64 = 0
    for index in bit / 8...bit / 8 + 8 {
      let byte = UInt64(index < count ? self[index] : 0)
      let shift = 56 - 8 * (index - bit / 8) + bit % 8
      word |= shift < 0 ? byte >> UInt64(-shift) : byte << UInt64(shift)
    }
    return word
  }

  /// `bits` buffered bits from a bit on, as bytes; zeros fill up the last one.
  func bits(_ bits: Int, at offset: Int) -> [UInt8] {
    guard bits > 0 else { return [] }
    let (first, shift) = (offset / 8, UInt8(offset % 8))
    let size = (bits + 7) / 8
    var result = withBytes { input in
      unsafe input.withUnsafeBytes { input in
        unsafe [UInt8](unsafeUninitializedCapacity: size) { output, initialized in
          let source = unsafe UnsafeRawBufferPointer(rebasing: input[first...])
          for index in 0..<size {
            let next = unsafe index + 1 < source.count ? source[index + 1] : 0
            unsafe output.initializeElement(at: index, to: source[index] << shift | next >> (8 - shift))
          }
          initialized = size
        }
      }
    }
    result[size - 1] &= 0xFF << UInt8(8 * size - bits)
    return result
  }
}
