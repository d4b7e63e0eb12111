/// One member of an archive, as its header describes it.
public struct ArchiveEntry: Hashable, Sendable {
  /// The kind of an entry.
  public enum Kind: String, Codable, CaseIterable, Hashable, Sendable, CustomStringConvertible {
    /// A regular file, the only kind with content of its own (but see ``hardlink``).
    case file
    /// A directory.
    case directory
    /// A symbolic link; ``ArchiveEntry/link`` is its target, which may be any text.
    case symlink
    /// Another name for an entry's content; ``ArchiveEntry/link`` is that entry's name. In cpio's newc
    /// format the last of these carries the content.
    case hardlink
    /// A named pipe.
    case fifo
    /// A Unix domain socket.
    case socket
    /// A character device.
    case character
    /// A block device.
    case block

    /// The kind in one word, such as "hardlink".
    public var description: String { rawValue }
  }

  /// A point in time, seconds and nanoseconds since 1970-01-01 00:00 UTC.
  public struct Time: Hashable, Sendable {
    /// Seconds; negative before 1970.
    public let seconds: Int64
    /// Nanoseconds within the second, 0 to 999,999,999.
    public let nanoseconds: Int

    /// A time from its parts.
    public init(seconds: Int64, nanoseconds: Int = 0) {
      self.seconds = seconds
      self.nanoseconds = nanoseconds
    }
  }

  /// The stored fields of an entry.
  struct Fields: Hashable, Sendable, TextHolder {
    var name: String
    /// The raw name, if ``ExtractionOptions/encoding`` changed it.
    var convertedFrom: [UInt8]?
    var kind: Kind
    var size: Int64?
    var modified: Time?
    var mode: UInt16?
    var link: String?
    var linkCount = 1
    var isEncrypted = false
    var packing = Packing()
    var details: Shared<Details>?
  }

  /// A record with text of arbitrary length.
  protocol TextHolder {
    /// Size in bytes of its text and attributes.
    var textSize: Int { get }
  }

  /// Storage shared by copies: an entry is passed from stage to stage and kept in several places.
  final class Shared<Value: Hashable & Sendable & TextHolder>: Hashable, Sendable {
    let value: Value
    /// Computed once: limits and accounts ask for it several times for each entry.
    let textSize: Int

    init(_ value: consuming Value) {
      textSize = value.textSize
      self.value = value
    }

    static func == (left: Shared, right: Shared) -> Bool { left === right || left.value == right.value }
    func hash(into hasher: inout Hasher) { hasher.combine(value) }
  }

  let fields: Shared<Fields>

  init(_ fields: consuming Fields) { self.fields = Shared(fields) }

  /// The name by which the entry is looked up. Valid UTF-8 is kept as is; every other byte b is represented as U+F700+b,
  /// so that no two raw names share a key.
  public var name: String { fields.value.name }
  /// The kind of the entry.
  public var kind: Kind { fields.value.kind }
  /// Whether it is a directory.
  public var isDirectory: Bool { kind == .directory }
  /// The declared size in bytes; `nil` if the header has none (a lone compressed file, a streamed zip).
  public var size: Int64? { fields.value.size }
  /// The time of last modification, if the format records it.
  public var modified: Time? { fields.value.modified }
  /// The permission bits, without the file type; `nil` for a lone compressed file, which has none.
  public var mode: UInt16? { fields.value.mode }
  /// The target of a symlink or a hardlink, encoded like ``name``.
  public var link: String? { fields.value.link }
  /// The number of names the file has, if the format counts them (cpio); otherwise 1.
  public var linkCount: Int { fields.value.linkCount }
  /// Whether the content is encrypted.
  public var isEncrypted: Bool { fields.value.isEncrypted }

  /// The name's bytes as they are in the archive.
  public var rawName: [UInt8] { fields.value.convertedFrom ?? EntryName.raw(name) }

  /// The bytes that a name represents; the inverse of ``name(raw:)``.
  public static func rawName(of name: String) -> [UInt8] { EntryName.raw(name) }

  /// The name that represents these bytes, in the form of ``name``: for names from elsewhere, such as a command line.
  public static func name(raw: [UInt8]) -> String { EntryName.key(raw) }

  /// The entry with the name of the archive that contains it in front of its own.
  package func inside(_ archive: String?) -> Self {
    guard let archive else { return self }
    var fields = fields.value
    fields.name = EntryName.joined(archive, name)
    fields.convertedFrom = fields.convertedFrom.map {
      EntryName.raw(archive) + [UInt8(ascii: "/")] + EntryName.withoutDot($0[...])
    }
    return Self(fields)
  }

  /// The target of a link under the name that it has for somebody who looks into `archive`, which holds both, from outside.
  package func target(inside archive: String?) -> String? {
    link.map { link in archive.map { EntryName.joined($0, link) } ?? link }
  }

  /// Whether the name stays below the directory it would be unpacked in: relative, not empty, no `..`, no NUL.
  public var isSafeRelative: Bool {
    fields.value.convertedFrom.map { EntryName.isSafeRelative($0) } ?? EntryName.isSafeRelative(key: name)
  }
}

extension ArchiveEntry: CustomStringConvertible {
  /// The entry in one line: kind, name and size or target, with names escaped like ``ArchiveError/description``.
  public var description: String {
    let end = link.map { " -> \"\($0)\"" } ?? size.map { ", \($0) bytes" } ?? ""
    return PlainText.escaped("ArchiveEntry(\(kind) \"\(name)\"\(end))")
  }
}

extension ArchiveEntry {
  /// A file that is not from an archive.
  init(fileNamed name: String, size: Int, mode: UInt16?) {
    self.init(Fields(name: name, kind: .file, size: Int64(size), mode: mode))
  }

  /// A symbolic link that is not from an archive.
  init(linkNamed name: String, to target: String, modified: Time?) {
    self.init(Fields(name: name, kind: .symlink, modified: modified, link: target))
  }
}
