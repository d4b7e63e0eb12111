/// The user that an image's program runs as.
package struct ImageUser: Equatable, Sendable {
  package let user: UInt32
  package let group: UInt32
  /// Further groups, without that one.
  package let groups: [UInt32]
  package let home: String

  /// Looks a user up in an image's own files, as docker(1) does.
  ///
  /// - Parameters:
  ///   - text: `USER` or `USER:GROUP`, each a name or a number; empty for user 0.
  ///   - passwords: The content of /etc/passwd, passwd(5).
  ///   - groups: The content of /etc/group, group(5).
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/corrupt`` for a name that the files do not have.
  package init(_ text: String, passwords: [UInt8], groups: [UInt8]) throws(ArchiveError) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
    let name = parts.first.flatMap { $0.isEmpty ? nil : $0 } ?? "0"
    let group = parts.count > 1 && !parts[1].isEmpty ? parts[1] : nil
    let line = Self.lines(passwords, fields: 7).first {
      $0[0] == name || ($0[2] == name && Self.number(name) != nil)
    }
    let number = line.flatMap { Self.number($0[2]) } ?? Self.number(name)
    guard let number else { throw Self.unknown("user", name, "/etc/passwd") }
    user = number
    let home = line.map { $0[5] } ?? ""
    self.home = home.isEmpty ? "/" : home
    let all = Self.lines(groups, fields: 4)
    if let group {
      let found = all.first { $0[0] == group || ($0[2] == group && Self.number(group) != nil) }
      guard let number = found.flatMap({ Self.number($0[2]) }) ?? Self.number(group) else {
        throw Self.unknown("group", group, "/etc/group")
      }
      self.group = number
      self.groups = []
    } else {
      let own = line.flatMap { Self.number($0[3]) } ?? 0
      self.group = own
      let member = line?[0]
      self.groups = all.filter { fields in
        member.map { member in fields[3].split(separator: ",").contains { $0 == member } } ?? false
      }.compactMap { Self.number($0[2]) }.filter { $0 != own }
    }
  }

  private static func lines(_ content: [UInt8], fields: Int) -> [[String]] {
    content.split(separator: UInt8(ascii: "\n")).map { line in
      line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false).map {
        String(decoding: $0, as: UTF8.self)
      }
    }.filter { $0.count >= fields }
  }

  /// A number of setuid(2), of which the last means none.
  private static func number(_ text: String) -> UInt32? {
    guard let number = UInt32(text), number < .max, text.utf8.first != UInt8(ascii: "+") else { return nil }
    return number
  }

  private static func unknown(_ kind: String, _ name: String, _ file: String) -> ArchiveError {
    ArchiveError(
      .corrupt, "the image's \(kind) \"\(name)\" is no number, and not in its \(file)",
      advice: "Ask whoever made the image, or start another one.")
  }
}
