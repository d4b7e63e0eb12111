/// What extended headers say of an entry (POSIX.1, pax, "pax Extended Header"; GNU tar, "Sparse Formats"; star(5)).
struct PaxRecords {
  var path: [UInt8]?
  var link: [UInt8]?
  var size: Int64?
  var modified: ArchiveEntry.Time?
  var accessed: ArchiveEntry.Time?
  var changed: ArchiveEntry.Time?
  var created: ArchiveEntry.Time?
  var userID: Int64?
  var groupID: Int64?
  var user: [UInt8]?
  var group: [UInt8]?
  var linkCount: Int64?
  /// Access control lists as star writes them: access, default, and NFS version 4.
  var lists: [AccessControlText.Kind: [UInt8]] = [:]
  /// Extended attributes, the last first.
  var attributes: [ArchiveEntry.ExtendedAttribute] = []
  /// Whether the next entry is the rest of a file that begins in another volume.
  var isContinued = false

  // GNU's sparse files. Without a map, a size of theirs says nothing.
  var sparseName: [UInt8]?
  var sparseSize: Int64?
  /// Offset, count, offset, count…
  var sparseMap: [Int64]?
  var sparseVersion: (major: Int64, minor: Int64) = (0, 0)

  init() {}

  /// Whether a global header with these says nothing about the entries after it.
  var isEmpty: Bool {
    [path, link, user, group].allSatisfy { $0 == nil } && [size, userID, groupID].allSatisfy { $0 == nil }
      && [modified, accessed, changed, created].allSatisfy { $0 == nil } && !isContinued
  }

  /// Reads the records of one extended header.
  ///
  /// - Parameter isGlobal: Whether they are of all entries that follow.
  mutating func add(_ bytes: [UInt8], isGlobal: Bool, _ cancellation: Cancellation) throws(ArchiveError) {
    var check = PeriodicCheck(cancellation)
    var rest = bytes[...]
    // Some writers fill the header up with zeros.
    while let first = rest.first, first != 0 {
      try check.step()
      let digits = rest.prefix { (0x30...0x39).contains($0) }
      let start = digits.endIndex + 1
      guard let length = Int(String(decoding: digits.prefix(10), as: UTF8.self)), digits.count <= 10,
        length <= rest.count, rest.startIndex + length > start, bytes[start - 1] == 0x20,
        bytes[rest.startIndex + length - 1] == 0x0A
      else { throw .corrupt("a record of its pax header does not have the length that it states") }
      let record = rest[start..<rest.startIndex + length - 1]
      guard let equals = record.firstIndex(of: UInt8(ascii: "=")), equals > start else {
        throw .corrupt("a record of its pax header has no key")
      }
      try set(
        String(decoding: record[..<equals], as: UTF8.self), Array(record[(equals + 1)...]), isGlobal: isGlobal
      )
      rest = rest.dropFirst(length)
    }
  }

  /// - Parameter value: If it is empty, the record undoes what a global header says, and the entry's own header counts.
  private mutating func set(_ key: String, _ value: [UInt8], isGlobal: Bool) throws(ArchiveError) {
    switch key {
    case "path": path = try Self.name(value, key)
    case "linkpath": link = try Self.name(value, key)
    case "size": size = try Self.number(value, key)
    case "mtime": modified = try Self.time(value, key)
    case "atime": accessed = try Self.time(value, key)
    case "ctime": changed = try Self.time(value, key)
    case "LIBARCHIVE.creationtime": created = try Self.time(value, key)
    case "uid": userID = try Self.number(value, key, isSigned: true)
    case "gid": groupID = try Self.number(value, key, isSigned: true)
    case "uname": user = value.isEmpty ? nil : value
    case "gname": group = value.isEmpty ? nil : value
    case "GNU.volume.filename", "GNU.volume.offset": isContinued = true
    case _ where key.hasPrefix("GNU.sparse."):
      guard !isGlobal else { throw .corrupt("a global pax header states a sparse file (\(key))") }
      try setSparse(key, value)
    // What an attribute holds is of one entry.
    case _ where isGlobal: break
    case "SCHILY.nlink": linkCount = try Self.number(value, key)
    case "SCHILY.acl.access": lists[.access] = value
    case "SCHILY.acl.default": lists[.default] = value
    case "SCHILY.acl.ace": lists[.nfs4] = value
    case "RHT.security.selinux": add("security.selinux", value)
    case _ where key.hasPrefix("SCHILY.xattr."): add(String(key.dropFirst(13)), value)
    case _ where key.hasPrefix("LIBARCHIVE.xattr."):
      add(EntryName.key(Self.unescaped(Array(key.utf8.dropFirst(17)))), Self.base64(value))
    default: break
    }
  }

  private mutating func setSparse(_ key: String, _ value: [UInt8]) throws(ArchiveError) {
    switch key.dropFirst("GNU.sparse.".count) {
    case "name": sparseName = try Self.name(value, key)
    case "size", "realsize": sparseSize = try Self.number(value, key)
    case "major": sparseVersion.major = try Self.number(value, key) ?? 0
    case "minor": sparseVersion.minor = try Self.number(value, key) ?? 0
    case "numblocks": sparseMap = sparseMap ?? []
    case "offset", "numbytes":
      // Version 0.0: the two by turns.
      if sparseMap == nil { sparseMap = [] }
      guard sparseMap?.count.isMultiple(of: 2) == key.hasSuffix("offset"),
        let number = try Self.number(value, key)
      else { throw .corrupt("the map of the sparse file has a gap") }
      sparseMap?.append(number)
    case "map":
      var map: [Int64] = []
      for text in value.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: value.isEmpty) {
        guard let number = try Self.number(Array(text), key) else {
          throw .corrupt("the map of the sparse file has a gap")
        }
        map.append(number)
      }
      sparseMap = map
    default: break
    }
  }

  private mutating func add(_ name: String, _ value: [UInt8]) {
    attributes.append(ArchiveEntry.ExtendedAttribute(name: name, value: value))
  }

  // MARK: Values

  private static func name(_ value: [UInt8], _ key: String) throws(ArchiveError) -> [UInt8]? {
    guard !value.contains(0) else { throw .corrupt("the \(key) of its pax header contains a NUL byte") }
    return value.isEmpty ? nil : value
  }

  /// A decimal number.
  private static func number(
    _ value: [UInt8], _ key: String, isSigned: Bool = false
  ) throws(ArchiveError) -> Int64? {
    guard !value.isEmpty else { return nil }
    guard value.count <= 20, value.first != UInt8(ascii: "+"),
      let number = Int64(String(decoding: value, as: UTF8.self)), number >= 0 || isSigned
    else { throw .corrupt("the \(key) of its pax header is no number") }
    return number
  }

  /// Seconds since 1970 with any number of decimals, of which nine count; before 1970 it is negative.
  private static func time(_ value: [UInt8], _ key: String) throws(ArchiveError) -> ArchiveEntry.Time? {
    guard !value.isEmpty else { return nil }
    let isNegative = value[0] == UInt8(ascii: "-")
    let parts = value.dropFirst(isNegative ? 1 : 0).split(
      separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.allSatisfy({ $0.allSatisfy { (0x30...0x39).contains($0) } }), !parts[0].isEmpty,
      parts[0].count <= 19, let seconds = Int64(String(decoding: parts[0], as: UTF8.self))
    else { throw .corrupt("the \(key) of its pax header is no time") }
    var nanoseconds = 0
    if parts.count > 1 {
      let digits = parts[1].prefix(9)
      for index in 0..<9 {
        nanoseconds =
          nanoseconds * 10 + (index < digits.count ? Int(digits[digits.startIndex + index] - 0x30) : 0)
      }
    }
    guard isNegative else { return ArchiveEntry.Time(seconds: seconds, nanoseconds: nanoseconds) }
    return nanoseconds == 0
      ? ArchiveEntry.Time(seconds: -seconds)
      : ArchiveEntry.Time(seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds)
  }

  /// The bytes of which some are written as % and two hexadecimal digits.
  private static func unescaped(_ text: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = text[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), rest.count >= 2,
        let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
      {
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return bytes
  }

  /// The bytes that base64 stands for (RFC 4648, 4), as far as it is any.
  private static func base64(_ text: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    var (bits, count) = (UInt32(0), 0)
    for value in text.lazy.compactMap(UUDecoder.base64Value) {
      bits = bits << 6 | UInt32(value)
      count += 6
      if count >= 8 {
        count -= 8
        bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
      }
    }
    return bytes
  }
}
