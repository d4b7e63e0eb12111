public import Foundation
public import MemArchive
internal import SystemPackage

extension MemFile {
  /// The content as `Data` without a copy: it refers to the file's memory, and keeps the file until it is released itself.
  ///
  /// Changing the `Data` copies it first; the file cannot change.
  ///
  /// - Throws: `ArchiveError` as `MemFile/withBytes(_:)`.
  public func data() throws -> Data {
    let address = unsafe try withBytes { bytes in
      unsafe bytes.withUnsafeBytes { unsafe UnsafeMutableRawPointer(mutating: $0.baseAddress) }
    }
    // mmap(2) maps nothing of an empty file.
    guard let address = unsafe address else { return Data() }
    // The mapping lives as long as the file, which the closure holds. Data never writes to memory that it was lent.
    return unsafe Data(bytesNoCopy: address, count: size, deallocator: .custom { _, _ in _ = self })
  }

  /// A handle for reading with an offset of its own, at the beginning; its descriptor closes with it.
  ///
  /// - Throws: `ArchiveError` as `MemFile/reopen()`.
  public func fileHandle() throws(ArchiveError) -> FileHandle {
    FileHandle(fileDescriptor: try reopen().rawValue, closeOnDealloc: true)
  }

  /// Makes a sealed file in memory from data, which is copied.
  ///
  /// - Throws: `ArchiveError` as `MemFile/init(name:bytes:executable:)-(_,[UInt8],_)`.
  public convenience init(name: String, data: Data, executable: Bool = false) throws(ArchiveError) {
    try self.init(name: name, bytes: data.bytes, executable: executable)
  }
}
