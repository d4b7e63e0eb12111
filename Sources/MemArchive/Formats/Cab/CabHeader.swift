/// The directory of a cabinet: its folders, each one stream of blocks, and the files in them (Microsoft Cabinet Format).
struct CabHeader {
  struct Folder {
    let start: Int64
    let blockCount: Int
    let method: UInt16
    /// Whether it begins in an earlier cabinet.
    var isContinued = false
  }

  struct File {
    /// The index of its folder; nil if it is not whole in this cabinet.
    let folder: Int?
    let offset: Int64
    let header: Header
    let isToLater: Bool
    /// Whether its content does not begin where that of the file before ends.
    var isMisplaced = false
  }

  let size: Int64
  /// Bytes reserved in each block's header.
  let blockReserve: Int
  private(set) var folders: [Folder] = []
  /// In the order of their content.
  private(set) var files: [File] = []

  static let fixedSize = 36
  private static let mostName = 255
  private static let (fromEarlier, toLater, both): (UInt16, UInt16, UInt16) = (0xFFFD, 0xFFFE, 0xFFFF)

  init(_ input: FormatInput) throws(ArchiveError) {
    let fixed = try input.bytes(Self.fixedSize, inside: "the header")
    size = Int64(fixed.little(UInt32.self, at: 8))
    let (filesStart, flags) = (Int64(fixed.little(UInt32.self, at: 16)), fixed.little(UInt16.self, at: 30))
    var (folderReserve, blockReserve) = (0, 0)
    if flags & 4 != 0 {
      let reserve = try input.bytes(4, inside: "the header")
      (folderReserve, blockReserve) = (Int(reserve[2]), Int(reserve[3]))
      try input.skip(to: input.position + Int64(reserve.little(UInt16.self, at: 0)), inside: "the header")
    }
    self.blockReserve = blockReserve
    // The names of the earlier and the later cabinet, and of their disks.
    for _ in 0..<2 * (flags & 3).nonzeroBitCount { _ = try Self.name(input) }
    for _ in 0..<fixed.little(UInt16.self, at: 26) {
      let bytes = try input.bytes(8 + folderReserve, inside: "the header")
      folders.append(
        Folder(
          start: Int64(bytes.little(UInt32.self, at: 0)), blockCount: Int(bytes.little(UInt16.self, at: 4)),
          method: bytes.little(UInt16.self, at: 6)))
    }
    guard filesStart >= input.position else { throw .corrupt("the cabinet's files overlap its folders") }
    try input.skip(to: filesStart, inside: "the header")
    for _ in 0..<fixed.little(UInt16.self, at: 28) { try readFile(input) }
    guard !files.isEmpty else { throw .corrupt("the cabinet has no files") }
    sortFiles()
  }

  /// A folder's content is decoded from its beginning on, once.
  private mutating func sortFiles() {
    files = files.enumerated().sorted {
      let (left, right) = ($0.element, $1.element)
      return (left.folder ?? -1, left.offset, $0.offset) < (right.folder ?? -1, right.offset, $1.offset)
    }.map(\.element)
    var (folder, end): (Int?, Int64) = (nil, 0)
    for index in files.indices {
      guard let size = files[index].header.size, size > 0 else { continue }
      if files[index].folder != folder { (folder, end) = (files[index].folder, 0) }
      files[index].isMisplaced = files[index].offset != end
      end = files[index].offset + size
    }
  }

  private mutating func readFile(_ input: FormatInput) throws(ArchiveError) {
    let fixed = try input.bytes(16, inside: "the header")
    let (index, attributes) = (fixed.little(UInt16.self, at: 8), fixed.little(UInt16.self, at: 14))
    let name = try Self.name(input)
    var header = Header(
      name: EntryName.withSlashes(name), kind: .file, size: Int64(fixed.little(UInt32.self, at: 0)))
    let (date, time) = (fixed.little(UInt16.self, at: 10), fixed.little(UInt16.self, at: 12))
    header.modified = ArchiveEntry.Time(dos: UInt32(date) << 16 | UInt32(time))
    header.mode = attributes & 1 != 0 ? 0o444 : nil
    if attributes & 0x80 != 0, String(validating: name, as: UTF8.self) == nil {
      header.warning = "the name is flagged as UTF-8, and is not"
    }
    if Int(index) < folders.count { header.packing.compression = .init(cab: folders[Int(index)].method) }
    let isSplit = index >= Self.fromEarlier
    if index == Self.fromEarlier || index == Self.both, !folders.isEmpty { folders[0].isContinued = true }
    guard isSplit || Int(index) < folders.count else {
      throw .corrupt("a file is in no folder of the cabinet")
    }
    files.append(
      File(
        folder: isSplit ? nil : Int(index), offset: Int64(fixed.little(UInt32.self, at: 4)), header: header,
        isToLater: index == Self.toLater))
  }

  /// The bytes up to a NUL.
  private static func name(_ input: FormatInput) throws(ArchiveError) -> [UInt8] {
    var name: [UInt8] = []
    while true {
      let byte = try input.bytes(1, inside: "the header")[0]
      if byte == 0 { return name }
      name.append(byte)
      guard name.count <= mostName else { throw .corrupt("a name of the cabinet does not end") }
    }
  }
}
