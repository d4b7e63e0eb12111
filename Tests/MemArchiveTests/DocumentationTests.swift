import Foundation
import MemArchive
import TestSupport
import Testing

struct DocumentationTests {
  private func text(_ path: String) throws -> String {
    try Repository.text(of: "Sources/MemArchive/\(path)")
  }

  @Test func `Whatever names the version names the same`() throws {
    for file in [
      "CHANGELOG.md", "debian/changelog", "Sources/CMemArchive/include/memarchive.h",
      "Bindings/Python/pyproject.toml",
    ] {
      let first = try Repository.text(of: file).firstMatch(of: /\d+\.\d+\.\d+/)
      #expect(first?.output ?? "" == PlatformReport.memArchiveVersion, "\(file)")
    }
  }

  @Test func `The article on errors has a row for each code`() throws {
    let article = try text("MemArchive.docc/WhenSomethingIsWrong.md")
    let codes = try text("ArchiveError.swift").matches(of: /public static var (\w+): Self/).map(\.1)
    #expect(codes.count >= 20)
    for code in codes { #expect(article.contains("| ``ArchiveError/Code/\(code)`` |"), "\(code)") }
  }

  @Test func `The article on limits has a row for each limit`() throws {
    let article = try text("MemArchive.docc/WhatAnArchiveMayCost.md")
    let limits = try text("ExtractionLimits.swift").matches(of: /public var (\w+):/).map(\.1)
    #expect(limits.count >= 7)
    for limit in limits { #expect(article.contains("| ``ExtractionLimits/\(limit)`` |"), "\(limit)") }
  }

  /// The answers, each an error's code or "read", of the fixtures that the article on formats names.
  private func answers() throws -> [(fixture: String, answer: String)] {
    try text("MemArchive.docc/WhatIsRead.md").matches(of: /\| [^|]+ \| ([^|]+) \| (`[^|]+) \|/).flatMap {
      row in
      let code = row.1.firstMatch(of: /ArchiveError\/Code\/(\w+)/).map { String($0.1) }
      return row.2.matches(of: /`([^`]+)`/).map { (String($0.1), code ?? String(row.1)) }
    }
  }

  @Test func `What the article on formats says is what the fixtures' tables say`() throws {
    let odd = Dictionary(
      OddArchiveTests.Row.all.map { ("odd/" + $0.file, $0.error ?? "read") },
      uniquingKeysWith: { first, _ in first })
    let answers = try answers()
    #expect(answers.count >= 60)
    for (fixture, answer) in answers {
      #expect(FileManager.default.fileExists(atPath: Fixture.path(fixture)), "\(fixture)")
      #expect(answer == odd[fixture, default: "read"], "\(fixture)")
    }
    let named = Set(answers.map(\.fixture))
    for (fixture, answer) in odd where answer == "unsupportedFeature" {
      #expect(named.contains(fixture), "\(fixture) is refused, and the article does not say so")
    }
  }
}
