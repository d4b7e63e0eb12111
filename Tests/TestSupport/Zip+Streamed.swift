extension Zip {
  /// An entry with what either header says of it, whatever is true.
  package struct Item: Sendable {
    package enum Descriptor: CaseIterable, Sendable { case signed, unsigned, wideSigned, wideUnsigned }

    package var name: String
    package var content: Bytes
    /// The content as it is stored, by this method (APPNOTE 4.4.5).
    package var packed: Bytes
    package var method: UInt16
    /// Behind the content; nil: the sizes are in the local header.
    package var descriptor: Descriptor?
    /// Whether the local header has the sizes although they follow.
    package var statesSizes = false
    /// In the local header alone.
    package var extra: Bytes = []

    // What the directory says.
    package var isListed = true
    package var listedName: String?
    package var listedFlags: UInt16?
    package var listedChecksum: UInt32?
    package var listedPackedSize: Int?
    package var listedSize: Int?
    package var listedOffset: Int?
    package var attributes: UInt32 = 0o100644 << 16
    package var listedExtra: Bytes = []

    /// Stored content.
    package init(_ name: String, _ content: Bytes, _ descriptor: Descriptor? = nil) {
      (self.name, self.content, packed, method) = (name, content, content, 0)
      (self.descriptor, statesSizes) = (descriptor, descriptor != nil)
    }

    /// Deflated content.
    package init(deflated name: String, _ content: Bytes, _ descriptor: Descriptor? = nil) {
      (self.name, self.content, self.descriptor, method) = (name, content, descriptor, 8)
      packed = Bytes(Gzip.deflated(content).dropFirst(10).dropLast(8))
      if descriptor == .wideSigned || descriptor == .wideUnsigned {
        extra = little(UInt16(1)) + little(UInt16(16)) + Bytes(repeating: 0, count: 16)
      }
    }

    fileprivate var flags: UInt16 { descriptor == nil ? 0 : 8 }

    /// The local header with the content and what follows it.
    package var bytes: Bytes {
      let isKnown = descriptor == nil || statesSizes
      let checksum = descriptor == nil ? Gzip.checksum(content) : 0
      var bytes = [0x50, 0x4B, 3, 4] + little(UInt16(20)) + little(flags) + little(method)
      bytes += little(UInt32(0x5821_0000)) + little(checksum)
      bytes += little(isKnown ? UInt32(packed.count) : 0) + little(isKnown ? UInt32(content.count) : 0)
      bytes +=
        little(UInt16(name.utf8.count)) + little(UInt16(extra.count)) + Bytes(name.utf8) + extra + packed
      guard let descriptor else { return bytes }
      if descriptor == .signed || descriptor == .wideSigned { bytes += [0x50, 0x4B, 7, 8] }
      bytes += little(Gzip.checksum(content))
      return bytes
        + (descriptor == .signed || descriptor == .unsigned
          ? little(UInt32(packed.count)) + little(UInt32(content.count))
          : little(UInt64(packed.count)) + little(UInt64(content.count)))
    }

    fileprivate func record(at offset: Int) -> Bytes {
      let name = Bytes((listedName ?? name).utf8)
      var bytes =
        [0x50, 0x4B, 1, 2] + little(UInt16(0x0314)) + little(UInt16(20)) + little(listedFlags ?? flags)
      bytes += little(method) + little(UInt32(0x5821_0000)) + little(listedChecksum ?? Gzip.checksum(content))
      bytes += little(UInt32(listedPackedSize ?? packed.count)) + little(UInt32(listedSize ?? content.count))
      bytes += little(UInt16(name.count)) + little(UInt16(listedExtra.count))
      bytes += Bytes(repeating: 0, count: 6)
      return bytes + little(attributes) + little(UInt32(listedOffset ?? offset)) + name + listedExtra
    }
  }

  package static func archive(of items: [Item]) -> Bytes {
    var (bytes, directory): (Bytes, Bytes) = ([], [])
    for item in items {
      if item.isListed { directory += item.record(at: bytes.count) }
      bytes += item.bytes
    }
    let count = items.count { $0.isListed }
    return bytes + directory + end(count: count, size: directory.count, offset: bytes.count)
  }
}
