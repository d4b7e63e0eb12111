internal import CSquashFS
internal import Libc
internal import SystemPackage

/// libsquashfs, which is loaded when an image is first read.
enum SquashFS {
  private static let library = LateLibrary("libsquashfs", package: "libsquashfs1")

  /// Loads the library if it is not loaded yet.
  ///
  /// - Throws: `system` if that is impossible, and what stands for a shortage where there is one.
  static func load() throws(ArchiveError) {
    if csquashfs_load() != 0 { return }
    let error = Errno(rawValue: errno)
    throw unsafe library.failure(error, String(cString: csquashfs_failure()))
  }

  /// Loads it for a process that may soon not open files any more.
  static func loadEarly() { library.loadEarly(load) }

  /// If it is not loaded yet, it is out of reach from here on.
  static func stopLoading() { csquashfs_stop_loading() }
}

/// Where an image is in a file: all of it, or what follows a program (AppImage) or lies among other parts (SIF).
struct SquashFSPlace: Equatable {
  let range: Range<Int64>

  /// As many bytes of a file tell whether it may have one.
  static let headSize = 128
  private static let magic = Array("hsqs".utf8)
  private static let superblock: Int64 = 96

  /// nil if there is none.
  ///
  /// - Throws: `truncated` for an image that says it is longer, which the kernel refuses to mount too, and what reading throws.
  init?(in content: any SeekableSource) throws(ArchiveError) {
    let head = try content.bytes(Self.headSize, at: 0)
    var starts: [Int64] = []
    if head.starts(with: Self.magic) {
      starts = [0]
    } else if Self.isProgram(head) {
      starts = try Self.ends(ofProgram: head, content)
    } else if Self.isSIF(head) {
      starts = try Self.partitions(ofSIF: head, content)
    }
    for start in starts where start <= content.size - Self.superblock {
      let head = try content.bytes(Int(Self.superblock), at: start)
      guard head.starts(with: Self.magic), head.count == Self.superblock else { continue }
      guard head.little(UInt64.self, at: 40) <= UInt64(content.size - start) else {
        throw .truncated("the squashfs image says that it is longer than what is left of the file")
      }
      range = start..<content.size
      return
    }
    return nil
  }

  /// Whether a file that begins so may have an image.
  static func isPossible(_ head: [UInt8]) -> Bool {
    head.starts(with: magic) || isProgram(head) || isSIF(head)
  }

  /// An ELF file of 32 or 64 bits, little-endian, elf(5).
  private static func isProgram(_ head: [UInt8]) -> Bool {
    head.count >= 64 && head.starts(with: [0x7F] + Array("ELF".utf8)) && [1, 2].contains(head[4])
      && head[5] == 1
  }

  /// Where an ELF file may end: with its section headers, or with its last section.
  private static func ends(
    ofProgram head: [UInt8], _ content: any SeekableSource
  ) throws(ArchiveError) -> [Int64] {
    let isWide = head[4] == 2
    let table = isWide ? head.little(UInt64.self, at: 40) : UInt64(head.little(UInt32.self, at: 32))
    let size = Int64(head.little(UInt16.self, at: isWide ? 58 : 46))
    let count = Int64(head.little(UInt16.self, at: isWide ? 60 : 48))
    guard let table = Int64(exactly: table), table < content.size, size >= (isWide ? 64 : 40),
      count > 0
    else { return [] }
    let end = table + size * count
    let last = try content.bytes(64, at: end - size)
    guard last.count >= (isWide ? 64 : 40) else { return [end] }
    let offset =
      isWide ? last.little(UInt64.self, at: 24) : UInt64(last.little(UInt32.self, at: 16))
    let length =
      isWide ? last.little(UInt64.self, at: 32) : UInt64(last.little(UInt32.self, at: 20))
    let (sum, overflow) = offset.addingReportingOverflow(length)
    return [end] + (overflow ? [] : Int64(exactly: sum).map { [$0] } ?? [])
  }

  /// The Singularity Image Format: a script of 32 bytes, and a header.
  private static func isSIF(_ head: [UInt8]) -> Bool {
    head.dropFirst(32).starts(with: Array("SIF_MAGIC".utf8))
  }

  /// The partitions of a SIF that hold a squashfs, that of the system first (sif/pkg/sif, "rawDescriptor").
  private static func partitions(
    ofSIF head: [UInt8], _ content: any SeekableSource
  ) throws(ArchiveError) -> [Int64] {
    let (size, partition, squashFS, system) = (585, UInt32(0x4004), UInt32(1), UInt32(2))
    let count = min(head.little(UInt64.self, at: 88), 256)
    guard let table = Int64(exactly: head.little(UInt64.self, at: 96)), table < content.size else {
      return []
    }
    let descriptors = try content.bytes(Int(count) * size, at: table)
    var found: [(start: Int64, isSystem: Bool)] = []
    for at in stride(from: 0, to: descriptors.count - size + 1, by: size) {
      guard descriptors.little(UInt32.self, at: at) == partition, descriptors[at + 4] != 0,
        descriptors.little(UInt32.self, at: at + 201) == squashFS,
        let start = Int64(exactly: descriptors.little(UInt64.self, at: at + 17))
      else { continue }
      found.append((start, descriptors.little(UInt32.self, at: at + 205) == system))
    }
    return (found.filter(\.isSystem) + found.filter { !$0.isSystem }).map(\.start)
  }
}
