/// Something odd in an archive that did not prevent its extraction.
public struct ArchiveWarning: Hashable, Sendable {
  /// The name of the entry it is about; `nil` for the archive as a whole.
  public let entry: String?
  /// What is odd.
  public let text: String
}

extension ArchiveWarning: CustomStringConvertible {
  /// The entry, where there is one, and what is odd; one line, escaped like ``ArchiveError/description``.
  public var description: String { PlainText.escaped((entry.map { "entry \"\($0)\": " } ?? "") + text) }
}

extension ArchiveWarning {
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
