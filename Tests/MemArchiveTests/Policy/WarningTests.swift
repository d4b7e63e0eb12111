import MemArchive
import TestSupport
import Testing

/// The first of many warnings are kept, and the last one says how many more there were.
struct WarningTests {
  /// 2,500 warnings: directories whose headers declare a byte of content each.
  private static let archive = Zip.archive(
    (0..<2500).map { .init("\($0)/", [1], attributes: 0o40755 << 16) })
  /// As many that do not come from the archive's reader: 2,501 entries with the same name.
  private static let duplicates =
    (0...2500).reduce(into: Bytes()) { bytes, _ in bytes += Tar.entry("a") } + Tar.end

  private func expectFirst(_ warnings: [ArchiveWarning], of count: Int) {
    #expect(warnings.count == 1001)
    #expect(warnings.dropLast().allSatisfy { $0.entry != nil })
    #expect(warnings.last?.entry == nil)
    #expect(warnings.last?.text == "\(count - 1000) further warnings not shown")
  }

  @Test(.slow, arguments: Isolation.allCases)
  func `The first thousand are kept`(_ isolation: Isolation) throws {
    let options = isolation.applied(to: ExtractionOptions())
    for archive in [Self.archive, Self.duplicates] {
      let reader = ArchiveReader(bytes: archive)
      expectFirst(try reader.extract(options: options).warnings, of: 2500)
      expectFirst(try reader.tree(options: options).warnings, of: 2500)
      let outer = ArchiveReader(bytes: Tar.archive(Tar.entry("in", archive)))
      expectFirst(try outer.extract(options: options.nested()).warnings, of: 2500)
    }
    var stream = try ArchiveReader(bytes: Self.archive).stream(options: options)
    while try stream.next() != nil {}
    expectFirst(stream.warnings, of: 2500)
  }

  @Test(arguments: Isolation.allCases)
  func `Warnings of two sources are counted together`(_ isolation: Isolation) throws {
    let entries = (0..<600).flatMap { index in
      (0..<2).map { _ in Zip.Entry("\(index)/", [1], attributes: 0o40755 << 16) }
        + (0..<2).map { _ in Zip.Entry("file\(index)", [1]) }
    }
    let files = try ArchiveReader(bytes: Zip.archive(entries)).extract(
      options: isolation.applied(to: ExtractionOptions()))
    // 1,200 from the reader, and 600 for names that occur twice.
    expectFirst(files.warnings, of: 1800)
  }

  @Test(.slow, arguments: Isolation.allCases)
  func `Long ones are kept up to a mebibyte`(_ isolation: Isolation) throws {
    let name = String(repeating: "x", count: 60_000)
    let archive = Zip.archive((0..<100).map { .init("\($0)\(name)/", [1], attributes: 0o40755 << 16) })
    let warnings = try ArchiveReader(bytes: archive).extract(
      options: isolation.applied(to: ExtractionOptions())
    ).warnings
    let kept = warnings.dropLast()
    #expect((15...17).contains(kept.count))
    #expect(warnings.last?.text == "\(100 - kept.count) further warnings not shown")
  }

  @Test(arguments: Isolation.allCases)
  func `No warning makes an extraction fail`(_ isolation: Isolation) throws {
    // Room for the entries, and for few warnings.
    let limits = ExtractionLimits(heldBytes: 100_000)
    let archive = Zip.archive((0..<50).map { .init("\($0)/", [1], attributes: 0o40755 << 16) })
    for held in stride(from: 30_000, through: 120_000, by: 5000) {
      var options = isolation.applied(to: ExtractionOptions(limits: limits))
      options.limits.heldBytes = Int64(held)
      guard let files = try? ArchiveReader(bytes: archive).extract(options: options) else { continue }
      #expect(files.entries.count == 50)
      #expect(!files.warnings.isEmpty)
    }
  }
}
