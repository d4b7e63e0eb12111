public import Foundation
public import MemArchive
internal import SystemPackage

extension ArchiveReader {
  /// An archive in a file, as `ArchiveReader.init(path:)`.
  ///
  /// - Throws: `ArchiveError` with `ArchiveError/Code/system` when the URL is not one of a file.
  public init(url: URL) throws(ArchiveError) {
    guard url.isFileURL else {
      throw ArchiveError(
        .system, "\"\(url)\" is not the URL of a file",
        advice: "Fetch it first, then give the file's URL, a descriptor or the bytes.")
    }
    self.init(path: url.path(percentEncoded: false))
  }

  /// An archive in memory; the data is copied.
  public init(data: Data) { self.init(bytes: Array(data)) }

  /// An archive behind a handle, which stays the caller's and must stay open while it is read; see
  /// `ArchiveReader/init(descriptor:)`.
  public init(fileHandle: FileHandle) {
    self.init(descriptor: FileDescriptor(rawValue: fileHandle.fileDescriptor))
  }
}
