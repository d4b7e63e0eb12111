/// What the headers of a RAR archive say about one file.
struct RARFile {
  /// Where its first header begins.
  let offset: Int64
  var header: Header
  /// Whether a part of it is in an earlier volume, or in a later one, that is not there.
  var isContinued = false
  var continuesLater = false
  /// Whether libarchive passes over it.
  var isLeftOut = false
  /// Why it cannot be decoded; nil if it can.
  var unsupported: String?
  /// The CRC-32 of the content.
  var checksum: UInt32?
  /// Whether stored content has a BLAKE2sp hash instead, which is not verified.
  var hasUnverifiedHash = false

  /// Why its content cannot be had; nil if it can.
  var refusal: ArchiveError? {
    let together = "Give all volumes of the archive together, the first one first."
    if header.kind != .file { return nil }
    if isContinued {
      return ArchiveError(
        .unsupportedFeature, "it is the rest of a file that begins in an earlier volume", advice: together)
    }
    if continuesLater { return ArchiveError(.truncated, "it goes on in a later volume", advice: together) }
    return unsupported.map {
      ArchiveError(
        .unsupportedFeature, $0, advice: "Unpack it with RAR's own program, and pack it again as zip.")
    }
  }
}
