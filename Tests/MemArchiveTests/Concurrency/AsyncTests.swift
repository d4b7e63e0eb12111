import Glibc
import MemArchive
import SystemPackage
import TestSupport
import Testing

/// The async forms: the same results, and prompt cancellation.
struct AsyncTests {
  private let path = Fixture.path("tar-300-entries.tar.gz")

  @Test(.slow, arguments: Isolation.allCases)
  func `The async forms give what the others give`(_ isolation: Isolation) async throws {
    let (reader, options) = (ArchiveReader(path: path), isolation.applied())
    let files = try await reader.extract(options: options)
    #expect(files.count == 300)
    #expect(try await reader.entries(options: options).map(\.name) == files.names)
    var names: [String] = []
    for try await file in reader.files(options: options) { names.append(file.name) }
    #expect(names == files.names)
    var selected = 0
    for try await file in reader.files(.matching { $0.name.contains("7") }, options: options) {
      #expect(file.name.contains("7"))
      selected += 1
    }
    #expect(selected > 0)
  }

  @Test(arguments: Isolation.allCases)
  func `A sequence ends with the error and then with nothing`(_ isolation: Isolation) async throws {
    let damaged = Zip.archive(.init("good", [1]), .init("bad", [2], crc: 3), .init("after", [4]))
    var iterator = ArchiveReader(bytes: damaged).files(options: isolation.applied()).makeAsyncIterator()
    #expect(try await iterator.next()?.name == "good")
    do {
      _ = try await iterator.next()
      Issue.record("the damage went unnoticed")
    } catch {
      #expect((error as? ArchiveError)?.code == .corrupt)
    }
    #expect(try await iterator.next() == nil)
  }

  @Test func `A cancelled task stops even while a pipe gives nothing, and leaves nothing`() async throws {
    var ends: [Int32] = [0, 0]
    try #require(Glibc.pipe(&ends) == 0)
    let (reading, writing) = (ends[0], ends[1])
    defer {
      close(reading)
      close(writing)
    }
    let label = "async-cancelled"
    let beginning = Tar.entry(label, Bytes(repeating: 1, count: 100_000)).prefix(30_000)
    try #require(beginning.withUnsafeBytes { write(writing, $0.baseAddress, $0.count) } == beginning.count)
    let task = Task { try await ArchiveReader(descriptor: FileDescriptor(rawValue: reading)).extract() }
    task.cancel()
    let result = await task.result
    guard case .failure(let error as ArchiveError) = result else {
      Issue.record("\(result)")
      return
    }
    #expect(error.code == .cancelled)
    #expect(OpenFiles(labelled: label) == .none)
  }

  @Test func `Cancelling a sequence in the middle ends it`() async throws {
    let path = path
    let task = Task {
      var count = 0
      for try await _ in ArchiveReader(path: path).files() {
        count += 1
        if count == 5 { withUnsafeCurrentTask { $0?.cancel() } }
      }
      return count
    }
    let result = await task.result
    #expect(throws: ArchiveError.self) { try result.get() }
  }

  /// In a process of its own, where no other test starts threads.
  @Test func `Threads end with their extraction`() async {
    await #expect(processExitsWith: .success) {
      func threads() throws -> Int {
        let status = String(decoding: try Bytes(contentsOfFile: "/proc/self/status"), as: UTF8.self)
        let line = status.split(separator: "\n").first { $0.hasPrefix("Threads:") }
        return Int(line?.split(separator: "\t").last ?? "") ?? -1
      }
      let archive = Tar.archive(Tar.entry("a", [1]), Tar.entry("b", [2]))
      for _ in 0..<10 { _ = try await ArchiveReader(bytes: archive).extract() }
      let before = try threads()
      for _ in 0..<200 {
        _ = try await ArchiveReader(bytes: archive).extract()
        for try await _ in ArchiveReader(bytes: archive).files() { break }
      }
      // A thread that was told to end needs to be scheduled first.
      for _ in 0..<10_000 {
        if try threads() <= before + 4 { break }
        sched_yield()
      }
      guard try threads() <= before + 4 else { exit(1) }
    }
  }
}
