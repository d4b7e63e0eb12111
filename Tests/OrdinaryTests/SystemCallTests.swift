import CTrying
import Glibc
import MemArchive
import TestSupport
import Testing

/// The sandbox's list of system calls against the libraries' calls: a filter reports calls that are not on the list and allows them.
struct SystemCallTests {
  @Test(arguments: [1, 2])
  func `All system calls that an ordinary archive makes libraries make are on the list`(_ processors: Int)
    async
  {
    await #expect(processExitsWith: .success) { [processors] in
      guard ctrying_use_processors(Int32(processors)) == 0 else { exit(1) }
      let worker = try NamedWorker(trying: "report")
      var options = ExtractionOptions {
        $0.sandbox = .required
        $0.worker = worker.path.string
      }
      // More threads than processors, so that they wait for each other in other places.
      options.parallelism = 3
      for archive in OrdinaryArchive.all where archive.failure == nil && archive.size < 10 << 20 {
        options.formats = Rules.of(archive.family).formats
        for _ in 1...archive.runs {
          _ = try ArchiveReader(path: archive.path).extract(options: options.nested())
        }
        let calls = try worker.reportedCalls
        guard calls.isEmpty else {
          print("\(archive): \(calls)")
          exit(2)
        }
      }
      exit(0)
    }
  }
}

extension OrdinaryArchive {
  /// Threads, which smaller ones do not start, interleave differently each time, more so if blocks have threads of their own.
  fileprivate var runs: Int { !threads || packed < 1 << 18 ? 1 : archive.hasSuffix("xz") ? 20 : 3 }
}
