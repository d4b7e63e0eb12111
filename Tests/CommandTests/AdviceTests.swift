// Optimized builds have no @testable modules, and skip these tests.
#if TESTABLE
import Testing

@testable import MemArchive
@testable import MemArchiveCommand

struct AdviceTests {
  private typealias Advice = ArchiveError.Advice

  private static let all = Advice.fixed + [.compareName(similar: ["a", "b"]), .other("Free memory.")]

  /// A case that is new does not compile before it is here; then it must be in `all`, and so in `fixed`.
  private static func number(_ advice: Advice) -> Int {
    switch advice {
    case .raiseLimit: 0
    case .allowFormat: 1
    case .givePassphrase: 2
    case .allowMoreTime: 3
    case .readWithoutSandbox: 4
    case .readOverlappingEntries: 5
    case .chooseDuplicate: 6
    case .allowInsecureNames: 7
    case .leaveOutInsecureLinks: 8
    case .extractWithoutDirectories: 9
    case .extractWithAnyName: 10
    case .extractWithoutTree: 11
    case .executeFromTree: 12
    case .giveFile: 13
    case .compareName: 14
    case .comparePattern: 15
    case .mountProc: 16
    case .reportDefect: 17
    case .readZipWhole: 18
    case .other: 19
    }
  }

  @Test func `All advice is listed, and each once`() {
    #expect(Set(Self.all.map(Self.number)) == Set(0...19))
    #expect(Set(Self.all).count == Self.all.count)
    #expect(Set(Self.all.map(\.description)).count == Self.all.count)
  }

  @Test func `All advice is said in the words of the library and of the program`() {
    // A type, a method, a variable of the API; an option or the name of the program.
    let (ofAPI, ofProgram) = (/Extraction|MemTree|\(\)|\b[a-z]+[A-Z]/, /--|memarchive|\{NAME\}/)
    for advice in Self.all {
      let (inAPI, inOptions) = (advice.description, advice.inOptions)
      for text in [inAPI, inOptions] { #expect(text.hasSuffix(".") && text.first?.isUppercase == true) }
      #expect(!inOptions.contains(ofAPI), "\(inOptions)")
      #expect(!inAPI.contains(ofProgram), "\(inAPI)")
      #expect((inAPI == inOptions) == (advice == .other("Free memory.")), "\(inAPI)")
    }
  }

  @Test func `An error is described in other words`() {
    let error = ArchiveError(.corrupt, path: "a\n.zip", "it is bad", advice: .givePassphrase)
    #expect(
      error.description == #""a\n.zip": it is bad. Give the passphrase (ExtractionOptions.passphrases)."#)
    #expect(error.description { _ in "See\u{1B}." } == #""a\n.zip": it is bad. See\u{1B}."#)
    #expect(
      error.withoutPath.description(advice: \.inOptions)
        == "it is bad. Give the passphrase (--passphrase-file).")
  }
}
#endif
