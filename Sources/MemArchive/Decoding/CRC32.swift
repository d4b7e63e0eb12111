internal import CZlib

/// CRC-32 as gzip and zip have it (ISO 3309; RFC 1952, 8), by zlib.
struct CRC32 {
  private(set) var value: UInt32 = 0

  mutating func update(_ bytes: RawSpan) {
    value = UInt32(
      unsafe bytes.withUnsafeBytes {
        unsafe crc32_z(UInt(value), $0.baseAddress?.assumingMemoryBound(to: UInt8.self), $0.count)
      })
  }
}
