import Foundation
import MemArchive
import MemArchiveFoundation
import TestSupport
import Testing

/// What a Swift programmer tries first, without having read more than the README, compiles and does what it says.
struct FirstGuessTests {
  @Test func `Entries are selected like files, and a selection tells of an entry`() throws {
    let reader = ArchiveReader(path: FilePath(Fixture.path("tree.tar.gz")))
    let texts = EntrySelection.glob("*.txt")
    let all = try reader.entries()
    let selected = try reader.entries(texts)
    #expect(!selected.isEmpty && selected == all.filter(texts.matches))
    #expect(try reader.entries(.names("tree/hello.txt")).map(\.name) == ["tree/hello.txt"])
    #expect(try reader.entries(.all.excluding("*")) == [])
    #expect(throws: ArchiveError.self) { try reader.entries(.names("none")) }
    #expect(throws: ArchiveError.self) { try reader.entries(.glob("none*")) }
  }

  private let reader = ArchiveReader(path: Fixture.path("tree.tar.gz"))

  @Test func `The files are used like a dictionary`() throws {
    let files = try reader.extract()
    #expect(Set(files.keys) == Set(files.names))
    #expect(files.values.count == files.count)
    #expect(files.mapValues(\.size)["tree/hello.txt"] == 21)
    let other = try MemFile(name: "other", bytes: [])
    #expect(files["nothing", default: other] == other)
    #expect(Dictionary(files)["tree/hello.txt"]?.size == 21)
    let texts = files.filter { $0.name.hasSuffix(".txt") }
    #expect(texts["tree/hello.txt"] != nil && texts["tree/run.sh"] == nil)
    #expect(files["tree/run.sh"] != nil, "filter changed the files that it was called on")
    #expect(texts.entries == files.entries)
  }

  @Test func `Names and patterns are given one by one, or as they come`() throws {
    let name = "tree/hello.txt"
    #expect(try reader.extract(.names(name)).names == [name])
    #expect(try reader.extract(.names([name])).names == [name])
    #expect(try reader.extract(.names(Set([name]))).names == [name])
    #expect(try reader.extract(.glob("*/hello*")).names == [name])
    #expect(try reader.extract(.glob(["*/hello*", "nothing"])).names == [name])
  }

  @Test func `Patterns exclude, alone and after another selection`() throws {
    let all = try reader.extract()
    let texts = all.names.filter { $0.hasSuffix(".txt") }
    #expect(try reader.extract(.excluding("*.txt")).names == all.names.filter { !$0.hasSuffix(".txt") })
    #expect(try reader.extract(.excluding(["*.txt", "*"])).isEmpty)
    #expect(
      try reader.extract(.glob("*.txt").excluding("*/hello*")).names
        == texts.filter { !$0.contains("/hello") })
    #expect(
      try reader.extract(.names(texts).excluding("*/hello*")).names == texts.filter { !$0.contains("/hello") }
    )
    #expect(throws: ArchiveError.self) { try reader.tree(.all.excluding(["*"])).path(of: "tree") }
  }

  @Test(arguments: Isolation.allCases)
  func `A selection that has nothing is an error, or a warning, as one chooses`(_ isolation: Isolation)
    async throws
  {
    let (reject, missing) = (isolation.applied(), EntrySelection.names("tree/helo.txt"))
    var warn = reject
    warn.unmatchedSelection = .warn
    for selection in [missing, .glob("*.none", "*.nothing")] {
      let code = ArchiveError.Code.noSuchEntry
      for options in [reject, reject.nested()] {
        var errors: [ArchiveError?] = []
        errors.append(#expect(throws: ArchiveError.self) { try reader.tree(selection, options: options) })
        errors.append(
          await #expect(throws: ArchiveError.self) { try await reader.extract(selection, options: options) })
        errors.append(
          await #expect(throws: ArchiveError.self) {
            for try await _ in reader.files(selection, options: options) {}
          })
        #expect(errors.map(\.?.code) == [code, code, code])
      }
      let files = try await reader.extract(selection, options: warn)
      #expect(files.isEmpty && files.warnings.map(\.code) == [.noMatch], "\(files.warnings)")
      #expect(try await reader.tree(selection, options: warn).warnings.map(\.code) == [.noMatch])
      for try await _ in reader.files(selection, options: warn) { Issue.record("it has none") }
    }
    let error = await #expect(throws: ArchiveError.self) { try await reader.extract(missing) }
    #expect(error?.advice == .compareName(similar: ["tree/hello.txt", "tree/poem.txt"]))
    // A directory is there, and has no content.
    let directory = try #require(try await reader.entries().first { $0.isDirectory })
    #expect(try await reader.extract(.glob(directory.name)).isEmpty)
    #expect(try await reader.extract(.matching { _ in false }).isEmpty)
  }

  @Test func `Options are set in any order`() throws {
    let options = ExtractionOptions {
      $0.sandbox = .required
      $0.limits.entries = 1
      $0.formats = .zip
    }
    #expect(options.sandbox == .required && options.limits.entries == 1 && options.formats == .zip)
    #expect(ExtractionOptions(formats: .tar, sandbox: .required, timeout: .seconds(1)).timeout == .seconds(1))
    let passphrase = try ExtractionOptions {
      $0.passphrases = [try String(contentsOfFile: "/proc/self/comm", encoding: .utf8)]
    }
    #expect(passphrase.passphrases.count == 1)
  }

  @Test func `Formats are counted, named and found by name`() {
    #expect(ArchiveFormats(ArchiveFormats.allCases) == .all)
    #expect(ArchiveFormats.allCases.allSatisfy { ArchiveFormats("\($0)") == $0 })
    #expect(ArchiveFormats.allCases.map { "\($0)" }.contains("7z"))
  }

  /// A body that throws nothing of its own leaves the error typed: `error.code` compiles.
  @Test func `What a body cannot throw need not be caught`() throws {
    let file = try MemFile(name: "f", bytes: [1, 2])
    let tree = try reader.tree()
    do {
      let read = try file.withPath { path in FileManager.default.contents(atPath: path)?.count }
      #expect(read == 2)
      let size = try file.withBytes { bytes in
        let count = bytes.byteCount
        return count
      }
      #expect(size == 2)
      _ = try tree.withPath { $0.count }
      _ = try tree.withPath(of: "tree/none") { $0.count }
      Issue.record("there is no such entry")
    } catch {
      #expect(error.code == .noSuchEntry)
    }
    #expect(throws: CocoaError.self) {
      try file.withPath { path in try Data(contentsOf: URL(filePath: path + "/none")) }
    }
  }

  @Test func `Blocks are taken by a body that throws what it likes`() throws {
    struct Enough: Error {}
    var stream = try reader.stream()
    while let entry = try stream.next(), entry.name != "tree/hello.txt" {}
    var content = Data()
    try stream.forEachBlock { block, _ in
      try block.withUnsafeBytes { bytes in
        if bytes.isEmpty { throw Enough() }
        content.append(contentsOf: bytes)
      }
    }
    #expect(content == (try reader.extract()["tree/hello.txt"]?.data()))
    var other = try reader.stream()
    while let entry = try other.next(), entry.name != "tree/hello.txt" {}
    #expect(throws: Enough.self) { try other.forEachBlock { _, _ in throw Enough() } }
  }

  @Test func `A file is written to a disk, once`() throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "written-\(UUID())").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let file = try #require(try reader.extract()["tree/run.sh"])
    try file.write(to: path)
    #expect(FileManager.default.contents(atPath: path) == (try file.data()))
    #expect(FileManager.default.isExecutableFile(atPath: path))
    let again = #expect(throws: ArchiveError.self) { try file.write(to: path) }
    #expect(again?.errno == .fileExists)
    let full = try FileDescriptor.open("/dev/full", .writeOnly)
    #expect(throws: ArchiveError.self) { try full.closeAfter { try file.write(to: full) } }
  }

  @Test func `Warnings have codes`() throws {
    let reader = ArchiveReader(bytes: try Data(contentsOf: URL(filePath: Fixture.path("tree.tar.gz"))) + [1])
    let warnings = try reader.extract().warnings
    #expect(warnings.map(\.code) == [.dataAfterEnd])
    #expect(warnings.map { "\($0.code)" } == ["dataAfterEnd"])
    let sandboxed = try reader.extract(options: ExtractionOptions(sandbox: .required)).warnings
    #expect(sandboxed == warnings)
  }

  @Test func `A file is made from whatever holds bytes`() throws {
    let bytes: [UInt8] = [0x68, 0x69]
    #expect(try MemFile(name: "f", bytes: bytes).string() == "hi")
    #expect(try MemFile(name: "f", bytes: bytes[...]).string() == "hi")
    #expect(try MemFile(name: "f", bytes: Data(bytes)).string() == "hi")
    #expect(try MemFile(name: "f", bytes: "hi".utf8).string() == "hi")
    #expect(try MemFile(name: "f", bytes: repeatElement(0x68, count: 3)).string() == "hhh")
    #expect(try bytes.withUnsafeBytes { try MemFile(name: "f", bytes: $0) }.string() == "hi")
    #expect(try MemFile(name: "f", bytes: bytes.span.bytes).string() == "hi")
    #expect(try MemFile(name: "f", bytes: [0x68, 0xFF]).string() == "h\u{FFFD}")
    #expect(try MemFile(name: "f", bytes: []).string().isEmpty)
  }

  @Test func `Files are members of sets, by identity`() throws {
    let (one, other) = (try MemFile(name: "f", bytes: [1]), try MemFile(name: "f", bytes: [1]))
    #expect(Set([one, other, one]).count == 2)
    #expect(one == one && one != other)
  }

  @Test func `What is printed is a line that says something`() throws {
    let files = try reader.extract()
    let file = try #require(files["tree/hello.txt"])
    #expect("\(file)" == "MemFile(\"tree/hello.txt\", 21 bytes)")
    #expect("\(try MemFile(name: "a\u{1B}b", bytes: []))" == "MemFile(\"a\\u{1B}b\", 0 bytes)")
    #expect("\(try #require(file.entry))" == "ArchiveEntry(file \"tree/hello.txt\", 21 bytes)")
    #expect("\(files)".hasPrefix("MemFiles(\(files.count) files: \"tree/"))
    #expect("\(try reader.tree())" == "MemTree(\(files.entries.count) entries, 0 left out)")
    #expect("\(PlatformReport())".hasPrefix("MemArchive \(PlatformReport.memArchiveVersion), libarchive "))
    for text in ["\(files)", "\(PlatformReport())"] { #expect(!text.contains("\n")) }
  }

  @Test func `Errors speak through Foundation too`() throws {
    let error: any Error = try #require(
      throws: ArchiveError.self, performing: { try ArchiveReader(bytes: [1, 2, 3]).extract() })
    #expect(error.localizedDescription == "\(error)")
    let bridged = error as NSError
    #expect(bridged.localizedDescription == "\(error)")
    #expect(bridged.localizedRecoverySuggestion == (error as? ArchiveError)?.advice.description)
    #expect(bridged.domain == "MemArchive.ArchiveError")
    #expect(bridged.userInfo["code"] as? String == "unrecognizedFormat")
    let missing = #expect(throws: ArchiveError.self) { try ArchiveReader(path: "/nowhere/x.zip").extract() }
    #expect((missing.map { $0 as NSError })?.code == 2)
  }

  @Test func `Kinds are coded, directories known, times dates`() throws {
    let files = try reader.extract()
    let directory = try #require(files.entries.first { $0.isDirectory })
    let json = try JSONEncoder().encode([directory.kind])
    #expect(String(decoding: json, as: UTF8.self) == "[\"directory\"]")
    #expect(try JSONDecoder().decode([ArchiveEntry.Kind].self, from: json) == [.directory])
    let time = ArchiveEntry.Time(seconds: -1, nanoseconds: 500_000_000)
    #expect(time.date == Date(timeIntervalSince1970: -0.5))
  }

  @MainActor private final class Log { var paths: [String] = [] }

  /// A path is good while the task waits, and a body on an actor stays there.
  @MainActor @Test func `Bodies of withPath may wait`() async throws {
    let log = Log()
    let size = try await MemFile(name: "f", bytes: [1, 2, 3]).withPath { path in
      await Task.yield()
      log.paths.append(path)
      return try Data(contentsOf: URL(filePath: path)).count
    }
    #expect(size == 3 && log.paths.count == 1)
    let text = try await reader.tree().withPath(of: "tree/hello.txt") { path in
      await Task.yield()
      return try String(contentsOfFile: path, encoding: .utf8)
    }
    #expect(text.utf8.count == 21)
    let isThere = try await reader.tree().withPath { path in
      await Task.yield()
      return FileManager.default.fileExists(atPath: path + "/tree/hello.txt")
    }
    #expect(isThere)
  }

  @Test func `Progress is a fraction`() throws {
    let fractions = Fractions()
    var options = ExtractionOptions()
    options.onProgress = { fractions.note($0.fraction) }
    _ = try ArchiveReader(path: Fixture.path("big.tar.zst")).extract(options: options)
    #expect(!fractions.noted.isEmpty && fractions.noted.allSatisfy { (0...1).contains($0) })
  }

  private final class Fractions: @unchecked Sendable {
    private let lock = NSLock()
    private var all: [Double] = []
    var noted: [Double] { lock.withLock { all } }
    func note(_ fraction: Double?) { lock.withLock { all.append(fraction ?? -1) } }
  }
}
