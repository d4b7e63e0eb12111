internal import CLinux
internal import Libc
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
final class TreeFileWriter: PartedDestination {
  fileprivate final class Directory {
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

  func begin(
    _ entry: ArchiveEntry, position: Int, reserved: Reservation?
  ) throws(ArchiveError) -> any PartedContent {
    try open(entry, position, reserved)
  }

  func take(
    _ entry: ArchiveEntry, position: Int, reserved: Reservation?,
    _ content: (Blocks) throws(ArchiveError) -> Int64
  ) throws(ArchiveError) -> MemFile? {
    let file = try open(entry, position, reserved)
    return try file.finish(
      size: try content { block, offset throws(ArchiveError) in try file.write(block, at: offset) })
  }

  private func open(
    _ entry: ArchiveEntry, _ position: Int, _ reserved: Reservation?
  ) throws(ArchiveError) -> TreeFile {
    let ledger = area.space.ledger
    let charge = Charge(ledger, entry: entry.name, reserved ?? Reservation())
    if let declared = entry.size, reserved == nil { try ledger.check(declared: declared, entry: entry.name) }
    guard let target = area.takeTarget(at: position) else {
      throw .corrupt("the archive changed while it was read", entry: entry.name)
    }
    let directory: Directory?
    let file: OwnedDescriptor
    do throws(Errno) {
      directory = try self.directory(of: target)
      file = try SystemCalls.makeFile(
        target.name, in: directory?.owned.descriptor ?? area.space.stage.descriptor,
        mode: area.space.hasUmask ? 0o600 : area.space.looks.mode(of: entry))
    } catch {
      throw .system("openat", error, doing: "making a file in a tree", entry: entry.name)
    }
    return TreeFile(file, entry, charge, in: directory, target.name, area)
  }

  private func directory(of target: TreeArea.Target) throws(Errno) -> Directory? {
    guard let path = target.directory else { return nil }
    if let directory, directory.path == path { return directory }
    directory = Directory(
      path,
      try SystemCalls.open(beneath: area.top.descriptor, path, CInt(CLINUX_O_PATH) | O_DIRECTORY))
    return directory
  }

  // The file is closed before the next one is made.
  func prepareForMany() {}
  func reserveDescriptor(_: inout Charge) {}

  func finish() {}
}

/// A file of a tree while it is filled. If it is released before it is finished, it is removed.
private final class TreeFile: PartedContent {
  private let owned: OwnedDescriptor
  private let entry: ArchiveEntry
  private var charge: Charge
  /// nil for the stage.
  private let directory: TreeFileWriter.Directory?
  private let name: RawPath
  private let area: TreeArea
  private var file: FileDescriptor { owned.descriptor }
  /// The end of the content so far, and the size of the file.
  private var (end, length) = (Int64(0), Int64(0))
  private var isFinished = false
  private var beginsLikeProgram = false

  init(
    _ file: consuming OwnedDescriptor, _ entry: ArchiveEntry, _ charge: consuming Charge,
    in directory: TreeFileWriter.Directory?, _ name: RawPath, _ area: TreeArea
  ) {
    owned = file
    self.entry = entry
    self.charge = charge
    (self.directory, self.name, self.area) = (directory, name, area)
  }

  deinit {
    // If even this fails, the tree is not returned.
    if !isFinished {
      try? SystemCalls.remove(name, in: directory?.owned.descriptor ?? area.space.stage.descriptor)
    }
  }

  func write(_ block: RawSpan, at offset: Int64) throws(ArchiveError) {
    // tmpfs gives huge pages only to what lies within the file's size (huge=within_size).
    if length == 0, let declared = entry.size, declared >= Int64(FolioMapping.step) {
      try truncate(to: declared)
      length = declared
    }
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

  func finish(size: Int64) throws(ArchiveError) -> MemFile? {
    try charge.grow(to: size)
    // The file may end in a hole.
    if size != length { try truncate(to: size) }
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
    try area.space.account.take(&charge, size: size, entry: entry.name)
    isFinished = true
    return nil
  }

  private func truncate(to size: Int64) throws(ArchiveError) {
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
