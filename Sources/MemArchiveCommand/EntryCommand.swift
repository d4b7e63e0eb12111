import CLinux
import Libc
import MemArchive
import SystemPackage

/// The command of `each`, which is started for one entry after another, or for several together.
struct EntryCommand: Sendable {
  /// How a command ended: by exiting, or by a signal.
  enum End: CustomStringConvertible {
    case exit(Int32)
    case signal(Int32)

    var isSuccess: Bool { if case .exit(0) = self { true } else { false } }

    var description: String {
      switch self {
      case .exit(let status): "exit status \(status)"
      case .signal(let number): "signal \(number)"
      }
    }
  }

  /// What a command writes to.
  enum Stream: CaseIterable {
    case output, errors

    fileprivate var number: Int32 { self == .output ? STDOUT_FILENO : STDERR_FILENO }
  }

  /// Whether it takes several entries at once: {}+.
  let takesSeveral: Bool
  private let name: String
  private let words: [[UInt8]]
  private let takesPaths: Bool
  private let isHeld: Bool
  /// This program's own variables.
  private let environment: [[UInt8]]
  /// The signals that commands have blocked: those that this program was started with.
  private let mask: SignalMask

  private static let path = Array("{}".utf8)
  private static let paths = Array("{}+".utf8)

  /// - Parameter isHeld: Whether paths lead into this process, for commands that close descriptors.
  init(_ words: [String], isHeld: Bool) {
    name = words.first ?? ""
    self.words = words.map { ArchiveEntry.rawName(of: $0) }
    self.isHeld = isHeld
    takesSeveral = self.words.contains(Self.paths)
    takesPaths = self.words.contains { Self.filled($0, []) != $0 }
    mask = SignalMask()
    var variables: [[UInt8]] = []
    var next = unsafe clinux_environment()
    while let place = unsafe next, let text = unsafe place.pointee {
      let variable = unsafe Array(UnsafeRawBufferPointer(start: text, count: strlen(text)))
      if !Variable.allCases.contains(where: { variable.starts(with: $0.start) }) {
        variables.append(variable)
      }
      unsafe next = place + 1
    }
    environment = variables
  }

  /// Whether {}+ is the only place for entries, if it is there.
  static func isValid(_ words: [String]) -> Bool {
    let words = words.map { ArchiveEntry.rawName(of: $0) }
    guard words.contains(paths) else { return true }
    return words.count { filled($0, []) != $0 } == 1 && words.first != paths
  }

  /// The variables of the environment that tell of an entry.
  private enum Variable: String, CaseIterable {
    case archive, name, size, mode, mtime
    /// Of several entries: a file with their names, each with a NUL behind it.
    case names

    var start: [UInt8] { Array("MEMARCHIVE_\(rawValue.uppercased())=".utf8) }

    func set(_ value: [UInt8]) -> [UInt8] { start + value }
    func set(_ value: String) -> [UInt8] { start + Array(value.utf8) }
  }

  // MARK: Running

  /// Runs the command, and returns once it has ended. What a descendant that it left behind writes later is lost.
  ///
  /// - Parameters:
  ///   - entries: One of them, unless the command takes several.
  ///   - collected: What is passed to `take`; this program's own otherwise.
  ///   - take: Called with what the command writes, as it comes.
  /// - Throws: ``ArchiveError`` if the command cannot be started for this entry; a status, once it has been reported, if it cannot
  ///   be started at all; what `take` throws, once the command has ended.
  func run(
    _ entries: [DrawnEntry], of archive: String, collecting collected: Set<Stream>,
    _ take: (Stream, [UInt8]) throws(ExitStatus) -> Void
  ) throws -> End {
    let names = try takesSeveral ? Self.names(of: entries) : nil
    defer { withExtendedLifetime((entries, names)) {} }
    var pipes: [CollectingPipe] = []
    for stream in Stream.allCases where collected.contains(stream) {
      pipes.append(try CollectingPipe(for: stream))
    }
    let process = try start(entries, names, of: archive, pipes)
    for pipe in pipes { pipe.closeWriting() }
    let outcome = Result { () throws(ExitStatus) in try CollectingPipe.collect(pipes, from: process, take) }
    // Whatever it still has to say, nobody listens.
    for pipe in pipes { pipe.closeReading() }
    let end = try Self.reap(process)
    try outcome.get()
    return end
  }

  private func start(
    _ entries: [DrawnEntry], _ names: MemFile?, of archive: String, _ pipes: [CollectingPipe]
  ) throws -> pid_t {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe _ = posix_spawn_file_actions_destroy(&actions) }
    let null = try takesPaths ? Self.openNull() : nil
    defer { try? null?.close() }
    if let null {
      unsafe _ = posix_spawn_file_actions_adddup2(&actions, null.rawValue, STDIN_FILENO)
    } else if let file = entries.first?.file {
      // Its offset is nobody else's.
      let descriptor = try file.fileDescriptor
      try descriptor.seek(offset: 0, from: .start)
      unsafe _ = posix_spawn_file_actions_adddup2(&actions, descriptor.rawValue, STDIN_FILENO)
    }
    for pipe in pipes {
      unsafe _ = posix_spawn_file_actions_adddup2(&actions, pipe.writing, pipe.stream.number)
    }
    var paths: [[UInt8]] = []
    for entry in entries where takesPaths { paths.append(try unsafe path(of: entry.file, &actions)) }
    var variables = [Variable.archive.set(ArchiveEntry.rawName(of: archive))]
    if let names {
      variables.append(Variable.names.set(try unsafe path(of: names, &actions)))
    } else if let entry = entries.first {
      variables += Self.variables(of: entry)
    }
    let arguments = words.flatMap { $0 == Self.paths ? paths : [Self.filled($0, paths.first ?? [])] }
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe _ = posix_spawnattr_destroy(&attributes) }
    mask.set(&attributes)
    var process = pid_t()
    let program = (arguments.first ?? []).map { CChar(bitPattern: $0) } + [0]
    let failure = unsafe CStrings.with(arguments) { arguments in
      unsafe CStrings.with(environment + variables) { environment in
        unsafe posix_spawnp(&process, program, &actions, &attributes, arguments, environment)
      }
    }
    guard failure != 0 else { return process }
    let error = Errno(rawValue: failure)
    switch error {
    case .argListTooLong:
      throw ArchiveError(
        .nameTooLong, entry: entries.first?.entry.name, "with its name the command's environment is too long",
        call: "posix_spawn", errno: error, advice: "Have the archive packed again with shorter names.")
    case .resourceTemporarilyUnavailable, .noMemory, .tooManyOpenFiles, .tooManyOpenFilesInSystem:
      Diagnostics.report(
        "\(name): \(error). Run fewer commands at once (--jobs), or raise the limit (ulimit -u, -n).")
      throw ExitStatus.system
    default: throw Execution.failure(of: name, error)
    }
  }

  /// Opened here, because of an action that fails posix_spawn(3) says no more than of a command that is not there.
  private static func openNull() throws(ExitStatus) -> FileDescriptor {
    do {
      return try FileDescriptor.open(FilePath("/dev/null"), .readOnly, options: .closeOnExec)
    } catch {
      Diagnostics.reportOnce("/dev/null: \(error)")
      throw .system
    }
  }

  /// A path of the file for the command, which inherits it unless it is held.
  ///
  /// - Throws: ``ArchiveError`` also when /proc is not mounted.
  private func path(of file: MemFile, _ actions: inout posix_spawn_file_actions_t) throws -> [UInt8] {
    _ = try file.path
    return Array((try isHeld ? file.externalPath : unsafe file.addToFileActions(&actions)).utf8)
  }

  /// No format lets a NUL into a name.
  private static func names(of entries: [DrawnEntry]) throws -> MemFile {
    try MemFile(name: "names", bytes: entries.flatMap { $0.entry.rawName + [0] })
  }

  private static func variables(of drawn: DrawnEntry) -> [[UInt8]] {
    let entry = drawn.entry
    var variables = [Variable.name.set(entry.rawName), Variable.size.set("\(drawn.file.size)")]
    if let mode = entry.mode { variables.append(Variable.mode.set("0" + String(mode, radix: 8))) }
    if let time = entry.modified { variables.append(Variable.mtime.set("\(time.seconds)")) }
    return variables
  }

  /// The word with a path in place of each {}.
  private static func filled(_ word: [UInt8], _ path: [UInt8]) -> [UInt8] {
    guard word.contains(Self.path[0]) else { return word }
    var (filled, rest): ([UInt8], _) = ([], word[...])
    while let byte = rest.first {
      if rest.starts(with: Self.path) {
        filled += path
        rest = rest.dropFirst(Self.path.count)
      } else {
        filled.append(byte)
        rest = rest.dropFirst()
      }
    }
    return filled
  }

  private static func reap(_ process: pid_t) throws -> End {
    var status: Int32 = 0
    while unsafe waitpid(process, &status, 0) < 0 {
      let error = Errno(rawValue: Libc.errno)
      guard error == .interrupted else {
        Diagnostics.report("waitpid: \(error)")
        throw ExitStatus.system
      }
    }
    // wait(2): the low seven bits are the signal, and the next byte is the exit status.
    return status & 0x7F == 0 ? .exit(status >> 8 & 0xFF) : .signal(status & 0x7F)
  }
}

/// Signals of commands: what this program blocks and ignores is its own matter.
struct SignalMask: @unchecked Sendable {
  private var mask = sigset_t()

  /// The current thread's, which has to be one that blocks nothing.
  init() { unsafe _ = pthread_sigmask(SIG_SETMASK, nil, &mask) }

  fileprivate func set(_ attributes: inout posix_spawnattr_t) {
    var (mask, original) = (mask, sigset_t())
    unsafe sigemptyset(&original)
    if BrokenPipe.endsProgram { unsafe sigaddset(&original, SIGPIPE) }
    unsafe posix_spawnattr_setsigmask(&attributes, &mask)
    unsafe posix_spawnattr_setsigdefault(&attributes, &original)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
  }
}

/// Arrays of C strings.
private enum CStrings {
  /// Calls `body` with a null-terminated array of copies.
  static func with<Result>(
    _ strings: [[UInt8]], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
  ) -> Result {
    let pointers = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: strings.count + 1)
    defer { unsafe pointers.deallocate() }
    for (index, string) in strings.enumerated() {
      unsafe pointers[index] = unsafe strdup(string.map { CChar(bitPattern: $0) } + [0])
    }
    unsafe pointers[strings.count] = nil
    defer { for index in strings.indices { unsafe free(pointers[index]) } }
    return unsafe body(pointers)
  }
}
