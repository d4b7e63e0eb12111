internal import Libc
internal import SealedMemory
internal import SystemPackage

/// What a layer of an image may have that no other archive may: entries below its own symbolic links, and directories in
/// the place of them.
///
/// Tools that apply a layer to a root directory entry by entry follow a link that an earlier entry has made, as a process does
/// whose root the directory is: umoci, containerd, docker and podman put "bin/tool" after "bin -> usr/bin" into "usr/bin".
extension TreeWriter {
  /// A layer's entry with the name that it has where the layer's own symbolic links lead.
  ///
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/nameConflict`` for links in a circle
  ///   or ``ArchiveError/Code/nameTooLong``.
  func followingOwnLinks(_ entry: ArchiveEntry) throws(ArchiveError) -> ArchiveEntry {
    try cancellation.check()
    // Entries of one directory usually follow each other, and that is no link.
    guard let path = EntryPath(entry.name), !path.isTop, !directory.path.isParent(of: path),
      index[index.place(of: path.parent.bytes.span).node].map({ entries[$0].kind == .symlink }) ?? false
    else { return entry }
    do throws(Errno) {
      let parent = try path.parent.followed(ownLink) { path throws(Errno) in try self.pathBelow(path).parent }
      return entry.named(EntryName.key(parent.appending(path.lastComponent).raw))
    } catch .fileNameTooLong {
      throw .nameTooLong(entry.name)
    } catch {
      throw .conflict(entry.name, "the symbolic links to its directory are too long together, or a circle")
    }
  }

  /// The target of the layer's symbolic link at a path.
  private func ownLink(_ path: EntryPath) -> [UInt8]? {
    guard let position = entry(at: path), entries[position].kind == .symlink else { return nil }
    return entries[position].link.map { EntryName.raw($0) }
  }

  /// Where a path without links of the layer's leads through those below: ".." goes up from there.
  private func pathBelow(_ path: EntryPath) throws(Errno) -> EntryPath {
    guard let below else { return path }
    do throws(Errno) {
      _ = try SystemCalls.openDirectory(path, beneath: below)
    } catch .tooManySymbolicLinkLevels {
      return try path.followed { path in
        self.entry(at: path) == nil ? try? SystemCalls.readLink(path, beneath: below) : nil
      }
    } catch {}
    return path
  }

  /// Makes a directory where an earlier entry of the layer made a symbolic link.
  func replaceLink(at path: EntryPath, for entry: ArchiveEntry) throws(ArchiveError) {
    // A link that is on the stage still will replace what has its name: that conflicts with the directory.
    guard let node = index.node(of: path.bytes.span), let position = index[node],
      entries[position].kind == .symlink, !filled.contains(position)
    else { return }
    do throws(Errno) {
      let parent = try SystemCalls.openDirectory(path.parent, beneath: area.top.descriptor)
      try SystemCalls.remove(path.last, in: parent.descriptor)
      _ = try area.space.makeDirectory(path.last, in: parent.descriptor)
    } catch {
      throw .system("mkdirat", error, doing: "replacing a symbolic link in a tree", entry: entry.name)
    }
    index[node] = nil
  }
}

extension EntryPath {
  private static let mostSteps = 1000

  /// Where it leads through symbolic links, in a process that has the top as its root: nothing is above that, and what is not there
  /// has no links.
  ///
  /// - Parameters:
  ///   - link: The target of the symbolic link at a path, in the directory of which no links are.
  ///   - leave: What ".." means at a path.
  /// - Throws: ENAMETOOLONG, or ELOOP where it leads through more links than the kernel follows, or through 1,000 names.
  func followed(
    _ link: (EntryPath) -> [UInt8]?, leaving leave: (EntryPath) throws(Errno) -> EntryPath = { $0.parent }
  ) throws(Errno) -> EntryPath {
    var (place, links, steps) = (EntryPath.top, 0, 0)
    var rest = Array(components.reversed())
    while let component = rest.popLast() {
      // Each entry can go all the way again.
      steps += 1
      guard steps <= Self.mostSteps else { throw .tooManySymbolicLinkLevels }
      if component == Array("..".utf8) {
        place = try leave(place)
        continue
      }
      let next = place.appending(component)
      guard next.fits else { throw .fileNameTooLong }
      guard let target = link(next) else {
        place = next
        continue
      }
      links += 1
      guard links <= SymlinkWalker.mostLinks else { throw .tooManySymbolicLinkLevels }
      if target.first == UInt8(ascii: "/") { place = .top }
      rest += EntryPath(raw: target).components.reversed()
    }
    return place
  }
}

extension ArchiveEntry {
  /// The entry under another name.
  fileprivate func named(_ name: String) -> Self {
    var fields = fields.value
    fields.name = name
    return Self(fields)
  }
}
