/// The header of a gzip member (RFC 1952, 2.3).
struct GzipHeader {
  /// FNAME, unchanged.
  private(set) var name: [UInt8]?
  /// FCOMMENT, unchanged.
  private(set) var comment: [UInt8]?
  /// MTIME, seconds since 1970.
  private(set) var time: Int64?
  private var checksum = CRC32()

  private static let fixedSize = 10
  /// Upper bound of the bytes kept of a name or comment.
  private static let longestText = 4095

  /// Reads the header and advances past it.
  init(_ input: inout InputBuffer) throws(ArchiveError) {
    guard try input.has(Self.fixedSize) else { throw Self.cut }
    guard input[0] == 0x1F, input[1] == 0x8B else { throw Self.damaged("incorrect header check") }
    guard input[2] == 8 else { throw Self.damaged("unknown compression method") }
    let flags = input[3]
    guard flags & 0xE0 == 0 else { throw Self.damaged("unknown header flags set") }
    let seconds = input.little(UInt32.self, at: 4)
    time = seconds == 0 ? nil : Int64(seconds)
    drop(Self.fixedSize, of: &input)
    if flags & 4 != 0 {
      guard try input.has(2) else { throw Self.cut }
      let size = Int(input.little(UInt16.self))
      drop(2, of: &input)
      guard try input.has(size) else { throw Self.cut }
      drop(size, of: &input)
    }
    if flags & 8 != 0 { name = try text(&input) }
    if flags & 16 != 0 { comment = try text(&input) }
    if flags & 2 != 0 {
      guard try input.has(2) else { throw Self.cut }
      guard input.little(UInt16.self) == UInt16(truncatingIfNeeded: checksum.value) else {
        throw Self.damaged("header crc mismatch")
      }
      input.drop(2)
    }
  }

  /// Bytes up to a zero; nil if there are none.
  private mutating func text(_ input: inout InputBuffer) throws(ArchiveError) -> [UInt8]? {
    var text: [UInt8] = []
    while true {
      guard try input.has(1) else { throw Self.cut }
      let byte = input[0]
      drop(1, of: &input)
      guard byte != 0 else { return text.isEmpty ? nil : text }
      if text.count < Self.longestText { text.append(byte) }
    }
  }

  private mutating func drop(_ count: Int, of input: inout InputBuffer) {
    input.withBytes(count) { checksum.update($0) }
    input.drop(count)
  }

  private static var cut: ArchiveError {
    .truncated("the gzip stream ends before its trailer", call: "inflate")
  }

  private static func damaged(_ what: String) -> ArchiveError {
    .corrupt("the gzip stream is damaged: \(what)", call: "inflate")
  }
}
