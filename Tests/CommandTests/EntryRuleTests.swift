import Glibc
import MemArchive
import TestSupport
import Testing

/// The rules for names and links, wherever an archive's entries go.
struct EntryRuleTests {
  /// An archive, and the content that each of its names leads to; nil for none.
  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let archive: ByteString
    var duplicates = ExtractionOptions.Duplicates.last
    let contents: [String: ByteString?]
    /// What all destinations throw that take everything.
    var error: ArchiveError.Code?

    init(
      _ rule: String, _ archive: ByteString, _ contents: [String: ByteString?],
      duplicates: ExtractionOptions.Duplicates = .last, throws error: ArchiveError.Code? = nil
    ) {
      (testDescription, self.archive, self.duplicates) = (rule, archive, duplicates)
      (self.contents, self.error) = (contents, error)
    }
  }

  /// Where entries go, all of them or one by its name.
  enum Destination: CaseIterable, Sendable {
    case dictionary, dictionaryByName, tree, treeByName
    case nested, nestedByName, nestedTree, nestedTreeByName

    var takesAll: Bool { [.dictionary, .tree, .nested, .nestedTree].contains(self) }

    /// What each name leads to here.
    func contents(of row: Row) throws -> [String: ByteString] {
      let isNested = [.nested, .nestedByName, .nestedTree, .nestedTreeByName].contains(self)
      let archive = isNested ? ByteString.tar(ByteString.entry("in", row.archive)) : row.archive
      let reader = ArchiveReader(bytes: archive.values)
      var contents: [String: ByteString] = [:]
      for name in row.contents.keys {
        let long = isNested ? "in/" + name : name
        contents[name] = try content(long, takesAll ? .all : .names([long]), reader, row.duplicates)
      }
      return contents
    }

    private func content(
      _ name: String, _ selection: EntrySelection, _ reader: ArchiveReader,
      _ duplicates: ExtractionOptions.Duplicates
    ) throws -> ByteString? {
      let options = ExtractionOptions {
        $0.duplicates = duplicates
        $0.sandbox = .off
      }
      do {
        switch self {
        case .dictionary, .dictionaryByName:
          return try content(of: try reader.extract(selection, options: options)[name])
        case .nested, .nestedByName:
          return try content(of: try reader.extract(selection, options: options.nested())[name])
        case .tree, .treeByName:
          return try read(name, in: try reader.tree(selection, options: options))
        case .nestedTree, .nestedTreeByName:
          return try read(name, in: try reader.tree(selection, options: options.nested()))
        }
      } catch let error as ArchiveError {
        // A link that leads nowhere cannot be requested by name.
        guard !takesAll, [.linkTargetUnavailable, .notAFile].contains(error.code) else { throw error }
        return nil
      }
    }

    private func content(of file: MemFile?) throws -> ByteString? {
      try file?.withBytes { bytes in bytes.withUnsafeBytes { ByteString($0) } }
    }

    /// As a program reads it that has the tree for its working directory.
    private func read(_ name: String, in tree: MemTree) throws -> ByteString? {
      let top = open(try tree.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      // While others rename or mount, the kernel may start again, and then counts more than 20 links twice: ELOOP.
      var (file, tries): (Int32, Int) = (-1, 0)
      repeat {
        file = openat(top, name, O_RDONLY | O_CLOEXEC)
        tries += 1
      } while file < 0 && errno == ELOOP && tries < 100
      close(top)
      guard file >= 0 else { return nil }
      defer { close(file) }
      var bytes = [UInt8](repeating: 0, count: 100)
      let count = Glibc.read(file, &bytes, bytes.count)
      return count < 0 ? nil : ByteString(bytes.prefix(count))
    }
  }

  @Test(arguments: rows, Destination.allCases)
  func `A name leads to the same content, wherever entries go`(_ row: Row, _ destination: Destination) throws
  {
    if let error = row.error {
      guard destination.takesAll else { return }
      let thrown = #expect(throws: ArchiveError.self) { try destination.contents(of: row) }
      #expect(thrown?.code == error)
    } else {
      #expect(try destination.contents(of: row) == row.contents.compactMapValues { $0 })
    }
  }

  /// Both write each of two entries with the same name, whatever the policy.
  @Test(arguments: rows.filter { !$0.testDescription.hasPrefix("duplicates") })
  func `cat and digest give it too`(_ row: Row) throws {
    for (name, content) in row.contents {
      let cat = try Program.run("cat", "-", ByteString(name.utf8), input: .pipe(row.archive))
      #expect(cat.output == content ?? "", "\(name)")
      #expect((cat.end == .exit(0)) == (content != nil), "\(name)")
    }
    let digests = try Program.run("digest", "-", input: .pipe(row.archive)).output.lines
    for digest in digests {
      let name = digest.text.split(separator: "  ").last.map { String($0) } ?? ""
      let content = try #require(row.contents[name] ?? nil, "\(name)")
      var expected = Command("sha256sum")
      expected.input = .pipe(content)
      #expect(digest.text.prefix(64) == (try expected.run().output.text.prefix(64)), "\(name)")
    }
  }
}

extension EntryRuleTests {
  /// An entry of cpio's newc format.
  private static func cpio(_ name: ByteString, _ body: ByteString, inode: Int, links: Int) -> ByteString {
    let fields = [inode, 0o100644, 0, 0, links, 0, body.values.count, 0, 0, 0, 0, name.values.count + 1, 0]
    let header = fields.reduce("070701") { text, field in
      let digits = String(field, radix: 16)
      return text + String(repeating: "0", count: 8 - digits.count) + digits
    }
    func padded(_ bytes: ByteString) -> ByteString { bytes + [0] * (-bytes.values.count & 3) }
    return padded(ByteString(header.utf8) + name + [0]) + padded(body)
  }

  private static let cpioEnd = cpio("TRAILER!!!", "", inode: 0, links: 1)

  private static func link(_ name: ByteString, _ target: ByteString) -> ByteString {
    ByteString.entry(name, type: "2", link: target)
  }
  private static func hardlink(_ name: ByteString, _ target: ByteString) -> ByteString {
    ByteString.entry(name, type: "1", link: target)
  }

  private static let file = ByteString.entry("d/file", "1")
  private static let twice = ByteString.tar(
    ByteString.entry("a", "1"), hardlink("h", "a"), ByteString.entry("b", "3"), ByteString.entry("a", "2"))
  /// Each leads to the one before.
  private static let chain = ByteString.tar(
    [file, link("0", "d/file")].reduce("", +) + (1...40).reduce("") { $0 + link("\($1)", "\($1 - 1)") })

  static let rows: [Row] = [
    Row("duplicates: the last of two has the name", twice, ["a": "2", "h": "1", "b": "3"]),
    Row(
      "duplicates: the first of two has the name", twice, ["a": "1", "h": "1", "b": "3"], duplicates: .first),
    Row("duplicates: none may be there", twice, ["a": nil], duplicates: .reject, throws: .duplicateEntry),
    Row(
      "duplicates: a hard link to itself is none",
      ByteString.tar(
        ByteString.entry("a", "1"), hardlink("a", "a"), ByteString.entry("b", "2"), hardlink("b", "./b")),
      ["a": "1", "b": "2"]),
    Row(
      "hard links lead to their target, before and after it",
      ByteString.tar(
        hardlink("h", "i"), hardlink("i", "d/file"), file, hardlink("j", "h"), hardlink("n", "none")),
      ["h": "1", "i": "1", "d/file": "1", "j": "1", "n": nil]),
    Row(
      "a hard link is to a path, however it is spelled",
      ByteString.tar(file, hardlink("h", "./d/file")), ["h": "1", "d/file": "1"]),
    Row(
      "cpio: the last link has the content of all",
      cpio("one", "", inode: 7, links: 3) + cpio("two", "", inode: 7, links: 3)
        + cpio("three", "1", inode: 7, links: 3) + cpioEnd, ["one": "1", "two": "1", "three": "1"]),
    Row(
      "cpio: each link has the content",
      cpio("one", "1", inode: 7, links: 2) + cpio("two", "1", inode: 7, links: 2) + cpioEnd,
      ["one": "1", "two": "1"]),
    Row(
      "duplicates: links of another file of the name are that one's",
      cpio("one", "", inode: 7, links: 2) + cpio("two", "7", inode: 7, links: 2)
        + cpio("one", "", inode: 9, links: 2) + cpio("four", "9", inode: 9, links: 2) + cpioEnd,
      ["one": "9", "two": "7", "four": "9"]),
    Row(
      "a symbolic link leads over others",
      ByteString.tar(file, link("l", "d"), link("m", "./l//file"), link("n", "d/../m"), hardlink("o", "n")),
      ["d/file": "1", "l": nil, "m": "1", "n": "1", "o": "1"]),
    Row("40 symbolic links are followed", chain, ["d/file": "1", "0": "1", "39": "1", "40": nil]),
    Row(
      "links that lead to no content",
      ByteString.tar(
        file, link("out", "../d/file"), link("root", "/d/file"), link("nowhere", "d/none"),
        link("self", "self"),
        link("a", "b"), link("b", "a"), link("through", "d/file/x"), ByteString.entry("dir/", type: "5"),
        link("directory", "dir")),
      [
        "out": nil, "root": nil, "nowhere": nil, "self": nil, "a": nil, "b": nil, "through": nil,
        "directory": nil, "d/file": "1",
      ]),
  ]
}
