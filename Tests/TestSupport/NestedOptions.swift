package import MemArchive

extension ExtractionOptions {
  /// These options, with archives inside the archive read too.
  package func nested(_ nested: NestedArchives = .expand) -> Self {
    var options = self
    options.nestedArchives = nested
    return options
  }
}
