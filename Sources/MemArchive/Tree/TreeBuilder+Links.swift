internal import Glibc
internal import SealedMemory
internal import SystemPackage

extension TreeBuilder {
  /// Removes whatever symbolic link leads out of the tree, now that everything is in it.
  ///
  /// Each archive's links were judged while it was unpacked. This looks at what is really there, because a judgment can be
  /// outlived: an archive inside becomes a directory, through which ".." leads elsewhere, and a link stays where the one that
  /// replaced it could not be made.
  mutating func takeAwayLinksThatLeadOut(
    below top: FileDescriptor, _ level: ArchiveLevel
  ) throws(ArchiveError) {
    let options = level.context.options
    for link in try links(below: top, level.context) where try leadsOut(link, of: top, level.context) {
      let name = EntryName.key(link.raw)
      let target = try looking(name, "readlinkat") { () throws(Errno) in
        try SystemCalls.readLink(link, beneath: top)
      }
      if options.insecureNames == .reject { throw .insecureLink(name, to: EntryName.key(target)) }
      try looking(name, "unlinkat") { () throws(Errno) in try SystemCalls.removeLink(link, beneath: top) }
      skipped.append(ArchiveWarning(entry: name, text: Self.leadsOut(to: EntryName.key(target))))
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

  private func leadsOut(
    _ link: EntryPath, of top: FileDescriptor, _ context: ExtractionContext
  ) throws(ArchiveError) -> Bool {
    try context.cancellation.check()
    do throws(Errno) { _ = try SystemCalls.follow(link.cString, beneath: top) } catch {
      switch error {
      case .improperLink: return true
      case .noSuchFileOrDirectory, .notDirectory, .tooManySymbolicLinkLevels: return false
      // Whether the link's own path is too long, so that nobody can tell, or its target, so that it leads nowhere.
      case .fileNameTooLong: return !link.fits
      default:
        throw .system("openat2", error, doing: "following a link in a tree", entry: EntryName.key(link.raw))
      }
    }
    return false
  }

  private func looking<Result: ~Copyable>(
    _ name: String, _ call: String, _ body: () throws(Errno) -> Result
  ) throws(ArchiveError) -> Result {
    do throws(Errno) { return try body() } catch {
      throw .system(call, error, doing: "looking for links in a tree", entry: name)
    }
  }
}
