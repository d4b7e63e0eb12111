import Foundation
import SystemPackage

/// Archives built byte by byte, so that a test can say what is wrong with them.
package typealias Bytes = [UInt8]

extension Bytes {
  package init(contentsOfFile path: String) throws {
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

  package func write(to path: String) throws { try Data(self).write(to: URL(filePath: path)) }
}

package func little<Value: FixedWidthInteger>(_ value: Value) -> Bytes {
  withUnsafeBytes(of: value.littleEndian) { Bytes($0) }
}
