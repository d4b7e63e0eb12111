internal import Libc

extension [UInt8] {
  /// The little-endian number at `offset`, which must be within the array.
  func little<Value: FixedWidthInteger & UnsignedInteger>(_: Value.Type, at offset: Int) -> Value {
    var value: Value = 0
    for index in stride(from: MemoryLayout<Value>.size - 1, through: 0, by: -1) {
      value = value << 8 | Value(self[offset + index])
    }
    return value
  }

  /// Appends zeros until there are `count` bytes. They are appended as an array because a debug build appends a repeated
  /// element byte by byte.
  mutating func grow(to count: Int) {
    if self.count < count { append(contentsOf: Self(repeating: 0, count: count - self.count)) }
  }
}

extension FixedWidthInteger {
  /// Its bytes, the lowest first.
  var littleEndianBytes: [UInt8] {
    (0..<Self.bitWidth / 8).map { UInt8(truncatingIfNeeded: self >> (8 * $0)) }
  }
}

extension RawSpan {
  /// Whether all bytes are zero.
  var isZero: Bool {
    // memcmp(3) of the bytes with their neighbors ends at the first difference.
    unsafe withUnsafeBytes { bytes in
      guard let start = bytes.baseAddress, unsafe !bytes.isEmpty else { return true }
      return unsafe bytes[0] == 0 && memcmp(start, start + 1, bytes.count - 1) == 0
    }
  }
}

extension MutableRawSpan {
  /// Copies all of `bytes` to the front.
  @_lifetime(self: copy self)
  mutating func copy(_ bytes: RawSpan) {
    precondition(bytes.byteCount <= byteCount, "the source must fit")
    unsafe withUnsafeMutableBytes { target in
      unsafe bytes.withUnsafeBytes { source in unsafe target.copyMemory(from: source) }
    }
  }
}
