/// A file, directory or symbolic link that a tool made while it unpacked an archive, as lstat(2) shows it.
struct Unpacked: Decodable {
  let name: String
  let kind: String
  let mode: UInt16
  let seconds: Int64
  let nanoseconds: Int
  /// Of a file's content.
  let sha256: String?
  /// Of a symbolic link.
  let link: String?
  /// Of a file that has several names.
  let inode: Int?
}
