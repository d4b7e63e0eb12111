extension MemFile {
  /// Calls `body` with the content, mapped into memory on first use and kept so until the file is released.
  ///
  /// A packed file is seen in its slab, which is sealed then. Nothing is copied: pages are read when they are touched. The bytes cannot change while they are looked at,
  /// whatever other process holds the file.
  ///
  /// - Returns: What `body` returns.
  /// - Throws: What `body` throws; ``ArchiveError`` with ``ArchiveError/Code/outOfMemory`` when the address space or
  ///   the number of mappings (vm.max_map_count) is used up.
  ///
  /// Calls mmap(2).
  public func withBytes<Result: ~Copyable>(_ body: (RawSpan) throws -> Result) throws -> Result {
    try withContent(body).get()
  }
}
