internal import SealedMemory
internal import SystemPackage

/// An entry to be written.
package struct ArchiveItem {
  enum Content {
    case none
    case file(MemFile)
    /// A regular file of a tree.
    case beneath(FileDescriptor, EntryPath)
  }

  /// What makes two names one file.
  enum Identity: Hashable {
    case object(ObjectIdentifier)
    case inode(UInt64, on: UInt64)
  }

  /// Its metadata; the name is `path`.
  let entry: ArchiveEntry
  let path: EntryPath
  /// The content's size in bytes.
  let size: Int64
  let content: Content
  /// nil for what has one name only.
  let identity: Identity?

  init(
    _ entry: ArchiveEntry, at path: EntryPath, size: Int64 = 0, _ content: Content = .none,
    _ identity: Identity? = nil
  ) {
    (self.entry, self.path, self.size, self.content, self.identity) = (entry, path, size, content, identity)
  }

  /// How errors name it.
  var name: String { EntryName.key(path.bytes) }
  /// The path of a symbolic link's target, as it is.
  var target: [UInt8] { EntryName.raw(entry.link ?? "") }

  /// Calls `body` with the content, block by block.
  func forEachBlock(
    _ cancellation: Cancellation, _ body: (RawSpan) throws(ArchiveError) -> Void
  ) throws(ArchiveError) {
    switch content {
    case .none: return
    case .file(let file) where file.isPacked:
      try file.withBytes { (bytes: RawSpan) throws(ArchiveError) in
        for start in stride(from: 0, to: bytes.byteCount, by: Self.blockSize) {
          try cancellation.check()
          try body(bytes.extracting(start..<min(start + Self.blockSize, bytes.byteCount)))
        }
      }
    case .file(let file):
      // Read rather than mapped, because reading a hole through a mapping takes memory.
      try withExtendedLifetime(file) { () throws(ArchiveError) in
        try read(try file.contentDescriptor, cancellation, body)
      }
    case .beneath(let top, let path):
      let opened: OwnedDescriptor
      do throws(Errno) { opened = try SystemCalls.openFile(path, beneath: top) } catch {
        throw .system("openat2", error, doing: "opening a file of the tree", entry: name)
      }
      try read(opened.descriptor, cancellation, body)
    }
  }

  private static let blockSize = 256 << 10

  private func read(
    _ descriptor: FileDescriptor, _ cancellation: Cancellation, _ body: (RawSpan) throws(ArchiveError) -> Void
  ) throws(ArchiveError) {
    var buffer = [UInt8](repeating: 0, count: Int(min(Int64(Self.blockSize), max(size, 1))))
    var offset: Int64 = 0
    while offset < size {
      try cancellation.check()
      let count: Int
      do throws(Errno) {
        var span = buffer.mutableSpan
        var bytes = unsafe span.mutableBytes
        var wanted = bytes._mutatingExtracting(..<Int(min(Int64(bytes.byteCount), size - offset)))
        count = try SystemCalls.read(descriptor, at: offset, into: &wanted)
      } catch {
        throw .system("pread", error, doing: "reading what is to be archived", entry: name)
      }
      guard count > 0 else { throw .changedMeanwhile(name) }
      unsafe try body(buffer.span.bytes.extracting(0..<count))
      offset += Int64(count)
    }
  }
}

extension ArchiveError {
  /// A file of a tree that somebody writes to.
  fileprivate static func changedMeanwhile(_ name: String) -> Self {
    Self(
      .corrupt, entry: name, "the file has become shorter while it was archived",
      advice: "Archive the tree when nothing writes to it.")
  }

  /// An entry that a format has no place for.
  static func unarchivable(_ name: String, _ reason: String) -> Self {
    Self(
      .unsupportedFeature, entry: name, reason,
      advice: "Leave it out with a selection, or choose another format.")
  }
}

extension MemFiles: Archivable {
  package func items(_ cancellation: Cancellation) throws(ArchiveError) -> [ArchiveItem] {
    var items: [ArchiveItem] = []
    var check = PeriodicCheck(cancellation)
    try forEachName { (name: String, entry: ArchiveEntry?, file: MemFile?) throws(ArchiveError) in
      try check.step()
      let path = EntryPath(raw: EntryName.raw(name))
      switch (entry?.kind ?? .file, file) {
      case (.file, let file?), (.hardlink, let file?):
        let entry = entry ?? ArchiveEntry(fileNamed: name, size: file.size, mode: file.mode)
        items.append(
          ArchiveItem(entry, at: path, size: Int64(file.size), .file(file), .object(file.identity)))
      case (.file, nil), (.hardlink, nil): break
      default: if let entry { items.append(ArchiveItem(entry, at: path)) }
      }
    }
    return items
  }
}

extension MemFile {
  /// What it has in common with copies of it under other names.
  fileprivate var identity: ObjectIdentifier {
    switch memory {
    case .other(let file): file.identity
    case .own: ObjectIdentifier(self)
    case .packed: ObjectIdentifier(self)
    }
  }
}
