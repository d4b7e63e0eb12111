internal import CLinux
internal import Libc
internal import SealedMemory
internal import SystemPackage

/// A directory in memory, with all that is below it, to be written as an archive.
final class TreeItems: Archivable {
  private let top: OwnedDescriptor

  /// - Parameter path: The directory, from `mount` on.
  init(_ path: EntryPath, beneath mount: FileDescriptor) throws(ArchiveError) {
    do throws(Errno) {
      top = try SystemCalls.open(beneath: mount, path.cString, O_RDONLY | O_DIRECTORY)
    } catch {
      throw .system("openat2", error, doing: "opening the tree")
    }
  }

  package func items(_ cancellation: Cancellation) throws(ArchiveError) -> [ArchiveItem] {
    var items: [ArchiveItem] = []
    var directories = [EntryPath.top]
    while let directory = directories.popLast() {
      do throws(Errno) {
        let opened = try SystemCalls.open(beneath: top.descriptor, directory.cString, O_RDONLY | O_DIRECTORY)
        for name in try SystemCalls.names(in: opened.descriptor) {
          let path = directory.appending(name.dropLast().map { UInt8(bitPattern: $0) })
          let status = try SystemCalls.status(of: name, in: opened.descriptor)
          let item = try self.item(path, status)
          if item.entry.isDirectory { directories.append(path) }
          items.append(item)
        }
      } catch {
        throw .system(
          "openat2", error, doing: "looking into the tree", entry: EntryName.key(directory.raw))
      }
      try cancellation.check()
    }
    return items
  }

  private func item(_ path: EntryPath, _ status: Stat) throws(Errno) -> ArchiveItem {
    let isFile = status.type == .regular
    let link =
      status.type == .symbolicLink
      ? EntryName.key(try SystemCalls.readLink(path, beneath: top.descriptor)) : nil
    let entry = ArchiveEntry(name: EntryName.key(path.bytes), status, link: link)
    return ArchiveItem(
      entry, at: path, size: isFile ? status.size : 0,
      isFile ? .beneath(top.descriptor, path) : .none,
      isFile && status.linkCount > 1
        ? .inode(UInt64(status.inode.rawValue), on: UInt64(status.deviceID.rawValue)) : nil)
  }
}

extension ArchiveEntry {
  /// What a file system says of a file.
  fileprivate init(name: String, _ status: Stat, link: String?) {
    let kind: Kind =
      switch status.type {
      case .directory: .directory
      case .symbolicLink: .symlink
      case .fifo: .fifo
      case .socket: .socket
      case .characterSpecial: .character
      case .blockSpecial: .block
      default: .file
      }
    var fields = Fields(name: name, kind: kind, link: link)
    fields.size = kind == .file ? status.size : 0
    fields.mode = UInt16(status.permissions.rawValue & 0o7777)
    fields.modified = Time(seconds: Int64(status.st_mtim.tv_sec), nanoseconds: Int(status.st_mtim.tv_nsec))
    var details = Details()
    details.userID = Int64(status.userID.rawValue)
    details.groupID = Int64(status.groupID.rawValue)
    fields.details = Shared(details)
    self.init(fields)
  }
}
