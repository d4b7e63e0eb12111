/// Which formats content is offered to: the one that its first bytes belong to, if it is allowed, or all that are.
struct FormatChoice {
  let formats: ArchiveFormats
  /// Whether the end of the content has to be read before its beginning.
  let needsSeeking: Bool
  /// Whether the first bytes are nothing known.
  let isGuess: Bool
  /// The format that the first bytes belong to, if it is not allowed.
  private(set) var disallowed: ArchiveFormats?

  init(_ chain: FilterChain, allowed: ArchiveFormats) throws(ArchiveError) {
    if let format = chain.format {
      if allowed.contains(format) {
        self.init(formats: format)
        return
      }
      // Content that begins like another format may still be one that was pinned, such as a zip after a tar.
      guard !chain.isCompressed, !allowed.intersection([.zip, .sevenZip]).isEmpty,
        format.isDisjoint(with: .risky)
      else { throw .disallowed(format) }
    }
    if chain.isCompressed {
      // An empty tar is zeros; so may be a file, which only its name can tell apart.
      if Self.beginsWithZeros(chain.head), chain.contentName.hasSuffix(".tar"), allowed.contains(.tar) {
        self.init(formats: .tar)
        return
      }
      // What is no container is a file that somebody compressed.
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
    // zip from a stream cannot be right: only the central directory says what is a symlink and what was deleted.
    needsSeeking = isGuess || !formats.isDisjoint(with: [.zip, .sevenZip, .iso9660, .cab, .rar, .rar5])
  }

  /// Whether these first bytes are zeros, and enough of them for a tar header.
  static func beginsWithZeros(_ head: [UInt8]) -> Bool {
    head.count >= 512 && head[..<512].allSatisfy { $0 == 0 }
  }

  /// libarchive takes everything that begins with a block of zeros for a tar without entries; a disk image that is no
  /// archive at all would silently be an empty one.
  static func refuseDiskImage(_ content: any ByteSource, _ head: [UInt8]) throws(ArchiveError) {
    guard beginsWithZeros(head), let content = content.seekable else { return }
    guard try content.isZero(from: 0) else { throw .unrecognized() }
  }
}

extension ArchiveFormats {
  /// The formats that are allowed on request only.
  fileprivate static var risky: Self { all.subtracting(.standard) }
}
