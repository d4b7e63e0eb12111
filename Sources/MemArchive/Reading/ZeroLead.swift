/// Content that begins with a block of zeros. A tar without entries does, and libarchive takes everything that does for
/// one: a disk image and a compressed file of zeros would silently be empty archives.
enum ZeroLead {
  static func formats(of content: any ByteSource, _ layers: Layers) throws(ArchiveError)
    -> ArchiveHandle.Formats
  {
    guard begins(layers.head) else { return layers.isCompressed ? .containersOrLoneFile : .containers }
    if layers.isCompressed { return layers.contentName.hasSuffix(".tar") ? .containers : .loneFile }
    if let content = content as? any SeekableSource {
      defer { content.position = 0 }
      var block = [UInt8](repeating: 0, count: 64 << 10)
      while true {
        let count = try content.read(into: &block)
        if block[..<count].contains(where: { $0 != 0 }) { throw .unrecognized() }
        if count == 0 { break }
      }
    }
    return .containers
  }

  /// Whether these first bytes are zeros, and enough of them for a tar header.
  static func begins(_ head: [UInt8]) -> Bool {
    head.count >= 512 && head[..<512].allSatisfy { $0 == 0 }
  }
}
