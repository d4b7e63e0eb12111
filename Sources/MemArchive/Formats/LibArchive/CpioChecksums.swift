/// Verifies a cpio archive with checksums ("070702", cpio(5), "New CRC Format") while libarchive reads it, which (in all
/// versions up to 3.8.9) ignores both the checksums and an entry that does not end where its header says.
final class CpioChecksums: ByteSource {
  private enum Part { case header, name, content, padding, nothing }

  private let upstream: any ByteSource
  private var part = Part.header
  /// The current header, then the beginning of its name.
  private var collected: [UInt8] = []
  /// The number of bytes left in the current part.
  private var rest = CpioChecksums.headerSize
  private var size: UInt64 = 0
  private var wanted: UInt32?
  private var sum: UInt32 = 0
  private var position = 0
  /// The positions of entries with a wrong checksum, in order, without those already passed.
  private var wrong: ArraySlice<Int> = []
  /// Whether a header was missing.
  private(set) var isLost = false

  private static let headerSize: UInt64 = 110
  private static let lastName = Array("TRAILER!!!\0".utf8)

  init(_ upstream: any ByteSource) { self.upstream = upstream }

  /// Whether an archive that begins with these bytes has checksums.
  static func areIn(_ head: [UInt8]) -> Bool { head.starts(with: "070702".utf8) }

  var progress: SourceProgress { upstream.progress }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    let count = try upstream.read(into: &buffer)
    unsafe buffer.withUnsafeBytes { unsafe follow(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    return count
  }

  /// Throws if the content of the entry at `position` does not have its header's checksum; to be called after it has been
  /// read.
  func check(at position: Int) throws(ArchiveError) {
    forget(before: position)
    if wrong.first == position { throw .corrupt("the content's sum is not the one that its header says") }
  }

  /// Forgets entries before this one.
  func forget(before position: Int) { wrong = wrong.drop { $0 < position } }

  private func follow(_ bytes: UnsafeRawBufferPointer) {
    var bytes = unsafe bytes[...]
    while unsafe !bytes.isEmpty, part != .nothing {
      let piece = unsafe bytes.prefix(Int(min(rest, UInt64(bytes.count))))
      unsafe bytes = bytes.dropFirst(piece.count)
      rest -= UInt64(unsafe piece.count)
      switch part {
      case .header: unsafe collected.append(contentsOf: piece)
      case .name:
        let missing = max(0, Int(Self.headerSize) + Self.lastName.count - collected.count)
        unsafe collected.append(contentsOf: piece.prefix(missing))
      case .content: sum = unsafe piece.reduce(sum) { $0 &+ UInt32($1) }
      case .padding, .nothing: break
      }
      while rest == 0, part != .nothing { advance() }
    }
  }

  /// Proceeds to the next part.
  private func advance() {
    switch part {
    case .header:
      guard begin() else {
        isLost = true
        part = .nothing
        return
      }
      part = .name
    case .name:
      guard collected.dropFirst(Int(Self.headerSize)) != Self.lastName[...] else { return part = .nothing }
      (part, rest, sum) = (.content, size, 0)
    case .content:
      if let wanted, wanted != sum { wrong.append(position) }
      position += 1
      (part, rest) = (.padding, (4 - size % 4) % 4)
    case .padding:
      (part, rest) = (.header, Self.headerSize)
      collected.removeAll(keepingCapacity: true)
    case .nothing: break
    }
  }

  /// Reads a header: thirteen numbers of eight hexadecimal digits.
  private func begin() -> Bool {
    guard Self.areIn(collected) || collected.starts(with: "070701".utf8) else { return false }
    func number(_ index: Int) -> UInt32? {
      UInt32(String(decoding: collected[(6 + 8 * index)..<(14 + 8 * index)], as: UTF8.self), radix: 16)
    }
    guard let mode = number(1), let size = number(6), let nameSize = number(11), let sum = number(12) else {
      return false
    }
    self.size = UInt64(size)
    // All hard links but the last have no content, and symbolic links have no checksum.
    let isSummed = Self.areIn(collected) && mode & 0o170000 == 0o100000 && size > 0
    wanted = isSummed ? sum : nil
    // Header and name together are padded to a multiple of four bytes.
    rest = UInt64(nameSize) + (4 - (Self.headerSize + UInt64(nameSize)) % 4) % 4
    return true
  }
}
