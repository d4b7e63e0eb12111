internal import CLinux
internal import SealedMemory
internal import Synchronization
internal import SystemPackage

/// A file of an archive that is read again and again: it stays open, so that whatever is put at its path is not read in its place.
final class KeptFile: Sendable {
  /// How it was opened, for errors.
  let name: String
  let fileName: String?
  let descriptor: FileDescriptor
  let size: Int64
  /// Seconds and nanoseconds.
  private let modified: [Int]

  /// Takes over the descriptor, which must not be open for writing; nil if what it leads to cannot be read at any offset.
  init?(_ descriptor: consuming OwnedDescriptor, name: String, fileName: String?) throws(ArchiveError) {
    (self.name, self.fileName) = (name, fileName)
    do throws(Errno) {
      let status = try Stat(descriptor.descriptor)
      guard let size = try SystemCalls.extent(of: descriptor.descriptor, status) else { return nil }
      (self.size, modified) = (size, status.modified)
    } catch {
      throw .open(name, error)
    }
    self.descriptor = descriptor.release()
  }

  deinit { SystemCalls.close(descriptor) }

  /// Throws if it is not what it was when it was opened.
  func check() throws(ArchiveError) {
    do throws(Errno) {
      let status = try Stat(descriptor)
      if try SystemCalls.extent(of: descriptor, status) == size, status.modified == modified { return }
    } catch {
      throw .open(name, error)
    }
    throw .changed()
  }
}

extension Stat {
  fileprivate var modified: [Int] { [Int(st_mtim.tv_sec), Int(st_mtim.tv_nsec)] }
}

/// A source of the caller's own that is read again and again.
private final class KeptSource: AsyncArchiveSource {
  private let source: any AsyncArchiveSource
  private let first = Mutex<Int64?>(nil)

  init(_ source: any AsyncArchiveSource) { self.source = source }

  var name: String? { source.name }

  /// - Throws: `archiveChanged` if it is not what it was at first.
  var size: Int64 {
    get async throws {
      let size = try await source.size
      let isSame = first.withLock { first in
        first = first ?? size
        return first == size
      }
      guard isSame else { throw ArchiveError.changed() }
      return size
    }
  }

  func bytes(in range: Range<Int64>) async throws -> [UInt8] { try await source.bytes(in: range) }
}

extension ArchiveReader {
  /// The same archive, to be read again and again: its files are kept open, and what can be read only once is put into memory.
  func kept(in context: ExtractionContext) throws(ArchiveError) -> ArchiveReader {
    let files: [KeptFile?]
    switch origin {
    case .bytes, .file, .kept, .passed: return self
    case .source(let source): return ArchiveReader(source: KeptSource(source))
    case .path(let path): files = [try Self.keep(path, pipe)]
    case .parts(let paths):
      var parts: [KeptFile?] = []
      for path in paths {
        guard let part = try Self.keep(path, nil) else { throw .open("\(path)", .illegalSeek) }
        parts.append(part)
      }
      files = parts
    case .descriptor(let descriptor): files = [try Self.keep(descriptor)]
    case .chunks: files = [nil]
    }
    let there = files.compactMap(\.self)
    return there.count == files.count
      ? ArchiveReader(kept: there) : ArchiveReader(contentsOf: try sealed(in: context))
  }

  /// nil for a pipe, which is not opened.
  private static func keep(_ path: FilePath, _ pipe: PipeState?) throws(ArchiveError) -> KeptFile? {
    guard (try? Stat(path))?.type != .fifo else { return nil }
    return try KeptFile(
      OwnedDescriptor(try open(path, pipe)), name: "\(path)", fileName: path.fileName)
  }

  /// One of our own, which cannot be written to, and outlives the caller's; nil if there is none, or it is a pipe's.
  private static func keep(_ descriptor: FileDescriptor) throws(ArchiveError) -> KeptFile? {
    let path = FilePath("/proc/self/fd/\(descriptor.rawValue)")
    guard let status = try? Stat(descriptor), status.type == .regular || status.type == .blockSpecial,
      let opened = try? SystemCalls.openReadOnly(path)
    else { return nil }
    let own = OwnedDescriptor(opened)
    guard (try? Stat(own.descriptor))?.isSameFile(as: status) == true else { return nil }
    return try KeptFile(own, name: "descriptor \(descriptor.rawValue)", fileName: nil)
  }
}
