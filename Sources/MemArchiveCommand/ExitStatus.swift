import ArgumentParser
import Libc
import MemArchive

/// The program's exit status; thrown once everything has been reported.
struct ExitStatus: Error, Equatable {
  let code: Int32

  static let done = Self(code: 0)
  static let damaged = Self(code: 1)
  static let usage = Self(code: 2)
  static let limit = Self(code: 3)
  static let system = Self(code: 4)
  /// A command of `each` failed, or clamd found something.
  static let commandFailed = Self(code: 123)
  /// The same, and an archive failed too.
  static let commandAndArchiveFailed = Self(code: 124)
  /// `run` failed before the command was executed.
  static let beforeCommand = Self(code: 125)
  static let commandNotExecutable = Self(code: 126)
  static let commandNotFound = Self(code: 127)
  /// What a shell sees of a program ended by SIGPIPE.
  static let readerGone = Self(code: 128 + SIGPIPE)

  /// The status for an error of the library.
  init(_ error: ArchiveError) {
    self =
      switch error.code {
      case .limitExceeded, .tooManyLayers, .timedOut: .limit
      case .noSuchEntry, .notAFile: .usage
      case .system, .descriptorLimit, .processLimit, .outOfMemory, .pathUnavailable, .treeUnavailable,
        .sourceConsumed, .sourceFailed,
        .sandboxUnavailable:
        .system
      default: .damaged
      }
  }

  private init(code: Int32) { self.code = code }

  /// That of a command.
  init(ofCommand code: Int32) { self.code = code }

  /// The worse of two.
  func and(_ other: Self) -> Self { code >= other.code ? self : other }
}

/// Exits; the memory files go with the process.
func leave(_ status: ExitStatus) -> Never {
  if status == .readerGone {
    ExtractionPool.shared.end()
    BrokenPipe.restore()
    raise(SIGPIPE)
  }
  Libc.exit(status.code)
}
