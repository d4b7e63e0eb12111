internal import CLinux
internal import Glibc
internal import SystemPackage

extension TreeBuilder {
  /// Puts a directory with its entries in the place of each archive among an archive's files.
  mutating func expand(
    _ writer: TreeWriter, in context: ExtractionContext, inside outer: String?, level: Int
  ) throws(ArchiveError) {
    var files: [(node: TreeNode, path: TreePath)] = []
    writer.root.forEachBelow { node, path in
      if node.kind == .file, writer.filled.contains(node.position) { files.append((node, path)) }
    }
    for (node, path) in files.sorted(by: { $0.node.position < $1.node.position }) {
      guard let entry = node.entry?.inside(outer) else { continue }
      try context.cancellation.check()
      do throws(ArchiveError) {
        if try expand(entry, at: path, writer, in: context, level: level) {
          // It is a directory now, whose mode and time are set.
          let directory = TreeNode(.directory, component: node.component)
          writer.root.node(path.parent)?.add(directory)
        } else if !selection.includes(entry) {
          try remove(entry, at: path, writer)
        }
      } catch {
        guard context.goesOnAfterInner(error) else { throw error.naming(entry.name) }
        errors.append(error.naming(entry.name))
      }
    }
  }

  /// False where the file is no archive.
  private mutating func expand(
    _ entry: ArchiveEntry, at path: TreePath, _ writer: TreeWriter, in context: ExtractionContext, level: Int
  ) throws(ArchiveError) -> Bool {
    let top = writer.area.top.descriptor
    let file = try reading(entry, "openat2") { () throws(Errno) in
      try SystemCalls.open(beneath: top, path.cString, O_RDONLY | O_NOFOLLOW)
    }
    let descriptor = file.descriptor
    let size = try reading(entry, "fstat") { () throws(Errno) in
      try SystemCalls.status(of: descriptor).size
    }
    guard try ArchiveReader.mayBeArchive(FileSource(descriptor, size: size, isOwned: false)) else {
      return false
    }
    guard level + 1 < context.options.limits.depth else { throw .tooManyLayers(context.options.limits.depth) }
    let stage = space.stage.descriptor
    let name = space.nextStageName()
    try space.account.addInode(entry: entry.name)
    let directory = try reading(entry, "mkdirat") { () throws(Errno) in
      try SystemCalls.makeDirectory(name, in: stage, mode: 0o755)
      return try SystemCalls.open(beneath: stage, name, CInt(CLINUX_O_PATH) | O_DIRECTORY)
    }
    do throws(ArchiveError) {
      try build(
        ArchiveReader(descriptor: descriptor), in: context.inside, below: directory, inside: entry.name,
        level: level + 1)
    } catch {
      // The rest of the tree may still be wanted, and nothing of this in it; otherwise all of it goes.
      if error.saysNoArchive || context.goesOnAfterInner(error) {
        try reading(entry, "unlinkat") { () throws(Errno) in try space.removeFromStage(name) }
      }
      if error.saysNoArchive { return false }
      throw error
    }
    try remove(entry, at: path, writer)
    try reading(entry, "renameat") { () throws(Errno) in
      let parent = try SystemCalls.openDirectory(path.parent, beneath: top)
      try SystemCalls.rename(name, in: stage, to: path.last, in: parent.descriptor)
      guard let modified = entry.modified else { return }
      let directory = try SystemCalls.open(beneath: top, path.cString, O_RDONLY | O_DIRECTORY)
      try SystemCalls.setTimes(
        of: directory.descriptor, accessed: entry.accessed ?? modified, modified: modified)
    }
    return true
  }

  /// Takes a file away, and its memory where no hard link needs it.
  private func remove(_ entry: ArchiveEntry, at path: TreePath, _ writer: TreeWriter) throws(ArchiveError) {
    let top = writer.area.top.descriptor
    let status = try reading(entry, "unlinkat") { () throws(Errno) in
      let parent = try SystemCalls.openDirectory(path.parent, beneath: top)
      let status = try SystemCalls.status(of: path.last, in: parent.descriptor)
      try SystemCalls.remove(path.last, in: parent.descriptor)
      return status
    }
    if status.linkCount == 1 { space.account.giveBack(size: status.size) }
  }

  private func reading<Result: ~Copyable>(
    _ entry: ArchiveEntry, _ call: String, _ body: () throws(Errno) -> Result
  ) throws(ArchiveError) -> Result {
    do throws(Errno) { return try body() } catch {
      throw .system(call, error, doing: "looking into a file of a tree", entry: entry.name)
    }
  }
}
