import Benchmark
import MemArchive

/// Inputs that `inputs.py` makes: archives of files of 100 bytes.
private let cache = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/") + "/cache/"
private let one = cache + "one.zip"
private let thousand = cache + "tiny-1k.zip"

let benchmarks: @Sendable () -> Void = {
  unsafe Benchmark.defaultConfiguration = .init(
    metrics: [.wallClock], timeUnits: .nanoseconds,
    warmupIterations: 3, scalingFactor: .one, maxDuration: .seconds(2), maxIterations: 10_000)

  for (name, size) in [
    ("100 B", 100), ("4 KiB", 4 << 10), ("64 KiB", 64 << 10), ("1 MiB", 1 << 20), ("16 MiB", 16 << 20),
  ] {
    let bytes = [UInt8](repeating: 0xA5, count: size)
    Benchmark("Make and seal a MemFile of \(name)") { benchmark in
      for _ in benchmark.scaledIterations { blackHole(try MemFile(name: "micro", bytes: bytes)) }
    }
  }

  Benchmark("Extract one entry of a zip") { benchmark in
    for _ in benchmark.scaledIterations { blackHole(try ArchiveReader(path: one).extract()) }
  }

  for storage in ExtractionOptions.Storage.allCases {
    Benchmark("Extract 1,000 small entries, \(storage)") { benchmark in
      for _ in benchmark.scaledIterations {
        blackHole(try ArchiveReader(path: thousand).extract(options: .init { $0.storage = storage }))
      }
    }
  }

  Benchmark("Look up 1,000 files and their paths") { benchmark, files in
    for _ in benchmark.scaledIterations {
      for name in files.names { blackHole(try files[name]?.path) }
    }
  } setup: {
    try ArchiveReader(path: thousand).extract(options: .init { $0.storage = .dedicated })
  }
}
