/// The formats to try: the one that the first bytes belong to if it is allowed, or all allowed ones.
struct FormatChoice {
  let formats: ArchiveFormats
  /// Whether the end of the content has to be read before its beginning.
  let needsSeeking: Bool
  /// Whether the first bytes are unknown.
  let isGuess: Bool
  /// The format that the first bytes belong to, if that is not allowed.
  private(set) var disallowed: ArchiveFormats?

  /// - Parameter decodesOnly: Whether what one layer of compression holds is a file, whatever that is.
  init(
    _ chain: FilterChain, allowed: ArchiveFormats, decodesOnly: Bool = false
  ) throws(ArchiveError) {
    if decodesOnly {
      guard chain.isCompressed else { throw .unrecognized() }
      self.init(formats: .loneFile)
      return
    }
    if let format = chain.format {
      if allowed.contains(format) {
        self.init(formats: format)
        return
      }
      // Content that begins like another format may still be the single allowed one, such as a zip after a tar.
      guard !chain.isCompressed, !allowed.intersection([.zip, .sevenZip]).isEmpty,
        format.isDisjoint(with: .risky)
      else { throw .disallowed(format) }
    }
    if chain.isCompressed {
      // An empty tar consists of zeros, and so may a file: only the name tells which it is.
      if Self.beginsWithZeros(chain.head), chain.contentName.hasSuffix(".tar"), allowed.contains(.tar) {
        self.init(formats: .tar)
        return
      }
      // Content that is not a container is a compressed file.
      guard allowed.contains(.loneFile) else { throw .disallowed(.loneFile) }
      self.init(formats: .loneFile)
      return
    }
    self.init(formats: allowed.subtracting(.loneFile), isGuess: true)
    disallowed = chain.format
  }

  private init(formats: ArchiveFormats, isGuess: Bool = false) {
    self.formats = formats
    self.isGuess = isGuess
    // Zip cannot be read correctly from a stream: only the central directory says what is a symlink and what was deleted.
    needsSeeking =
      isGuess || !formats.isDisjoint(with: [.zip, .sevenZip, .iso9660, .cab, .rar, .rar5, .squashfs])
  }

  /// Whether these first bytes are zeros, at least as many as a tar header has.
  static func beginsWithZeros(_ head: [UInt8]) -> Bool {
    head.count >= 512 && head[..<512].allSatisfy { $0 == 0 }
  }

  /// libarchive considers everything that begins with a block of zeros a tar without entries: a disk image would silently
  /// be an empty archive.
  static func refuseDiskImage(_ content: any ByteSource, _ head: [UInt8]) throws(ArchiveError) {
    guard beginsWithZeros(head), let content = content.seekable else { return }
    guard try content.isZero(from: 0) else { throw .unrecognized() }
  }
}

extension ArchiveFormats {
  /// Whether it is one whose entries are read in order, so that compressed content may be begun at any of them.
  var isReadInOrder: Bool { [.tar, .cpio, .ar].contains(self) }

  /// The formats that are allowed only on request.
  fileprivate static var risky: Self { all.subtracting(.standard) }
}
