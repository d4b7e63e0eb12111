import ArgumentParser
import Glibc
import MemArchive

/// What a server does that gets many archives at once: each is a task, and what it extracts is dropped at its end.
struct ServerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "server", abstract: "Extract many archives at once, by the asynchronous extract().")

  @Argument(help: "A directory of archives, which are read in turn.")
  var directory: String

  @Option(name: .long, help: "The number of tasks.")
  var count = 200

  @Flag(name: .long, help: "Read by workers.")
  var sandboxed = false

  func run() async throws {
    DescriptorLimit.raise()
    let archives = Self.names(in: directory).sorted().map { "\(directory)/\($0)" }
    let options = ExtractionOptions(sandbox: sandboxed ? .required : .off)
    guard !archives.isEmpty else { throw ValidationError("There is nothing in the directory.") }
    let watcher = Watcher([
      { Self.names(in: "/proc/self/task").count }, { Self.names(in: "/proc/self/fd").count },
    ])
    // Whoever else wants a thread of Swift's.
    let bystander = Task {
      var longest = Duration.zero
      while !Task.isCancelled {
        let (before, clock) = (ContinuousClock.now, ContinuousClock())
        try? await clock.sleep(for: .milliseconds(1))
        longest = max(longest, clock.now - before)
      }
      return longest
    }
    let start = ContinuousClock.now
    let times = try await withThrowingTaskGroup(of: Duration.self) { tasks in
      for number in 0..<count {
        let archive = archives[number % archives.count]
        tasks.addTask {
          let start = ContinuousClock.now
          let files = try await ArchiveReader(path: archive).extract(options: options)
          withExtendedLifetime(files) {}
          return ContinuousClock.now - start
        }
      }
      return try await tasks.reduce(into: []) { $0.append($1) }
    }
    let wall = ContinuousClock.now - start
    bystander.cancel()
    let longest = await bystander.value
    let most = watcher.stop()
    try JSON.print(
      Report(
        seconds: wall / .seconds(1), p99: times.sorted()[(count * 99 - 1) / 100] / .seconds(1),
        delay: longest / .seconds(1), threads: most[0], descriptors: most[1]))
  }

  private struct Report: Encodable {
    /// Until all were extracted; the time of one among 99 of a hundred; and the longest that another task slept which wanted
    /// to sleep for a millisecond.
    let seconds, p99, delay: Double
    /// The most at any time, of this process, with those that watch.
    let threads, descriptors: Int
  }

  private static func names(in directory: String) -> [String] {
    guard let stream = unsafe opendir(directory) else { return [] }
    defer { unsafe _ = closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
        unsafe String(cString: UnsafeRawPointer(name).assumingMemoryBound(to: CChar.self))
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names
  }
}
