/// The entries that libarchive returns of a RAR archive, each with what the headers say about it, and those that it passes
/// over or stops at: the rest of a file from an earlier volume (RAR 5), and the files of a solid archive (RAR 4).
final class RAREntries {
  private let headers: RARHeaders
  private var index = 0
  private(set) var current: RARFile?
  /// libarchive's next entry, and where it began to look for it.
  private var held: (header: Header, start: Int64)?
  private var (isAtEnd, hasStopped) = (false, false)

  init(_ headers: consuming RARHeaders) { self.headers = headers }

  /// Whether there may be more, although libarchive has ended.
  var hasMore: Bool { isAtEnd && index < headers.files.count }

  private var nextFile: RARFile? { index < headers.files.count ? headers.files[index] : nil }

  func next(
    _ read: () throws(ArchiveError) -> (header: Header, start: Int64)?
  ) throws(ArchiveError) -> Header? {
    current = nil
    if held == nil, !isAtEnd {
      do throws(ArchiveError) {
        held = try read()
      } catch {
        // Looking for the next volume.
        if let nextFile { hasStopped = error.code == .unsupportedFeature && nextFile.refusal != nil }
        guard hasStopped || headers.files.last?.continuesLater == true else { throw error }
      }
      isAtEnd = held == nil
    }
    while var file = nextFile, file.isLeftOut || file.offset < held?.start ?? .max {
      index += 1
      if hasStopped { file.unsupported = file.unsupported ?? "it comes after content that is not decoded" }
      if hasStopped || file.refusal != nil {
        current = file
        return file.header
      }
    }
    defer { held = nil }
    if held != nil {
      current = nextFile
      index += 1
    }
    return held?.header
  }
}
