/// Something odd in an archive that did not prevent its extraction.
public struct ArchiveWarning: Hashable, Sendable {
  /// The name of the entry it is about; `nil` for the archive as a whole.
  public let entry: String?
  /// What is odd.
  public let text: String
  /// How many warnings that were not kept it stands for; 0 for one that says something itself.
  private(set) var others = 0

  init(entry: String?, text: String) { (self.entry, self.text) = (entry, text) }
}

extension ArchiveWarning: CustomStringConvertible {
  /// The entry, where there is one, and what is odd; one line, escaped like ``ArchiveError/description``.
  public var description: String { PlainText.escaped((entry.map { "entry \"\($0)\": " } ?? "") + text) }
}

extension ArchiveWarning {
  /// The last one, where there were more than are kept.
  static func others(_ count: Int) -> Self {
    var warning = Self(entry: nil, text: "\(count) further warning\(count == 1 ? "" : "s") not shown")
    warning.others = count
    return warning
  }

  static func noSandbox(_ reason: String) -> Self { Self(entry: nil, text: noSandboxPrefix + reason) }
  private static var noSandboxPrefix: String { "there is no sandbox: " }

  static func weakSandbox(without part: String) -> Self {
    Self(entry: nil, text: weakSandboxPrefix + part + ", which this system does not grant")
  }
  private static var weakSandboxPrefix: String { "the sandbox is without " }

  /// Whether it says that the protection that was wanted could not be had, or not all of it.
  package var concernsSandbox: Bool {
    text.hasPrefix(Self.noSandboxPrefix) || text.hasPrefix(Self.weakSandboxPrefix)
  }

  static func unavailable(_ link: String, _ why: String) -> Self {
    Self(entry: link, text: ArchiveError.unavailablePrefix + why)
  }

  /// Why a link leads to no file, if that is what it says.
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
