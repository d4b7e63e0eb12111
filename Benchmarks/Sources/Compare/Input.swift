import MemArchive

/// One archive, and what its files must contain, which is found without making files.
struct Input {
  let path: String
  /// The name, size and checksum of each file, in the archive's order.
  let files: [(name: String, content: Fingerprint)]

  init(path: String) throws {
    self.path = path
    var files: [(name: String, content: Fingerprint)] = []
    var stream = try ArchiveReader(path: path).stream()
    var content: [UInt8] = []
    while let entry = try stream.next() {
      guard entry.hasContent else { continue }
      content.removeAll(keepingCapacity: true)
      let size = try stream.forEachBlock { block, offset in
        content.append(contentsOf: repeatElement(0, count: Int(offset) - content.count))
        unsafe block.withUnsafeBytes { unsafe content.append(contentsOf: $0) }
      }
      content.append(contentsOf: repeatElement(0, count: Int(size) - content.count))
      files.append((entry.name, Fingerprint(of: content)))
    }
    self.files = files
  }

  /// The file's own name; where it lies is nobody's business.
  var name: String { path.split(separator: "/").last.map(String.init) ?? path }

  /// Bytes in all files together.
  var contentSize: Int { files.reduce(0) { $0 + $1.content.size } }
}
