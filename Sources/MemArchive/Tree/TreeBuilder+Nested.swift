internal import CLinux
internal import Libc
internal import SealedMemory
internal import SystemPackage

extension TreeBuilder {
  /// Replaces each archive among an archive's files by a directory with its entries.
  mutating func expand(_ writer: TreeWriter, _ level: ArchiveLevel) throws(ArchiveError) {
    let made = writer.index.allNodes.compactMap { writer.index[$0] }.sorted()
    for position in made where writer.filled.contains(position) {
      let (entry, path) = (level.full(writer.entries[position]), writer.path(of: position))
      guard scope.mayHold(entry) else { continue }
      try level.context.cancellation.check()
      do throws(ArchiveError) {
        if try expand(entry, at: path, writer, level) {
          // It is a directory now, with its own mode and time.
          writer.index.node(of: path.bytes.span).map { writer.index[$0] = nil }
        } else if !scope.wants(entry), !writer.needed.contains(position) {
          try remove(entry, at: path, writer)
        }
      } catch {
        if let error = try level.outlives(error, of: entry) { errors.append(error) }
      }
    }
  }

  /// False if the file is not an archive.
  private mutating func expand(
    _ entry: ArchiveEntry, at path: EntryPath, _ writer: TreeWriter, _ level: ArchiveLevel
  ) throws(ArchiveError) -> Bool {
    let top = writer.area.top.descriptor
    let file = try reading(entry, "openat2") { () throws(Errno) in
      try SystemCalls.open(beneath: top, path.cString, O_RDONLY | O_NOFOLLOW)
    }
    let descriptor = file.descriptor
    let size = try reading(entry, "fstat") { () throws(Errno) in
      try Stat(descriptor).size
    }
    guard try ArchiveReader.mayBeArchive(FileSource(descriptor, size: size, isOwned: false)) else {
      return false
    }
    let inner = level.inner(ArchiveReader(descriptor: descriptor), of: entry)
    try inner.check()
    let stage = space.stage.descriptor
    let name = space.nextStageName()
    try space.account.addInode(entry: entry.name)
    let directory = try reading(entry, "mkdirat") { () throws(Errno) in
      try space.makeDirectory(name, in: stage)
    }
    do throws(ArchiveError) {
      try build(inner, below: directory)
    } catch {
      // If the rest of the tree is still wanted, nothing of this archive may be left in it; otherwise the whole tree goes.
      let error = try level.outlives(error, of: entry)
      try reading(entry, "unlinkat") { () throws(Errno) in try space.removeFromStage(name) }
      if let error { throw error }
      return false
    }
    try remove(entry, at: path, writer)
    try reading(entry, "renameat") { () throws(Errno) in
      let parent = try SystemCalls.openDirectory(path.parent, beneath: top)
      try SystemCalls.rename(name, in: stage, to: path.last, in: parent.descriptor)
      let directory = try SystemCalls.open(beneath: top, path.cString, O_RDONLY | O_DIRECTORY)
      try SystemCalls.setTimes(of: directory.descriptor, to: entry)
    }
    return true
  }

  /// Removes a file, and its memory unless a hard link needs it.
  private func remove(_ entry: ArchiveEntry, at path: EntryPath, _ writer: TreeWriter) throws(ArchiveError) {
    let top = writer.area.top.descriptor
    try reading(entry, "unlinkat") { () throws(Errno) in
      let parent = try SystemCalls.openDirectory(path.parent, beneath: top)
      try space.removeFile(path.last, in: parent.descriptor)
    }
  }

  private func reading<Result: ~Copyable>(
    _ entry: ArchiveEntry, _ call: String, _ body: () throws(Errno) -> Result
  ) throws(ArchiveError) -> Result {
    do throws(Errno) { return try body() } catch {
      throw .system(call, error, doing: "looking into a file of a tree", entry: entry.name)
    }
  }
}
