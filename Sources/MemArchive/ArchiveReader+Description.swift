internal import SystemPackage

// What a log may hold: where the archive is, and never its bytes, whichever way a reader is written out.
extension ArchiveReader: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// Where the archive is, such as "ArchiveReader(song.zip)"; of one in memory, its size.
  public var description: String { "ArchiveReader(\(place))" }

  /// The same as ``description``.
  public var debugDescription: String { description }

  /// What ``description`` shows.
  public var customMirror: Mirror { Mirror(self, children: ["archive": place], displayStyle: .struct) }

  private var place: String {
    let place =
      switch origin {
      case .path(let path): "\(path)"
      case .parts(let paths): paths.map { "\($0)" }.joined(separator: ", ")
      case .descriptor(let descriptor): "descriptor \(descriptor.rawValue)"
      case .bytes(let bytes): "\(bytes.count) bytes in memory"
      case .file(let file): "\(file.name), \(file.size) bytes in memory"
      case .passed(let files, _): "\(files.count) descriptors of a worker"
      }
    return PlainText.escaped(place)
  }
}
