import MemArchive

/// A file that has its content, of whatever kind; releasing it closes it.
protocol FilledFile: AnyObject {
  func fingerprint() throws -> Fingerprint
}

extension MemFile: FilledFile {
  func fingerprint() throws -> Fingerprint { try withBytes { Fingerprint(of: $0) } }
}
