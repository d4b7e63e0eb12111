/// One entry's header as it stands in the archive: names are raw bytes.
struct Header {
  /// The name's bytes; nil where they cannot be had.
  var name: [UInt8]?
  var kind: ArchiveEntry.Kind
  var size: Int64?
  var modified: ArchiveEntry.Time?
  var mode: UInt16 = 0o644
  var link: [UInt8]?
  var linkCount = 1
  var isEncrypted = false
  var details: ArchiveEntry.Details?
  var comment: [UInt8]?
  /// A note on what is odd about it.
  var warning: String?
}
