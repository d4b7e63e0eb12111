// Optimized builds have no @testable modules, and skip these tests.
#if TESTABLE
import SystemPackage
import TestSupport
import Testing

@testable import MemArchive

/// A worker's request: each option is sent as it is, or concerns only the host.
struct WorkerRequestTests {
  /// Options that all differ from the defaults, with all limits set.
  private static let options: ExtractionOptions = {
    var options = ExtractionOptions {
      $0.formats = .zip
      $0.unmatchedSelection = .warn
      $0.nestedArchives = .expand
      $0.fill = .mapped
      $0.storage = .packed
      $0.descriptorBudget = 7
      $0.parallelism = 3
      $0.duplicates = .first
      $0.executable = true
      $0.brokenLinks = .reject
      $0.insecureNames = .reject
      $0.overlappingEntries = .read
      $0.arrivingZips = .byLocalHeaders
      $0.passphrases = ["p", ""]
      $0.onError = .keepGoing
      $0.encoding = "CP437"
      $0.sandbox = .required
      $0.mode = 0o600
      $0.outwardLinks = .keep
      $0.owner = .archive
      $0.worker = "/w"
      $0.pool = ExtractionPool()
      $0.timeout = .seconds(1)
      $0.onProgress = { _ in }
      $0.observer = ReportLog()
    }
    options.limits.totalBytes = 1
    options.limits.heldBytes = 2
    options.limits.entryBytes = 3
    options.limits.entries = 4
    options.limits.nameBytes = 5
    options.limits.attributeBytes = 6
    options.limits.depth = 7
    options.limits.ratio = 2.5
    return options
  }()

  /// The options that only concern the host, which decides what is wanted, waits for the worker and starts it.
  private static let hosts: Set = [
    "unmatchedSelection", "nestedArchives", "duplicates", "mode", "brokenLinks", "outwardLinks", "owner",
    "onError", "sandbox", "worker", "pool",
    "timeout", "onProgress", "observer",
  ]

  private func crossed(_ request: WorkerRequest) throws -> WorkerRequest {
    var writer = BinaryEncoder()
    request.encode(to: &writer)
    var reader = BinaryDecoder(writer.bytes, 4..<writer.bytes.count)
    return try WorkerRequest(&reader)
  }

  private func fields(_ value: Any) -> [(name: String, text: String)] {
    Mirror(reflecting: value).children.map { ($0.label ?? "", String(reflecting: $0.value)) }
  }

  @Test func `Every option that does not concern only the host is sent`() throws {
    let options = Self.options
    let byDefault = fields(ExtractionOptions())
    // A new option has to be given another value above.
    for ((name, text), (_, plain)) in zip(fields(options), byDefault) { #expect(text != plain, "\(name)") }
    for ((name, text), (_, plain)) in zip(fields(options.limits), fields(ExtractionLimits())) {
      #expect(text != plain, "\(name)")
    }
    var request = WorkerRequest()
    request.options = options
    request.account.limits = options.limits
    let crossed = try crossed(request).options
    for ((name, text), (_, received)) in zip(fields(options), fields(crossed))
    where !Self.hosts.contains(name) { #expect(received == text, "\(name)") }
    #expect(crossed.passphrases == options.passphrases)
    #expect(fields(crossed.limits).map(\.text) == fields(options.limits).map(\.text))
    #expect(Self.hosts.isSubset(of: byDefault.map(\.name)))
  }

  @Test func `Every other field is sent`() throws {
    var request = WorkerRequest()
    request.version = "1"
    request.prefetch = Prefetch(
      mode: .matching, include: ["a", ""], exclude: ["b"], names: ["c"], safeOnly: true, inStep: true,
      extent: .again, place: 7)
    request.sources = [.file(size: 5), .pipe]
    request.name = "x.tar"
    request.indexSize = 11
    request.account = Ledger.Snapshot(heldLimit: 1 << 40, produced: 2, held: 3, entries: 4, descriptors: 5)
    request.hooks = .init(engine: .libarchive, decoding: .libarchive)
    request.hooks.decodesOnly = true
    request.panes = 12
    request.timeZone = "Europe/Paris"
    request.wantsProgress = true
    request.mostDescriptors = 9
    request.processorSeconds = 10
    request.loadsLibArchive = true
    request.isBestEffort = true
    for ((name, text), (_, plain)) in zip(fields(request), fields(WorkerRequest()))
    where name != "options" { #expect(text != plain, "\(name)") }
    for ((name, text), (_, received)) in zip(fields(request), fields(try crossed(request)))
    where name != "options" { #expect(received == text, "\(name)") }
    var writer = BinaryEncoder()
    request.encode(to: &writer)
    #expect(WorkerRequest.version(BinaryDecoder(writer.bytes, 4..<writer.bytes.count)) == "1")
  }

  @Test(arguments: HostMessage.Kind.allCases)
  func `A host's message is decoded to itself`(_ kind: HostMessage.Kind) throws {
    let message = HostMessage(kind, packets: 1, held: -2, descriptors: 3)
    var writer = BinaryEncoder()
    message.encode(to: &writer)
    var reader = BinaryDecoder(writer.bytes, 4..<writer.bytes.count)
    #expect(try HostMessage(&reader) == message)
  }
}
#endif
