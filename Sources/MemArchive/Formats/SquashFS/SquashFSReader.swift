internal import CSquashFS
internal import Libc

/// The entries of a squashfs image, by libsquashfs: one directory after another, each before those in it.
///
/// An image that libsquashfs has not made may contradict itself. What this knows to be impossible, such as a directory in itself, is
/// corrupt; for the rest libsquashfs is trusted as far as its process may be lost.
final class SquashFSReader: EntryParser {
  private let image: SquashFSImage
  private let cancellation: Cancellation
  private var charge: Charge
  /// Directories that are to be listed; the last is the next.
  private var waiting: [(path: [UInt8], inode: SquashFSInode)] = []
  /// The directory that is being listed.
  private var directory: [UInt8] = []
  private var isListing = false
  private var current: (inode: SquashFSInode, size: Int64)?
  /// The numbers of directories, each of which can have but one name.
  private var directories: Set<UInt32> = []
  /// The names of files that have several.
  private var names: [UInt32: [UInt8]] = [:]
  private(set) var isExhausted = false

  /// Memory for a directory, which waits and whose number is kept, or for a name, besides its bytes.
  private static let cost: Int64 = 256

  /// - Throws: As `SquashFS.load`, and for an image that cannot be opened.
  init(_ place: SquashFSPlace, of content: any SeekableSource, in context: ExtractionContext)
    throws(ArchiveError)
  {
    try SquashFS.load()
    cancellation = context.cancellation
    charge = Charge(context.ledger, entry: "directories")
    image = try SquashFSImage(content, place.range)
    let root = try image.root()
    directories = [try image.status(of: root).number]
    waiting = [([], root)]
  }

  func nextHeader() throws(ArchiveError) -> Header? {
    current = nil
    do throws(ArchiveError) {
      while true {
        try cancellation.check()
        if isListing {
          if let (name, inode) = try image.next() { return try header(name, inode) }
          isListing = false
        }
        guard let next = waiting.popLast() else { return nil }
        try image.list(next.inode)
        directory = next.path
        isListing = true
      }
    } catch {
      isExhausted = true
      throw error
    }
  }

  func forEachBlock(
    declared _: Int64?, _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) -> Int64 {
    guard let (inode, size) = current else { return 0 }
    var block = [UInt8](repeating: 0, count: image.blockSize)
    for (number, start) in stride(from: 0, to: size, by: block.count).enumerated() {
      try cancellation.check()
      if inode.isHole(number) { continue }
      let count = min(block.count, Int(size - start))
      try image.read(inode, at: start, count: count, into: &block)
      try body(unsafe block.span.bytes.extracting(0..<count), start)
    }
    return size
  }

  private func header(_ name: [UInt8], _ inode: SquashFSInode) throws(ArchiveError) -> Header {
    let path = directory.isEmpty ? name : directory + [UInt8(ascii: "/")] + name
    // The kernel refuses such names too.
    guard !name.isEmpty, !name.contains(0), !name.contains(UInt8(ascii: "/")),
      name != Array(".".utf8), name != Array("..".utf8)
    else { throw .corrupt("no file can have such a name", entry: EntryName.key(path)) }
    do throws(ArchiveError) { return try header(of: path, inode) } catch {
      throw error.naming(EntryName.key(path))
    }
  }

  private func header(of path: [UInt8], _ inode: SquashFSInode) throws(ArchiveError) -> Header {
    let status = try image.status(of: inode)
    var details = ArchiveEntry.Details()
    (details.userID, details.groupID) = (Int64(status.user), Int64(status.group))
    details.attributes = try image.attributes(of: inode)
    var header = Header(
      name: path, kind: .file, modified: .init(seconds: Int64(status.modified)),
      mode: UInt16(status.mode & 0o7777))
    switch mode_t(status.mode) & S_IFMT {
    case S_IFREG:
      if let first = names[status.number] {
        (header.kind, header.link) = (.hardlink, first)
        break
      }
      guard let size = Int64(exactly: status.size) else {
        throw .corrupt("the file's size is impossible")
      }
      header.size = size
      current = (inode, size)
      guard status.links > 1 else { break }
      try charge.hold(Self.cost + Int64(path.count), entry: EntryName.key(path))
      names[status.number] = path
    case S_IFDIR:
      guard directories.insert(status.number).inserted else {
        throw .corrupt("a directory is in two places, or in itself")
      }
      header.kind = .directory
      try charge.hold(Self.cost + Int64(path.count), entry: EntryName.key(path))
      waiting.append((path, inode))
    case S_IFLNK:
      header.kind = .symlink
      header.link = inode.target
    case S_IFCHR: header.kind = .character
    case S_IFBLK: header.kind = .block
    case S_IFIFO: header.kind = .fifo
    default: header.kind = .socket
    }
    header.details = details
    return header
  }
}

/// What an image says of something in it, as libsquashfs has it.
@safe final class SquashFSInode {
  fileprivate let pointer: OpaquePointer

  fileprivate init(_ pointer: OpaquePointer) { unsafe self.pointer = pointer }

  deinit { unsafe csquashfs_release(pointer) }

  /// Whether a block of its content is a hole.
  func isHole(_ block: Int) -> Bool { unsafe csquashfs_is_hole(pointer, block) != 0 }

  /// A symbolic link's; empty for anything else.
  var target: [UInt8] {
    var length = 0
    guard let target = unsafe csquashfs_target(pointer, &length) else { return [] }
    return unsafe Array(UnsafeRawBufferPointer(start: target, count: length))
  }
}

/// An open image: libsquashfs's functions, with errors.
@safe final class SquashFSImage {
  private let source: Source
  private let pointer: OpaquePointer

  /// What libsquashfs reads from, and the error that it cannot pass on.
  private final class Source {
    let content: any SeekableSource
    let start: Int64
    var failure: ArchiveError?

    init(_ content: any SeekableSource, _ start: Int64) {
      (self.content, self.start) = (content, start)
    }

    func read(_ buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) -> CInt {
      var filled = 0
      do throws(ArchiveError) {
        while filled < buffer.count {
          var rest = unsafe MutableRawSpan(
            _unsafeBytes: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
          let count = try content.read(at: start + Int64(offset) + Int64(filled), into: &rest)
          guard count > 0 else { throw .truncated("the archive became shorter while it was read") }
          filled += count
        }
        return 0
      } catch {
        failure = error
        return -1
      }
    }
  }

  init(_ content: any SeekableSource, _ range: Range<Int64>) throws(ArchiveError) {
    source = Source(content, range.lowerBound)
    var error: CInt = 0
    let opened = unsafe csquashfs_open(
      { source, offset, buffer, size in
        guard let source = unsafe source, let buffer = unsafe buffer else { return -1 }
        return unsafe Unmanaged<Source>.fromOpaque(source).takeUnretainedValue().read(
          UnsafeMutableRawBufferPointer(start: buffer, count: size), at: offset)
      }, Unmanaged.passUnretained(source).toOpaque(), UInt64(range.upperBound - range.lowerBound),
      &error)
    guard let opened = unsafe opened else { throw Self.error(error, source) }
    unsafe pointer = opened
  }

  deinit { unsafe csquashfs_close(pointer) }

  /// Bytes of a block of content.
  var blockSize: Int { unsafe csquashfs_block_size(pointer) }

  func root() throws(ArchiveError) -> SquashFSInode {
    var inode: OpaquePointer?
    try check(unsafe csquashfs_root(pointer, &inode))
    return try unsafe SquashFSInode(made(inode))
  }

  /// Begins to list a directory.
  func list(_ directory: SquashFSInode) throws(ArchiveError) {
    try check(unsafe csquashfs_list(pointer, directory.pointer))
  }

  /// The next name of the directory; nil at its end.
  func next() throws(ArchiveError) -> ([UInt8], SquashFSInode)? {
    var name = [CChar](repeating: 0, count: 256)
    var length = 0
    var inode: OpaquePointer?
    guard try check(unsafe csquashfs_next(pointer, &name, &length, &inode)) > 0 else { return nil }
    return (name[..<length].map { UInt8(bitPattern: $0) }, try unsafe SquashFSInode(made(inode)))
  }

  func status(of inode: SquashFSInode) throws(ArchiveError) -> csquashfs_status {
    var status = csquashfs_status()
    try check(unsafe csquashfs_describe(pointer, inode.pointer, &status))
    return status
  }

  /// Reads exactly `count` bytes.
  func read(_ inode: SquashFSInode, at offset: Int64, count: Int, into bytes: inout [UInt8])
    throws(ArchiveError)
  {
    let read = unsafe bytes.withUnsafeMutableBytes {
      unsafe csquashfs_read_content(
        pointer, inode.pointer, UInt64(offset), $0.baseAddress, UInt32(count))
    }
    try check(CInt(clamping: read))
    guard read == count else { throw .corrupt("the file has fewer blocks than its size takes") }
  }

  func attributes(of inode: SquashFSInode) throws(ArchiveError) -> [ArchiveEntry.ExtendedAttribute] {
    var taken = Attributes()
    let result = unsafe withUnsafeMutablePointer(to: &taken) { taken in
      unsafe csquashfs_attributes(
        pointer, inode.pointer,
        { context, name, value, size in
          guard let context = unsafe context, let name = unsafe name else { return 1 }
          let bytes = unsafe Array(UnsafeRawBufferPointer(start: value, count: size))
          let attribute = ArchiveEntry.ExtendedAttribute(
            name: unsafe String(cString: name), value: bytes)
          return unsafe context.assumingMemoryBound(to: Attributes.self).pointee.take(attribute)
            ? 0 : 1
        }, taken)
    }
    try check(result)
    return taken.all
  }

  /// No more than limits of attributes allow, which are asked when an entry is complete.
  private struct Attributes {
    private(set) var all: [ArchiveEntry.ExtendedAttribute] = []
    private var size = 0

    mutating func take(_ attribute: ArchiveEntry.ExtendedAttribute) -> Bool {
      size += attribute.value.count + attribute.name.utf8.count
      all.append(attribute)
      return size <= 16 << 20 && all.count < 65_536
    }
  }

  private func made(_ pointer: OpaquePointer?) throws(ArchiveError) -> OpaquePointer {
    guard let pointer = unsafe pointer else {
      throw Self.error(CInt(CSQUASHFS_CORRUPT), source)
    }
    return unsafe pointer
  }

  @discardableResult private func check(_ result: CInt) throws(ArchiveError) -> CInt {
    if result < 0 { throw Self.error(result, source) }
    return result
  }

  private static func error(_ number: CInt, _ source: Source) -> ArchiveError {
    switch number {
    case CInt(CSQUASHFS_SOURCE):
      source.failure ?? .truncated("the image ends inside one of its parts")
    case CInt(CSQUASHFS_MEMORY):
      .system("malloc", .noMemory, doing: "reading a squashfs image")
    case CInt(CSQUASHFS_UNSUPPORTED):
      .unsupportedMethod("libsquashfs does not read this image's version or compression")
    default: .corrupt("the squashfs image contradicts itself")
    }
  }
}
