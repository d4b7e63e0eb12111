/// What the host wants of a worker: all that it needs to know, since it can look up nothing.
struct WorkerRequest {
  /// One descriptor that comes with the request.
  enum Source: Equatable {
    /// Read by position.
    case file(size: Int64)
    case pipe
  }

  static let kind: UInt8 = 1

  var version = PlatformReport.version
  var prefetch = Prefetch.headers
  var sources: [Source] = []
  /// The archive's own file name.
  var name: String?
  var account = Ledger.Snapshot()
  var options = ExtractionOptions()
  var hooks = ExtractionContext.Hooks()
  /// Whether the host copies the content of what it gets: small files come in slabs, large ones by themselves.
  var copiesContent = false
  var timeZone = "UTC0"
  var wantsProgress = false
  /// Upper bound of the descriptors of one packet.
  var mostDescriptors: UInt32 = 1
  /// Seconds of processor time.
  var processorSeconds: UInt64 = 1
  /// Whether it is to go on where the kernel lacks some of the protection.
  var isBestEffort = false

  init() {}

  init(_ reader: inout BinaryDecoder) throws(Malformed) {
    guard try reader.number(UInt8.self) == Self.kind else { throw Malformed() }
    try code(&reader)
    try reader.finish()
    options.limits = account.limits
  }

  func encode(to writer: inout BinaryEncoder) {
    var copy = self
    writer.record { writer in
      writer.put(Self.kind)
      try? copy.code(&writer)
    }
  }

  /// The version alone, of a request of any version.
  static func version(_ reader: BinaryDecoder) -> String? {
    var reader = reader
    guard (try? reader.number(UInt8.self)) == kind else { return nil }
    return try? reader.text()
  }

  private mutating func code(_ coder: inout some FieldCoder) throws(Malformed) {
    // First, so that every version can be told.
    try coder.text(&version)
    try prefetch.code(&coder)
    try coder.list(&sources, .pipe) { coder, source throws(Malformed) in
      var size: Int64? = if case .file(let size) = source { size } else { nil }
      try coder.number(&size)
      source = size.map { .file(size: $0) } ?? .pipe
    }
    try coder.text(&name)
    try account.code(&coder)
    try options.code(&coder)
    try coder.choice(&hooks.engine)
    try coder.choice(&hooks.decoding)
    try coder.flag(&copiesContent)
    try coder.text(&timeZone)
    try coder.flag(&wantsProgress)
    try coder.number(&mostDescriptors)
    try coder.number(&processorSeconds)
    try coder.flag(&isBestEffort)
  }
}

extension Ledger.Snapshot {
  fileprivate mutating func code(_ coder: inout some FieldCoder) throws(Malformed) {
    try coder.number(&limits.totalBytes)
    try coder.number(&limits.heldBytes)
    try coder.number(&limits.entryBytes)
    try coder.integer(&limits.entries)
    try coder.integer(&limits.nameBytes)
    try coder.integer(&limits.attributeBytes)
    try coder.integer(&limits.depth)
    var ratio = limits.ratio?.bitPattern
    try coder.number(&ratio)
    limits.ratio = ratio.map { Double(bitPattern: $0) }
    try coder.number(&heldLimit)
    try coder.number(&produced)
    try coder.number(&held)
    try coder.number(&entries)
    try coder.number(&descriptors)
  }
}

extension ExtractionOptions {
  /// Those that a worker goes by; the host does the rest.
  fileprivate mutating func code(_ coder: inout some FieldCoder) throws(Malformed) {
    var rawFormats = Int64(formats.rawValue)
    try coder.number(&rawFormats)
    formats = ArchiveFormats(rawValue: Int(rawFormats))
    try coder.choice(&fill)
    try coder.choice(&storage)
    var budget = descriptorBudget.map { Int64($0) }
    try coder.number(&budget)
    descriptorBudget = budget.map { Int($0) }
    var threads = Int64(threads)
    try coder.number(&threads)
    parallelism = Int(threads)
    try coder.flag(&executable)
    var rejects = insecureNames == .reject
    try coder.flag(&rejects)
    insecureNames = rejects ? .reject : .keep
    try coder.texts(&passphrases)
    try coder.text(&encoding)
  }
}

/// What the host says after its request, each time with what it has taken since.
struct HostMessage: Equatable {
  enum Kind: UInt8, CaseIterable {
    /// No more than that.
    case taken
    /// Whether the content that was asked about is wanted.
    case wanted, unwanted
    /// What was extracted so far is to be delivered, while the worker waits for an answer.
    case drain
  }

  var kind = Kind.taken
  /// The number of packets with descriptors that were taken.
  var packets: UInt32 = 0
  /// What the host's files amount to since.
  var held: Int64 = 0
  var descriptors: Int64 = 0

  func encode(to writer: inout BinaryEncoder) {
    var copy = self
    writer.record { try? copy.code(&$0) }
  }

  init(_ kind: Kind, packets: UInt32, held: Int64, descriptors: Int64) {
    (self.kind, self.packets, self.held, self.descriptors) = (kind, packets, held, descriptors)
  }

  init(_ reader: inout BinaryDecoder) throws(Malformed) {
    try code(&reader)
    try reader.finish()
  }

  private mutating func code(_ coder: inout some FieldCoder) throws(Malformed) {
    try coder.choice(&kind)
    try coder.number(&packets)
    try coder.number(&held)
    try coder.number(&descriptors)
  }
}
