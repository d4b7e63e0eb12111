import Foundation
import TestSupport
import Testing

/// The manual page, which is committed: installing it takes no build.
struct ManualTests {
  private static let page = Repository.path("man/memarchive.1")

  @Test func `The page is what the program says of itself`() throws {
    let script = ByteString(Repository.path("Scripts/manual").utf8)
    let outcome = try Command(script, Program.path).run()
    #expect(outcome == .done(try ByteString(contentsOfFile: Self.page)), "make manual writes it again")
  }

  @Test func `It has the sections that readers look for, and each option once`() throws {
    let lines = try ByteString(contentsOfFile: Self.page).lines.map(\.text)
    for section in ["EXIT STATUS", "ENVIRONMENT", "EXAMPLES", "SEE ALSO"] {
      #expect(lines.contains(".SH " + section))
    }
    let options = lines.filter { $0.hasPrefix("\\fB") && $0.contains("\\-\\-") }
    let repeated = Dictionary(grouping: options, by: \.self).filter { $0.value.count > 1 }.keys
    // What commands of their own mean by them is told at each.
    #expect(
      repeated.allSatisfy { tag in
        [
          "json", "also", "hold", "jobs", "keep", "recursive", "image", "tag", "platform",
        ].contains { tag.contains($0) }
      },
      "\(repeated)")
  }

  @Test func `groff has nothing to say about it`() throws {
    let outcome = try Command("groff", "-man", "-ww", "-z", ByteString(Self.page.utf8)).run()
    #expect(outcome == .done())
  }
}
