internal import Libc
internal import SealedMemory
internal import SystemPackage

extension TreeBuilder {
  /// Removes whatever symbolic link leads out of the tree, now that everything is in it.
  ///
  /// Each archive's links were judged while it was unpacked. This looks at what is really there, because a judgment can be
  /// outlived: an archive inside becomes a directory, through which ".." leads elsewhere, and a link stays where the one that
  /// replaced it could not be made.
  mutating func takeAwayLinksThatLeadOut(
    below top: FileDescriptor, _ context: ExtractionContext
  ) throws(ArchiveError) {
    let options = context.options
    guard !options.keepsOutwardLinks else { return }
    for link in try links(below: top, context) {
      try context.cancellation.check()
      let name = EntryName.key(link.raw)
      guard try link.linkEnd(beneath: top, entry: name, at: place) == .outside else { continue }
      let target = try looking(name, "readlinkat") { () throws(Errno) in
        try SystemCalls.readLink(link, beneath: top)
      }
      if options.insecureNames == .reject { throw .insecureLink(name, to: EntryName.key(target)) }
      try looking(name, "unlinkat") { () throws(Errno) in try SystemCalls.removeLink(link, beneath: top) }
      skipped.append(ArchiveWarning(.leftOut, entry: name, Self.leadsOut(to: EntryName.key(target))))
    }
  }

  static func leadsOut(to target: String) -> String { "it leads out of the tree, to \"\(target)\"" }

  /// All symbolic links, one directory open at a time.
  private func links(
    below top: FileDescriptor, _ context: ExtractionContext
  ) throws(ArchiveError) -> [EntryPath] {
    var (links, directories): ([EntryPath], [EntryPath]) = ([], [.top])
    while let path = directories.popLast() {
      try context.cancellation.check()
      let entries = try looking(EntryName.key(path.raw), "openat2") { () throws(Errno) in
        let directory = try SystemCalls.open(beneath: top, path.cString, O_RDONLY | O_DIRECTORY)
        return try SystemCalls.entries(of: directory.descriptor)
      }
      for (name, type) in entries {
        let entry = EntryPath(
          raw: (path.isTop ? [] : path.raw + [UInt8(ascii: "/")])
            + name.dropLast().map { UInt8(bitPattern: $0) })
        if type == DT_LNK { links.append(entry) }
        if type == DT_DIR { directories.append(entry) }
      }
    }
    return links
  }

  private func looking<Result: ~Copyable>(
    _ name: String, _ call: String, _ body: () throws(Errno) -> Result
  ) throws(ArchiveError) -> Result {
    do throws(Errno) { return try body() } catch {
      throw .system(call, error, doing: "looking for links in a tree", entry: name)
    }
  }
}

/// Where a symbolic link in a tree leads, through whatever other links.
enum LinkEnd {
  case inside, outside, nowhere, circle
}

extension EntryPath {
  /// Where the link at this path leads; the kernel decides (openat2(2), RESOLVE_BENEATH).
  ///
  /// - Parameter place: Where `top` will be mounted: links to there and below lead inside.
  func linkEnd(
    beneath top: FileDescriptor, entry: String, at place: FilePath?
  ) throws(ArchiveError) -> LinkEnd {
    do throws(Errno) {
      do throws(Errno) { _ = try SystemCalls.follow(cString, beneath: top) } catch {
        guard error == .improperLink, let place else { throw error }
        _ = try SystemCalls.follow(cString, beneath: top, at: place)
      }
      return .inside
    } catch {
      switch error {
      case .improperLink: return .outside
      case .noSuchFileOrDirectory, .notDirectory: return .nowhere
      // A target that is too long leads nowhere; a link that is too far down may lead anywhere.
      case .fileNameTooLong: return fits ? .nowhere : .outside
      case .tooManySymbolicLinkLevels: return .circle
      default: throw .system("openat2", error, doing: "following a link in a tree", entry: entry)
      }
    }
  }
}
