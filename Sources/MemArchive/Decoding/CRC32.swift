#if FastDecoders
internal import CISAL
#else
internal import CZlib
#endif

/// CRC-32 as in gzip and zip (ISO 3309; RFC 1952, 8), by ISA-L or zlib.
struct CRC32 {
  private(set) var value: UInt32 = 0

  mutating func update(_ bytes: RawSpan) {
    value = UInt32(
      unsafe bytes.withUnsafeBytes {
        #if FastDecoders
        unsafe cisal_crc32(value, $0.baseAddress, UInt64($0.count))
        #else
        unsafe crc32_z(UInt(value), $0.baseAddress?.assumingMemoryBound(to: UInt8.self), $0.count)
        #endif
      })
  }

  /// That of these bytes alone.
  static func of(_ bytes: [UInt8]) -> UInt32 {
    var checksum = Self()
    unsafe checksum.update(bytes.span.bytes)
    return checksum.value
  }

  /// Throws if it differs from the archive's.
  func check(against wanted: UInt32) throws(ArchiveError) {
    guard value != wanted else { return }
    throw .corrupt(
      "the content's CRC-32 is \(Self.hexadecimal(value)), and the archive says \(Self.hexadecimal(wanted))")
  }

  private static func hexadecimal(_ value: UInt32) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }
}

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
