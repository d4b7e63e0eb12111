import CLinux
import Libc
import MemArchive
import SealedMemory
import Synchronization
import SystemPackage

/// clamd(8), by its Unix socket: entries are passed as descriptors (FILDES), in sessions (IDSESSION) that are used again.
final class ClamdClient: Sendable {
  /// What clamd says of a file.
  enum Verdict: Equatable {
    case clean
    /// With the name of the signature.
    case found(String)
    /// It could not be scanned.
    case failed(String)

    /// The answer to a request of a session: `1: fd[9]: Name FOUND`.
    init?(_ answer: String) {
      guard let number = answer.firstIndex(of: ":"), answer[..<number].allSatisfy(\.isNumber) else {
        return nil
      }
      let rest = answer[answer.index(after: number)...].drop { $0 == " " }
      // An error of the session as a whole names no file.
      let text = rest.hasPrefix("fd[") ? rest.drop { $0 != ":" }.dropFirst().drop { $0 == " " } : rest
      if text == "OK" {
        self = .clean
      } else if text.hasSuffix(" FOUND") {
        self = .found(String(text.dropLast(6)))
      } else {
        self = .failed(String(text.hasSuffix(" ERROR") ? text.dropLast(6) : text))
      }
    }
  }

  private let path: String
  private let sessions = Mutex<[Session]>([])

  init(_ path: String) { self.path = path }

  /// Throws, once it has been reported, if nobody listens.
  func connect() throws(ExitStatus) {
    do throws(Errno) {
      let session = try Session(path)
      sessions.withLock { $0.append(session) }
    } catch {
      throw failure(error)
    }
  }

  /// Passes a file on, and waits for the answer.
  ///
  /// - Throws: ``ArchiveError`` if the file has no descriptor; a status, once it has been reported, if clamd does not answer.
  func scan(_ file: MemFile) throws -> Verdict {
    let descriptor = try file.fileDescriptor
    defer { withExtendedLifetime(file) {} }
    let idle = sessions.withLock { $0.popLast() }
    do throws(Errno) {
      if let idle {
        // clamd ends a session that nothing came from for a while (IdleTimeout in clamd.conf).
        do throws(Errno) { return try scan(descriptor, by: idle) } catch .brokenPipe {
        } catch .connectionReset {}
      }
      return try scan(descriptor, by: Session(path))
    } catch {
      throw failure(error)
    }
  }

  private func scan(_ descriptor: FileDescriptor, by session: Session) throws(Errno) -> Verdict {
    let verdict = try session.scan(descriptor)
    sessions.withLock { $0.append(session) }
    return verdict
  }

  private func failure(_ error: Errno) -> ExitStatus {
    Diagnostics.reportOnce(
      "clamd at \(path): \(error). Start clamd, or give the path that LocalSocket has in its clamd.conf.")
    return .system
  }

  /// A connection in which one request follows another.
  private final class Session: Sendable {
    private let socket: FileDescriptor

    init(_ path: String) throws(Errno) {
      let bytes = ArchiveEntry.rawName(of: path).map { CChar(bitPattern: $0) } + [0]
      socket = FileDescriptor(rawValue: try SystemCalls.valueOrErrno { unsafe clinux_connect(bytes) })
      try send("zIDSESSION\0")
    }

    deinit { try? socket.close() }

    func scan(_ descriptor: FileDescriptor) throws(Errno) -> Verdict {
      try send("zFILDES\0")
      // At least one byte has to come with a descriptor.
      try send("\0", with: [descriptor])
      guard let verdict = Verdict(try answer()) else { throw .protocolError }
      return verdict
    }

    private func send(_ text: String, with descriptors: [FileDescriptor] = []) throws(Errno) {
      let numbers = descriptors.map(\.rawValue)
      var bytes = Array(text.utf8)[...]
      while !bytes.isEmpty {
        // They go with the first bytes; a request is short, and goes whole.
        let sent = try SystemCalls.valueOrErrno {
          unsafe bytes.withUnsafeBytes {
            unsafe clinux_send_descriptors(
              socket.rawValue, $0.baseAddress, $0.count, numbers, numbers.count, 1)
          }
        }
        bytes = bytes.dropFirst(sent)
      }
    }

    /// The next answer, without the NUL behind it.
    private func answer() throws(Errno) -> String {
      var answer: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 1024)
      while answer.last != 0 {
        let count = try SystemCalls.valueOrErrno { unsafe read(socket.rawValue, &buffer, buffer.count) }
        guard count > 0 else { throw .connectionReset }
        answer += buffer[..<count]
        guard answer.count <= Self.longestAnswer else { throw .protocolError }
      }
      return ArchiveEntry.name(raw: answer.dropLast())
    }

    private static let longestAnswer = 64 << 10
  }
}
