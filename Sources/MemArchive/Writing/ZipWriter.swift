internal import CZlib
internal import Libc
internal import SystemPackage

/// Writes a zip (APPNOTE 6.3.10), from front to back: what is known only after an entry's content follows it.
///
/// It is written here rather than by libarchive, which writes DOS times of the process's time zone and an empty file for a hard
/// link.
struct ZipWriter: FormatWriter {
  private let output: ArchiveOutput
  private let options: ArchiveWriter.Options
  private let cancellation: Cancellation
  private let deflater: Deflater
  private var directory: [UInt8] = []
  private var count: UInt64 = 0

  init(
    _ output: ArchiveOutput, _ options: ArchiveWriter.Options, _ cancellation: Cancellation
  ) throws(ArchiveError) {
    (self.output, self.options, self.cancellation) = (output, options, cancellation)
    deflater = try Deflater(level: options.level)
  }

  mutating func add(_ item: ArchiveItem, linkedTo _: ArchiveItem?) throws(ArchiveError) {
    // A zip has no top.
    if item.path.isTop { return }
    try cancellation.check()
    var record = try Record(item, options, at: UInt64(output.count))
    if record.isDeflated {
      try output.write(record.local)
      try deflate(item, &record)
      try output.write(record.descriptor)
    } else {
      // Nothing but a link's target.
      let content = item.entry.kind == .symlink ? item.target : []
      unsafe record.checksum.update(content.span.bytes)
      (record.size, record.packedSize) = (UInt64(content.count), UInt64(content.count))
      try output.write(record.local)
      try output.write(content)
    }
    directory += record.central
    count += 1
  }

  private func deflate(_ item: ArchiveItem, _ record: inout Record) throws(ArchiveError) {
    let start = output.count
    deflater.reset()
    try item.forEachBlock(cancellation) { bytes throws(ArchiveError) in
      record.checksum.update(bytes)
      try deflater.write(bytes, isLast: false, to: output)
    }
    try deflater.write(RawSpan(), isLast: true, to: output)
    record.packedSize = UInt64(output.count - start)
  }

  func finish() throws(ArchiveError) {
    let start = UInt64(output.count)
    try output.write(directory)
    let size = UInt64(directory.count)
    var end: [UInt8] = []
    if count >= 0xFFFF || start >= UInt32.max || size >= UInt32.max {
      // 4.3.14 and 4.3.15
      end.add(0x0606_4B50, 4)
      end.add(44, 8)
      end.add(Record.maker, 2)
      end.add(45, 2)
      end.add(0, 8)
      for number in [count, count, size, start] { end.add(number, 8) }
      end.add(0x0706_4B50, 4)
      end.add(0, 4)
      end.add(start + size, 8)
      end.add(1, 4)
    }
    // 4.3.16
    end.add(0x0605_4B50, 4)
    end.add(0, 4)
    for _ in 0..<2 { end.add(min(count, 0xFFFF), 2) }
    for number in [size, start] { end.add(min(number, UInt64(UInt32.max)), 4) }
    end.add(0, 2)
    try output.write(end)
  }
}

/// What the headers of an entry say.
private struct Record {
  let isDeflated: Bool
  var checksum = CRC32()
  var size: UInt64
  var packedSize: UInt64 = 0
  private let offset: UInt64
  private let name: [UInt8]
  private let date: UInt32
  private let attributes: UInt64
  private let extra: [UInt8]
  /// Whether its sizes may take more than 32 bits: deflate makes incompressible content a little longer.
  private let isWide: Bool

  /// Unix, version 4.5.
  static let maker: UInt64 = 3 << 8 | 45

  init(_ item: ArchiveItem, _ options: ArchiveWriter.Options, at offset: UInt64) throws(ArchiveError) {
    let kind: mode_t
    switch item.entry.kind {
    case .file, .hardlink: kind = S_IFREG
    case .directory: kind = S_IFDIR
    case .symlink: kind = S_IFLNK
    case .fifo, .socket, .character, .block:
      throw .unarchivable(item.name, "a zip has no entries of the kind \(item.entry.kind)")
    }
    name = item.path.bytes + (kind == S_IFDIR ? [UInt8(ascii: "/")] : [])
    guard String(validating: name, as: UTF8.self) != nil else {
      throw .unarchivable(item.name, "the name is not UTF-8, and a zip's must be")
    }
    guard name.count <= UInt16.max else {
      throw ArchiveError(
        .nameTooLong, entry: item.name, "the name is longer than \(UInt16.max) bytes",
        advice: "Leave it out with a selection, or write a tar.")
    }
    self.offset = offset
    size = UInt64(item.size)
    isDeflated = item.size > 0
    isWide = item.size >= 0xFF00_0000
    attributes = UInt64(UInt32(kind) | UInt32(item.mode)) << 16 | (kind == S_IFDIR ? 0x10 : 0)
    let time = options.modified(item.entry)
    date = time.dos
    extra = Self.extra(time, options.owners == .kept ? item.entry : nil)
  }

  /// 4.3.7
  var local: [UInt8] {
    var header: [UInt8] = []
    header.add(0x0403_4B50, 4)
    addCommon(to: &header)
    // What follows the content is 0 here (4.4.4, bit 3).
    header.add(isDeflated ? 0 : UInt64(checksum.value), 4)
    for number in [packedSize, size] {
      header.add(isWide ? UInt64(UInt32.max) : isDeflated ? 0 : number, 4)
    }
    let wide = isWide ? Self.wide([size, 0]) : []
    header.add(UInt64(name.count), 2)
    header.add(UInt64(wide.count + extra.count), 2)
    return header + name + wide + extra
  }

  /// 4.3.9
  var descriptor: [UInt8] {
    var bytes: [UInt8] = []
    bytes.add(0x0807_4B50, 4)
    bytes.add(UInt64(checksum.value), 4)
    for number in [packedSize, size] { bytes.add(number, isWide ? 8 : 4) }
    return bytes
  }

  /// 4.3.12
  var central: [UInt8] {
    var header: [UInt8] = []
    header.add(0x0201_4B50, 4)
    header.add(Self.maker, 2)
    addCommon(to: &header)
    header.add(UInt64(checksum.value), 4)
    // Where a local header has wide sizes, so has this one.
    for number in [packedSize, size] { header.add(isWide ? UInt64(UInt32.max) : number, 4) }
    // 4.5.3 has the content's size first.
    let isFar = offset >= UInt32.max
    let numbers = (isWide ? [size, packedSize] : []) + (isFar ? [offset] : [])
    let wide = numbers.isEmpty ? [] : Self.wide(numbers)
    header.add(UInt64(name.count), 2)
    header.add(UInt64(wide.count + extra.count), 2)
    header.add(0, 6)
    header.add(attributes, 4)
    header.add(isFar ? UInt64(UInt32.max) : offset, 4)
    return header + name + wide + extra
  }

  /// Version, flags, method, time.
  private func addCommon(to header: inout [UInt8]) {
    header.add(isWide ? 45 : 20, 2)
    // UTF-8 (bit 11) is said of what is not ASCII.
    header.add((isDeflated ? 1 << 3 : 0) | (name.contains { $0 >= 0x80 } ? 1 << 11 : 0), 2)
    header.add(isDeflated ? 8 : 0, 2)
    header.add(UInt64(date), 4)
  }

  private static func wide(_ numbers: [UInt64]) -> [UInt8] {
    var field: [UInt8] = []
    field.add(1, 2)
    field.add(UInt64(numbers.count * 8), 2)
    for number in numbers { field.add(number, 8) }
    return field
  }

  /// Info-ZIP's time and owner, and NTFS's time (4.5.5) for what the former does not hold.
  private static func extra(_ time: ArchiveEntry.Time, _ owner: ArchiveEntry?) -> [UInt8] {
    var extra: [UInt8] = []
    let holdsSeconds = (Int64(Int32.min)...Int64(UInt32.max)).contains(time.seconds)
    if holdsSeconds {
      extra.add(0x5455, 2)
      extra.add(5, 2)
      extra.add(1, 1)
      extra.add(UInt64(UInt32(truncatingIfNeeded: time.seconds)), 4)
    }
    if !holdsSeconds || time.nanoseconds > 0, let ticks = time.windowsTicks {
      extra.add(0x000A, 2)
      extra.add(32, 2)
      extra.add(0, 4)
      extra.add(1, 2)
      extra.add(24, 2)
      extra.add(ticks, 8)
      // No time of access or creation.
      extra.add(0, 8)
      extra.add(0, 8)
    }
    if let user = owner?.userID, let group = owner?.groupID, user >= 0, group >= 0 {
      extra.add(0x7875, 2)
      extra.add(19, 2)
      extra.add(1, 1)
      for number in [user, group] {
        extra.add(8, 1)
        extra.add(UInt64(number), 8)
      }
    }
    return extra
  }
}

extension [UInt8] {
  /// Appends the low bytes of a number, the lowest first.
  fileprivate mutating func add(_ number: UInt64, _ count: Int) {
    append(contentsOf: number.littleEndianBytes.prefix(count))
  }
}

/// Encodes raw deflate (RFC 1951), one stream after another, by zlib.
@safe private final class Deflater {
  private let stream: UnsafeMutablePointer<z_stream>
  private let buffer: UnsafeMutableRawBufferPointer

  init(level: Int?) throws(ArchiveError) {
    guard level.map({ (0...9).contains($0) }) ?? true else {
      throw ArchiveError(
        .unsupportedFeature, "deflate has no level \(level ?? 0)", advice: "Choose a level from 0 to 9.")
    }
    unsafe buffer = .allocate(byteCount: 64 << 10, alignment: 64)
    unsafe stream = .allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    // -15: the largest window, and neither header nor trailer.
    let status = unsafe deflateInit2_(
      stream, CInt(level ?? -1), Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
      CInt(MemoryLayout<z_stream>.size))
    guard status == Z_OK else { throw .system("deflateInit2", .noMemory, doing: "writing a zip") }
  }

  deinit {
    unsafe _ = deflateEnd(stream)
    unsafe stream.deallocate()
    unsafe buffer.deallocate()
  }

  func reset() { unsafe _ = deflateReset(stream) }

  func write(_ bytes: RawSpan, isLast: Bool, to output: ArchiveOutput) throws(ArchiveError) {
    var used = 0
    while true {
      let rest = bytes.extracting(used..<bytes.byteCount)
      let capacity = unsafe buffer.count
      let status = unsafe rest.withUnsafeBytes { rest in
        // zlib only reads its input; the type lacks the const.
        let start = unsafe UnsafeMutableRawPointer(mutating: rest.baseAddress)
        unsafe stream.pointee.next_in = start?.assumingMemoryBound(to: UInt8.self)
        unsafe stream.pointee.avail_in = UInt32(rest.count)
        unsafe stream.pointee.next_out = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
        unsafe stream.pointee.avail_out = UInt32(capacity)
        return unsafe deflate(stream, isLast ? Z_FINISH : Z_NO_FLUSH)
      }
      used += unsafe rest.byteCount - Int(stream.pointee.avail_in)
      let produced = unsafe capacity - Int(stream.pointee.avail_out)
      if produced > 0 {
        try output.write(unsafe UnsafeRawBufferPointer(rebasing: buffer[..<produced]).bytes)
      }
      if isLast ? status == Z_STREAM_END : used == bytes.byteCount && produced < capacity { return }
    }
  }
}
