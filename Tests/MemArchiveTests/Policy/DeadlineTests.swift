import MemArchive
import TestSupport
import Testing

/// One deadline for an extraction and everything that belongs to it.
struct DeadlineTests {
  /// Six archives in one, with two entries each.
  private static let archive: Bytes = {
    let inner = Tar.archive(Tar.entry("a", [1]), Tar.entry("b", [2]))
    return (0..<6).flatMap { Tar.entry("in\($0).tar", inner) } + Tar.end
  }()

  /// Selects everything, and takes so long for each entry that one inner archive takes a quarter of the timeout.
  private static let slowly = EntrySelection.matching { entry in
    let end = ContinuousClock.now + (entry.name.contains("/") ? timeout / 8 : .zero)
    while ContinuousClock.now < end {}
    return true
  }

  private static let timeout = Duration.milliseconds(800)

  private func expectTimeout(_ body: (ArchiveReader) throws -> Void) {
    let error = #expect(throws: ArchiveError.self) { try body(ArchiveReader(bytes: Self.archive)) }
    #expect(error?.code == .timedOut)
  }

  @Test(arguments: Isolation.allCases, [ExtractionOptions.ErrorPolicy.stop, .keepGoing])
  func `It applies to an archive and all archives in it together`(
    _ isolation: Isolation, _ policy: ExtractionOptions.ErrorPolicy
  ) {
    let options = isolation.applied(to: ExtractionOptions(onError: policy, timeout: Self.timeout))
    expectTimeout { _ = try $0.extract(Self.slowly, options: options.nested()) }
    expectTimeout { _ = try $0.tree(Self.slowly, options: options.nested()) }
  }

  @Test(arguments: Isolation.allCases)
  func `It applies to the async forms`(_ isolation: Isolation) async {
    let options = isolation.applied(to: ExtractionOptions(timeout: Self.timeout))
    let reader = ArchiveReader(bytes: Self.archive)
    let files = await #expect(throws: ArchiveError.self) {
      try await reader.extract(Self.slowly, options: options.nested())
    }
    #expect(files?.code == .timedOut)
    let tree = await #expect(throws: ArchiveError.self) {
      try await reader.tree(Self.slowly, options: options.nested())
    }
    #expect(tree?.code == .timedOut)
  }

  @Test(arguments: Isolation.allCases)
  func `Options that are reused get a new deadline`(_ isolation: Isolation) throws {
    let options = isolation.applied(to: ExtractionOptions(timeout: Self.timeout))
    expectTimeout { _ = try $0.extract(Self.slowly, options: options.nested()) }
    #expect(try ArchiveReader(bytes: Self.archive).extract(options: options.nested()).count == 18)
  }
}
