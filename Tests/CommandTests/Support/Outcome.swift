import Testing

/// How a process ended, and everything that it wrote.
struct Outcome: Equatable, Sendable {
  enum End: Equatable, Sendable {
    case exit(Int32)
    case signal(Int32)
  }

  let end: End
  let output: Bytes
  let errors: Bytes

  /// Exit status 0, and nothing on standard error.
  static func done(_ output: Bytes = "", errors: Bytes = "") -> Self {
    Self(end: .exit(0), output: output, errors: errors)
  }

  static func failed(_ status: Int32, output: Bytes = "", errors: Bytes) -> Self {
    Self(end: .exit(status), output: output, errors: errors)
  }
}

extension Outcome: CustomTestStringConvertible {
  var testDescription: String {
    "\(end)\n--- standard output:\n\(output)\n--- standard error:\n\(errors)\n---"
  }
}
