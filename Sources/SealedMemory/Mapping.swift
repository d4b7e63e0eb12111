internal import Libc
package import SystemPackage

/// A range of memory backed by a file, unmapped with its owner (mmap(2)).
@safe package struct Mapping: ~Copyable, @unchecked Sendable {
  @usableFromInline let base: UnsafeMutableRawPointer?
  /// Length in bytes.
  package let count: Int

  /// Maps the first `count` bytes of `descriptor`. Nothing is mapped when `count` is 0, which mmap(2) refuses.
  package init(_ descriptor: FileDescriptor, count: Int, writable: Bool) throws(Errno) {
    self.count = count
    guard count > 0 else {
      unsafe base = nil
      return
    }
    let protection = writable ? PROT_READ | PROT_WRITE : PROT_READ
    // Older kernels refuse a shared mapping, even a read-only one, of a write-sealed file through a descriptor that is open
    // for writing. The content can no longer change, so a private mapping shows the same bytes.
    for flags in writable ? [MAP_SHARED] : [MAP_SHARED, MAP_PRIVATE] {
      let address = unsafe mmap(nil, count, protection, flags, descriptor.rawValue, 0)
      if unsafe address != MAP_FAILED {
        if let address = unsafe address, writable { unsafe SystemCalls.keepFromForks(address, count) }
        unsafe base = address
        return
      }
    }
    throw SystemCalls.lastError
  }

  deinit {
    if let base = unsafe base { unsafe _ = munmap(base, count) }
  }

  /// The mapped bytes, valid as long as the mapping.
  var bytes: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(start: base, count: count) }

  /// Calls `body` with the mapped bytes.
  @inlinable package borrowing func withBytes<Result: ~Copyable, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(unsafe UnsafeRawBufferPointer(start: base, count: count).bytes)
  }

  /// Copies `block` to `offset`; it must lie within the mapping.
  mutating func copy(_ block: RawSpan, to offset: Int) {
    precondition(offset >= 0 && offset + block.byteCount <= count, "a block must lie inside the mapping")
    unsafe block.withUnsafeBytes { source in
      guard let base = unsafe base, let from = source.baseAddress else { return }
      unsafe base.advanced(by: offset).copyMemory(from: from, byteCount: source.count)
    }
  }
}

extension SystemCalls {
  /// Keeps a writable mapping out of children that the host forks, madvise(2): while a child has a copy, the file cannot be
  /// sealed (EBUSY). On a kernel that refuses the advice, a host that forks may see that error.
  static func keepFromForks(_ base: UnsafeMutableRawPointer, _ count: Int) {
    unsafe _ = madvise(base, count, MADV_DONTFORK)
  }
}
