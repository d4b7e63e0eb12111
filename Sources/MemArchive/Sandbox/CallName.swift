internal import CLinux

/// The names of system calls.
enum CallName {
  /// Its name, or its number where that is none that is told apart.
  static func of(_ number: UInt32) -> String {
    guard let name = unsafe clinux_call_name(number) else { return "number \(number)" }
    return unsafe String(cString: name)
  }
}
