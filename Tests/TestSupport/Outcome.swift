import Testing

/// How a process ended, and everything that it wrote.
package struct Outcome: Equatable, Sendable {
  package enum End: Equatable, Sendable {
    case exit(Int32)
    case signal(Int32)
  }

  package let end: End
  package let output: ByteString
  package let errors: ByteString

  package init(end: End, output: ByteString, errors: ByteString) {
    (self.end, self.output, self.errors) = (end, output, errors)
  }

  /// Exit status 0, and nothing on standard error.
  package static func done(_ output: ByteString = "", errors: ByteString = "") -> Self {
    Self(end: .exit(0), output: output, errors: errors)
  }

  package static func failed(_ status: Int32, output: ByteString = "", errors: ByteString) -> Self {
    Self(end: .exit(status), output: output, errors: errors)
  }
}

extension Outcome: CustomTestStringConvertible {
  package var testDescription: String {
    "\(end)\n--- standard output:\n\(output)\n--- standard error:\n\(errors)\n---"
  }
}
