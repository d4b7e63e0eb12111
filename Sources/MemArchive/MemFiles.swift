/// The extracted files by name, in the archive's order: a dictionary whose keys are compared byte by byte.
///
/// A hard link, and a symbolic link that ends at a regular entry, is a further name for its target's file.
///
/// Many files are let go on several threads when the last copy goes, unless ``ExtractionOptions/parallelism`` was 1: to close
/// one takes the kernel 3 to 6 µs.
public struct MemFiles: Sendable {
  private typealias Named = (name: String, file: MemFile)

  /// What copies share until one is changed.
  private final class Contents: @unchecked Sendable {
    // Changed only while one MemFiles has it.
    var files: [Named] = []
    /// Where a name stands among the files; -1 where an entry has that name and there is no file.
    var positions: [NameKey: Int] = [:]
    let threads: Int

    init(threads: Int) { self.threads = threads }

    convenience init(copying other: Contents) {
      self.init(threads: other.threads)
      (files, positions) = (other.files, other.positions)
    }

    deinit {
      guard threads > 1 else { return }
      let released = files.map(\.file)
      files = []
      MemFile.release(consume released, threads: threads)
    }

    func position(of name: String) -> Int? { positions[NameKey(name)].flatMap { $0 < 0 ? nil : $0 } }
  }

  private var contents: Contents
  private var files: [Named] { contents.files }

  /// The contents, to be changed.
  private var own: Contents {
    mutating get {
      if !isKnownUniquelyReferenced(&contents) { contents = Contents(copying: contents) }
      return contents
    }
  }

  /// All entries of the archive, of every kind, extracted or not, in its order.
  public internal(set) var entries: [ArchiveEntry] = []
  /// What could not be extracted and why, when ``ExtractionOptions/ErrorPolicy/keepGoing`` was asked for.
  public internal(set) var errors: [ArchiveError] = []
  /// What was odd and did not prevent the extraction. Of many warnings the first 1,000 are kept, as far as they have 1 MiB
  /// together, and the last one says how many more there were. Names of more than 4,000 bytes are not looked through for those
  /// that are canonically equivalent.
  public var warnings: [ArchiveWarning] { warningList.all }
  var warningList = WarningList()
  /// What the entries, errors and warnings are charged to.
  private var accounts: [EntryAccount] = []

  /// What held while the archive was read in a process of its own; `nil` where it was read in this one.
  public internal(set) var protection: Protection?

  /// - Parameters:
  ///   - threads: Threads that may release the files.
  ///   - account: Kept alive with the files: entries, errors and warnings are charged to it.
  init(threads: Int, _ account: EntryAccount? = nil) {
    contents = Contents(threads: threads)
    warningList = WarningList(account)
    accounts = [account].compactMap { $0 }
  }

  /// Keeps charged what was taken over from `other`.
  mutating func keepCharges(of other: MemFiles) { accounts += other.accounts }

  /// The file of this name; `nil` when there is none. Names are compared byte by byte: NFC and NFD are two names.
  public subscript(name: String) -> MemFile? { contents.position(of: name).map { files[$0].file } }

  /// The names, in order.
  public var names: [String] { files.map(\.name) }

  /// A plain dictionary. Two names that are canonically equivalent (NFC and NFD) become one key in it, with the later
  /// file; ``warnings`` tells which.
  public var dictionary: [String: MemFile] {
    Dictionary(files.map { ($0.name, $0.file) }, uniquingKeysWith: { _, later in later })
  }

  /// The error that kept this entry from being extracted.
  public func error(for name: String) -> ArchiveError? {
    errors.first { $0.entry.map { NameKey($0) == NameKey(name) } ?? false }
  }

  /// Sets the files, one or none for each entry.
  ///
  /// - Parameter named: The entry that each name leads to; an entry with a file has its name.
  mutating func setFiles(_ found: [MemFile?], _ named: [NameKey: Int]) {
    var (files, order): ([Named], [Int]) = ([], [])
    order.reserveCapacity(found.count)
    files.reserveCapacity(found.count)
    for (entry, file) in zip(entries, found) {
      order.append(file == nil ? -1 : files.count)
      if let file { files.append((entry.name, file)) }
    }
    let own = own
    own.files = files
    // The names are not hashed again.
    own.positions = named.mapValues { order[$0] }
  }

  mutating func append(_ file: MemFile, named name: String) {
    let own = own
    own.positions[NameKey(name)] = own.files.count
    own.files.append((name, file))
  }

  /// Notes the names, as long as paths may be, that Swift takes for one and the archive does not.
  mutating func warnAboutEquivalentNames(_ cancellation: Cancellation) throws(ArchiveError) {
    var seen: Set<String> = []
    for (name, _) in files {
      var bytes = name.utf8Span
      // A character of many marks takes the square of their number to be hashed.
      if bytes.checkForASCII() || bytes.count > EntryPath.longest { continue }
      try cancellation.check()
      if seen.insert(name).inserted { continue }
      warningList.add(
        ArchiveWarning(
          entry: name, text: "another name is canonically equivalent: as keys of a dictionary the two are one"
        ))
    }
  }

  /// Removes the files for which `shouldBeRemoved` returns true; ``entries`` stays as it is.
  public mutating func removeAll(where shouldBeRemoved: (String, MemFile) throws -> Bool) rethrows {
    let own = own
    try own.files.removeAll { try shouldBeRemoved($0.name, $0.file) }
    own.positions = Dictionary(
      own.files.indices.map { (NameKey(own.files[$0].name), $0) }, uniquingKeysWith: { _, later in later })
  }

  /// Lets go of all files; ``entries``, ``errors`` and ``warnings`` stay. What somebody else holds stays open.
  public mutating func removeAll() { contents = Contents(threads: contents.threads) }

  /// Copies packed files into new slabs, so that those whose other files were released can go.
  ///
  /// A file that is copied is another object afterwards: paths and descriptors of the one before end with it, and whoever
  /// still holds that keeps its slab. Takes as much further memory as one slab at a time, if nobody does.
  ///
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/limitExceeded`` or ``ArchiveError/Code/outOfMemory``; each file is
  ///   then the old or the new one.
  public mutating func compact() throws(ArchiveError) {
    var stores: [ObjectIdentifier: MemFileFactory] = [:]
    var copies: [ObjectIdentifier: MemFile] = [:]
    let own = own
    for index in own.files.indices {
      let file = own.files[index].file
      guard let slab = file.slab else { continue }
      if let copy = copies[ObjectIdentifier(file)] {
        own.files[index].file = copy
        continue
      }
      let options = ExtractionOptions(storage: .packed, executable: slab.executable)
      let store = stores[ObjectIdentifier(slab.ledger)] ?? MemFileFactory(options, ledger: slab.ledger)
      stores[ObjectIdentifier(slab.ledger)] = store
      let copy = try file.copy(in: store)
      copies[ObjectIdentifier(file)] = copy
      own.files[index].file = copy
    }
    for store in stores.values { try store.finish() }
  }

  /// Puts another file under a name that exists.
  mutating func replace(_ file: MemFile, named name: String) {
    let own = own
    if let position = own.position(of: name) { own.files[position].file = file }
  }
}

extension MemFiles: RandomAccessCollection {
  /// 0.
  public var startIndex: Int { files.startIndex }
  /// The number of names.
  public var endIndex: Int { files.endIndex }
  /// The name and the file at a position in the archive's order.
  public subscript(position: Int) -> (name: String, file: MemFile) { files[position] }
}

extension MemFiles {
  /// Why those of these names have no file that have none, unless it is among ``errors``: links that lead to none, what is
  /// no file, and names that are not there.
  package func missing(_ names: [String]) -> [ArchiveError] {
    let names = names.filter { self[$0] == nil }
    guard !names.isEmpty else { return [] }
    let known = Set(errors.compactMap { $0.entry.map { NameKey($0) } })
    let entries = Dictionary(entries.map { (NameKey($0.name), $0) }, uniquingKeysWith: { _, later in later })
    var reasons: [NameKey: String] = [:]
    for warning in warnings {
      if let entry = warning.entry, let why = warning.unavailability { reasons[NameKey(entry)] = why }
    }
    return names.filter {
      // The error of a link's target says it all.
      !known.contains(NameKey($0)) && reasons[NameKey($0)]?.hasSuffix(ArchiveError.targetFailedSuffix) != true
    }.map { name in
      reasons[NameKey(name)].map { .unavailable(name, $0) } ?? entries[NameKey(name)].map { .notAFile($0) }
        ?? .noSuchEntry(name)
    }
  }
}
