/// CRC-16 as in LHA, reflected, of the polynomial 0x8005.
struct CRC16 {
  private(set) var value: UInt16 = 0

  private static let table: [UInt16] = (0..<256).map { byte in
    (0..<8).reduce(UInt16(byte)) { rest, _ in rest & 1 == 0 ? rest >> 1 : rest >> 1 ^ 0xA001 }
  }

  mutating func update(_ bytes: RawSpan) {
    let table = Self.table.span
    value = unsafe bytes.withUnsafeBytes { bytes in
      unsafe bytes.reduce(value) { $0 >> 8 ^ table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] }
    }
  }
}
