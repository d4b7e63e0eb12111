import Foundation
import MemArchive
import MemArchiveFoundation

/// What a client of the library writes. It is compiled by the rules of each kind of client: in Swift 5 mode, isolated to the
/// main actor by default, with strict memory safety, with all upcoming features.
struct Player {
  var names: [String] = []

  mutating func play(_ path: String) throws {
    let options = ExtractionOptions {
      $0.sandbox = .bestEffort
      $0.limits = .strict
      $0.onProgress = { progress in print(progress.fraction ?? 0) }
    }
    let files = try ArchiveReader(path: path).extract(.glob("*.mid").excluding("old/*"), options: options)
    for (name, file) in files where file.size > 0 {
      names.append(name)
      try file.withPath { path in print(path) }
      print(try file.withBytes { $0.byteCount }, try file.data().count, try file.string())
      let descriptor = try file.duplicate()
      print(descriptor.rawValue)
      try descriptor.close()
    }
    let counted = files.filter { $0.file.entry?.isDirectory == false }.mapValues(\.size)
    print(counted, files.warnings.map(\.code), files.protection ?? "none")
  }

  func stream(_ path: String) throws -> Int64 {
    var stream = try ArchiveReader(path: path).stream()
    var sum: Int64 = 0
    while let entry = try stream.next() {
      guard entry.hasContent else { continue }
      try stream.forEachBlock { block, _ in sum += Int64(block.byteCount) }
    }
    return sum
  }

  func wait(for path: String) async throws -> [String] {
    let reader = ArchiveReader(path: path)
    var names = try await reader.entries().map(\.name)
    for try await file in reader.files(.names("a", "b"), options: ExtractionOptions(nestedArchives: .expand))
    {
      names.append(
        try await file.withPath { path in
          await Task.yield(); return path
        })
    }
    let tree = try await reader.tree()
    return try await tree.withPath(of: "a") { path in
      await Task.yield(); return names + [path]
    }
  }

  func tell(_ path: String) -> String {
    do {
      return try ArchiveReader(path: path).extract().names.joined()
    } catch  where error.code == .noSuchEntry {
      if case .compareName(let similar) = error.advice { return similar.joined() }
      return "\(error.advice)"
    } catch {
      return error.localizedDescription
    }
  }
}
