import TestSupport
import Testing

struct DocumentationTests {
  private func text(_ path: String) throws -> String {
    try Repository.text(of: "Sources/MemArchive/\(path)")
  }

  @Test func `The article on errors has a row for each code`() throws {
    let article = try text("MemArchive.docc/WhenSomethingIsWrong.md")
    let codes = try text("ArchiveError.swift").matches(of: /public static var (\w+): Self/).map(\.1)
    #expect(codes.count >= 20)
    for code in codes { #expect(article.contains("| ``ArchiveError/Code/\(code)`` |"), "\(code)") }
  }

  @Test func `The article on limits has a row for each limit`() throws {
    let article = try text("MemArchive.docc/WhatAnArchiveMayCost.md")
    let limits = try text("Limits.swift").matches(of: /public var (\w+):/).map(\.1)
    #expect(limits.count >= 7)
    for limit in limits { #expect(article.contains("| ``Limits/\(limit)`` |"), "\(limit)") }
  }
}
