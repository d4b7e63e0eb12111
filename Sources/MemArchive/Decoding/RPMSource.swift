/// Passes over the lead, the signature and the header of an rpm (RPM File Format, V3 and V4 packages); what follows is its
/// payload, a cpio in a compression.
///
/// libarchive (to 3.8.9) takes an rpm that ends in its header for an empty file.
final class RPMSource: ByteSource {
  private var input: InputBuffer
  private var isOpen = false

  private static let leadSize = 96
  private static let headerMagic: [UInt8] = [0x8E, 0xAD, 0xE8, 0x01]
  /// rpm's own bounds on what a header declares: entries, and bytes of data.
  private static let (mostEntries, mostData) = (0xFFFF, 256 << 20)

  init(_ upstream: any ByteSource) { input = InputBuffer(upstream) }

  var progress: SourceProgress { input.progress }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    if !isOpen {
      try passHeaders()
      isOpen = true
    }
    guard try input.has(1) else { return 0 }
    let count = min(buffer.byteCount, input.count)
    input.withBytes(count) { buffer.copy($0) }
    input.drop(count)
    return count
  }

  private func passHeaders() throws(ArchiveError) {
    guard try input.has(Self.leadSize) else { throw cut() }
    input.drop(Self.leadSize)
    let signature = try passHeader("signature")
    // Only the signature is filled up, to a multiple of eight bytes.
    try pass(-signature & 7)
    _ = try passHeader("header")
    guard try input.has(1) else { throw .truncated("the rpm ends after its header") }
  }

  /// Passes over a header structure: magic, number of entries of 16 bytes, and size of the data after them. Returns its size.
  private func passHeader(_ what: String) throws(ArchiveError) -> Int {
    guard try input.has(16) else { throw cut() }
    guard (0..<4).allSatisfy({ input[$0] == Self.headerMagic[$0] }) else {
      throw .corrupt("the rpm's \(what) does not begin as one")
    }
    let entries = Int(input.little(UInt32.self, at: 8).byteSwapped)
    let data = Int(input.little(UInt32.self, at: 12).byteSwapped)
    guard entries <= Self.mostEntries, data <= Self.mostData else {
      throw .corrupt("the rpm's \(what) declares \(entries) entries and \(data) bytes of data")
    }
    input.drop(16)
    try pass(entries * 16 + data)
    return 16 + entries * 16 + data
  }

  private func pass(_ count: Int) throws(ArchiveError) {
    var rest = count
    while rest > 0 {
      guard try input.has(1) else { throw cut() }
      let step = min(rest, input.count)
      input.drop(step)
      rest -= step
    }
  }

  private func cut() -> ArchiveError { .truncated("the rpm ends before its payload") }
}
