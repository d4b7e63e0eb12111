internal import Synchronization

/// The account of one extraction: bytes produced and bytes held, against its limits.
package final class Ledger: Sendable {
  private struct Account {
    var produced: Int64 = 0
    var held: Int64 = 0 { didSet { if held > mostHeld { mostHeld = held } } }
    private(set) var mostHeld: Int64 = 0
    var entries = 0
    var descriptors = 0
    /// Bytes of `shared` that are this ledger's; what is held beyond them is claimed first.
    var claimed: Int64 = 0
    /// Extractions that the account is of, one after another or at once.
    var users = 0
    /// Bytes that were held when another one began, and are gone from what the system has.
    var heldBefore: Int64 = 0
    /// Bytes of a stream that were put into memory before it is known what they are.
    var ahead: Int64 = 0
    /// The number of descriptors at which the process had none left.
    var spentAt: Int?
  }

  private let limits: ExtractionLimits
  /// Upper bound of bytes held at once.
  let heldLimit: Int64
  private let account = Mutex(Account())

  /// Bytes that may be held in addition to all content that may be produced, if there is no explicit limit.
  private static let heldBesides: Int64 = 64 << 20

  private let sharesMemory: Bool
  /// nil once the extraction has ended: what it still holds is gone from what the system has.
  private let shared: Mutex<SharedMemory?>

  package convenience init(_ limits: ExtractionLimits) { self.init(limits, nil) }

  /// - Parameter memory: Shared with others, unless the limits name what may be held.
  init(_ limits: ExtractionLimits, _ memory: SharedMemory?) {
    self.limits = limits
    sharesMemory = limits.heldBytes == nil && memory != nil
    shared = Mutex(sharesMemory ? memory : nil)
    heldLimit =
      limits.heldBytes ?? min(memory?.join() ?? MemoryBudget.default(), Self.heldWithin(limits))
  }

  deinit { settle() }

  /// Begins an extraction, which claims what it holds.
  func join(_ memory: SharedMemory) {
    account.withLock { account in
      account.users += 1
      shared.withLock { shared in
        guard sharesMemory, shared == nil, account.users == 1 else { return }
        _ = memory.join()
        (shared, account.heldBefore) = (memory, account.held)
      }
    }
  }

  /// Ends an extraction.
  func leave() {
    let isLast = account.withLock { account in
      account.users -= 1
      return account.users == 0
    }
    if isLast { settle() }
  }

  /// Gives back what is claimed, at the end of the extraction.
  private func settle() {
    account.withLock { account in
      shared.withLock { shared in
        shared?.giveBack(account.claimed)
        shared = nil
      }
      account.claimed = 0
    }
  }

  /// Whether `count` more bytes may be held, which are claimed then.
  private func claims(_ count: Int64, _ account: inout Account) -> Bool {
    let missing = account.held + count - account.heldBefore - account.claimed
    guard missing > 0 else { return true }
    return shared.withLock { shared in
      guard let shared else { return true }
      guard let claimed = shared.claim(atLeast: missing) else { return false }
      account.claimed += claimed
      return true
    }
  }

  /// If content is bounded, kept entries are too.
  private static func heldWithin(_ limits: ExtractionLimits) -> Int64 {
    guard let total = limits.totalBytes else { return .max }
    let (sum, overflow) = total.addingReportingOverflow(heldBesides)
    return overflow ? .max : sum
  }

  /// The state of a ledger, for the ledger of a worker.
  struct Snapshot: Equatable {
    var limits = ExtractionLimits()
    var heldLimit: Int64 = 0
    var produced: Int64 = 0
    var held: Int64 = 0
    var entries: Int64 = 0
    var descriptors: Int64 = 0
  }

  var snapshot: Snapshot {
    account.withLock {
      Snapshot(
        limits: limits, heldLimit: heldLimit, produced: $0.produced, held: $0.held,
        entries: Int64($0.entries),
        descriptors: Int64($0.descriptors))
    }
  }

  init(_ snapshot: Snapshot) {
    limits = snapshot.limits
    heldLimit = snapshot.heldLimit
    sharesMemory = false
    shared = Mutex(nil)
    account.withLock {
      $0.produced = snapshot.produced
      $0.held = snapshot.held
      $0.entries = Int(snapshot.entries)
      $0.descriptors = Int(snapshot.descriptors)
    }
  }

  /// Adds to, or subtracts from, the amounts held by another process, to which files were sent.
  func adjust(held: Int64, descriptors: Int64) {
    account.withLock { account in
      account.held += held
      account.descriptors += Int(descriptors)
    }
  }

  /// Counts another entry of any kind.
  ///
  /// - Parameter isAgain: Whether it has been counted: only its lengths are compared with the limits.
  func count(_ entry: ArchiveEntry, isAgain: Bool) throws(ArchiveError) {
    let name = entry.name
    let converted = entry.fields.value.convertedFrom?.count ?? 0
    if max(name.utf8.count, converted, entry.link?.utf8.count ?? 0) > limits.nameBytes {
      throw .limit(.nameBytes, Int64(limits.nameBytes), entry: name, "the length of its name or link")
    }
    if entry.attributeBytes > limits.attributeBytes {
      throw .limit(
        .attributeBytes, Int64(limits.attributeBytes), entry: name,
        "the size of its attributes and its comment")
    }
    guard !isAgain else { return }
    let count = account.withLock { account in
      account.entries += 1
      return account.entries
    }
    guard count <= limits.entries else { throw tooManyEntries(name) }
  }

  /// Throws if an archive's stated number of entries exceeds the limit, before any is read.
  func check(stated count: UInt64) throws(ArchiveError) {
    let left = account.withLock { limits.entries - $0.entries }
    guard count <= UInt64(max(0, left)) else { throw tooManyEntries(nil) }
  }

  private func tooManyEntries(_ entry: String?) -> ArchiveError {
    .limit(.entries, Int64(limits.entries), entry: entry, "the number of entries")
  }

  /// Throws if content is out of proportion to the archive bytes that it was decoded from.
  func checkRatio(of source: @autoclosure () -> SourceProgress, entry: String) throws(ArchiveError) {
    guard let ratio = limits.ratio else { return }
    let produced = account.withLock { $0.produced }
    if produced > 16 << 20, Double(produced) > ratio * Double(source().read) {
      throw .limit(.ratio, Int64(ratio), entry: entry, "the content for each byte of the archive")
    }
  }

  /// Whether content is compared with the archive bytes that it was decoded from.
  var comparesRatio: Bool { limits.ratio != nil }

  /// Uncounts entries, because the same archive is read again.
  func uncount(_ entries: Int) {
    account.withLock { $0.entries -= entries }
  }

  /// Throws if a declared size exceeds a limit, before any work is done for it.
  func check(declared size: Int64, entry: String) throws(ArchiveError) {
    if let refusal = account.withLock({ refusal(of: size, to: $0, end: size, entry: entry) }) {
      throw refusal
    }
  }

  /// Adds bytes that are about to be committed, or throws and adds nothing. `end` is the entry's size so far.
  fileprivate func add(_ count: Int64, end: Int64, entry: String) throws(ArchiveError) {
    let refusal: ArchiveError? = account.withLock { account in
      if let refusal = self.refusal(of: count, to: account, end: end, entry: entry) { return refusal }
      guard claims(count, &account) else { return tooMuchShared(entry) }
      account.produced += count
      account.held += count
      return nil
    }
    if let refusal { throw refusal }
  }

  /// Adds bytes that are produced and not kept, or throws and adds nothing. `end` is the entry's size so far.
  func pass(_ count: Int64, end: Int64, entry: String) throws(ArchiveError) {
    try add(count, end: end, entry: entry)
    release(count)
  }

  /// Adds memory other than content, such as a file system's own, or throws and adds nothing.
  fileprivate func hold(_ count: Int64, entry: String?) throws(ArchiveError) {
    let refusal: ArchiveError? = account.withLock { account in
      guard count <= heldLimit - account.held else { return tooMuchHeld(entry) }
      guard claims(count, &account) else { return tooMuchShared(entry) }
      account.held += count
      return nil
    }
    if let refusal { throw refusal }
  }

  private func tooMuchHeld(_ entry: String?) -> ArchiveError {
    let what = "what is kept in memory at once"
    guard limits.heldBytes == nil, let total = limits.totalBytes, heldLimit == Self.heldWithin(limits) else {
      return .limit(.heldBytes, heldLimit, entry: entry, what)
    }
    return .limit(
      .totalBytes, total, entry: entry, "\(what), less \(Self.heldBesides >> 20) MiB for entries,")
  }

  private func tooMuchShared(_ entry: String?) -> ArchiveError {
    .limit(.heldBytes, heldLimit, entry: entry, "what this and other extractions keep in memory at once")
  }

  /// Entries and bytes of content, kept or not, so far.
  var counts: (entries: Int, produced: Int64) { account.withLock { ($0.entries, $0.produced) } }

  /// The most bytes that were held at once.
  package var mostHeld: Int64 { account.withLock { $0.mostHeld } }

  /// Bytes that may still be held.
  var room: Int64 { account.withLock { heldLimit - $0.held } }

  /// The number of open descriptors of extracted files.
  var descriptors: Int { account.withLock { $0.descriptors } }

  fileprivate func release(_ count: Int64, descriptors: Int = 0) {
    account.withLock { account in
      account.held -= count
      account.descriptors -= descriptors
    }
  }

  /// The number of open descriptors of extracted files when the process had none left; nil while it has.
  var spentAt: Int? {
    get { account.withLock { $0.spentAt } }
    set { account.withLock { $0.spentAt = newValue } }
  }

  /// Counts bytes that are read ahead; false where that might take more than the limits leave: as much again stays free, for
  /// what is kept of each entry besides its content, and for copies.
  fileprivate func readAhead(_ count: Int64) -> Bool {
    account.withLock { account in
      let room = min(heldLimit - account.held, (limits.totalBytes ?? .max) - account.produced)
      guard count <= room / 2 - account.ahead else { return false }
      account.ahead += count
      return true
    }
  }

  fileprivate func endReadAhead(_ count: Int64) { account.withLock { $0.ahead -= count } }

  fileprivate func addDescriptor(within budget: Int) -> Bool {
    account.withLock { account in
      guard account.descriptors < budget else { return false }
      account.descriptors += 1
      return true
    }
  }

  private func refusal(of count: Int64, to account: Account, end: Int64, entry: String) -> ArchiveError? {
    // Written so that no sum can overflow, whatever size an archive claims.
    if let limit = limits.entryBytes, end > limit {
      return .limit(.entryBytes, limit, entry: entry, "its size of at least \(end) bytes")
    }
    if count > (limits.totalBytes ?? .max) - account.produced {
      return .limit(.totalBytes, limits.totalBytes ?? .max, entry: entry, "what the archive unpacks to")
    }
    if count > heldLimit - account.held { return tooMuchHeld(entry) }
    return nil
  }
}

/// A ledger's charge for an entry, in transit from one thread to another.
package struct Reservation {
  /// Bytes of content.
  var bytes: Int64 = 0
  /// Whether it includes a descriptor; nil if undecided.
  var descriptor: Bool?
}

/// The bytes, and the descriptor, charged to a ledger for one entry or slab; given back when the value is destroyed.
package struct Charge: ~Copyable {
  let ledger: Ledger
  private let entry: String
  private var bytes: Int64
  /// Whether a descriptor is counted; nil if undecided.
  private var hasDescriptor: Bool?

  /// - Parameter reservation: The charge that was counted for the entry before.
  init(_ ledger: Ledger, entry: String, _ reservation: Reservation = Reservation()) {
    self.ledger = ledger
    self.entry = entry
    bytes = reservation.bytes
    hasDescriptor = reservation.descriptor
  }

  /// Counts a descriptor unless the budget is used up; decided once.
  @discardableResult mutating func addDescriptor(within budget: Int = .max) -> Bool {
    if let hasDescriptor { return hasDescriptor }
    let isCounted = ledger.addDescriptor(within: budget)
    hasDescriptor = isCounted
    return isCounted
  }

  /// Raises the charge to `end` bytes in all, before they are committed.
  mutating func grow(to end: Int64) throws(ArchiveError) {
    guard end > bytes else { return }
    try ledger.add(end - bytes, end: end, entry: entry)
    bytes = end
  }

  /// Adds a whole entry's content, which is already in memory.
  mutating func add(_ count: Int64, of entry: String) throws(ArchiveError) {
    try ledger.add(count, end: count, entry: entry)
    bytes += count
  }

  /// Transfers the charge to a reservation, from which another charge is made.
  consuming func handOver() -> Reservation {
    defer { (bytes, hasDescriptor) = (0, false) }
    return Reservation(bytes: bytes, descriptor: hasDescriptor)
  }

  /// Adds memory other than content.
  mutating func hold(_ count: Int64, entry: String?) throws(ArchiveError) {
    try ledger.hold(count, entry: entry)
    bytes += count
  }

  /// Leaves some of it to a reservation, from which another charge is made.
  mutating func passOn(_ count: Int64) -> Reservation {
    bytes -= count
    return Reservation(bytes: count, descriptor: false)
  }

  /// Gives some of it back.
  mutating func giveBack(_ count: Int64) {
    ledger.release(count)
    bytes -= count
  }

  /// Transfers all bytes to `other`, which has the same ledger.
  mutating func move(to other: inout Charge) {
    other.bytes += bytes
    bytes = 0
  }

  deinit { ledger.release(bytes, descriptors: hasDescriptor == true ? 1 : 0) }
}

/// Bytes of a stream that a ledger counts as read ahead, until the value is destroyed. Entries among them are charged like any
/// other, so that limits apply at the same entry.
struct ReadAheadCharge: ~Copyable {
  private let ledger: Ledger
  private let count: Int64

  /// nil where the limits leave too little.
  init?(_ ledger: Ledger, _ count: Int) {
    guard ledger.readAhead(Int64(count)) else { return nil }
    self.ledger = ledger
    self.count = Int64(count)
  }

  deinit { ledger.endReadAhead(count) }
}
