/// A zip or 7z from a pipe or out of a compression, kept whole in memory first: only the end of a zip says what is a
/// symlink, what was deleted and where the entries are.
enum Spool {
  /// Whether content that begins so has to be read by seeking: 7z, zip, and what may be a zip behind a prefix.
  ///
  /// - Parameter isCompressed: what is unknown inside a compression is a lone file, whatever its end looks like.
  static func isNeeded(by head: [UInt8], isCompressed: Bool) -> Bool {
    if head.starts(with: [0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C]) || head.starts(with: [0x50, 0x4B]) {
      return true
    }
    let isStreamable =
      isTar(head) || head.starts(with: "!<arch>".utf8) || head.starts(with: "0707".utf8)
      || head.starts(with: [0xC7, 0x71]) || head.starts(with: [0x71, 0xC7])
    return !isCompressed && !head.isEmpty && !isStreamable
  }

  /// Whether the first block is a tar header of any dialect: the sum of its bytes is in it, the eight
  /// bytes of the sum counting as spaces (POSIX.1, pax, "ustar Interchange Format").
  private static func isTar(_ head: [UInt8]) -> Bool {
    guard head.count >= 512 else { return false }
    let sum = head[..<512].reduce(0) { $0 + Int($1) }
    let field = head[148..<156]
    let stored = field.drop { $0 == 0x20 }.prefix { (0x30...0x37).contains($0) }.reduce(0) {
      $0 << 3 | Int($1 - 0x30)
    }
    return sum > 0 && stored == sum - field.reduce(0) { $0 + Int($1) } + 8 * 0x20
  }

  /// Reads all of `source` into a sealed file in memory, within the limits.
  static func seekable(_ source: any ByteSource, ledger: Ledger) throws(ArchiveError) -> MemorySource {
    let name = "the archive itself"
    var region = try Region.create(
      name: name, declaredSize: nil, fill: .automatic, executable: false, ledger: ledger)
    var size: Int64 = 0
    var buffer = [UInt8](repeating: 0, count: 256 << 10)
    while true {
      let count = try source.read(into: &buffer)
      guard count > 0 else { break }
      try unsafe region.write(buffer.span.bytes.extracting(0..<count), at: size)
      size += Int64(count)
    }
    return MemorySource(MemFile(try region.seal(size: size), name: name, entry: nil))
  }
}
