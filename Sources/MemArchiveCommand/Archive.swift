import HTTPRanges
import Libc
import MemArchive
import SystemPackage

/// An archive named on the command line, with the ways in which subcommands read it.
struct Archive {
  let argument: String
  /// What it is called in all that is said of it: the argument, or an address without a password and without its query.
  let name: String
  private(set) var reader: ArchiveReader
  /// The options for every reading of it and of archives in it, with one deadline for all.
  let context: ExtractionContext
  /// What was found to be wrong with it.
  let failures = Failures()

  /// Shared because standard input is one pipe even if it is named twice on the command line.
  private static let standardInput = ArchiveReader(descriptor: .standardInput)

  /// The time of --timeout starts here.
  init(_ argument: String, _ options: ReadingOptions) throws {
    (self.argument, name) = (argument, Self.name(of: argument))
    context = try options.context()
    Transcript.current?.own(context)
    reader =
      argument == "-"
      ? Self.standardInput : Self.remote(argument) ?? ArchiveReader(path: Self.path(argument))
    guard options.verification.isWanted else { return }
    do {
      reader = try options.verification.verified(reader, argument, in: context, options)
    } catch let error as ArchiveError {
      throw report(error)
    }
  }

  static func name(of argument: String) -> String { FileAddress(argument)?.publicText ?? argument }

  /// The archive of an address; nil for a path.
  private static func remote(_ argument: String) -> ArchiveReader? {
    guard let address = FileAddress(argument) else { return nil }
    return ArchiveReader(source: RangedFile(CurlTransport(address), name: address.name))
  }

  /// The archive, kept in memory where it is a pipe and may have to be read twice.
  ///
  /// - Parameter isSelected: Whether some of its entries are asked for, any of which may be a link whose target has gone by.
  static func opened(_ argument: String, isSelected: Bool, _ options: ReadingOptions) throws -> Archive {
    let archive = try Archive(argument, options)
    // What is verified is in memory, and what a pipe has after it is not verified.
    guard isSelected, !options.verification.isWanted else { return archive }
    do { return try archive.kept() } catch let error as ArchiveError { throw archive.report(error) }
  }

  /// Whether reading it takes something away from another reading: it is a pipe, a socket or a terminal.
  static func isReadOnce(_ argument: String) -> Bool {
    var status = stat()
    guard argument != "-" else { return true }
    guard unsafe path(argument).withPlatformString({ unsafe stat($0, &status) }) == 0 else { return false }
    return status.st_mode & S_IFMT != S_IFREG && status.st_mode & S_IFMT != S_IFDIR
  }

  private func kept() throws -> Archive {
    let isInput = argument == "-"
    let descriptor: FileDescriptor
    do throws(Errno) {
      descriptor = isInput ? .standardInput : try Self.open(argument)
    } catch {
      // The reader reports the error.
      return self
    }
    defer { if !isInput { try? descriptor.close() } }
    var status = stat()
    guard unsafe fstat(descriptor.rawValue, &status) == 0,
      status.st_mode & S_IFMT == S_IFIFO || status.st_mode & S_IFMT == S_IFSOCK
    else { return self }
    let file = try MemFile(name: isInput ? "data" : argument, readingArchive: descriptor, in: context)
    return Archive(argument: argument, reader: ArchiveReader(contentsOf: file), context: context)
  }

  private init(argument: String, reader: ArchiveReader, context: ExtractionContext) {
    (self.argument, name) = (argument, Self.name(of: argument))
    self.reader = reader
    self.context = context
  }

  private static func path(_ argument: String) -> FilePath {
    RawText.path(ArchiveEntry.rawName(of: argument))
  }

  private static func open(_ argument: String) throws(Errno) -> FileDescriptor {
    do { return try FileDescriptor.open(path(argument), .readOnly, options: .closeOnExec) } catch {
      throw error as? Errno ?? .ioError
    }
  }

  /// Extracts the content of the visited entry; may be called once.
  typealias Content = () throws(ArchiveError) -> MemFile

  /// Calls `visit` for each entry that the options admit, one after another, under the name that it has from outside, with
  /// the name of the archive inside the archive that it lies in. What is wrong is reported where it is met; it ends the walk
  /// unless --keep-going says otherwise.
  ///
  /// - Parameters:
  ///   - prefetch: The content that `visit` will request.
  ///   - showsEntries: Whether --verbose shows each entry, which the command itself does not.
  ///   - isSparing: Whether only some entries are wanted, so that no others need be read.
  func walk(
    _ options: WalkOptions, _ prefetch: Prefetch = .eachInStep,
    storage: ExtractionOptions.Storage = .automatic, showsEntries: Bool = true, isSparing: Bool = false,
    _ visit: (ArchiveEntry, _ inside: String?, Content) throws -> Void
  ) throws -> ExitStatus {
    let walk = ArchiveWalk(
      self, options, prefetch, storage: storage, showsEntries: showsEntries, isSparing: isSparing)
    while try walk.next(visit) {}
    return walk.status
  }

  /// Says so where an intact archive has no entry that --include and --exclude admit.
  func reportUnmatched(
    _ options: WalkOptions, _ status: ExitStatus, isMatched: Bool
  ) -> ExitStatus {
    guard !isMatched, status == .done, !options.globs.admitsAll else { return .done }
    Diagnostics.report("\(name): no entry is left by --include and --exclude. See memarchive list.")
    return .usage
  }

  /// Extracts the entries that the options admit, on several threads if the format allows, and returns their number up to
  /// the one whose error ended the walk.
  ///
  /// - Parameter account: Charged for the entries if they are kept.
  func visit(
    _ options: WalkOptions, storage: ExtractionOptions.Storage, _ account: EntryAccount?,
    take: @escaping (MemFile) -> Void
  ) throws -> (ExitStatus, entries: Int) {
    let context = context.storing(storage).onError(options.keepGoing ? .keepGoing : .stop)
    var visitor = Visitor(archive: self, options: options, account, take: take)
    do {
      let protection = try reader.visit(&visitor, in: context)
      report(protection, options.reading)
    } catch {
      visitor.status = visitor.status.and(report(error))
    }
    report(visitor.warnings, options.reading)
    let status = visitor.status
    return (
      status.and(reportUnmatched(options, status, isMatched: visitor.entries > 0)), visitor.entries
    )
  }

  /// Reports entries and errors on standard error.
  private struct Visitor: EntryVisitor {
    let archive: Archive
    // Copied because each access to the options goes through ArgumentParser.
    private let isVerbose: Bool
    private let include: [Glob]
    private let exclude: [Glob]
    private let account: EntryAccount?
    let take: (MemFile) -> Void
    /// For each entry so far, whether it was admitted.
    private var admitted: [Bool] = []
    var entries: Int { admitted.count { $0 } }
    var status = ExitStatus.done
    var warnings: [ArchiveWarning] = []

    init(
      archive: Archive, options: WalkOptions, _ account: EntryAccount?, take: @escaping (MemFile) -> Void
    ) {
      (self.archive, self.account, self.take) = (archive, account, take)
      (isVerbose, include, exclude) = (options.reading.verbose, options.globs.include, options.globs.exclude)
    }

    var prefetch: Prefetch { .contents(include: include.map(\.text), exclude: exclude.map(\.text)) }

    mutating func wants(_ entry: ArchiveEntry) throws(ArchiveError) -> Bool {
      try account?.add(entry)
      if isVerbose { Diagnostics.report("\(archive.name): \(entry.kind) \(entry.name)") }
      admitted.append(Glob.admits(entry, include: include, exclude: exclude))
      return admitted[admitted.count - 1] && entry.hasContent
    }

    func add(_ file: MemFile?, for _: ArchiveEntry, position _: Int) { file.map(take) }

    mutating func note(_ error: ArchiveError) { status = status.and(archive.report(error)) }

    mutating func end(warnings: [ArchiveWarning], failedPosition: Int?) {
      self.warnings = warnings
      if let failedPosition { admitted.removeSubrange(min(failedPosition + 1, admitted.count)...) }
    }
  }

  /// Calls `body` with the content of each of these links, extracted in a second reading; links without content are
  /// reported and skipped. All are extracted together if the limits allow that.
  func forEachLink(
    _ names: [String], _ options: WalkOptions, _ body: (String, MemFile) throws -> Void
  ) throws -> ExitStatus {
    guard !names.isEmpty else { return .done }
    let files: MemFiles
    do {
      files = try reader.extract(
        .anyNamed(names), nested: options.nested, in: context.withOwnAccount.onError(.keepGoing))
    } catch  where error.code == .sourceConsumed {
      // A pipe of which everything was selected: all content has come by.
      return names.map { report(.unavailable($0, "its target is no file of the archive")) }
        .reduce(.done) { $0.and($1) }
    } catch {
      guard error.code == .limitExceeded, names.count > 1 else { return report(error) }
      let half = names.count / 2
      return try forEachLink(Array(names[..<half]), options, body)
        .and(forEachLink(Array(names[half...]), options, body))
    }
    var status = files.errors.reduce(ExitStatus.done) { $0.and(report($1)) }
    for name in names { if let file = files[name] { try body(name, file) } }
    for error in files.missing(names) { status = status.and(report(error)) }
    return status
  }

  /// Reports warnings, unless --quiet is given.
  func report(_ warnings: [ArchiveWarning], _ options: ReadingOptions) {
    ProgressBar.clear()
    guard !options.quiet else { return }
    for warning in warnings {
      if warning.concernsSandbox {
        Diagnostics.reportOnce("warning: \(warning.text)")
      } else {
        Diagnostics.report("\(name): warning: \(warning)")
      }
    }
  }

  /// Reports the protection of the extraction with --verbose.
  func report(_ protection: SandboxProtection?, _ options: ReadingOptions) {
    guard options.verbose, !options.quiet else { return }
    Diagnostics.report(
      "\(name): read by \(protection.map { "\($0)" } ?? "this process, without a sandbox")")
  }

  /// Reports an error once, and returns its exit status.
  func report(_ error: ArchiveError) -> ExitStatus {
    // The name of the archive is in front.
    let text = error.withoutPath.description { $0.inOptions }
    failures.note(error, text)
    Diagnostics.reportOnce("\(name): \(text)")
    return ExitStatus(error)
  }
}
