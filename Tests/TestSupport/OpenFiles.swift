import Foundation
import Glibc

/// What this process holds of files in memory, by a label that only one test uses: other tests run at the same time.
package struct OpenFiles: Equatable {
  package let descriptors: Int
  package let mappings: Int

  /// - Parameter label: part of the name of the memory files that are meant.
  package init(labelled label: String) {
    let directory = "/proc/self/fd"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    descriptors = names.count {
      (try? FileManager.default.destinationOfSymbolicLink(atPath: directory + "/" + $0))?.contains(
        "memfd:/" + label)
        ?? false
    }
    // Foundation takes the first short read of such a file for its end.
    let maps = String(decoding: (try? Bytes(contentsOfFile: "/proc/self/maps")) ?? [], as: UTF8.self)
    mappings = maps.split(separator: "\n").count { $0.contains("memfd:/" + label) }
  }

  package static let none = OpenFiles(descriptors: 0, mappings: 0)

  package init(descriptors: Int, mappings: Int) {
    self.descriptors = descriptors
    self.mappings = mappings
  }
}

/// A pipe that a thread fills with `bytes`; the reading end is the caller's to close.
package func pipe(filledWith bytes: Bytes) throws -> Int32 {
  var ends: [Int32] = [0, 0]
  guard Glibc.pipe(&ends) == 0 else { throw POSIXError(.EMFILE) }
  let writer = ends[1]
  Thread.detachNewThread {
    // A reader that stops early closes the pipe; the write then fails, which is what it should do.
    signal(SIGPIPE, SIG_IGN)
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(writer, $0.baseAddress, min($0.count, 10_000)) }
      guard count > 0 else { break }
      rest = rest.dropFirst(count)
    }
    close(writer)
  }
  return ends[0]
}
