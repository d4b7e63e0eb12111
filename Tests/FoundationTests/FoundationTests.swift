import Foundation
import MemArchive
import MemArchiveFoundation
import TestSupport
import Testing

/// Conversions between Foundation's types and sealed files.
struct FoundationTests {
  /// A zip of stored entries that others wrote.
  private let archive = Repository.url("Fixtures/demo/demo.zip")
  private let content = Array("hello, world".utf8)

  @Test func `Data refers to the file's own memory`() throws {
    // Data stores a few bytes inline, even with bytesNoCopy.
    let content = [UInt8](0..<200)
    let file = try MemFile(name: "x", bytes: content)
    let data = try file.data()
    #expect(Array(data) == content)
    let own = try file.withBytes { $0.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) } }
    #expect(data.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) } == own)
  }

  @Test func `Data keeps the file alive, and releases it`() throws {
    weak var released: MemFile?
    do {
      var file: MemFile? = try MemFile(name: "x", bytes: [UInt8](repeating: 7, count: 100_000))
      released = file
      let data = try #require(try file?.data())
      file = nil
      #expect(released != nil)
      #expect(data.count == 100_000 && data.allSatisfy { $0 == 7 })
      withExtendedLifetime(data) {}
    }
    #expect(released == nil)
  }

  @Test func `Changing the data leaves the file as it was`() throws {
    let file = try MemFile(name: "x", bytes: content)
    var data = try file.data()
    data[0] = 0
    data.append(1)
    #expect(Array(try file.data()) == content)
  }

  @Test func `An empty file is empty data`() throws {
    #expect(try MemFile(name: "x", bytes: []).data().isEmpty)
  }

  @Test func `A handle reads from the beginning, each by itself`() throws {
    let file = try MemFile(name: "x", bytes: content)
    let (one, two) = (try file.fileHandle(), try file.fileHandle())
    #expect(try one.read(upToCount: 5).map { Array($0) } == Array("hello".utf8))
    #expect(try two.readToEnd().map { Array($0) } == content)
    #expect(try one.readToEnd().map { Array($0) } == Array(", world".utf8))
  }

  @Test func `Data becomes a sealed file, a slice of it too`() throws {
    let file = try MemFile(name: "x", data: Data(content)[7...])
    #expect(try file.seals.isSuperset(of: .final))
    #expect(try file.data() == Data("world".utf8))
  }

  @Test func `An archive reads the same by URL, data and handle`() throws {
    let byPath = try ArchiveReader(path: archive.path()).extract()
    #expect(byPath.count > 3)
    let handle = try FileHandle(forReadingFrom: archive)
    let readers = [
      try ArchiveReader(url: archive), ArchiveReader(data: try Data(contentsOf: archive)),
      ArchiveReader(fileHandle: handle),
    ]
    for reader in readers {
      let files = try reader.extract()
      #expect(files.names == byPath.names)
      for (name, file) in files { #expect(try file.data() == byPath[name]?.data()) }
    }
    try handle.close()
  }

  @Test func `A URL that is not a file URL is refused`() throws {
    let url = try #require(URL(string: "https://example.org/a.zip"))
    let error = #expect(throws: ArchiveError.self) { try ArchiveReader(url: url) }
    #expect(error?.code == .system)
    #expect(error?.description.contains("https://example.org/a.zip") == true)
  }
}
