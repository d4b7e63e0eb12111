package import Glibc

/// A process on its way.
package struct Running {
  package let pid: pid_t
  fileprivate let output: CInt?
  fileprivate let errors: CInt

  /// What it says on standard error, until somebody waits for its end.
  package var errorDescriptor: CInt { errors }

  package init(pid: pid_t, output: CInt?, errors: CInt) {
    self.pid = pid
    self.output = output
    self.errors = errors
  }

  /// Everything it writes until its end. What hangs is killed after a minute, with all that it started.
  package func wait() throws -> Outcome {
    var collected: [CInt: [UInt8]] = [:]
    var open = [output, errors].compactMap { $0 }
    defer { [output, errors].compactMap { $0 }.forEach { close($0) } }
    let deadline = ContinuousClock.now + .seconds(60)
    while !open.isEmpty {
      var states = open.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
      let left = (deadline - .now) / .milliseconds(1)
      guard left > 0, poll(&states, nfds_t(states.count), CInt(left)) > 0 else {
        kill(-pid, SIGKILL)
        _ = try reap()
        throw Hang(
          output: ByteString(output.flatMap { collected[$0] } ?? []),
          errors: ByteString(collected[errors] ?? []))
      }
      for state in states where state.revents != 0 {
        let bytes = try read(state.fd)
        collected[state.fd, default: []] += bytes
        if bytes.isEmpty { open.removeAll { $0 == state.fd } }
      }
    }
    return Outcome(
      end: try reap(), output: ByteString(output.flatMap { collected[$0] } ?? []),
      errors: ByteString(collected[errors] ?? []))
  }

  private func read(_ descriptor: CInt) throws -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    let count = Glibc.read(descriptor, &buffer, buffer.count)
    try SystemFailure.check(CInt(count), "read")
    return Array(buffer[..<count])
  }

  private func reap() throws -> Outcome.End {
    var status: CInt = 0
    try SystemFailure.check(waitpid(pid, &status, 0), "waitpid")
    // wait(2): the low seven bits are the signal, and the next byte is the exit status.
    return status & 0x7F == 0 ? .exit(status >> 8 & 0xFF) : .signal(status & 0x7F)
  }
}

/// A process that did not end.
package struct Hang: Error, CustomStringConvertible {
  package let output: ByteString
  package let errors: ByteString
  package var description: String {
    "it did not end, and had written\n\(output)\nand to standard error\n\(errors)"
  }
}

/// A system call of the test itself that failed.
package struct SystemFailure: Error, CustomStringConvertible {
  package let call: String
  package let number: CInt
  package var description: String { "\(call): \(String(cString: strerror(number)))" }

  package init(_ call: String, _ number: CInt) {
    self.call = call
    self.number = number
  }

  @discardableResult
  package static func check(_ result: CInt, _ call: String) throws -> CInt {
    guard result >= 0 else { throw SystemFailure(call, errno) }
    return result
  }
}
