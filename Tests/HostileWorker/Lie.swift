package import MemArchive

/// What a worker does that was taken over by its archive, once it has its request.
package struct Lie: Sendable, CustomStringConvertible {
  package let name: String
  /// What comes of it; nil where the one file comes as it should.
  package let code: ArchiveError.Code?
  package let storage: ExtractionOptions.Storage
  package var description: String { name }
  #if TESTABLE
  let tell: @Sendable (Liar) throws -> Void

  init(
    _ name: String, _ code: ArchiveError.Code? = .sandboxViolation,
    storage: ExtractionOptions.Storage = .dedicated, _ tell: @escaping @Sendable (Liar) throws -> Void
  ) {
    (self.name, self.code, self.storage, self.tell) = (name, code, storage, tell)
  }
  #endif
}

#if TESTABLE
extension Lie {
  /// Each with what a host has to say to it.
  package static let all = files + slabs + packets + messages + amounts + ends

  /// Those of tests that look closer.
  private static let others = floods + pieces + window + requests + [manyFiles, someFilesTakenLate]

  static func named(_ name: String) -> Lie? { (all + others).first { $0.name == name } }
}
#endif
