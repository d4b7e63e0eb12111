import MemArchive
import TestSupport
import Testing

/// A hostile or damaged archive, and the expected verdict.
struct Attack: CustomTestStringConvertible, Sendable {
  enum Verdict: Sendable {
    /// Nothing is returned; the error has this code, and names this entry if one is given.
    case error(ArchiveError.Code, entry: String? = nil)
    /// Exactly these names come out, in this order, with warnings that contain these words, each in one of them.
    case files([String], warnings: [String] = [])
  }

  let testDescription: String
  let verdict: Verdict
  let options: ExtractionOptions
  let nested: ExtractionOptions.NestedArchives
  let bytes: @Sendable () throws -> Bytes

  init(
    _ what: String, _ verdict: Verdict, options: ExtractionOptions = ExtractionOptions(),
    nested: ExtractionOptions.NestedArchives = .keep, _ bytes: @escaping @Sendable () throws -> Bytes
  ) {
    (testDescription, self.verdict, self.options, self.nested, self.bytes) = (
      what, verdict, options, nested, bytes
    )
  }

  static let hello = Bytes("hello, world\n".utf8)
  static let tar = Tar.archive(Tar.entry("hello", hello))

  /// libarchive's decoders accept an lzma dictionary of any size, and refuse data after lzip.
  private static let ofFastDecoders = ["lzma: a dictionary of 4 GiB", "lzip: bytes after it"]

  static var all: [Attack] {
    let all: [Attack] =
      tarAttacks + zipAttacks + compressionAttacks + otherAttacks + sizeAttacks + bombAttacks
      + requestedAttacks + squashFSAttacks
    #if FastDecoders
    return all + sevenZipAttacks
    #else
    return all.filter { !ofFastDecoders.contains($0.testDescription) }
    #endif
  }

  /// A fixture with some bytes changed.
  static func changed(_ file: String, _ change: (inout Bytes) -> Void) throws -> Bytes {
    var bytes = try Fixture.bytes(file)
    change(&bytes)
    return bytes
  }
}
