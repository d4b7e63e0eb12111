/// An archive with its place among archives inside archives: what is descended into is read by the same rules whatever becomes of
/// its entries, a dictionary, a tree or the command's lines.
package struct ArchiveLevel {
  package let reader: ArchiveReader
  package let context: ExtractionContext
  /// The full name of the archive; nil for the outermost one.
  package let name: String?
  /// The number of archives around it.
  private let depth: Int

  package init(outermost reader: ArchiveReader, in context: ExtractionContext) {
    self.init(reader, context, nil, depth: 0)
  }

  private init(_ reader: ArchiveReader, _ context: ExtractionContext, _ name: String?, depth: Int) {
    self.reader = reader
    self.context = context
    self.name = name
    self.depth = depth
  }

  package var isOutermost: Bool { name == nil }

  /// The archive that is the content of an entry of this one.
  ///
  /// - Parameter entry: With its full name.
  package func inner(_ reader: ArchiveReader, of entry: ArchiveEntry) -> Self {
    Self(reader, context.inside, entry.name, depth: depth + 1)
  }

  /// Throws if it lies too deep to be read.
  package func check() throws(ArchiveError) {
    guard depth < context.options.limits.depth else { throw .tooManyLayers(context.options.limits.depth) }
  }

  /// An entry of this archive with its full name.
  package func full(_ entry: ArchiveEntry) -> ArchiveEntry { entry.inside(name) }
  package func full(_ error: ArchiveError) -> ArchiveError { error.inside(name) }
  package func full(_ warning: ArchiveWarning) -> ArchiveWarning { warning.inside(name) }

  /// What is to be noted after an error ended the reading of an inner archive; nil if that is none, and stays a file.
  ///
  /// - Throws: The error, if it ends the reading of this archive too.
  func outlives(_ error: ArchiveError, of entry: ArchiveEntry) throws(ArchiveError) -> ArchiveError? {
    if error.saysNoArchive { return nil }
    let named = error.naming(entry.name)
    guard context.continues(afterInnerArchive: error) else { throw named }
    return named
  }
}
