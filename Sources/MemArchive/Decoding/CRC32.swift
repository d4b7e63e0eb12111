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
