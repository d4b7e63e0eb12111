import Foundation
import MemArchive
import SystemPackage
import TestSupport
import Testing

/// Archives that are odd, damaged or cut, each with the answer that an independent program gives (the table of its folder
/// below Fixtures/odd), from a file and from a pipe.
struct OddArchiveTests {
  struct Row: Decodable, CustomTestStringConvertible {
    struct Entry: Decodable, Equatable {
      let name: String
      /// Bytes of content, and their SHA-256; nil for what has none.
      let size: Int?
      let sha256: String?
      let link: String?
      // Compared where the table has them.
      let mode: String?
      let mtime: Int64?
      let created: Int64?
    }

    /// The path below Fixtures/odd; in the table, the name beside it.
    var file: String
    /// What is odd, and who says what is right.
    let why: String
    /// The code of the error that ends a strict reading; otherwise nothing does.
    let error: String?
    let entries: [Entry]?
    let warnings: Int?
    /// The seconds of each entry's time of modification, null for none, where they are looked at.
    let times: [Int64?]?
    let passphrase: String?
    /// Whether the libraries of the trait FastDecoders are needed for it.
    let isFast: Bool?
    /// The character set that is given for the names.
    let encoding: String?
    var testDescription: String { file }

    static let folders = (try? FileManager.default.contentsOfDirectory(atPath: Fixture.path("odd"))) ?? []

    static let all: [Row] = folders.flatMap { folder in
      let table = URL(filePath: Fixture.path("odd/\(folder)/table.json"))
      var rows = (try? JSONDecoder().decode([Row].self, from: Data(contentsOf: table))) ?? []
      for index in rows.indices { rows[index].file = folder + "/" + rows[index].file }
      return rows
    }
  }

  @Test func `The tables are there, and every file is in its own`() throws {
    for folder in Row.folders {
      let files = try FileManager.default.contentsOfDirectory(atPath: Fixture.path("odd/" + folder))
      let rows = Row.all.filter { $0.file.hasPrefix(folder + "/") }
      #expect(Set(files.map { folder + "/" + $0 }) == Set(rows.map(\.file) + [folder + "/table.json"]))
      #expect(!rows.isEmpty)
    }
    #expect(!Row.folders.isEmpty)
  }

  @Test(arguments: Row.all, [false, true] as [Bool])
  func `An odd archive is read as its own programs read it, or refused as they do`(
    _ row: Row, _ isPiped: Bool
  )
    throws
  {
    #if !FastDecoders
    if row.isFast == true { return }
    #endif
    for isolation in Isolation.allCases {
      let path = Fixture.path("odd/" + row.file)
      let descriptor =
        isPiped
        ? try FileDescriptor(rawValue: pipe(filledWith: Bytes(contentsOfFile: path)))
        : try FileDescriptor.open(FilePath(path), .readOnly)
      defer { try? descriptor.close() }
      let reader = isPiped ? ArchiveReader(descriptor: descriptor) : ArchiveReader(path: FilePath(path))
      var found: [Row.Entry] = []
      var times: [Int64?] = []
      do {
        var options = isolation.applied(
          to: ExtractionOptions(formats: .all, passphrases: row.passphrase.map { [$0] } ?? []))
        options.encoding = row.encoding
        var stream = try reader.stream(options: options)
        while let entry = try stream.next() {
          times.append(entry.modified?.seconds)
          let file = entry.hasContent ? try stream.extract() : nil
          let like = row.entries?.dropFirst(found.count).first
          // Without a file name, a lone compressed file is "data".
          let name = isPiped && entry.name == "data" ? like?.name ?? "data" : entry.name
          found.append(
            Row.Entry(
              name: name, size: file?.size, sha256: try file.map { try TestSupport.sha256($0) },
              link: entry.link,
              mode: like?.mode == nil ? nil : entry.mode.map { String(format: "%04o", Int($0)) },
              mtime: like?.mtime == nil ? nil : entry.modified?.seconds,
              created: like?.created == nil ? nil : entry.created?.seconds))
        }
        #expect(row.error == nil, "\(isolation): nothing was wrong with \(found)")
        #expect(found == row.entries, "\(isolation)")
        if let expected = row.times { #expect(times == expected, "\(isolation)") }
        #expect(stream.warnings.count == row.warnings ?? 0, "\(isolation): \(stream.warnings)")
      } catch let error as ArchiveError {
        #expect(error.code.description == row.error, "\(isolation): \(error)")
        // Of what is merely not supported, a fresh copy would be no better.
        #expect(error.code != .unsupportedFeature || !error.advice.description.contains("etch"), "\(error)")
      }
    }
  }
}
