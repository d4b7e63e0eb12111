import MemArchive
import Testing

/// What people pack with the tools of their system, and with no flags but the usual ones, comes out as those tools unpack it.
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
      // Best effort must not have been none.
      if reading.sandbox != .off, !archive.isNested { #expect(files.protection?.seccomp == true) }
    }
  }
}

extension OrdinaryArchive {
  /// What goes wrong where threads are started does so now and then: it is tried twenty times.
  fileprivate func runs(_ reading: Reading) -> Int {
    // Less is decoded by the thread that asks for it.
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
