/// The host's request to a worker: everything that it needs to know, because it cannot look anything up.
struct WorkerRequest {
  /// One descriptor that comes with the request.
  enum Source: Equatable {
    /// Read by position.
    case file(size: Int64)
    /// A socket on which the host is asked for the bytes.
    case asked(size: Int64)
    case pipe

    /// nil for a pipe.
    var size: Int64? {
      switch self {
      case .file(let size), .asked(let size): size
      case .pipe: nil
      }
    }

    var isAsked: Bool { if case .asked = self { true } else { false } }
  }

  static let kind: UInt8 = 1
  /// Where a host without TZ reads the local time, tzset(3).
  static let usualTimeZone = ":/etc/localtime"

  var version = PlatformReport.memArchiveVersion
  var prefetch = Prefetch.headers
  var sources: [Source] = []
  /// The size of the archive's index, if there is one, whose descriptor follows those of the sources.
  var indexSize: Int64?
  /// The archive's own file name.
  var name: String?
  var account = Ledger.Snapshot()
  var options = ExtractionOptions()
  var hooks = ExtractionContext.Hooks()
  /// The panes of the window for content that the host copies, whose descriptor is the last; 0 where it keeps what it receives.
  var panes: UInt32 = 0
  var timeZone = "UTC0"
  var wantsProgress = false
  /// Upper bound of the descriptors of one packet.
  var mostDescriptors: UInt32 = 1
  /// Seconds of processor time.
  var processorSeconds: UInt64 = 1
  /// Whether libarchive, or libsquashfs, is needed for certain.
  var loadsLibArchive = false
  /// Whether to continue if the kernel lacks some of the protection.
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

  /// The version in a request of any version.
  static func version(_ reader: BinaryDecoder) -> String? {
    var reader = reader
    guard (try? reader.number(UInt8.self)) == kind else { return nil }
    return try? reader.text()
  }

  private mutating func code(_ coder: inout some FieldCoder) throws(Malformed) {
    // First, so that any version can read it.
    try coder.text(&version)
    try prefetch.code(&coder)
    try coder.list(&sources, .pipe) { coder, source throws(Malformed) in
      var (size, isAsked) = (source.size, source.isAsked)
      try coder.number(&size)
      try coder.flag(&isAsked)
      source = size.map { isAsked ? .asked(size: $0) : .file(size: $0) } ?? .pipe
    }
    try coder.number(&indexSize)
    try coder.text(&name)
    try account.code(&coder)
    try options.code(&coder)
    try coder.choice(&hooks.engine)
    try coder.choice(&hooks.decoding)
    try coder.flag(&hooks.decodesOnly)
    try coder.number(&panes)
    try coder.text(&timeZone)
    try coder.flag(&wantsProgress)
    try coder.number(&mostDescriptors)
    try coder.number(&processorSeconds)
    try coder.flag(&loadsLibArchive)
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
  /// The options that concern a worker; the host applies the others.
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
    var overlap = overlappingEntries == .read
    try coder.flag(&overlap)
    overlappingEntries = overlap ? .read : .reject
    try coder.choice(&arrivingZips)
    try coder.texts(&passphrases)
    try coder.text(&encoding)
  }
}

/// The host's messages after its request, each with an acknowledgement of the packets taken so far.
struct HostMessage: Equatable {
  enum Kind: UInt8, CaseIterable {
    /// Only the acknowledgement.
    case taken
    /// Whether the content that the worker asked about is wanted.
    case wanted, unwanted
    /// It is wanted in pieces, none of which the host keeps.
    case pieces
    /// The worker, while it waits for an answer, is to deliver what it has extracted.
    case drain
  }

  var kind = Kind.taken
  /// The number of packets with descriptors that the host has taken.
  var packets: UInt32 = 0
  /// The bytes and descriptors that the host holds.
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
