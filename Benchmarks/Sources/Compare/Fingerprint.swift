/// What is compared of a file's content: its size, and a checksum that is cheap and heeds the order of the bytes.
struct Fingerprint: Hashable {
  let size: Int
  private let checksum: UInt64

  init(of content: [UInt8]) { self.init(of: unsafe content.span.bytes) }

  init(of bytes: RawSpan) {
    var checksum: UInt64 = 0xCBF2_9CE4_8422_2325
    let words = bytes.byteCount / 8
    for word in 0..<words {
      let value = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: word * 8, as: UInt64.self)
      checksum = (checksum ^ value) &* 0x9E37_79B9_7F4A_7C15
      // A product moves bits only upwards; without this the upper bytes of a word would hardly count.
      checksum ^= checksum >> 29
    }
    for offset in words * 8..<bytes.byteCount {
      checksum =
        (checksum ^ UInt64(unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)))
        &* 0x100_0000_01B3
    }
    size = bytes.byteCount
    self.checksum = checksum
  }
}
