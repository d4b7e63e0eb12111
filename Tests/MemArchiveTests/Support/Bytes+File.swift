import SystemPackage

extension [UInt8] {
  init(contentsOfFile path: String) throws {
    let descriptor = try FileDescriptor.open(FilePath(path), .readOnly)
    defer { try? descriptor.close() }
    var content = Bytes()
    var buffer = Bytes(repeating: 0, count: 65_536)
    while true {
      let count = try buffer.withUnsafeMutableBytes { try descriptor.read(into: $0) }
      guard count > 0 else { break }
      content += buffer[..<count]
    }
    self = content
  }
}
