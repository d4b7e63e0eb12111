/// What the parent wants of a worker: all that it needs to know, since it can look up nothing.
struct WorkOrder: Equatable {
  enum Task: Equatable {
    case visit(VisitRule)
    case stream(StreamDemand)
  }

  /// One descriptor that comes with the order.
  enum Source: Equatable {
    /// Read by position.
    case file(size: Int64)
    case pipe
  }

  var version = PlatformReport.version
  var task = Task.stream(.ask)
  var sources: [Source] = []
  /// The archive's own file name.
  var name: String?
  var account = Ledger.Snapshot()
  var options = ExtractionOptions()
  var timeZone = "UTC0"
  var wantsProgress = false
  /// As many descriptors may go with one packet.
  var mostDescriptors: UInt32 = 1
  /// Seconds of processor time.
  var processorSeconds: UInt64 = 1
  /// Whether it is to go on where the kernel lacks some of the protection.
  var isBestEffort = false

  static let kind: UInt8 = 1

  func encode(to writer: inout WireWriter) {
    writer.record { writer in
      writer.put(Self.kind)
      // First, so that every version can be told.
      writer.put(version)
      switch task {
      case .visit(let rule):
        writer.put(true)
        writer.put(rule)
      case .stream(let demand):
        writer.put(false)
        writer.put(demand.rawValue)
      }
      writer.put(all: sources) { writer, source in
        if case .file(let size) = source { writer.put(optional: Int64?(size)) } else { writer.put(false) }
      }
      writer.put(optional: name)
      writer.put(account)
      writer.put(options)
      writer.put(timeZone)
      writer.put(wantsProgress)
      writer.put(mostDescriptors)
      writer.put(processorSeconds)
      writer.put(isBestEffort)
    }
  }

  /// The version alone, of an order of any version.
  static func version(_ reader: WireReader) -> String? {
    var reader = reader
    guard (try? reader.number(UInt8.self)) == kind else { return nil }
    return try? reader.text()
  }

  init() {}

  init(_ reader: inout WireReader) throws(Malformed) {
    guard try reader.number(UInt8.self) == Self.kind else { throw Malformed() }
    version = try reader.text()
    if try reader.bool() {
      task = .visit(try reader.rule())
    } else {
      guard let demand = StreamDemand(rawValue: try reader.number()) else { throw Malformed() }
      task = .stream(demand)
    }
    sources = try reader.all { reader throws(Malformed) in
      try reader.optionalNumber(Int64.self).map { .file(size: $0) } ?? .pipe
    }
    name = try reader.optionalText()
    account = try reader.account()
    options = try reader.options()
    timeZone = try reader.text()
    wantsProgress = try reader.bool()
    mostDescriptors = try reader.number()
    processorSeconds = try reader.number()
    isBestEffort = try reader.bool()
    try reader.finish()
    options.limits = account.limits
  }
  static func == (left: Self, right: Self) -> Bool {
    var (one, other) = (WireWriter(), WireWriter())
    left.encode(to: &one)
    right.encode(to: &other)
    return one.bytes == other.bytes
  }
}

extension WireWriter {
  fileprivate mutating func put(_ account: Ledger.Snapshot) {
    let limits = account.limits
    for number in [limits.totalBytes, limits.heldBytes, limits.entryBytes] { put(optional: number) }
    for number in [limits.entries, limits.nameBytes, limits.attributeBytes, limits.depth] {
      put(Int64(number))
    }
    put(optional: limits.ratio?.bitPattern)
    for number in [account.heldLimit, account.produced, account.held, account.entries, account.descriptors] {
      put(number)
    }
  }

  fileprivate mutating func put(_ options: ExtractionOptions) {
    put(Int64(options.formats.rawValue))
    put(choice: options.fill)
    put(choice: options.storage)
    put(optional: options.descriptorBudget.map { Int64($0) })
    put(Int64(options.threads))
    put(options.executable)
    put(options.isCopied)
    put(options.insecureNames == .reject)
    put(options.onError == .keepGoing)
    put(options.engine == .libarchive)
    put(all: options.passphrases) { $0.put($1) }
    put(optional: options.encoding)
  }
}

extension WireReader {
  fileprivate mutating func account() throws(Malformed) -> Ledger.Snapshot {
    var account = Ledger.Snapshot()
    account.limits.totalBytes = try optionalNumber()
    account.limits.heldBytes = try optionalNumber()
    account.limits.entryBytes = try optionalNumber()
    account.limits.entries = Int(try number(Int64.self))
    account.limits.nameBytes = Int(try number(Int64.self))
    account.limits.attributeBytes = Int(try number(Int64.self))
    account.limits.depth = Int(try number(Int64.self))
    account.limits.ratio = try optionalNumber().map { Double(bitPattern: $0) }
    account.heldLimit = try number()
    account.produced = try number()
    account.held = try number()
    account.entries = try number()
    account.descriptors = try number()
    return account
  }

  fileprivate mutating func options() throws(Malformed) -> ExtractionOptions {
    var options = ExtractionOptions()
    options.formats = ArchiveFormats(rawValue: Int(try number(Int64.self)))
    options.fill = try choice()
    options.storage = try choice()
    options.descriptorBudget = try optionalNumber(Int64.self).map { Int($0) }
    options.parallelism = Int(try number(Int64.self))
    options.executable = try bool()
    options.isCopied = try bool()
    options.insecureNames = try bool() ? .reject : .keep
    options.onError = try bool() ? .keepGoing : .stop
    options.engine = try bool() ? .libarchive : .own
    options.passphrases = try texts()
    options.encoding = try optionalText()
    return options
  }
}

/// What the parent says after its order.
enum ParentMessage: Equatable {
  /// So many packets with descriptors were taken; what the parent's files amount to since.
  case taken(packets: UInt32, held: Int64, descriptors: Int64)
  /// Whether the entry that was asked about is wanted.
  case answer(Bool)
  /// The next entry of a stream.
  case next
  /// The content of the entry at hand; what the parent's files amount to.
  case extract(held: Int64, descriptors: Int64)

  func encode(to writer: inout WireWriter) {
    writer.record { writer in
      switch self {
      case .taken(let packets, let held, let descriptors):
        writer.put(UInt8(2))
        writer.put(packets)
        writer.put(held)
        writer.put(descriptors)
      case .answer(let isWanted):
        writer.put(UInt8(3))
        writer.put(isWanted)
      case .next: writer.put(UInt8(4))
      case .extract(let held, let descriptors):
        writer.put(UInt8(5))
        writer.put(held)
        writer.put(descriptors)
      }
    }
  }

  init(_ reader: inout WireReader) throws(Malformed) {
    switch try reader.number(UInt8.self) {
    case 2:
      self = .taken(packets: try reader.number(), held: try reader.number(), descriptors: try reader.number())
    case 3: self = .answer(try reader.bool())
    case 4: self = .next
    case 5: self = .extract(held: try reader.number(), descriptors: try reader.number())
    default: throw Malformed()
    }
    try reader.finish()
  }
}
