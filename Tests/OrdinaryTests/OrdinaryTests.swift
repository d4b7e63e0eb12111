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
    // Little content is decoded by the thread that asks for it.
    guard threads, size > 1 << 20 else { return 1 }
    switch (reading.sandbox, reading.source) {
    // Large ones take their time, and most of them start what smaller ones start.
    case (.required, .file) where size > 10 << 20: return archive.hasSuffix("xz") ? 20 : 1
    case _ where size > 10 << 20: return 1
    // Best effort is nothing else where everything can be had.
    case (.bestEffort, _), (.off, .pipe): return 1
    default: return 20
    }
  }

  fileprivate var isNested: Bool { Rules.of(family).outer != nil }
}
