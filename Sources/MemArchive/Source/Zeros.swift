internal import Glibc

extension [UInt8] {
  /// Appends zeros until there are `count` bytes, if there are fewer. As an array they come at once, also where nothing is
  /// optimised: a repeated element is appended byte by byte then.
  mutating func grow(to count: Int) {
    if self.count < count { append(contentsOf: Self(repeating: 0, count: count - self.count)) }
  }
}

extension RawSpan {
  /// Whether there is no byte but zeros.
  var isZero: Bool {
    // memcmp(3) of the bytes with their neighbours ends at the first that differs.
    unsafe withUnsafeBytes { bytes in
      guard let start = bytes.baseAddress, unsafe !bytes.isEmpty else { return true }
      return unsafe bytes[0] == 0 && memcmp(start, start + 1, bytes.count - 1) == 0
    }
  }
}

extension SeekableSource {
  /// Whether there is no byte but zeros from `offset` on. Reading goes on where it was.
  func isZero(from offset: Int64) throws(ArchiveError) -> Bool {
    var offset = offset
    while offset < size {
      let bytes = try bytes(64 << 10, at: offset)
      // The source turned out to be shorter than it was.
      guard !bytes.isEmpty else { break }
      guard unsafe bytes.span.bytes.isZero else { return false }
      offset += Int64(bytes.count)
    }
    return true
  }
}
