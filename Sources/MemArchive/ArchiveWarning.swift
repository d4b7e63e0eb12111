/// Something odd in an archive that did not prevent its extraction.
public struct ArchiveWarning: Hashable, Sendable {
  /// The name of the entry concerned; `nil` for the archive as a whole.
  public let entry: String?
  /// What is odd.
  public let text: String
  /// The number of warnings that this one replaces; 0 for an ordinary warning.
  private(set) var others = 0

  init(entry: String?, text: String) { (self.entry, self.text) = (entry, text) }
}

extension ArchiveWarning: CustomStringConvertible {
  /// The entry, if there is one, and what is odd; one line, escaped like ``ArchiveError/description``.
  public var description: String { PlainText.escaped((entry.map { "entry \"\($0)\": " } ?? "") + text) }
}

extension ArchiveWarning {
  /// The last warning, if there were more than are kept.
  static func others(_ count: Int) -> Self {
    var warning = Self(entry: nil, text: "\(count) further warning\(count == 1 ? "" : "s") not shown")
    warning.others = count
    return warning
  }

  static func noSandbox(_ reason: String) -> Self { Self(entry: nil, text: noSandboxPrefix + reason) }
  private static var noSandboxPrefix: String { "there is no sandbox: " }

  static func weakSandbox(without part: String) -> Self {
    Self(entry: nil, text: weakSandboxPrefix + part + ", which this system does not provide")
  }
  private static var weakSandboxPrefix: String { "the sandbox lacks " }

  /// Whether it says that all or part of the wanted protection is missing.
  package var concernsSandbox: Bool {
    text.hasPrefix(Self.noSandboxPrefix) || text.hasPrefix(Self.weakSandboxPrefix)
  }

  static func unavailable(_ link: String, _ why: String) -> Self {
    Self(entry: link, text: ArchiveError.unavailablePrefix + why)
  }

  /// The reason that a link leads to no file, if the warning is about that.
  var unavailability: String? {
    text.hasPrefix(ArchiveError.unavailablePrefix)
      ? String(text.dropFirst(ArchiveError.unavailablePrefix.count)) : nil
  }

  static func leftOut(_ name: String) -> Self {
    Self(entry: name, text: "a later entry of the same name was left out")
  }

  static func replaced(_ name: String) -> Self {
    Self(entry: name, text: "a later entry of the same name replaced it")
  }
}
