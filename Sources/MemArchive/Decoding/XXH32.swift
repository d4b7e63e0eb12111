/// The 32-bit xxHash with seed 0, which LZ4 frames carry (xxHash specification 0.1.1, "XXH32 Algorithm Description").
struct XXH32 {
  private static let primes: (UInt32, UInt32, UInt32, UInt32, UInt32) = (
    0x9E37_79B1, 0x85EB_CA77, 0xC2B2_AE3D, 0x27D4_EB2F, 0x1656_67B1
  )
  private var lanes: (UInt32, UInt32, UInt32, UInt32) = (
    primes.0 &+ primes.1, primes.1, 0, 0 &- primes.0
  )
  private var length: UInt64 = 0
  /// Bytes that do not fill a stripe of 16 yet.
  private var rest: [UInt8] = []

  mutating func update(_ bytes: RawSpan) {
    length += UInt64(bytes.byteCount)
    var offset = 0
    if !rest.isEmpty {
      offset = min(16 - rest.count, bytes.byteCount)
      for index in 0..<offset { rest.append(unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)) }
      guard rest.count == 16 else { return }
      let stripe = rest
      rest = []
      unsafe consume(stripe.span.bytes)
    }
    let stripes = (bytes.byteCount - offset) / 16 * 16
    consume(bytes.extracting(offset..<offset + stripes))
    for index in (offset + stripes)..<bytes.byteCount {
      rest.append(unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self))
    }
  }

  /// The hash of all bytes so far.
  var value: UInt32 {
    let (p1, p2, p3, p4, p5) = Self.primes
    var hash =
      length >= 16
      ? Self.rotate(lanes.0, 1) &+ Self.rotate(lanes.1, 7) &+ Self.rotate(lanes.2, 12)
        &+ Self.rotate(lanes.3, 18) : p5
    hash = hash &+ UInt32(truncatingIfNeeded: length)
    var left = rest[...]
    while left.count >= 4 {
      let word = left.prefix(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      hash = Self.rotate(hash &+ word &* p3, 17) &* p4
      left = left.dropFirst(4)
    }
    for byte in left { hash = Self.rotate(hash &+ UInt32(byte) &* p5, 11) &* p1 }
    hash = (hash ^ hash >> 15) &* p2
    hash = (hash ^ hash >> 13) &* p3
    return hash ^ hash >> 16
  }

  /// Takes whole stripes.
  private mutating func consume(_ stripes: RawSpan) {
    var (one, two, three, four) = lanes
    for offset in stride(from: 0, to: stripes.byteCount, by: 16) {
      func word(_ index: Int) -> UInt32 {
        UInt32(
          littleEndian: unsafe stripes.unsafeLoadUnaligned(
            fromByteOffset: offset + index * 4, as: UInt32.self))
      }
      one = Self.round(one, word(0))
      two = Self.round(two, word(1))
      three = Self.round(three, word(2))
      four = Self.round(four, word(3))
    }
    lanes = (one, two, three, four)
  }

  private static func round(_ lane: UInt32, _ word: UInt32) -> UInt32 {
    rotate(lane &+ word &* primes.1, 13) &* primes.0
  }

  private static func rotate(_ value: UInt32, _ count: UInt32) -> UInt32 {
    value << count | value >> (32 - count)
  }
}
