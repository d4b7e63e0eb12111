internal import CLinux

/// The variables of this process's environment that the library reads.
package enum Environment {
  /// The program that reads archives in the sandbox.
  static let worker = "MEMARCHIVE_WORKER"
  /// Bytes that extractions without a limit of their own may hold together.
  package static let memory = "MEMARCHIVE_MEMORY"

  /// A variable's value; nil if it is empty or not set, and in a program that runs with other privileges than its caller.
  package static func value(_ name: String) -> String? {
    guard let value = unsafe clinux_secure_environment(name) else { return nil }
    let text = unsafe String(cString: value)
    return text.isEmpty ? nil : text
  }
}
