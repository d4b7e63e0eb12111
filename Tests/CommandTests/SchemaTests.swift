import Foundation
import TestSupport
import Testing

/// The article "The command line" has a schema of what --json prints.
struct SchemaTests {
  private struct Property: Decodable {
    let type: String?
    let `enum`: [String]?
    let const: Bool?
    let pattern: String?
    let items: Reference?
  }

  private struct Reference: Decodable {
    let name: String

    enum CodingKeys: String, CodingKey {
      case name = "$ref"
    }
  }

  private struct Definition: Decodable {
    let required: [String]
    let properties: [String: Property]
  }

  private struct Schema: Decodable {
    let id: String
    let definitions: [String: Definition]

    enum CodingKeys: String, CodingKey {
      case id = "$id"
      case definitions = "$defs"
    }
  }

  private func schema() throws -> Schema {
    let article = try String(
      contentsOfFile: Repository.path("Sources/MemArchive/MemArchive.docc/TheCommandLine.md"), encoding: .utf8
    )
    let block = try #require(
      article.components(separatedBy: "```json\n").last?.components(separatedBy: "```").first)
    return try JSONDecoder().decode(Schema.self, from: Data(block.utf8))
  }

  private func expect(
    _ object: [String: JSONLines.Value], follows definition: Definition, in schema: Schema, _ context: String
  ) {
    for key in definition.required { #expect(object[key] != nil, "\(context): \(key)") }
    for (key, value) in object {
      guard let property = definition.properties[key] else {
        Issue.record("\(context): \(key) is in no schema")
        continue
      }
      switch value {
      case .number: #expect(property.type == "integer", "\(context): \(key)")
      case .flag(let flag): #expect(property.const == flag, "\(context): \(key)")
      case .list(let objects):
        let name = property.items?.name.replacingOccurrences(of: "#/$defs/", with: "")
        guard property.type == "array", let items = name.flatMap({ schema.definitions[$0] }) else {
          Issue.record("\(context): \(key) is no list of what the schema defines")
          continue
        }
        for object in objects { expect(object, follows: items, in: schema, "\(context) \(key)") }
      case .text(let text):
        if let cases = property.enum {
          #expect(cases.contains(text), "\(context): \(key)")
        } else {
          #expect(property.type == "string", "\(context): \(key)")
        }
        if let pattern = property.pattern {
          #expect(text.range(of: pattern, options: .regularExpression) != nil, "\(context): \(key) \(text)")
        }
      }
    }
  }

  private static let archives: [ByteString] = [
    "tar-all-kinds.tar", "tar-latin1-name.tar", "tar-gnu-base256.tar", "zip-deflated.zip", "zip-xz.zip",
    "7z-lzma2.7z",
    "7z-bcj.7z", "cpio-newc-all-kinds.cpio", "ar-package.deb", "hello.txt.gz", "odd/rar/rar15.rar",
    "odd/cab/lzx-e8.cab",
    "odd/lha/after-end.lzh", "odd/7z/aes.7z", "nowhere.zip", "odd/zip/method-1.zip", "tar-pax-xattr.tar",
  ]

  @Test(arguments: archives)
  func `What --json prints is in the schema`(archive: ByteString) throws {
    let schema = try schema()
    for command in ["list", "digest", "test"] {
      let definition = try #require(schema.definitions[command])
      let outcome = try Program.run("\(command)", "-q", "--json", archive)
      let objects = try JSONLines(outcome.output).objects
      #expect(command == "digest" || archive == "nowhere.zip" || !objects.isEmpty)
      for object in objects { expect(object, follows: definition, in: schema, "\(command) \(archive)") }
    }
  }

  @Test(arguments: archives)
  func `What each prints is in the schema`(archive: ByteString) throws {
    let schema = try schema()
    let definition = try #require(schema.definitions["each"])
    let outcome = try Program.run(
      "each", "-q", "--json", "--keep-going", archive, "--", "sh", "-c", "head -c 2000000 /dev/zero; kill $$")
    let objects = try JSONLines(outcome.output).objects
    for object in objects { expect(object, follows: definition, in: schema, "each \(archive)") }
    #expect(objects.last?["event"] == .text("archive"))
  }

  @Test func `test counts errors by code`() throws {
    let outcome = try Program.run("test", "--json", "--keep-going", "odd/zip/method-1.zip", "tree.tar.gz")
    let objects = try JSONLines(outcome.output).objects
    let failures = objects[0]["failures"]
    guard case .list(let refusals)? = objects[0]["refusals"] else {
      Issue.record("\(outcome)")
      return
    }
    #expect(refusals.count == 1 && refusals[0]["count"] == failures, "\(outcome)")
    #expect(objects[1]["refusals"] == nil)
  }

  @Test func `test tells the most bytes that were held`() throws {
    func held(_ arguments: ByteString...) throws -> Int64 {
      let outcome = try Program.run(["test", "--json", "zip-3mib.zip", "--jobs", "1"] + arguments)
      guard case .number(let held)? = try JSONLines(outcome.output).objects.first?["held"] else { return 0 }
      return held
    }
    for sandbox in ["off", "required"] as [ByteString] {
      // A file of 3 MiB, the largest.
      #expect(try 3_000_000...6_000_000 ~= held("--sandbox", sandbox))
      #expect(try held("--sandbox", sandbox, "--hold") >= 3_000_000)
    }
  }

  @Test func `Of several archives each line says which it is about`() throws {
    let schema = try schema()
    for command in ["list", "digest"] {
      let definition = try #require(schema.definitions[command])
      let outcome = try Program.run(
        "\(command)", "-q", "--json", "tar-all-kinds.tar", "--also", "zip-deflated.zip")
      let objects = try JSONLines(outcome.output).objects
      for object in objects { expect(object, follows: definition, in: schema, command) }
      #expect(Set(objects.map { $0["archive"] }) == [.text("tar-all-kinds.tar"), .text("zip-deflated.zip")])
    }
  }

  @Test func `The program says which version of the schema it follows`() throws {
    let version = try schema().id.replacingOccurrences(of: "memarchive-json-", with: "")
    #expect(try Program.run("--version").output.lines.contains("  JSON lines of version \(version)"))
  }
}
