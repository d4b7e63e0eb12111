import MemArchive
import SystemPackage
import TestSupport
import Testing

/// A way to read an archive: in which process, and from where.
struct Reading: CustomTestStringConvertible, Sendable {
  enum Source { case file, pipe }

  let sandbox: ExtractionOptions.Sandbox
  let source: Source

  var testDescription: String { "sandbox \(sandbox), from a \(source)" }

  static let all = [
    Self(sandbox: .off, source: .file), Self(sandbox: .off, source: .pipe),
    Self(sandbox: .bestEffort, source: .file),
    Self(sandbox: .required, source: .file), Self(sandbox: .required, source: .pipe),
  ]

  /// Each process and each source once.
  static let each = [Self(sandbox: .off, source: .pipe), Self(sandbox: .required, source: .file)]

  func extract(_ archive: OrdinaryArchive) throws -> MemFiles {
    let rules = Rules.of(archive.family)
    let options = ExtractionOptions(formats: rules.formats, sandbox: sandbox)
    let nested = rules.outer == nil ? ExtractionOptions.NestedArchives.keep : .expand
    guard source == .pipe else {
      return try ArchiveReader(path: archive.path).extract(options: options.nested(nested))
    }
    let descriptor = FileDescriptor(
      rawValue: try pipe(filledWith: Bytes(contentsOfFile: archive.path)))
    defer { try? descriptor.close() }
    return try ArchiveReader(descriptor: descriptor).extract(options: options.nested(nested))
  }
}
