import MemArchive
import SystemPackage

/// A file that has its content, of whatever kind; releasing it closes it.
protocol FilledFile: AnyObject {
  var fileDescriptor: FileDescriptor { get throws(ArchiveError) }
  /// Size in bytes.
  var size: Int { get }
}

extension MemFile: FilledFile {}
