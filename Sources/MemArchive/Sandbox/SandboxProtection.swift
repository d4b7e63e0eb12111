/// The protection in effect while a worker read an archive.
public struct SandboxProtection: Hashable, Sendable {
  /// The version of Landlock that denies the worker all files, TCP and signals to other processes; `nil` if the kernel has
  /// none.
  public let landlock: Int?
  /// Whether seccomp ends the worker at the first system call that extraction does not need.
  public let seccomp: Bool
  /// Whether the kernel kills the worker before any other process when memory runs out.
  public let diesFirst: Bool

  init(landlock: Int?, seccomp: Bool, diesFirst: Bool) {
    self.landlock = landlock
    self.seccomp = seccomp
    self.diesFirst = diesFirst
  }

  /// Warnings about missing parts, for a caller that accepts less than full protection.
  var warnings: [ArchiveWarning] {
    [landlock == nil ? "Landlock" : nil, seccomp ? nil : "seccomp"].compactMap {
      $0.map { .weakSandbox(without: $0) }
    }
  }
}

extension SandboxProtection: CustomStringConvertible {
  /// One line, such as "a process of its own without privileges; Landlock 7: no files, no network; seccomp".
  public var description: String {
    var text = "a process of its own with an empty environment and no privileges to gain"
    text += landlock.map { "; Landlock \($0): no file, no TCP, no signal" } ?? "; no Landlock"
    text += seccomp ? "; seccomp: a list of system calls" : "; no seccomp"
    if diesFirst { text += "; first to go when memory runs out" }
    return text
  }
}

extension BinaryEncoder {
  mutating func put(_ protection: SandboxProtection) {
    put(optional: protection.landlock.map { Int32(clamping: $0) })
    put(protection.seccomp)
    put(protection.diesFirst)
  }
}

extension BinaryDecoder {
  mutating func protection() throws(Malformed) -> SandboxProtection {
    SandboxProtection(
      landlock: try optionalNumber(Int32.self).map { Int($0) }, seccomp: try bool(), diesFirst: try bool())
  }
}
