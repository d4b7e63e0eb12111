import SystemPackage

/// What is compared of a file's content: its size, and a checksum that is cheap and heeds the order of the bytes.
struct Fingerprint: Hashable {
  let size: Int
  private let checksum: UInt64

  init(of content: [UInt8]) {
    var checksum: UInt64 = 0xCBF2_9CE4_8422_2325
    let bytes = unsafe content.span.bytes
    let words = bytes.byteCount / 8
    for word in 0..<words {
      let value = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: word * 8, as: UInt64.self)
      checksum = (checksum ^ value) &* 0x9E37_79B9_7F4A_7C15
      // A product moves bits only upwards; without this the upper bytes of a word would hardly count.
      checksum ^= checksum >> 29
    }
    for byte in content[(words * 8)...] { checksum = (checksum ^ UInt64(byte)) &* 0x100_0000_01B3 }
    size = content.count
    self.checksum = checksum
  }

  /// Reads a file from its first byte to its last by position, pread(2).
  init(of file: some FilledFile) throws {
    var content = [UInt8](repeating: 0, count: file.size + 1)
    var count = 0
    while true {
      let read = try unsafe content.withUnsafeMutableBytes { buffer in
        try unsafe file.fileDescriptor.read(
          fromAbsoluteOffset: Int64(count), into: UnsafeMutableRawBufferPointer(rebasing: buffer[count...]))
      }
      count += read
      // One byte more than the file says it has: a file that goes on behind its end is found out.
      guard read > 0, count < content.count else { break }
    }
    self.init(of: Array(content[..<count]))
  }
}
