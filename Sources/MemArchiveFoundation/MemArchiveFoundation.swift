public import Foundation
public import MemArchive
internal import SystemPackage

extension ArchiveReader {
  /// An archive in a file, as `ArchiveReader.init(path:)`.
  ///
  /// - Throws: `ArchiveError` with `ArchiveError/Code/system` if the URL is not a file URL.
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

  /// An archive given as a handle, which stays the caller's and must stay open while it is read; see
  /// `ArchiveReader/init(descriptor:)`.
  public init(fileHandle: FileHandle) {
    self.init(descriptor: FileDescriptor(rawValue: fileHandle.fileDescriptor))
  }
}

extension MemFile {
  /// The content as `Data` without a copy: it refers to the file's memory, and keeps the file alive.
  ///
  /// Changing the `Data` copies it first; the file cannot change.
  ///
  /// - Throws: `ArchiveError` as `MemFile/withBytes(_:)`.
  public func data() throws(ArchiveError) -> Data {
    let address = unsafe try withBytes { bytes in
      unsafe bytes.withUnsafeBytes { unsafe UnsafeMutableRawPointer(mutating: $0.baseAddress) }
    }
    // An empty file has no mapping.
    guard let address = unsafe address else { return Data() }
    // The mapping lives as long as the file, which the closure holds. Data never writes to memory that it does not own.
    return unsafe Data(bytesNoCopy: address, count: size, deallocator: .custom { _, _ in _ = self })
  }

  /// A handle for reading from the beginning, with an offset of its own; its descriptor closes with it.
  ///
  /// - Throws: `ArchiveError` as `MemFile/reopen()`.
  public func fileHandle() throws(ArchiveError) -> FileHandle {
    FileHandle(fileDescriptor: try reopen().rawValue, closeOnDealloc: true)
  }

  /// Makes a sealed file in memory from data, which is copied.
  ///
  /// - Throws: `ArchiveError` as `MemFile/init(name:bytes:executable:mode:)-(_,[UInt8],_)`.
  public convenience init(
    name: String, data: Data, executable: Bool = false, mode: UInt16? = nil
  ) throws(ArchiveError) {
    try self.init(name: name, bytes: data.bytes, executable: executable, mode: mode)
  }
}

extension ArchiveError: LocalizedError {
  /// The whole sentence, `ArchiveError/description`.
  public var errorDescription: String? { description }
  /// `ArchiveError/reason`.
  public var failureReason: String? { reason }
  /// `ArchiveError/advice`.
  public var recoverySuggestion: String? { advice.description }
}

extension ArchiveError: CustomNSError {
  /// "MemArchive.ArchiveError".
  public static var errorDomain: String { "MemArchive.ArchiveError" }
  /// The error number of the failing system call, or 0.
  public var errorCode: Int { errno.map { Int($0.rawValue) } ?? 0 }
  /// The texts of `LocalizedError`, the path under `NSFilePathErrorKey`, and the code's name and the
  /// entry under "code" and "entry".
  public var errorUserInfo: [String: Any] {
    var info: [String: Any] = [
      NSLocalizedDescriptionKey: description, NSLocalizedFailureReasonErrorKey: reason,
      NSLocalizedRecoverySuggestionErrorKey: advice.description, "code": code.description,
    ]
    info["entry"] = entry
    info[NSFilePathErrorKey] = path
    return info
  }
}

extension ArchiveEntry.Time {
  /// The time as `Date`, to its precision of about 0.1 µs.
  public var date: Date {
    Date(timeIntervalSince1970: Double(seconds) + Double(nanoseconds) / 1e9)
  }
}
