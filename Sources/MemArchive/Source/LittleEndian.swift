extension [UInt8] {
  /// The little-endian number at `offset`, which must lie inside.
  func little<Value: FixedWidthInteger & UnsignedInteger>(_: Value.Type, at offset: Int) -> Value {
    var value: Value = 0
    for index in stride(from: MemoryLayout<Value>.size - 1, through: 0, by: -1) {
      value = value << 8 | Value(self[offset + index])
    }
    return value
  }
}
