import Foundation
import MemArchive
import SystemPackage
import TestSupport
import Testing

/// Every committed archive reads as the table says, from every kind of source.
struct FixtureTests {
  /// The kind of source.
  enum Way: String, CaseIterable { case path, descriptor, bytes, memFile, pipe }

  @Test func `The table of fixtures is there`() {
    #expect(Fixture.all.count >= 150)
  }

  #if FastDecoders
  static let fixtures = Fixture.all
  #else
  /// libarchive composes the names of a 7z.
  static let fixtures = Fixture.all.filter { $0.file != "7z-nfc-nfd.7z" }
  #endif

  @Test(arguments: fixtures, isQuick ? [.path] : Way.allCases)
  func `A fixture holds what the table says`(fixture: Fixture, way: Way) throws {
    for isolation in Isolation.allCases {
      let descriptor =
        try way == .pipe
        ? FileDescriptor(rawValue: pipe(filledWith: fixture.bytes))
        : FileDescriptor.open(FilePath(fixture.path), .readOnly)
      defer { try? descriptor.close() }
      let reader =
        switch way {
        case .path: ArchiveReader(path: fixture.path)
        case .descriptor, .pipe: ArchiveReader(descriptor: descriptor)
        case .bytes: ArchiveReader(bytes: try fixture.bytes)
        case .memFile: ArchiveReader(contentsOf: try MemFile(name: fixture.file, bytes: fixture.bytes))
        }
      var stream = try reader.stream(options: isolation.applied())
      var found: [Fixture.Entry] = []
      while let entry = try stream.next() {
        let file = entry.hasContent ? try stream.extract() : nil
        found.append(try Fixture.Entry(entry, file, like: fixture.entries, at: found.count))
      }
      if way == .descriptor || way == .pipe || way == .bytes, fixture.isNamedAfterItsFile {
        // Without a file name, a lone compressed file is "data".
        #expect(found.map(\.name) == ["data"])
        #expect(found.map(\.sha256) == fixture.entries.map(\.sha256))
      } else if fixture.file == "zip-central-order.zip" {
        // libarchive returns entries in the order of their bodies.
        #expect(found.sorted { $0.name < $1.name } == fixture.entries.sorted { $0.name < $1.name })
      } else {
        #expect(found == fixture.entries)
      }
      #expect(stream.warnings.count == fixture.warnings ?? 0, "\(stream.warnings)")
    }
  }
}

extension Fixture {
  /// A lone compressed file whose header stores no name.
  fileprivate var isNamedAfterItsFile: Bool {
    entries.count == 1 && file != "hello.txt.gz"
      && (file.hasPrefix(entries[0].name + ".") || file == entries[0].name)
  }
}

extension Fixture.Entry {
  /// The result of reading, in the table's columns.
  fileprivate init(_ entry: ArchiveEntry, _ file: MemFile?, like table: [Self], at index: Int) throws {
    let row = table.indices.contains(index) ? table[index] : nil
    self.init(
      name: entry.name,
      raw: entry.rawName.elementsEqual(entry.name.utf8) ? nil : Data(entry.rawName).base64EncodedString(),
      kind: entry.kind.rawValue, size: file.map { Int64($0.size) } ?? entry.size ?? -1,
      sha256: try file.map { try TestSupport.sha256($0) }, link: entry.link,
      mode: row?.mode == nil ? nil : entry.mode.map { String(format: "%04o", Int($0)) },
      mtime: row?.mtime == nil ? nil : entry.modified?.seconds)
  }
}
