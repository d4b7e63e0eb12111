import MemArchive
import Testing

/// Archives made by the system's tools with their usual flags are read as those tools unpack them.
struct OrdinaryTests {
  @Test func `The archives are there`() throws {
    #expect(try OrdinaryArchive.made.get().count >= 180)
  }

  @Test(arguments: OrdinaryArchive.all, Reading.all)
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
  /// Errors around starting threads are intermittent: everything is tried twenty times.
  fileprivate func runs(_ reading: Reading) -> Int {
    // Smaller content is decoded by the requesting thread.
    guard threads, packed > 1 << 20 else { return 1 }
    // xz's blocks have threads of their own; large archives take their time, and start what smaller ones start.
    let isXZ = archive.hasSuffix("xz")
    switch (reading.sandbox, reading.source) {
    case (.required, .file): return size <= 10 << 20 || isXZ ? 20 : 1
    case (.required, .pipe), (.off, .file): return size <= 10 << 20 && isXZ ? 20 : 1
    default: return 1
    }
  }

  fileprivate var isNested: Bool { Rules.of(family).outer != nil }
}
