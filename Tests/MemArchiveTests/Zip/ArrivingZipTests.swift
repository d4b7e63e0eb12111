import MemArchive
import SystemPackage
import TestSupport
import Testing

/// Zips that are read by their local headers while they arrive, and compared with their directory at the end.
struct ArrivingZipTests {
  private typealias Item = Zip.Item

  /// An entry, by what local headers know, and its content.
  private struct Found: Equatable {
    let name: Bytes
    let kind: ArchiveEntry.Kind
    let link: String?
    let content: Bytes?
  }

  private func options(
    _ isolation: Isolation = .inProcess, _ configure: (inout ExtractionOptions) -> Void = { _ in }
  ) -> ExtractionOptions {
    var options = isolation.applied()
    options.arrivingZips = .byLocalHeaders
    configure(&options)
    return options
  }

  private func found(_ files: MemFiles) throws -> [Found] {
    try files.entries.map {
      Found(
        name: Bytes($0.name.utf8), kind: $0.kind, link: $0.link,
        content: $0.hasContent ? try files[$0.name]?.content : nil)
    }
  }

  /// The ordinary reading of the same bytes.
  private func extracted(_ bytes: Bytes, _ options: ExtractionOptions) throws -> MemFiles {
    try ArchiveReader(bytes: bytes).extract(options: options)
  }

  private func whole(_ bytes: Bytes, _ options: ExtractionOptions) throws -> [Found] {
    try found(extracted(bytes, options))
  }

  private static let noise: Bytes = {
    var noise = SeededGenerator()
    return (0..<300_000).map { _ in UInt8.random(in: 0...255, using: &noise) }
  }()
  private static let text = Bytes(String(repeating: "All that arrives is compared. ", count: 20).utf8)

  /// An entry in each way that tells its end.
  private static let ways: [Item] =
    [Item("stored", noise), Item(deflated: "deflated", noise)]
    + Item.Descriptor.allCases.flatMap {
      [Item("stored \($0)", noise, $0), Item(deflated: "deflated \($0)", noise, $0)]
    }

  private static let small: [Item] = [
    Item("stored", text), Item("dir/", []), Item(deflated: "deflated", text, .signed),
    Item(deflated: "empty", [], .signed), Item("none", [], .signed), Item(deflated: "last", text),
  ]

  // MARK: What comes out

  /// Archives that tools write, into a file and into a pipe; whether all entries come out by local headers.
  private static let tools: [(command: String, isArriving: Bool)] = [
    ("zip -qr $z .", true), ("zip -qr - . | cat > $z", true), ("zip -q0r - . | cat > $z", true),
    ("zip -q -Z bzip2 -r $z .", true), ("zip -qr -fz $z .", true), ("zip -q - - < numbers | cat > $z", true),
    ("bsdtar --format zip -cf $z .", true), ("bsdtar --format zip -cf - . | cat > $z", true),
    ("bsdtar --format zip --options compression=store -cf - . | cat > $z", true),
    ("python3 -c \"$py\" 8 $z", true), ("python3 -c \"$py\" 12 $z", true), ("python3 -c \"$py\" 0 $z", true),
    ("python3 -c \"$py\" 8 /dev/stdout | cat > $z", true),
    ("python3 -c \"$py\" 12 /dev/stdout | cat > $z", false),
    ("python3 -c \"$py\" 0 /dev/stdout | cat > $z", false),
    ("zip -q $z hello && zip -qP secret $z numbers && zip -q $z noise", false),
  ]

  private func archive(by command: String) throws -> Bytes {
    let python = """
      import os, sys, zipfile
      with zipfile.ZipFile(sys.argv[2], 'w', int(sys.argv[1])) as z:
        for name in ['hello', 'numbers', 'empty', 'noise', 'dir', 'dir/inner']: z.write(name)
        with z.open('wide', 'w', force_zip64=True) as wide: wide.write(b'wide ' * 1000)
      """
    return try withTemporaryDirectory { directory in
      try Self.noise.write(to: directory + "/noise")
      let script = """
        mkdir dir; echo hello > hello; seq 1 20000 > numbers; : > empty; echo inner > dir/inner
        z=../$(basename "$PWD").zip; py=$1; \(command) && cat $z; rm -f $z
        """
      var command = Command("sh", "-ec", ByteString(script.utf8), "sh", ByteString(python.utf8))
      command.directory = directory
      let outcome = try command.run()
      #expect(outcome.end == .exit(0), "\(outcome.errors)")
      return outcome.output.values
    }
  }

  @Test(arguments: tools, Isolation.allCases)
  func `What tools write comes out as from a file`(
    _ tool: (command: String, isArriving: Bool), _ isolation: Isolation
  ) async throws {
    let bytes = try archive(by: tool.command)
    let options = self.options(isolation) { $0.passphrases = ["secret"] }
    let ordinary = try extracted(bytes, options)
    #expect(!ordinary.entries.isEmpty)
    for size in [1000, bytes.count] {
      let files = try await ArchiveReader(chunks: Producer(bytes, size: size)).extract(options: options)
      #expect(try found(files) == found(ordinary))
      #expect(files.warnings == ordinary.warnings)
      for (entry, other) in zip(files.entries, ordinary.entries) {
        #expect(entry.modified == other.modified && entry.userID == other.userID)
        #expect(entry.compression == other.compression && entry.isEncrypted == other.isEncrypted)
      }
      // Only the directory knows permissions.
      #expect(files.entries.allSatisfy { $0.mode == nil } == tool.isArriving)
    }
  }

  @Test(arguments: ways.indices, Isolation.allCases)
  func `An entry comes out before a byte behind it is there`(_ way: Int, _ isolation: Isolation) async throws
  {
    let first = Self.ways[way]
    let bytes = Zip.archive(of: [first, Item("second", Bytes(repeating: 2, count: 3_000_000))])
    let (gate, end) = (Gate(), first.bytes.count)
    let producer = Producer([bytes[..<end], bytes[end...]], gate: gate)
    var iterator = ArchiveReader(chunks: producer).files(options: options(isolation)).makeAsyncIterator()
    let file = try await iterator.next()
    #expect(file?.name == first.name)
    #expect(try file?.content == first.content)
    gate.open()
    let second = try await iterator.next()
    #expect(second?.name == "second" && second?.size == 3_000_000)
    #expect(try await iterator.next() == nil)
  }

  @Test(arguments: Isolation.allCases)
  func `Entries in every way come out, listed, selected, in a tree and inside a compression`(
    _ isolation: Isolation
  ) async throws {
    let (bytes, options) = (Zip.archive(of: Self.ways + Self.small), options(isolation))
    let ordinary = try whole(bytes, options)
    let files = try await ArchiveReader(chunks: Producer(bytes)).extract(options: options)
    #expect(try found(files) == ordinary)
    let entries = try await ArchiveReader(chunks: Producer(bytes)).entries(options: options)
    #expect(entries.map(\.name) == files.entries.map(\.name))
    let last = try await ArchiveReader(chunks: Producer(bytes)).extract(.names("last"), options: options)
    #expect(try last["last"]?.content == Self.text && last.count == 1)
    let tree = try await ArchiveReader(chunks: Producer(bytes)).tree(options: options)
    #expect(try tree.withPath(of: "stored") { try Bytes(contentsOfFile: $0) } == Self.text)
    let packed = Gzip.member(bytes)
    let inner = try await ArchiveReader(chunks: Producer(packed)).extract(options: options)
    #expect(try found(inner) == ordinary)
    #expect(inner.entries[0].mode == nil)
    let damaged = Gzip.member(bytes, crc: 1)
    let error = await #expect(throws: ArchiveError.self) {
      try await ArchiveReader(chunks: Producer(damaged)).extract(options: options)
    }
    #expect(error?.code == .corrupt)
  }

  @Test(arguments: Isolation.allCases)
  func `What is in content confuses nobody`(_ isolation: Isolation) async throws {
    let inner = Zip.archive(of: Self.small)
    // Content that looks like what may follow content.
    let descriptor: Bytes = [0x50, 0x4B, 7, 8] + Bytes(repeating: 0, count: 12)
    let bytes = Zip.archive(of: [
      Item("inner.zip", inner), Item("inner.zip behind", inner, .signed),
      Item("descriptor", descriptor + inner, .signed), Item(deflated: "packed", descriptor, .unsigned),
      Item("end", inner),
    ])
    let files = try await ArchiveReader(chunks: Producer(bytes)).extract(options: options(isolation))
    #expect(try found(files) == whole(bytes, isolation.applied()))
    #expect(files.entries.allSatisfy { $0.mode == nil })
  }

  @Test(arguments: Isolation.allCases)
  func `Stored content that begins like an empty descriptor is found out at the end`(_ isolation: Isolation)
    async throws
  {
    var item = Item("a", [0x50, 0x4B, 7, 8] + Bytes(repeating: 0, count: 12), .signed)
    item.statesSizes = false
    let bytes = Zip.archive(of: [Item("first", Self.text), item])
    let error = await #expect(throws: ArchiveError.self) {
      try await ArchiveReader(chunks: Producer(bytes)).extract(options: options(isolation))
    }
    #expect(error?.code == .corrupt && error?.entry == "a" && error?.advice == .readZipWhole)
    item.content[5] = 1
    item.packed[5] = 1
    let other = Zip.archive(of: [Item("first", Self.text), item, Item("last", Self.text)])
    let files = try await ArchiveReader(chunks: Producer(other)).extract(options: options(isolation))
    #expect(try found(files) == whole(other, isolation.applied()))
    #expect(files.entries.map { $0.mode == nil } == [true, false, false])
  }

  // MARK: As it arrives

  @Test(arguments: Isolation.allCases)
  func `A producer is not asked for more than a pipe holds ahead`(_ isolation: Isolation) async throws {
    let bytes = Zip.archive(of: [
      Item(deflated: "first", Self.noise, .signed), Item("second", Bytes(repeating: 2, count: 3_000_000)),
    ])
    let producer = Producer(bytes)
    var iterator = ArchiveReader(chunks: producer).files(options: options(isolation)).makeAsyncIterator()
    #expect(try await iterator.next()?.name == "first")
    // The reader's own blocks, the pipe and a chunk: of 330 chunks.
    #expect(producer.asked < 200)
    #expect(try await iterator.next()?.size == 3_000_000)
  }

  @Test(arguments: Isolation.allCases)
  func `What has come out is not held`(_ isolation: Isolation) async throws {
    let bytes = Zip.archive(of: (0..<8).map { Item("\($0)", Self.noise) })
    func read(_ arriving: ExtractionOptions.ArrivingZips) async throws -> Int {
      let options = self.options(isolation) {
        $0.arrivingZips = arriving
        $0.limits.heldBytes = 1_000_000
      }
      var count = 0
      for try await file in ArchiveReader(chunks: Producer(bytes)).files(options: options) {
        count += file.size
      }
      return count
    }
    #expect(try await read(.byLocalHeaders) == 8 * Self.noise.count)
    let error = await #expect(throws: ArchiveError.self) { try await read(.whole) }
    #expect(error?.code == .limitExceeded)
  }

  @Test(arguments: Isolation.allCases)
  func `A consumer that stops ends the producer`(_ isolation: Isolation) async throws {
    let producer = Producer(Zip.archive(of: Self.ways), then: .never)
    for try await file in ArchiveReader(chunks: producer).files(options: options(isolation)) {
      #expect(file.name == "stored")
      break
    }
    await producer.over.wait()
  }

  @Test(arguments: Isolation.allCases)
  func `A cancelled task ends the producer, and a producer that fails the extraction`(_ isolation: Isolation)
    async throws
  {
    let bytes = Zip.archive(of: Self.ways)
    let options = self.options(isolation)
    let producer = Producer(Bytes(bytes.prefix(500_000)), size: 100_000, then: .never)
    let task = Task { try await ArchiveReader(chunks: producer).extract(options: options) }
    while producer.asked < 6 { await Task.yield() }
    task.cancel()
    let error = await #expect(throws: ArchiveError.self) { try await task.value }
    #expect(error?.code == .cancelled)
    await producer.over.wait()
    // In an entry, and where all is there but the end.
    for count in [500_000, bytes.count - 1, bytes.count] {
      let producer = Producer(Bytes(bytes.prefix(count)), then: .failure)
      let error = await #expect(throws: ArchiveError.self) {
        try await ArchiveReader(chunks: producer).extract(options: options)
      }
      #expect(error?.code == .sourceFailed)
      await producer.over.wait()
    }
  }

  // MARK: Limits

  @Test(arguments: Isolation.allCases)
  func `Limits hold, and no entry counts twice`(_ isolation: Isolation) async throws {
    let bytes = Zip.archive(of: (0..<100).map { Item(deflated: "\($0)", Self.text, .signed) })
    func code(_ limit: (inout ExtractionLimits) -> Void) async -> ArchiveError.Code? {
      let options = self.options(isolation) { limit(&$0.limits) }
      do {
        return try await ArchiveReader(chunks: Producer(bytes)).extract(options: options).count == 100
          ? nil : .system
      } catch {
        return error.code
      }
    }
    #expect(await code { $0.entries = 100 } == nil)
    #expect(await code { $0.entries = 99 } == .limitExceeded)
    #expect(await code { $0.totalBytes = Int64(99 * Self.text.count) } == .limitExceeded)
    #expect(await code { $0.entryBytes = Int64(Self.text.count - 1) } == .limitExceeded)
    // The headers that are kept.
    let long = String(repeating: "n", count: 60_000)
    let names = Zip.archive(of: (0..<30).map { Item("\($0)" + long, []) })
    var options = options(isolation) { $0.limits.heldBytes = 1 << 20 }
    let error = await #expect(throws: ArchiveError.self) {
      for try await _ in ArchiveReader(chunks: Producer(names)).files(options: options) {}
    }
    #expect(error?.code == .limitExceeded)
    options.limits.heldBytes = 64 << 20
    #expect(try await ArchiveReader(chunks: Producer(names)).extract(options: options).count == 30)
  }

  @Test(arguments: Isolation.allCases)
  func `A body that throws in any entry of a pipe costs no other, and the directory is compared all the same`(
    _ isolation: Isolation
  ) throws {
    struct Stop: Error {}
    let zeros = Bytes(repeating: 0, count: 600_000)
    for isListed in [true, false] {
      var items = Self.small
      for descriptor in Item.Descriptor.allCases {
        items += [
          Item(deflated: "deflated \(descriptor)", zeros, descriptor),
          Item("\(descriptor)", Self.text, descriptor),
        ]
      }
      items[2].isListed = isListed
      let (reading, writing) = try FileDescriptor.pipe()
      defer { try? reading.close() }
      try writing.closeAfter { _ = try writing.writeAll(Zip.archive(of: items)) }
      var stream = try ArchiveReader(descriptor: reading).stream(options: options(isolation))
      var names: [String] = []
      func readAll() throws {
        while let entry = try stream.next() {
          names.append(entry.name)
          guard entry.hasContent else { continue }
          do {
            try stream.forEachBlock { (_, _) throws in throw Stop() }
            #expect(entry.name == "empty" || entry.name == "none")
          } catch is Stop {}
        }
      }
      if isListed {
        try readAll()
      } else {
        let error = #expect(throws: ArchiveError.self) { try readAll() }
        #expect(error?.entry == "deflated" && error?.advice == .readZipWhole)
      }
      #expect(names == items.map(\.name))
    }
  }

  // MARK: Damage

  @Test(arguments: Isolation.allCases)
  func `A damaged entry costs no other if its size is known, and ends reading if it is not`(
    _ isolation: Isolation
  ) async throws {
    for (descriptor, rest) in [(nil, ["first", "last"]), (Item.Descriptor.signed, ["first"])] {
      // That the directory could not be compared is an error too.
      let entries = descriptor == nil ? ["a"] : ["a", nil]
      for isDeflated in [false, true] {
        var item = isDeflated ? Item(deflated: "a", Self.text, descriptor) : Item("a", Self.text, descriptor)
        item.packed[item.packed.count / 2] ^= 0x10
        let bytes = Zip.archive(of: [Item("first", Self.text), item, Item("last", Self.text)])
        let options = self.options(isolation) { $0.onError = .keepGoing }
        let files = try await ArchiveReader(chunks: Producer(bytes)).extract(options: options)
        #expect(files.names == rest)
        #expect(files.errors.map(\.entry) == entries && files.errors.allSatisfy { $0.code == .corrupt })
        if descriptor != nil { #expect(files.errors.last?.advice == .readZipWhole) }
      }
    }
  }

  @Test func `An archive that is cut anywhere is an error`() async throws {
    let bytes = Zip.archive(of: Self.small)
    let first = Self.small[0].name.utf8.count + 30
    for count in 1..<bytes.count {
      let cut = Bytes(bytes.prefix(count))
      let error = await #expect(throws: ArchiveError.self) {
        try await ArchiveReader(chunks: Producer(cut)).extract(options: options())
      }
      if count >= first {
        #expect(error?.code == .truncated, "\(count): \(String(describing: error))")
      } else {
        // Before the first header is there, it is any archive.
        let ordinary = #expect(throws: ArchiveError.self) { try whole(cut, options()) }
        #expect(error?.code == ordinary?.code)
      }
    }
  }

  /// Reads the bytes in both ways, and expects the same of both, or an error.
  @discardableResult private func compare(_ bytes: Bytes, _ what: String) async throws -> ArchiveError? {
    let options = self.options() { $0.passphrases = ["secret"] }
    do {
      let files = try await ArchiveReader(chunks: Producer(bytes)).extract(options: options)
      #expect(try found(files) == whole(bytes, options), "\(what)")
      return nil
    } catch let error as ArchiveError {
      return error
    }
  }

  @Test func `An archive in which any byte has changed comes out as from a file, or not at all`() async throws
  {
    let bytes = Zip.archive(of: Self.small)
    for index in bytes.indices {
      for bits: UInt8 in [1, 0x80, 0xFF] {
        var changed = bytes
        changed[index] ^= bits
        try await compare(changed, "byte \(index) ^ \(bits)")
      }
    }
  }

  @Test func `No attack and nothing odd comes out other than from a file`() async throws {
    for attack in Attack.all where attack.testDescription.contains("zip") {
      try await compare(try attack.bytes(), attack.testDescription)
    }
    for row in OddArchiveTests.Row.all where row.file.hasSuffix(".zip") {
      try await compare(try Fixture.bytes("odd/" + row.file), row.file)
    }
  }

  /// Zips with what no local header tells, or says otherwise.
  private static let onlyWhole: Set = [
    "zip-bzip2.zip", "zip-deflated.zip", "zip-deleted-entry.zip", "zip-stored.zip",
    "zip-streamed-libarchive.zip", "zip-streamed.zip", "zip-zip64-forced.zip",
  ]

  @Test func `Ordinary zips come out as from a file, but for some that say to read them as a whole`()
    async throws
  {
    for fixture in Fixture.all where fixture.file.hasSuffix(".zip") {
      let error = try await compare(try fixture.bytes, fixture.file)
      #expect(
        (error != nil) == Self.onlyWhole.contains(fixture.file),
        "\(fixture.file): \(String(describing: error))")
      if let error { #expect(error.advice == .readZipWhole, "\(fixture.file): \(error)") }
    }
  }

  // MARK: The directory

  /// What the directory says, the code, the entry, and words of the reason.
  struct Disagreement: CustomTestStringConvertible, Sendable {
    let testDescription: String
    var code = ArchiveError.Code.corrupt
    var entry: String? = "b"
    let words: String
    var overlap = ExtractionOptions.OverlappingEntries.reject
    let change: @Sendable (inout [Zip.Item]) -> Void
  }

  @Sendable private static func pointInside(_ items: inout [Item]) { items[1].listedOffset = 40 }

  @Sendable private static func listInner(_ items: inout [Item]) {
    var inner = Item("inner", text)
    let outer = Item("a.zip", inner.bytes)
    inner.listedOffset = items[0].bytes.count + outer.bytes.count - inner.bytes.count
    items = [items[0], outer, inner]
  }

  @Sendable private static func listTwice(_ items: inout [Item]) {
    items[1].listedOffset = items[0].bytes.count
    items[2] = items[1]
  }

  private static let disagreements: [Disagreement] = [
    .init(testDescription: "hides the first entry", entry: "a", words: "not list") { $0[0].isListed = false },
    .init(testDescription: "hides an entry", words: "not list") { $0[1].isListed = false },
    .init(testDescription: "hides the last entry", entry: "c", words: "not list") { $0[2].isListed = false },
    .init(testDescription: "another name", entry: nil, words: "\"x\" in its directory") {
      $0[1].listedName = "x"
    },
    .init(testDescription: "another size", entry: nil, words: "size or checksum") { $0[2].listedSize = 7 },
    .init(testDescription: "another checksum", entry: nil, words: "size or checksum") {
      $0[2].listedChecksum = 7
    },
    .init(testDescription: "another size than behind the content", words: "another size") {
      $0[1].listedSize = 7
    },
    .init(testDescription: "another packed size than behind the content", words: "another size") {
      $0[1].listedPackedSize = 7
    },
    .init(testDescription: "another checksum than behind the content", words: "checksum for the entry") {
      $0[1].listedChecksum = 7
    },
    .init(testDescription: "more than there is", words: "overlaps") { $0[1].listedPackedSize = 700_000 },
    .init(testDescription: "an offset inside content", entry: "a", words: "overlaps", change: pointInside),
    .init(
      testDescription: "an offset inside content, overlapping", entry: nil, words: "has no entry at 40",
      overlap: .read, change: pointInside),
    .init(
      testDescription: "an entry of a zip inside content", entry: "a.zip", words: "overlaps",
      change: listInner),
    .init(
      testDescription: "an entry of a zip inside content, overlapping", entry: nil, words: "has no entry at",
      overlap: .read, change: listInner),
    .init(testDescription: "an entry twice", words: "overlaps", change: listTwice),
    .init(
      testDescription: "an entry twice, overlapping", words: "none has come out", overlap: .read,
      change: listTwice),
    .init(testDescription: "a symbolic link", code: .unsupportedFeature, words: "is a symlink") {
      $0[1].attributes = 0o120777 << 16
    },
    .init(testDescription: "a device", code: .unsupportedFeature, entry: "c", words: "is a character") {
      $0[2] = Zip.Item("c", [])
      $0[2].attributes = 0o020644 << 16
    },
    .init(testDescription: "a directory", code: .unsupportedFeature, entry: "c", words: "is a directory") {
      $0[2] = Zip.Item("c", [])
      $0[2].attributes = 0o040755 << 16
    },
    .init(testDescription: "a patch", words: "stored in another way") { $0[1].listedFlags = 1 << 3 | 1 << 5 },
    .init(testDescription: "encrypted", entry: nil, words: "differ in how it is stored") {
      $0[1].listedFlags = 1 << 3 | 1
    },
    .init(testDescription: "a name in Unicode", words: "calls the entry \"ü\"") {
      let name = Bytes([1]) + little(Gzip.checksum(Bytes("b".utf8))) + Bytes("ü".utf8)
      $0[1].listedExtra = little(UInt16(0x7075)) + little(UInt16(name.count)) + name
    },
  ]

  @Test(arguments: disagreements, Isolation.allCases)
  func `A directory that says something else is an error that names the entry`(
    _ disagreement: Disagreement, _ isolation: Isolation
  ) async throws {
    var items = [
      Item("a", Self.noise), Item(deflated: "b", Self.text, .signed), Item("c", Self.text),
    ]
    disagreement.change(&items)
    let producer = Producer(Zip.archive(of: items))
    let options = self.options(isolation) { $0.overlappingEntries = disagreement.overlap }
    // All comes out before it.
    var names: [String] = []
    let error = await #expect(throws: ArchiveError.self) {
      for try await file in ArchiveReader(chunks: producer).files(options: options) {
        names.append(file.name)
      }
    }
    #expect(names.starts(with: ["a"]))
    #expect(
      error?.code == disagreement.code && error?.entry == disagreement.entry, "\(String(describing: error))")
    #expect(error?.reason.contains(disagreement.words) == true, "\(String(describing: error))")
    if disagreement.words != "overlaps" { #expect(error?.advice == .readZipWhole) }
    let again = Producer(Zip.archive(of: items))
    let same = await #expect(throws: ArchiveError.self) {
      try await ArchiveReader(chunks: again).extract(options: options)
    }
    #expect(same == error)
  }

  @Test(arguments: Isolation.allCases)
  func `A zip with symbolic links says at its end to read it as a whole`(_ isolation: Isolation) async throws
  {
    let bytes = try archive(by: "ln -s hello link; zip -qry $z .")
    let error = await #expect(throws: ArchiveError.self) {
      try await ArchiveReader(chunks: Producer(bytes)).extract(options: options(isolation))
    }
    #expect(
      error?.description
        == """
        entry "link": the directory says that it is a symlink, which no local header tells. Use nothing that came out, and read \
        it again as a whole (ExtractionOptions.arrivingZips = .whole).
        """)
    let files = try await ArchiveReader(chunks: Producer(bytes)).extract(options: isolation.applied())
    #expect(files.entries.contains { $0.link == "hello" })
  }
}
