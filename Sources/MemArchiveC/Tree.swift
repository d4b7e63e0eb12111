// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation
// memarchive.h documents these functions.

public import CMemArchive
internal import MemArchive
internal import Synchronization
internal import SystemPackage

/// A tree, and the paths that were requested.
@safe final class TreeHandle: Handle, @unchecked Sendable {
  let tree: MemTree
  private let listing = unsafe Once<UnsafePointer<memarchive_listing>>()
  private let paths = Mutex<Paths>(Paths())

  @safe private struct Paths: @unchecked Sendable {
    let arena = Arena()
    var texts: [[UInt8]: UnsafePointer<CChar>] = unsafe [:]
  }

  init(_ tree: MemTree) { self.tree = tree }

  /// - Parameter name: nil for the top.
  func path(of name: String?) throws -> UnsafePointer<CChar>? {
    let path =
      try name.map { name throws(ArchiveError) in try tree.filePath(of: name) } ?? FilePath(tree.path)
    let bytes = unsafe path.withPlatformString {
      unsafe [UInt8](UnsafeRawBufferPointer(start: $0, count: path.length))
    }
    return unsafe paths.withLock { paths in
      if let text = unsafe paths.texts[bytes] { return unsafe text }
      let text = unsafe paths.arena.text(bytes).data
      unsafe paths.texts[bytes] = text
      return unsafe text
    }
  }

  func listingValue() -> UnsafePointer<memarchive_listing>? {
    unsafe try? listing.get { arena in
      unsafe arena.value(
        Listing(entries: tree.entries, warnings: tree.warnings, errors: tree.errors, skipped: tree.skipped)
          .value(in: arena))
    }
  }
}

@c(memarchive_tree_new)
public func treeNew(
  _ archive: OpaquePointer?, _ selection: UnsafePointer<memarchive_selection>?, _ writable: Int32,
  _ tree: HandlePlace?, _ error: ErrorPlace?
) -> memarchive_code {
  unsafe call(tree, empty: nil, error) {
    let archive = try unsafe ArchiveHandle.of(archive)
    let selection = try unsafe selected(selection)
    return unsafe TreeHandle(
      try archive.settings.reading {
        try archive.reader.tree(selection, writable: writable != 0, nested: $0.options.nestedArchives, in: $0)
      }
    ).passed()
  }
}

@c(memarchive_tree_path)
public func treePath(
  _ tree: OpaquePointer?, _ text: CallerText?, _ length: Int, _ path: UnsafeMutablePointer<CallerText?>?,
  _ error: ErrorPlace?
) -> memarchive_code {
  unsafe call(path, empty: nil, error) {
    try unsafe TreeHandle.of(tree).path(of: text == nil ? nil : givenName(text, length, "the name"))
  }
}

@c(memarchive_tree_descriptor)
public func treeDescriptor(_ tree: OpaquePointer?) -> Int32 {
  unsafe (try? TreeHandle.of(tree))?.tree.fileDescriptor.rawValue ?? -1
}

@c(memarchive_tree_listing)
public func treeListing(_ tree: OpaquePointer?) -> UnsafePointer<memarchive_listing>? {
  unsafe answer { unsafe (try? TreeHandle.of(tree))?.listingValue() }
}

@c(memarchive_tree_free)
public func treeFree(_ tree: OpaquePointer?) { unsafe TreeHandle.free(tree) }
