import Foundation
import MemArchive
import Testing

/// Archives made by the system's tools with their usual flags are read as those tools unpack them.
struct OrdinaryTests {
  @Test func `The archives are there`() throws {
    #expect(try OrdinaryArchive.made.get().count >= 180)
  }

  @Test(arguments: OrdinaryArchive.all.flatMap { archive in archive.readings.map { (archive, $0) } })
  func `An ordinary archive is read as its own tool unpacks it`(
    archive: OrdinaryArchive, reading: Reading
  ) throws {
    if let failure = archive.failure {
      Issue.record("it could not be made: \(failure)")
      return
    }
    let unpacked = try archive.unpacked
    for run in 1...archive.runs(reading) {
      let files = try reading.extract(archive)
      let differences = try Comparison(files, with: unpacked, by: Rules.of(archive.family)).differences()
      #expect(differences.isEmpty, "run \(run): \(differences.prefix(10).joined(separator: "\n"))")
      // Best effort must have been a sandbox.
      if reading.sandbox != .off, !archive.isNested { #expect(files.protection?.seccomp == true) }
    }
  }
}

extension OrdinaryArchive {
  private static let readsAll = ProcessInfo.processInfo.environment["MEMARCHIVE_ORDINARY"] == "all"

  private var isLarge: Bool { size > 10 << 20 }

  /// All ways; of a large archive, each process and each source once unless there is time for all.
  fileprivate var readings: [Reading] { isLarge && !Self.readsAll ? Reading.each : Reading.all }

  /// Errors around starting threads are intermittent: everything is tried twenty times.
  fileprivate func runs(_ reading: Reading) -> Int {
    // Smaller content is decoded by the requesting thread.
    guard threads, packed > 1 << 20 else { return 1 }
    // xz's blocks have threads of their own; large archives take their time, and start what smaller ones start.
    let isXZ = archive.hasSuffix("xz")
    guard !isLarge || isXZ && Self.readsAll else { return 1 }
    switch (reading.sandbox, reading.source) {
    case (.required, .file): return 20
    case (.required, .pipe), (.off, .file): return isXZ && !isLarge ? 20 : 1
    default: return 1
    }
  }

  fileprivate var isNested: Bool { Rules.of(family).outer != nil }
}
