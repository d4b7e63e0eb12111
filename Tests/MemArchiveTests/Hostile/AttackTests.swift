import MemArchive
import TestSupport
import Testing

/// All attacks, wherever the archive is read and whoever decodes.
@Suite(.slow) struct AttackTests {
  @Test(arguments: Attack.all, Isolation.allCases)
  func `An attack gets the expected verdict`(_ attack: Attack, _ isolation: Isolation) throws {
    let reader = ArchiveReader(bytes: try attack.bytes())
    let options = isolation.applied(to: attack.options)
    switch attack.verdict {
    case .error(let code, let entry):
      let error = #expect(throws: ArchiveError.self) {
        try reader.extract(options: options.nested(attack.nested))
      }
      #expect(error?.code == code, "\(String(describing: error))")
      if let entry { #expect(error?.entry == entry) }
      // libarchive's texts may be NULL, and its numbers are no errno.
      #expect(error?.reason.isEmpty == false)
      #expect(error?.advice.description.hasSuffix(".") == true)
      if code != .system { #expect(error?.errno == nil) }
    case .files(let names, let warnings):
      let files = try reader.extract(options: options.nested(attack.nested))
      #expect(files.names.map { Bytes($0.utf8) } == names.map { Bytes($0.utf8) }, "\(files.names)")
      for words in warnings {
        #expect(files.warnings.contains { $0.text.contains(words) }, "\(files.warnings)")
      }
      if warnings.isEmpty { #expect(files.warnings.isEmpty) }
      for (_, file) in files {
        #expect(try file.seals.isSuperset(of: .final))
        #expect(try file.content.count == file.size)
      }
    }
  }
}
