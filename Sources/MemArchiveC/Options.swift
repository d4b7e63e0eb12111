// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation
// memarchive.h documents these functions.

public import CMemArchive
internal import MemArchive
internal import Synchronization

/// Reads a struct of the caller's, which may be shorter than this library's, or longer: then what is not known here must be 0.
///
/// - Parameter last: The last field that the first release has: a program that gives less means another size, such as that of a
///   pointer.
func copied<Struct, Field>(
  _ pointer: UnsafePointer<Struct>, _ empty: Struct, through last: KeyPath<Struct, Field>, _ name: String
) throws -> Struct {
  let source = unsafe UnsafeRawPointer(pointer)
  let size = unsafe source.loadUnaligned(as: Int.self)
  let least = (MemoryLayout<Struct>.offset(of: last) ?? 0) + MemoryLayout<Field>.size
  guard least...64 << 10 ~= size else {
    throw InvalidArgument(
      "struct_size of the \(name) is \(UInt(bitPattern: size)): it must be the size of the struct, \(MemoryLayout<Struct>.stride)"
    )
  }
  let known = MemoryLayout<Struct>.stride
  for offset in min(size, known)..<size {
    guard unsafe source.load(fromByteOffset: offset, as: UInt8.self) == 0 else {
      throw InvalidArgument("the \(name) set something that a later version of the library has")
    }
  }
  var value = empty
  unsafe withUnsafeMutableBytes(of: &value) {
    unsafe $0.copyMemory(from: .init(start: source, count: min(size, $0.count)))
  }
  return value
}

/// A list of the caller's.
func list<Element>(_ first: UnsafePointer<Element>?, _ count: Int, _ name: String) throws
  -> UnsafeBufferPointer<Element>
{
  // More would not fit into an address space.
  guard 0...1 << 30 ~= count else {
    throw InvalidArgument("\(name): the count, \(UInt(bitPattern: count)), is out of range")
  }
  guard unsafe count == 0 || first != nil else { throw InvalidArgument("\(name): the list is NULL") }
  return unsafe UnsafeBufferPointer(start: first, count: count)
}

/// The name in the library's form of bytes of the caller's.
func givenName(_ data: CallerText?, _ length: Int, _ what: String) throws -> String {
  guard let data = unsafe data else {
    guard length == 0 else { throw InvalidArgument("\(what) is NULL") }
    return ""
  }
  // MEMARCHIVE_ZERO_TERMINATED
  if length == -1 { return unsafe ArchiveEntry.name(raw: String.bytes(data)) }
  guard length >= 0 else {
    throw InvalidArgument("\(what) has a length of \(UInt(bitPattern: length)) bytes")
  }
  let bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: data, count: length))
  guard !bytes.contains(0) else { throw InvalidArgument("\(what) has a zero byte") }
  return ArchiveEntry.name(raw: bytes)
}

extension String {
  fileprivate static func bytes(_ text: CallerText) -> [UInt8] {
    var (bytes, next) = unsafe ([] as [UInt8], text)
    while unsafe next.pointee != 0 {
      unsafe bytes.append(UInt8(bitPattern: next.pointee))
      unsafe next += 1
    }
    return bytes
  }

  /// UTF-8 of the caller's.
  init(_ text: CallerText?, _ what: String) throws {
    guard let text = unsafe text else { throw InvalidArgument("\(what) is NULL") }
    guard let string = unsafe String(validatingCString: text) else {
      throw InvalidArgument("\(what) is not UTF-8")
    }
    self = string
  }
}

/// How a caller wants its archives read.
struct Settings: Sendable {
  private var options = ExtractionOptions(sandbox: .required)
  private var progress: ProgressCallback?
  private var token: CancellationHandle?

  var limits: ExtractionLimits { options.limits }

  init(_ pointer: UnsafePointer<memarchive_options>?) throws {
    guard let pointer = unsafe pointer else { return }
    let given = try unsafe copied(pointer, memarchive_options(), through: \.cancellation, "options")
    try unsafe takeChoices(given)
    try unsafe takeLimits(given)
    options.passphrases = try unsafe list(given.passphrases, given.passphrase_count, "passphrases").map {
      try unsafe String($0, "a passphrase")
    }
    if unsafe given.encoding != nil { options.encoding = try unsafe String(given.encoding, "the encoding") }
    if unsafe given.worker != nil { options.worker = try unsafe String(given.worker, "the worker") }
    if let callback = unsafe given.progress { progress = unsafe ProgressCallback(callback, given.user) }
    if unsafe given.cancellation != nil { token = try unsafe .of(given.cancellation) }
  }

  private mutating func takeChoices(_ given: memarchive_options) throws {
    func choice<Value>(_ number: Int32, _ values: [Value], _ name: String) throws -> Value {
      guard values.indices.contains(Int(number)) else {
        throw InvalidArgument("the option \(name) is \(number)")
      }
      return values[Int(number)]
    }
    func flag(_ number: Int32, _ name: String) throws -> Bool { try choice(number, [false, true], name) }
    options.sandbox = try unsafe choice(given.sandbox, [.required, .bestEffort, .off], "sandbox")
    options.storage = try unsafe choice(given.storage, [.automatic, .dedicated, .packed], "storage")
    options.duplicates = try unsafe choice(given.duplicates, [.last, .first, .reject], "duplicates")
    let formats = unsafe ArchiveFormats(rawValue: Int(given.formats))
    guard formats.isSubset(of: .all) else {
      throw unsafe InvalidArgument("the option formats is \(given.formats)")
    }
    if !formats.isEmpty { options.formats = formats }
    guard unsafe given.parallelism >= 0 else { throw InvalidArgument("the option parallelism is negative") }
    options.parallelism = unsafe given.parallelism == 0 ? nil : Int(given.parallelism)
    guard unsafe given.descriptor_budget >= -1 else {
      throw unsafe InvalidArgument(
        "the option descriptor_budget is \(given.descriptor_budget): it must be -1 or more")
    }
    options.descriptorBudget =
      unsafe given.descriptor_budget == 0 ? nil : max(0, Int(given.descriptor_budget))
    guard unsafe given.mode <= 0o7777 else {
      throw InvalidArgument("the option mode has more than permissions")
    }
    options.mode = unsafe given.mode == 0 ? nil : UInt16(given.mode)
    options.executable = try unsafe flag(given.executable, "executable")
    options.nestedArchives = try unsafe flag(given.nested, "nested") ? .expand : .keep
    options.onError = try unsafe flag(given.keep_going, "keep_going") ? .keepGoing : .stop
    options.unmatchedSelection = try unsafe flag(given.allow_unmatched, "allow_unmatched") ? .warn : .reject
    options.brokenLinks = try unsafe flag(given.reject_broken_links, "reject_broken_links") ? .reject : .keep
    options.insecureNames =
      try unsafe flag(given.reject_insecure_names, "reject_insecure_names") ? .reject : .keep
    options.overlappingEntries =
      try unsafe flag(given.allow_overlapping, "allow_overlapping") ? .read : .reject
    options.outwardLinks = try unsafe flag(given.keep_outward_links, "keep_outward_links") ? .keep : .leaveOut
    options.arrivingZips = try unsafe flag(given.arriving_zips, "arriving_zips") ? .byLocalHeaders : .whole
  }

  private mutating func takeLimits(_ given: memarchive_options) throws {
    /// nil for none.
    func limit(_ number: Int64, _ name: String, default standard: Int64?) throws -> Int64? {
      guard number >= -1 else { throw InvalidArgument("the option \(name) is \(number)") }
      return number == 0 ? standard : number < 0 ? nil : number
    }
    let standard = ExtractionLimits()
    func count(_ number: Int64, _ name: String, default standard: Int) throws -> Int {
      Int(try limit(number, name, default: Int64(standard)) ?? .max)
    }
    options.limits.totalBytes = try unsafe limit(given.limit_total_bytes, "limit_total_bytes", default: nil)
    options.limits.entryBytes = try unsafe limit(given.limit_entry_bytes, "limit_entry_bytes", default: nil)
    // For the library nil is what the machine has.
    options.limits.heldBytes =
      try unsafe given.limit_held_bytes == 0
      ? nil : limit(given.limit_held_bytes, "limit_held_bytes", default: nil) ?? .max
    options.limits.entries = try unsafe count(given.limit_entries, "limit_entries", default: standard.entries)
    options.limits.nameBytes = try unsafe count(
      given.limit_name_bytes, "limit_name_bytes", default: standard.nameBytes)
    options.limits.attributeBytes = try unsafe count(
      given.limit_attribute_bytes, "limit_attribute_bytes", default: standard.attributeBytes)
    options.limits.depth = try unsafe count(given.limit_depth, "limit_depth", default: standard.depth)
    guard unsafe given.limit_ratio >= 0 || given.limit_ratio == -1 else {
      throw unsafe InvalidArgument("the option limit_ratio is \(given.limit_ratio)")
    }
    options.limits.ratio = unsafe given.limit_ratio > 0 ? given.limit_ratio : nil
    let timeout = unsafe given.timeout_milliseconds
    guard timeout >= 0 else { throw InvalidArgument("the option timeout_milliseconds is negative") }
    // A century is as good as no limit, and no clock overflows.
    options.timeout = timeout == 0 ? nil : .milliseconds(min(timeout, 100 * 366 * 86_400_000))
  }

  /// Runs something that reads an archive, which the token and the progress callback can stop.
  func reading<Result>(_ body: (ExtractionContext) throws -> Result) throws -> Result {
    let reading = try Reading(self)
    defer { withExtendedLifetime(reading) {} }
    return try body(reading.context)
  }

  /// One reading of an archive, which can be stopped until this is released.
  final class Reading {
    let context: ExtractionContext
    private let token: CancellationHandle?

    init(_ settings: Settings) throws {
      var options = settings.options
      let stop = Stop()
      if let progress = settings.progress {
        options.onProgress = { if progress.call($0) != 0 { stop.cancel() } }
      }
      context = ExtractionContext(options)
      token = settings.token
      stop.set(context.cancellation)
      token?.add(context.cancellation)
      try context.cancellation.check()
    }

    deinit { token?.remove(context.cancellation) }
  }
}

/// What a progress callback stops: set once there is something.
private final class Stop: Sendable {
  private let cancellation = Mutex<Cancellation?>(nil)
  func set(_ value: Cancellation) { cancellation.withLock { $0 = value } }
  func cancel() { cancellation.withLock { $0?.cancel() } }
}

/// A function of the caller's, with what it is to be handed. The caller has promised that another thread may call it.
@safe private struct ProgressCallback: @unchecked Sendable {
  private let callback: memarchive_progress_callback
  private let user: UnsafeMutableRawPointer?

  init(_ callback: @escaping memarchive_progress_callback, _ user: UnsafeMutableRawPointer?) {
    unsafe (self.callback, self.user) = unsafe (callback, user)
  }

  func call(_ progress: ExtractionOptions.Progress) -> Int32 {
    let arena = Arena()
    var given = unsafe memarchive_progress(
      bytes_read: progress.bytesRead, bytes_total: progress.bytesTotal ?? -1,
      entries: Int64(progress.entries),
      entry: arena.name(progress.entry))
    return withExtendedLifetime(arena) { unsafe callback(user, &given) }
  }
}

@c(memarchive_options_init)
public func optionsInit(_ options: UnsafeMutablePointer<memarchive_options>?, _ size: Int) {
  guard let options = unsafe options, size >= MemoryLayout<Int>.stride else { return }
  unsafe UnsafeMutableRawPointer(options).initializeMemory(as: UInt8.self, repeating: 0, count: size)
  unsafe UnsafeMutableRawPointer(options).storeBytes(of: size, as: Int.self)
}
