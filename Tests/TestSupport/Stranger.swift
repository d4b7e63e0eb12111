import Foundation
package import Glibc

/// A process that need not be a child of the test's, and tells its end.
package final class Stranger {
  package let pid: pid_t
  private let pidfd: CInt

  /// pidfd_open(2), of glibc 2.36, which Swift's module does not show.
  private static let open: @convention(c) (pid_t, CUnsignedInt) -> CInt = unsafeBitCast(
    dlsym(nil, "pidfd_open"), to: (@convention(c) (pid_t, CUnsignedInt) -> CInt).self)

  package init(_ pid: pid_t) throws {
    self.pid = pid
    pidfd = try SystemFailure.check(Self.open(pid, 0), "pidfd_open")
  }

  deinit { close(pidfd) }

  /// Whether it ends; half a minute is for machines that have much to do.
  package var ends: Bool {
    var state = pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)
    return poll(&state, 1, 30_000) == 1
  }

  /// The processes whose mount namespace is this one, as readlink(1) tells it of /proc/PID/ns/mnt.
  package static func all(inMountNamespace namespace: String) throws -> [Stranger] {
    try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { name in
      guard let pid = pid_t(name),
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(name)/ns/mnt")) == namespace
      else { return nil }
      return try Stranger(pid)
    }
  }
}
