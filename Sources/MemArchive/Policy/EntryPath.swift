/// A path from the top of an archive or a tree: a name without ".", doubled slashes and a trailing one.
struct EntryPath: Hashable, Sendable {
  /// The components with a slash between them; empty for the top.
  let bytes: [UInt8]

  /// NAME_MAX: upper bound of a component's bytes.
  static let longestComponent = 255
  /// PATH_MAX (4,096 bytes) less /proc/self/fd/N and the top directory in front.
  static let longest = 4000

  /// The tree's top.
  static let top = EntryPath(bytes: [])
  private static let slash = UInt8(ascii: "/")

  private init(bytes: [UInt8]) { self.bytes = bytes }

  /// The path of a name; nil if that leads out (``ArchiveEntry/isSafeRelative``).
  init?(_ name: String) {
    let raw = EntryName.raw(name)
    guard EntryName.isSafeRelative(raw) else { return nil }
    self.init(raw: raw)
  }

  /// A raw name that does not lead out, or the target of a hard link.
  init(raw: [UInt8]) {
    if Self.isNormal(raw.span) {
      bytes = raw
    } else {
      let components = raw.split(separator: Self.slash).filter { !$0.elementsEqual([UInt8(ascii: ".")]) }
      bytes = Array(components.joined(separator: [Self.slash]))
    }
  }

  /// Whether a name is already a normal path, as most are.
  static func isNormal(_ name: Span<UInt8>) -> Bool {
    var length = 0
    var isDot = false
    for index in name.indices {
      if name[index] == slash {
        if length == 0 || (isDot && length == 1) { return false }
        length = 0
      } else {
        isDot = length == 0 && name[index] == UInt8(ascii: ".")
        length += 1
      }
    }
    return length > 1 || (length == 1 && !isDot)
  }

  var isTop: Bool { bytes.isEmpty }
  var components: [[UInt8]] { bytes.split(separator: Self.slash).map { Array($0) } }
  /// The last component; empty for the top.
  var lastComponent: [UInt8] { Array(bytes[(lastSlash.map { $0 + 1 } ?? 0)...]) }
  var parent: Self { Self(bytes: Array(bytes[..<(lastSlash ?? 0)])) }
  private var lastSlash: Int? { bytes.lastIndex(of: Self.slash) }

  /// The path of a name in the directory that this is.
  func appending(_ name: [UInt8]) -> Self {
    isTop ? Self(bytes: name) : Self(bytes: bytes + [Self.slash] + name)
  }

  /// The path that begins where this one ends.
  func appending(_ other: Self) -> Self { other.isTop ? self : appending(other.bytes) }

  /// Whether a file system accepts it.
  var fits: Bool {
    bytes.count <= Self.longest
      && (bytes.count <= Self.longestComponent
        || bytes.split(separator: Self.slash).allSatisfy { $0.count <= Self.longestComponent })
  }

  /// Whether this is the directory that contains `other`.
  func isParent(of other: Self) -> Bool {
    other.lastSlash ?? 0 == bytes.count && !other.isTop && other.bytes.starts(with: bytes)
  }

  /// The first components.
  func prefix(_ count: Int) -> Self {
    Self(bytes: Array(components.prefix(count).joined(separator: [Self.slash])))
  }

  /// The path from the top, "." for the top itself.
  var raw: [UInt8] { isTop ? [UInt8(ascii: ".")] : bytes }
  var cString: RawPath { Self.cString(raw) }
  /// The last component, "." for the top.
  var last: RawPath { Self.cString(isTop ? raw : lastComponent) }

  static func cString(_ raw: [UInt8]) -> RawPath {
    unsafe RawPath(unsafeUninitializedCapacity: raw.count + 1) { buffer, count in
      for index in raw.indices { unsafe buffer[index] = CChar(bitPattern: raw[index]) }
      unsafe buffer[raw.count] = 0
      count = raw.count + 1
    }
  }
}
