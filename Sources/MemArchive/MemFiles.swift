/// The extracted files by name, in the archive's order: a dictionary whose keys are compared byte by byte.
///
/// A hard link, or a symbolic link that ends at a regular entry, is another name for its target's file.
///
/// When the last copy goes, large numbers of files are released on several threads, unless ``ExtractionOptions/parallelism``
/// was 1: closing one file takes the kernel 3 to 6 µs.
public struct MemFiles: Sendable {
  /// A name, its file, and where its entry is among `entries`; -1 if it is elsewhere.
  private typealias Named = (name: String, file: MemFile, entry: Int)

  /// Storage that copies share until one is changed.
  private final class Contents: @unchecked Sendable {
    // Changed only while uniquely referenced.
    var files: [Named] = []
    /// The index of each name's file; for a selected entry without a file, the complement of where it is among `entries`.
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

  /// The contents, uniquely referenced so that they can be changed.
  private var own: Contents {
    mutating get {
      if !isKnownUniquelyReferenced(&contents) { contents = Contents(copying: contents) }
      return contents
    }
  }

  /// All entries of the archive, of every kind, extracted or not, in its order.
  public internal(set) var entries: [ArchiveEntry] = []
  /// What could not be extracted and why, with ``ExtractionOptions/ErrorPolicy/keepGoing``.
  public internal(set) var errors: [ArchiveError] = []
  /// What was odd and did not prevent the extraction. The first 1,000 warnings are kept, up to 1 MiB of them together; if
  /// there were more, the last one says how many. Names of more than 4,000 bytes are not checked for canonical equivalence.
  public var warnings: [ArchiveWarning] { warningList.all }
  var warningList = WarningList()
  /// The accounts that the entries, errors and warnings are charged to.
  private var accounts: [EntryAccount] = []

  /// The protection in effect while a worker read the archive; `nil` if it was read in this process.
  public internal(set) var protection: SandboxProtection?

  /// - Parameters:
  ///   - threads: Threads that may release the files.
  ///   - account: Kept alive with the files: entries, errors and warnings are charged to it.
  init(threads: Int, _ account: EntryAccount? = nil) {
    contents = Contents(threads: threads)
    warningList = WarningList(account)
    accounts = [account].compactMap { $0 }
  }

  /// Files from anywhere, in this order: for ``ArchiveWriter``. Of two with the same name the later one is found.
  public init(_ files: [MemFile]) {
    self.init(threads: 1)
    for file in files { append(file, named: file.name) }
  }

  /// Keeps the charges for entries taken over from `other`.
  mutating func keepCharges(of other: MemFiles) { accounts += other.accounts }

  /// The file with this name; `nil` when there is none. Names are compared byte by byte: NFC and NFD are two names.
  public subscript(name: String) -> MemFile? { contents.position(of: name).map { files[$0].file } }

  /// Where the file with this name is.
  package func index(of name: String) -> Int? { contents.position(of: name) }

  /// The file with this name, or `defaultFile` when there is none.
  public subscript(name: String, default defaultFile: @autoclosure () -> MemFile) -> MemFile {
    self[name] ?? defaultFile()
  }

  /// The names, in order.
  public var names: [String] { files.map(\.name) }
  /// The names, in order: the same as ``names``.
  public var keys: [String] { names }
  /// The files, in order; one with several names is there for each of them.
  public var values: [MemFile] { files.map(\.file) }

  /// The results of `transform` by name. Of two names that are canonically equivalent, the later counts.
  public func mapValues<Value>(_ transform: (MemFile) throws -> Value) rethrows -> [String: Value] {
    Dictionary(try files.map { ($0.name, try transform($0.file)) }, uniquingKeysWith: { _, later in later })
  }

  /// The files for which `isIncluded` returns true, still looked up by name; ``entries`` stays as it is.
  public func filter(_ isIncluded: ((name: String, file: MemFile)) throws -> Bool) rethrows -> MemFiles {
    var copy = self
    try copy.removeAll { name, file in try !isIncluded((name, file)) }
    return copy
  }

  /// A plain dictionary. Two names that are canonically equivalent (NFC and NFD) become one key in it, with the later
  /// file; ``warnings`` says which.
  public var dictionary: [String: MemFile] { mapValues { $0 } }

  /// The error that kept this entry from being extracted.
  public func error(for name: String) -> ArchiveError? {
    errors.first { $0.entry.map { NameKey($0) == NameKey(name) } ?? false }
  }

  /// Sets the files, one or none for each entry.
  ///
  /// - Parameter named: The selected entry that each name leads to; an entry with a file has its name.
  mutating func setFiles(_ found: [MemFile?], _ named: [NameKey: Int]) {
    var (files, order): ([Named], [Int]) = ([], [])
    order.reserveCapacity(found.count)
    files.reserveCapacity(found.count)
    for (position, (entry, file)) in zip(entries, found).enumerated() {
      order.append(file == nil ? ~position : files.count)
      if let file { files.append((entry.name, file, position)) }
    }
    let own = own
    own.files = files
    // The names are not hashed again.
    own.positions = named.mapValues { order[$0] }
  }

  mutating func append(_ file: MemFile, named name: String) {
    let own = own
    own.positions[NameKey(name)] = own.files.count
    own.files.append((name, file, -1))
  }

  /// Calls `body` for each name with a file, and for each selected entry without one, in no order.
  func forEachName(
    _ body: (_ name: String, ArchiveEntry?, MemFile?) throws(ArchiveError) -> Void
  ) throws(ArchiveError) {
    for position in contents.positions.values {
      if position < 0 {
        try body(entries[~position].name, entries[~position], nil)
      } else {
        let (name, file, entry) = files[position]
        try body(name, entry < 0 ? file.entry : entries[entry], file)
      }
    }
  }

  /// Warns about names, up to the length of a path, that Swift considers equal and the archive does not.
  mutating func warnAboutEquivalentNames(_ cancellation: Cancellation) throws(ArchiveError) {
    var seen: Set<String> = []
    for (name, _, _) in files {
      var bytes = name.utf8Span
      // Hashing a character takes quadratic time in the number of its combining marks.
      if bytes.checkForASCII() || bytes.count > EntryPath.longest { continue }
      try cancellation.check()
      if seen.insert(name).inserted { continue }
      warningList.add(
        ArchiveWarning(
          .equivalentNames, entry: name,
          "another name is canonically equivalent: as keys of a dictionary the two are one"
        ))
    }
  }

  /// Removes the files for which `shouldBeRemoved` returns true; ``entries`` stays as it is.
  public mutating func removeAll(where shouldBeRemoved: (String, MemFile) throws -> Bool) rethrows {
    let own = own
    try own.files.removeAll { try shouldBeRemoved($0.name, $0.file) }
    let others = own.positions.filter { $0.value < 0 }
    own.positions = Dictionary(
      own.files.indices.map { (NameKey(own.files[$0].name), $0) }, uniquingKeysWith: { _, later in later })
    own.positions.merge(others) { file, _ in file }
  }

  /// Releases all files; ``entries``, ``errors`` and ``warnings`` stay. Files that are held elsewhere stay open.
  public mutating func removeAll() { contents = Contents(threads: contents.threads) }

  /// Copies packed files into new slabs, so that slabs whose other files were released can be freed.
  ///
  /// The copy is a new object: paths and descriptors of the old one end with it, and whoever still holds the old one keeps
  /// its slab alive. If nobody does, this takes the memory of one more slab at a time.
  ///
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/limitExceeded`` or ``ArchiveError/Code/outOfMemory``; each file is
  ///   then either the old or the new one.
  public mutating func compact() throws(ArchiveError) {
    var factories: [ObjectIdentifier: MemFileFactory] = [:]
    var copies: [ObjectIdentifier: MemFile] = [:]
    let own = own
    for index in own.files.indices {
      let file = own.files[index].file
      guard let slab = file.slab else { continue }
      if let copy = copies[ObjectIdentifier(file)] {
        own.files[index].file = copy
        continue
      }
      let options = ExtractionOptions {
        $0.storage = .packed
        $0.executable = slab.modes.executable
      }
      let factory = factories[ObjectIdentifier(slab.ledger)] ?? MemFileFactory(options, ledger: slab.ledger)
      factories[ObjectIdentifier(slab.ledger)] = factory
      let copy = try file.copy(in: factory)
      copies[ObjectIdentifier(file)] = copy
      own.files[index].file = copy
    }
    for factory in factories.values { try factory.finish() }
  }

  /// Replaces the file of an existing name.
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
  public subscript(position: Int) -> (name: String, file: MemFile) {
    (files[position].name, files[position].file)
  }
}

extension MemFiles: CustomStringConvertible {
  /// The number of files and the first names, in one line, escaped like ``ArchiveError/description``.
  public var description: String {
    let shown = files.prefix(10).map { "\"\($0.name)\"" } + (files.count > 10 ? ["..."] : [])
    return PlainText.escaped("MemFiles(\(files.count) files: \(shown.joined(separator: ", ")))")
  }
}

extension Dictionary<String, MemFile> {
  /// ``MemFiles/dictionary``.
  public init(_ files: MemFiles) { self = files.dictionary }
}

extension MemFiles {
  /// An error for each of these names that has no file, unless ``errors`` has it: broken links, entries without content and
  /// names that do not exist.
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
      // The error of the link's target is enough.
      !known.contains(NameKey($0)) && reasons[NameKey($0)]?.hasSuffix(ArchiveError.targetFailedSuffix) != true
    }.map { name in
      reasons[NameKey(name)].map { .unavailable(name, $0) } ?? entries[NameKey(name)].map { .notAFile($0) }
        ?? .noSuchEntry(name)
    }
  }
}
