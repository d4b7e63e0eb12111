import CFaults
import Glibc
import MemArchive
import SystemPackage

/// One change to the system calls of an extraction, and the expected verdict.
struct Fault: CustomStringConvertible {
  enum Kind: Int32, CaseIterable {
    case memfdCreate, pwrite, pread, read, ftruncate, addSeals, getSeals, duplicate, mapFile, mapStack,
      mapReserve
    case collapse, fchmod, punchHole, startThread, open, status, seek, poll, close, affinity, limit

    /// The call that an error names.
    var call: String {
      switch self {
      case .memfdCreate: "memfd_create"
      case .addSeals, .getSeals, .duplicate: "fcntl"
      case .mapFile, .mapStack, .mapReserve: "mmap"
      case .collapse: "madvise"
      case .punchHole: "fallocate"
      case .startThread: "pthread_create"
      case .status: "fstat"
      case .seek: "lseek"
      case .affinity: "sched_getaffinity"
      case .limit: "getrlimit"
      default: "\(self)"
      }
    }
  }

  enum Change: Equatable {
    case fails(Errno)
    /// Half of the requested bytes are read or written.
    case half
    case oneByte
    /// The call is skipped, and this is returned.
    case returns(Int32)
    case isDoneAndFails(Errno)
    case truncatesTheArchiveFirst
    case overwritesTheArchiveFirst
  }

  /// The expected outcome.
  enum Verdict {
    /// Success, as without the fault.
    case success
    /// The error that belongs to the call and its number.
    case error
    case either
    /// One of these codes, or success.
    case successOr([ArchiveError.Code])
  }

  let kind: Kind
  let change: Change
  let verdict: Verdict
  /// The first call that is changed, from 0, and how many.
  var first = 0
  var count = 1
  /// Only calls with this argument and bits.
  var bits: (argument: Int32, bits: UInt64)?
  /// Only calls on paths with this prefix.
  var path: String?

  init(
    _ kind: Kind, _ change: Change, _ verdict: Verdict, count: Int = 1, bits: (Int32, UInt64)? = nil,
    path: String? = nil
  ) {
    (self.kind, self.change, self.verdict, self.count, self.path) = (kind, change, verdict, count, path)
    self.bits = bits.map { (argument: $0.0, bits: $0.1) }
  }

  var description: String { "\(kind) \(change), call \(first)" + (count > 1 ? " and later ones" : "") }

  func at(_ first: Int) -> Self {
    var fault = self
    fault.first = first
    return fault
  }

  /// The code that an error number gets.
  static func code(of errno: Errno) -> ArchiveError.Code {
    switch errno {
    case .tooManyOpenFiles, .tooManyOpenFilesInSystem: .descriptorLimit
    case .noMemory, .noSpace: .outOfMemory
    case .fileTooLarge: .limitExceeded
    default: .system
    }
  }

  /// Once each, at every call of its kind.
  static func each(_ scenario: Scenario) -> [Fault] {
    let noDescriptor: Verdict = scenario.options.storage == .automatic ? .success : .error
    let noThread = scenario.lackOfThreads
    // A header at the end is read by position, after a failed look at the first bytes too.
    let noBytes: Verdict = scenario.name == "7z" ? .either : .error
    var faults: [Fault] = [
      Fault(.memfdCreate, .fails(.tooManyOpenFiles), noDescriptor),
      Fault(.memfdCreate, .fails(.tooManyOpenFilesInSystem), noDescriptor),
      Fault(.memfdCreate, .fails(.noMemory), .error), Fault(.memfdCreate, .fails(.noFunction), .error),
      Fault(.memfdCreate, .fails(.permissionDenied), .error),
      Fault(.memfdCreate, .fails(.interrupted), .success),
      // Missing kernel features were probed before.
      Fault(.memfdCreate, .fails(.invalidArgument), .error),
      Fault(.pwrite, .fails(.noSpace), .error), Fault(.pwrite, .fails(.noMemory), .error),
      Fault(.pwrite, .fails(.fileTooLarge), .error), Fault(.pwrite, .fails(.ioError), .error),
      Fault(.pwrite, .fails(.resourceTemporarilyUnavailable), .error),
      Fault(.pwrite, .fails(.interrupted), .success), Fault(.pwrite, .half, .success),
      Fault(.pwrite, .oneByte, .success), Fault(.pwrite, .returns(0), .successOr([.system])),
      Fault(.pread, .fails(.ioError), noBytes), Fault(.pread, .fails(.noMemory), noBytes),
      Fault(.pread, .fails(.interrupted), .success), Fault(.pread, .half, .success),
      Fault(.pread, .oneByte, .success), Fault(.pread, .returns(0), .successOr([.truncated, .system])),
      // The machine's memory and control groups, and the archive if it is a pipe.
      Fault(.read, .fails(.ioError), .either), Fault(.read, .fails(.interrupted), .success),
      Fault(.read, .fails(.resourceTemporarilyUnavailable), .success), Fault(.read, .half, .success),
      Fault(.read, .oneByte, .success),
      Fault(.ftruncate, .fails(.noMemory), .error), Fault(.ftruncate, .fails(.fileTooLarge), .error),
      Fault(.ftruncate, .fails(.notPermitted), .error), Fault(.ftruncate, .fails(.interrupted), .success),
      Fault(.addSeals, .fails(.resourceBusy), .success), Fault(.addSeals, .fails(.interrupted), .success),
      Fault(.addSeals, .fails(.notPermitted), .error), Fault(.addSeals, .fails(.invalidArgument), .error),
      Fault(.addSeals, .fails(.noFunction), .error),
      // A kernel, or a layer in between, that reports success and does nothing.
      Fault(.addSeals, .returns(0), .successOr([.system])),
      Fault(.getSeals, .fails(.invalidArgument), .error),
      Fault(.getSeals, .returns(1), .successOr([.system])),
      Fault(.duplicate, .fails(.tooManyOpenFiles), .error),
      Fault(.mapFile, .fails(.noMemory), .either), Fault(.mapFile, .fails(.permissionDenied), .either),
      Fault(.mapFile, .fails(Errno(rawValue: ENODEV)), .either),
      Fault(.mapStack, .fails(.noMemory), noThread), Fault(.mapReserve, .fails(.noMemory), .success),
      Fault(.collapse, .fails(.invalidArgument), .success), Fault(.collapse, .fails(.noMemory), .success),
      Fault(.collapse, .fails(.resourceBusy), .success),
      Fault(.collapse, .fails(.resourceTemporarilyUnavailable), .success),
      Fault(.fchmod, .fails(.notPermitted), .error), Fault(.fchmod, .fails(.ioError), .error),
      Fault(.fchmod, .fails(.interrupted), .success),
      Fault(.punchHole, .fails(.notSupportedOnSocket), .success),
      Fault(.punchHole, .fails(.noSpace), .success),
      Fault(.startThread, .fails(.resourceTemporarilyUnavailable), noThread),
      Fault(.startThread, .fails(.noMemory), noThread), Fault(.startThread, .fails(.noFunction), .success),
      Fault(.open, .fails(.tooManyOpenFiles), .either),
      Fault(.open, .fails(.tooManyOpenFilesInSystem), .either),
      Fault(.open, .fails(.noMemory), .either), Fault(.open, .fails(.noSuchFileOrDirectory), .either),
      Fault(.open, .fails(.permissionDenied), .either), Fault(.open, .fails(.interrupted), .success),
      Fault(.status, .fails(.ioError), .either), Fault(.status, .fails(.noMemory), .either),
      Fault(.status, .fails(.interrupted), .success), Fault(.seek, .fails(.illegalSeek), .either),
      Fault(.poll, .fails(.interrupted), .success), Fault(.poll, .fails(.noMemory), .error),
      Fault(.close, .isDoneAndFails(.interrupted), .success),
      Fault(.close, .isDoneAndFails(.ioError), .success),
      Fault(.affinity, .fails(.invalidArgument), .success), Fault(.limit, .fails(.notPermitted), .success),
    ]
    if scenario.hasArchiveFile {
      faults += [
        Fault(
          .pread, .truncatesTheArchiveFirst, .successOr([.truncated, .corrupt, .unrecognizedFormat])),
        Fault(.pread, .overwritesTheArchiveFirst, .successOr([.truncated, .corrupt, .unrecognizedFormat])),
      ]
    }
    return faults
  }

  /// From one call on, all of them: a kernel or a machine that never does it.
  static func persistent(_ scenario: Scenario) -> [Fault] {
    [
      Fault(.memfdCreate, .fails(.tooManyOpenFiles), .error), Fault(.pwrite, .fails(.noSpace), .either),
      Fault(.pwrite, .half, .success), Fault(.pread, .half, .success),
      Fault(.pread, .fails(.ioError), .error),
      Fault(.addSeals, .fails(.resourceBusy), .error), Fault(.fchmod, .fails(.notPermitted), .error),
      Fault(.ftruncate, .fails(.noMemory), .either), Fault(.pwrite, .returns(0), .either),
      // Threads are refused; folios are unknown or never free; affinity cannot be told.
      Fault(.startThread, .fails(.resourceTemporarilyUnavailable), scenario.lackOfThreads),
      Fault(.mapStack, .fails(.noMemory), scenario.lackOfThreads),
      Fault(.collapse, .fails(.invalidArgument), .success), Fault(.mapReserve, .fails(.noMemory), .success),
      Fault(.punchHole, .fails(.noFunction), .success), Fault(.affinity, .fails(.noFunction), .success),
      Fault(.limit, .fails(.noFunction), .success),
      // Nothing in /proc and /sys, and no locale files.
      Fault(.open, .fails(.noSuchFileOrDirectory), .success, path: "/proc"),
      Fault(.open, .fails(.permissionDenied), .success, path: "/proc"),
      Fault(.open, .fails(.noSuchFileOrDirectory), .success, path: "/sys"),
      Fault(.open, .fails(.noSuchFileOrDirectory), .success, path: "/usr"),
    ].map {
      var fault = $0
      fault.count = Int(Int32.max)
      return fault
    }
  }
}
