/// What the headers of a RAR archive say about its files, where libarchive (up to 3.8.9) ignores it: encryption, methods that
/// it cannot decode, parts in other volumes, the checksum of stored content.
///
/// Sources: RAR 5.0 archive format, "General archive structure", "File header", "File encryption record", "File hash
/// record"; technote.txt of RAR 4 for the older one.
struct RARHeaders: ~Copyable {
  /// The files in the archive's order, as far as headers could be read.
  private(set) var files: [RARFile] = []

  private let content: any SeekableSource
  private let cancellation: Cancellation
  private var charge: Charge
  /// The largest header that RAR 5 allows.
  private static let largestHeader = 2 << 20

  /// Reads headers up to the end or to the first invalid one.
  init(_ content: any SeekableSource, _ cancellation: Cancellation, _ ledger: Ledger) throws(ArchiveError) {
    self.content = content
    self.cancellation = cancellation
    charge = Charge(ledger, entry: "rar")
    guard var offset = try Self.beginning(of: content) else { return }
    while offset < content.size {
      let start = try content.bytes(8, at: offset)
      // Each volume begins with a signature.
      if start.starts(with: [0x52, 0x61, 0x72, 0x21, 0x1A, 0x07, 0x01, 0x00]) {
        offset = try readVolume5(from: offset + 8)
      } else if start.starts(with: [0x52, 0x61, 0x72, 0x21, 0x1A, 0x07, 0x00]) {
        offset = try readVolume4(from: offset + 7)
      } else {
        return
      }
    }
  }

  /// Where the archive begins: at the start of the file, or after a program that unpacks it.
  private static func beginning(of content: any SeekableSource) throws(ArchiveError) -> Int64? {
    let mark: [UInt8] = [0x52, 0x61, 0x72, 0x21, 0x1A, 0x07]
    if try content.bytes(mark.count, at: 0) == mark { return 0 }
    let front = try content.bytes(1 << 20, at: 0)
    let offset = front.indices.first { front[$0] == mark[0] && front[$0...].starts(with: mark) }
    return offset.map { Int64($0) }
  }

  /// Adds a file, or a part of one that is split over several volumes: the parts count as one file.
  private mutating func add(_ file: RARFile) throws(ArchiveError) {
    guard file.isContinued, var whole = files.last, whole.continuesLater else {
      try charge.hold(Int64(MemoryLayout<RARFile>.stride + (file.header.name?.count ?? 0)), entry: nil)
      return files.append(file)
    }
    (whole.continuesLater, whole.checksum) = (file.continuesLater, file.checksum)
    let (packed, added) = (whole.header.packing.compressedSize ?? 0, file.header.packing.compressedSize ?? 0)
    whole.header.packing.compressedSize = added > .max - packed ? .max : packed + added
    whole.header.packing.crc32 = file.header.packing.crc32
    whole.unsupported = whole.unsupported ?? file.unsupported
    files[files.count - 1] = whole
  }

  /// Where data of a declared size that begins at `start` ends; `start` is not beyond the archive's end. If the data is longer
  /// than the rest of the archive, returns an offset beyond any archive rather than overflow.
  private func end(of size: UInt64, from start: Int64) -> Int64 {
    size <= UInt64(content.size - start) ? start + Int64(size) : .max
  }

  // MARK: RAR 5

  /// Returns where the volume ends; an offset beyond the archive's end if that is unknown.
  private mutating func readVolume5(from start: Int64) throws(ArchiveError) -> Int64 {
    var offset = start
    while offset < content.size {
      try cancellation.check()
      // A checksum of 4 bytes and a size of at most 3.
      let blockStart = offset
      let start = try content.bytes(7, at: offset)
      var position = 4
      guard let size = Self.number(start, &position), size > 0, size <= Self.largestHeader else {
        return .max
      }
      let headerStart = offset + Int64(position)
      let header = try content.bytes(Int(size), at: headerStart)
      guard header.count == Int(size) else { return .max }
      position = 0
      guard let type = Self.number(header, &position), let flags = Self.number(header, &position),
        let extraSize = flags & 1 == 0 ? 0 : Self.number(header, &position),
        let dataSize = flags & 2 == 0 ? 0 : Self.number(header, &position), extraSize <= size
      else { return .max }
      offset = end(of: dataSize, from: headerStart + Int64(size))
      switch type {
      case 2:
        var file = RARFile(offset: blockStart, header: Header(kind: .file))
        (file.isContinued, file.continuesLater) = (flags & 8 != 0, flags & 16 != 0)
        file.isLeftOut = file.isContinued
        read(&file, header, position, extra: Int(size - extraSize))
        file.header.packing.compressedSize = Int64(clamping: dataSize)
        try add(file)
      // All headers after it are encrypted.
      case 4: return .max
      case 5: return offset
      default: break
      }
    }
    return offset
  }

  /// A file header's own fields begin at `start`, and its records at `extra`.
  private func read(_ file: inout RARFile, _ header: [UInt8], _ start: Int, extra: Int) {
    let records = Self.recordTypes(header, from: extra)
    if records.contains(1) {
      file.header.isEncrypted = true
      file.unsupported = "encrypted RAR 5 content is not decrypted"
    }
    var position = start
    guard let flags = Self.number(header, &position), let size = Self.number(header, &position),
      Self.number(header, &position) != nil
    else { return }
    if flags & 1 != 0 { file.header.kind = .directory }
    file.header.size = Int64(clamping: size)
    func take() -> UInt32? {
      guard position + 4 <= extra else { return nil }
      defer { position += 4 }
      return header.little(UInt32.self, at: position)
    }
    if flags & 2 != 0 { file.header.modified = take().map { ArchiveEntry.Time(seconds: Int64($0)) } }
    let checksum = flags & 4 == 0 ? nil : take()
    // A part's own checksum is that of packed bytes.
    if !file.continuesLater { file.checksum = checksum }
    file.header.packing.crc32 = file.checksum
    guard let compression = Self.number(header, &position), Self.number(header, &position) != nil,
      let length = Self.number(header, &position), length <= header.count - position
    else { return }
    file.header.name = Array(header[position..<position + Int(length)])
    let method = compression >> 7 & 7
    file.header.packing.compression = method == 0 ? .stored : .rar
    file.hasUnverifiedHash = records.contains(2) && file.checksum == nil && method == 0
    if method != 0, compression & 0x3F != 0 { file.unsupported = "the compression of RAR 7 is not decoded" }
    // The window is what the file before has left.
    if compression & 0x40 != 0, files.last.map({ $0.isContinued || $0.unsupported == Self.noWindow }) ?? true
    {
      file.unsupported = Self.noWindow
    }
  }

  private static let noWindow = "it is packed together with a file of an earlier volume"

  /// The types of the records that begin at `start`.
  private static func recordTypes(_ header: [UInt8], from start: Int) -> Set<UInt64> {
    var types: Set<UInt64> = []
    var position = start
    while position < header.count, let size = number(header, &position) {
      var type = position
      if let type = number(header, &type) { types.insert(type) }
      guard size <= UInt64(header.count - position) else { break }
      position += Int(size)
    }
    return types
  }

  /// A number with seven bits per byte, lowest first; nil if it does not end.
  private static func number(_ bytes: [UInt8], _ position: inout Int) -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 63, by: 7) {
      guard position < bytes.count else { return nil }
      let byte = bytes[position]
      position += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte & 0x80 == 0 { return value }
    }
    return nil
  }

  // MARK: RAR 4

  private mutating func readVolume4(from start: Int64) throws(ArchiveError) -> Int64 {
    var offset = start
    while offset < content.size {
      try cancellation.check()
      // The fixed part of a file header, and the upper halves of sizes.
      let header = try content.bytes(40, at: offset)
      guard header.count >= 7 else { return .max }
      let (type, flags) = (header[2], header.little(UInt16.self, at: 3))
      let size = Int64(header.little(UInt16.self, at: 5))
      guard size >= 7 else { return .max }
      var dataSize: UInt64 = 0
      if type == 0x74 || flags & 0x8000 != 0 {
        guard header.count >= 11 else { return .max }
        dataSize = UInt64(header.little(UInt32.self, at: 7))
      }
      switch type {
      case 0x73:
        // All headers after it are encrypted.
        if flags & 0x80 != 0 { return .max }
      case 0x74:
        guard header.count >= 32 else { return .max }
        if flags & 0x100 != 0 {
          guard header.count == 40 else { return .max }
          dataSize |= UInt64(header.little(UInt32.self, at: 32)) << 32
        }
        let whole = try content.bytes(Int(size), at: offset)
        guard whole.count == size, size >= (flags & 0x100 == 0 ? 32 : 40) else { return .max }
        try add(file(whole, flags, at: offset, dataSize: dataSize))
      default: break
      }
      guard size <= content.size - offset else { return .max }
      offset = end(of: dataSize, from: offset + size)
      if type == 0x7B { return offset }
    }
    return offset
  }

  /// A file from its header, of which the fixed part is there.
  private func file(_ header: [UInt8], _ flags: UInt16, at offset: Int64, dataSize: UInt64) -> RARFile {
    var file = RARFile(offset: offset, header: Header(kind: flags & 0xE0 == 0xE0 ? .directory : .file))
    (file.isContinued, file.continuesLater) = (flags & 1 != 0, flags & 2 != 0)
    let nameStart = flags & 0x100 == 0 ? 32 : 40
    let high = flags & 0x100 == 0 ? 0 : UInt64(header.little(UInt32.self, at: 36))
    file.header.size = Int64(clamping: high << 32 | UInt64(header.little(UInt32.self, at: 11)))
    file.header.modified = ArchiveEntry.Time(dos: header.little(UInt32.self, at: 20))
    let nameEnd = nameStart + Int(header.little(UInt16.self, at: 26))
    if nameEnd <= header.count {
      file.header.name = RARFile.name(header[nameStart..<nameEnd], isUnicode: flags & 0x200 != 0)
    }
    let (version, method) = (header[24], header[25])
    if flags & 4 != 0 {
      file.header.isEncrypted = true
      file.unsupported = "encrypted RAR 4 content is not decrypted"
    } else if flags & 0x10 != 0 {
      file.unsupported = "solid archives of RAR 4 are not decoded"
    } else if method != 0x30, version < 29 {
      file.unsupported = "the compression of RAR \(version / 10).\(version % 10) is not decoded"
    }
    // A part's own checksum is that of packed bytes, and that of encrypted content of something else.
    if !file.continuesLater, !file.header.isEncrypted { file.checksum = header.little(UInt32.self, at: 16) }
    file.header.packing = ArchiveEntry.Packing(
      compressedSize: Int64(clamping: dataSize), crc32: file.checksum,
      compression: method == 0x30 ? .stored : .rar)
    return file
  }
}

/// For a fuzzer: the number of files in these bytes' RAR headers; nil if no header can be read.
package func rarFileCount(_ bytes: [UInt8]) -> Int? {
  guard let headers = try? RARHeaders(MemorySource(bytes), Cancellation(), Ledger(ExtractionLimits())) else {
    return nil
  }
  return headers.files.count
}
