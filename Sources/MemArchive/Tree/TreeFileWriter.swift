internal import CLinux
internal import Glibc
internal import SealedMemory
internal import Synchronization
internal import SystemPackage

/// The directory of one archive's entries, and the locations of those whose content is being extracted.
final class TreeArea: Sendable {
  /// Where content is put: at its path, or on the stage until an entry with the same name gives way to it.
  struct Target: Sendable {
    /// The directory below the area's top; nil for the stage.
    let directory: RawPath?
    let name: RawPath
    var isStaged: Bool { directory == nil }
  }

  let space: TreeFileSystem
  let top: OwnedDescriptor
  private let targets = Mutex<[Int: Target]>([:])

  init(_ space: TreeFileSystem, top: consuming OwnedDescriptor) {
    self.space = space
    self.top = top
  }

  func expect(_ target: Target, at position: Int) { targets.withLock { $0[position] = target } }
  func takeTarget(at position: Int) -> Target? { targets.withLock { $0.removeValue(forKey: position) } }
}

/// Writes the content of entries into a tree, on one thread.
///
/// The kernel resolves a directory's path beneath the area's top (openat2(2)); every directory in it was made by the
/// area's ``TreeWriter``.
final class TreeFileWriter: EntryDestination {
  private final class Directory {
    let path: RawPath
    let owned: OwnedDescriptor

    init(_ path: RawPath, _ owned: consuming OwnedDescriptor) {
      self.path = path
      self.owned = owned
    }
  }

  private let area: TreeArea
  /// The directory of the last file: entries of one directory usually follow each other.
  private var directory: Directory?

  init(_ area: TreeArea) { self.area = area }

  func take(
    _ entry: ArchiveEntry, position: Int, reserved: Reservation?,
    _ content: (Blocks) throws(ArchiveError) -> Int64
  ) throws(ArchiveError) -> MemFile? {
    let ledger = area.space.ledger
    var charge = Charge(ledger, entry: entry.name, reserved ?? Reservation())
    if let declared = entry.size, reserved == nil { try ledger.check(declared: declared, entry: entry.name) }
    guard let target = area.takeTarget(at: position) else {
      throw .corrupt("the archive changed while it was read", entry: entry.name)
    }
    let directory: FileDescriptor
    let file: OwnedDescriptor
    do throws(Errno) {
      directory = try self.directory(of: target)
      file = try SystemCalls.makeFile(
        target.name, in: directory, mode: area.space.hasUmask ? 0o600 : area.space.looks.mode(of: entry))
    } catch {
      throw .system("openat", error, doing: "making a file in a tree", entry: entry.name)
    }
    do throws(ArchiveError) {
      let size = try fill(file.descriptor, entry, &charge, content)
      try area.space.account.take(&charge, size: size, entry: entry.name)
      return nil
    } catch {
      // Removes an incomplete file; if even this fails, the tree is not returned.
      try? SystemCalls.remove(target.name, in: directory)
      throw error
    }
  }

  private func directory(of target: TreeArea.Target) throws(Errno) -> FileDescriptor {
    guard let path = target.directory else { return area.space.stage.descriptor }
    if let directory, directory.path == path { return directory.owned.descriptor }
    let opened = Directory(
      path,
      try SystemCalls.open(beneath: area.top.descriptor, path, CInt(CLINUX_O_PATH) | O_DIRECTORY))
    directory = opened
    return opened.owned.descriptor
  }

  // The file is closed before the next one is made.
  func prepareForMany() {}
  func reserveDescriptor(_: inout Charge) {}

  func finish() {}

  private func fill(
    _ file: FileDescriptor, _ entry: ArchiveEntry, _ charge: inout Charge,
    _ content: (Blocks) throws(ArchiveError) -> Int64
  ) throws(ArchiveError) -> Int64 {
    var length: Int64 = 0
    // tmpfs gives huge pages only to what lies within the file's size (huge=within_size).
    if let declared = entry.size, declared >= Int64(FolioMapping.step) {
      try truncate(file, to: declared, entry)
      length = declared
    }
    var end: Int64 = 0
    var beginsLikeProgram = false
    let size = try content { block, offset throws(ArchiveError) in
      if offset == 0 { beginsLikeProgram = TreeLooks.beginsLikeProgram(block) }
      let (blockEnd, overflow) = offset.addingReportingOverflow(Int64(block.byteCount))
      guard offset >= 0, !overflow else {
        throw .corrupt("a block lies at the impossible offset \(offset)", entry: entry.name)
      }
      try charge.grow(to: max(end, blockEnd))
      do throws(Errno) {
        // Zeros must overwrite earlier content.
        let written =
          offset < end
          ? try SystemCalls.writeAll(block, to: file, at: offset)
          : try SystemCalls.writePages(block, to: file, at: offset)
        length = max(length, written)
      } catch {
        throw .system("pwrite", error, doing: "filling a file in a tree", entry: entry.name)
      }
      end = max(end, blockEnd)
    }
    try charge.grow(to: size)
    // The file may end in a hole.
    if size != length { try truncate(file, to: size, entry) }
    do throws(Errno) {
      try area.space.looks.setOwner(of: file, entry)
      let mode = area.space.looks.mode(of: entry, beginsLikeProgram: beginsLikeProgram)
      if area.space.hasUmask || mode != area.space.looks.mode(of: entry) {
        try SystemCalls.changeMode(file, to: mode)
      }
      try SystemCalls.setTimes(of: file, to: entry)
    } catch {
      throw .system("fchmod", error, doing: "finishing a file in a tree", entry: entry.name)
    }
    return size
  }

  private func truncate(
    _ file: FileDescriptor, to size: Int64, _ entry: ArchiveEntry
  ) throws(ArchiveError) {
    do throws(Errno) { try SystemCalls.truncate(file, to: size) } catch {
      throw .system("ftruncate", error, doing: "sizing a file in a tree", entry: entry.name)
    }
  }
}

extension SystemCalls {
  /// Writes a block and returns where it ends.
  fileprivate static func writeAll(
    _ block: RawSpan, to file: FileDescriptor, at offset: Int64
  ) throws(Errno) -> Int64 {
    try write(block, to: file, at: offset)
    return offset + Int64(block.byteCount)
  }

  /// Writes a block at new offsets, without its pages of zeros, and returns the end of the last written byte:
  /// holes arrive as zeros in content that was copied or sent by another process.
  fileprivate static func writePages(
    _ block: RawSpan, to file: FileDescriptor, at offset: Int64
  ) throws(Errno) -> Int64 {
    let page = 4096
    var start = 0
    var next = 0
    var written: Int64 = 0
    while next < block.byteCount {
      let end = min(block.byteCount, next + page - Int((offset + Int64(next)) % Int64(page)))
      if block.extracting(next..<end).isZero {
        if start < next {
          written = try writeAll(block.extracting(start..<next), to: file, at: offset + Int64(start))
        }
        start = end
      }
      next = end
    }
    return start < next
      ? try writeAll(block.extracting(start..<next), to: file, at: offset + Int64(start)) : written
  }
}
