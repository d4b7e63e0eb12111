import MemArchive

/// Any bytes are RAR headers or an error, as they are and after either signature (which a fuzzer need not find then); and
/// there are no more files than there is room for headers.
enum RARCheck {
  private static let mark: [UInt8] = [0x52, 0x61, 0x72, 0x21, 0x1A, 0x07]
  /// The shortest header has 7 bytes in RAR 4, and in RAR 5 as many with its checksum and sizes.
  private static let shortest = 7

  static func run(_ input: [UInt8]) {
    for bytes in [input, mark + [0] + input, mark + [1, 0] + input] {
      guard let count = rarFileCount(bytes) else { report("bytes in memory cannot be read") }
      guard count <= bytes.count / shortest else { report("\(count) files in \(bytes.count) bytes") }
    }
  }
}
