import ArgumentParser
import Libc
import MemArchive

/// How many archives are read at once.
struct JobOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      Read so many archives at once; what they print comes in order. The default is the number of processors, one more in \
      the sandbox, or 1 with --timeout.
      """, valueName: "number"))
  var jobs: Int?

  func validate() throws {
    if let jobs, jobs < 1 { throw ValidationError("--jobs must be at least 1.") }
  }

  /// Calls `body` for each archive, for several at once where that is allowed; they divide the processors, as extractions at the
  /// same time do. What is written appears as if it was written by one after another.
  ///
  /// - Parameters:
  ///   - inTurn: Whether each is to be read after the one before it.
  ///   - body: Called on several threads at once. Shares with its other calls nothing that it changes.
  /// - Returns: The worst status; what `body` throws ends the command.
  func forEach(
    _ archives: [String], _ reading: ReadingOptions, inTurn: Bool = false,
    _ body: @escaping (_ index: Int) throws -> ExitStatus
  ) throws -> ExitStatus {
    let wanted = inTurn ? 1 : jobs ?? (reading.timeout == nil ? Self.usual(reading) : 1)
    var limit = min(archives.count, wanted)
    if limit > 1 { limit = min(limit, DescriptorLimit.raise() / Self.mostDescriptors) }
    guard limit > 1 else { return try Self.forEachInTurn(archives.count, body) }
    let queue = JobQueue(archives.count, limit: limit)
    // The options are only read, and what else is shared is the caller's to keep apart.
    nonisolated(unsafe) let body = body
    var threads = ThreadGroup()
    var started = 0
    while started < limit {
      do throws(ArchiveError) {
        try threads.start {
          queue.work(waits: { Archive.isReadOnce(archives[$0]) }) { unsafe try body($0) }
        }
      } catch {
        break
      }
      started += 1
    }
    guard started > 0 else { return unsafe try Self.forEachInTurn(archives.count, body) }
    defer {
      queue.end()
      threads.join()
    }
    var worst = ExitStatus.done
    for index in archives.indices { worst = worst.and(try queue.show(index)) }
    return worst
  }

  /// With a worker of its own, each archive has moments at which a processor waits for another one.
  private static func usual(_ reading: ReadingOptions) -> Int {
    ExtractionOptions().threads + (reading.sandbox == .off ? 0 : 1)
  }

  /// Upper bound of the descriptors that one extraction has on their way: three packets, and some for everything else.
  private static let mostDescriptors = 1000

  private static func forEachInTurn(
    _ count: Int, _ body: (Int) throws -> ExitStatus
  ) throws -> ExitStatus {
    try (0..<count).reduce(.done) { worst, index in worst.and(try body(index)) }
  }
}
