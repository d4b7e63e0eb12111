internal import Glibc
internal import SystemPackage

/// A range of memory backed by a file, unmapped with its last owner (mmap(2)).
@safe struct Mapping: ~Copyable, @unchecked Sendable {
  private let base: UnsafeMutableRawPointer?
  /// Length in bytes.
  let count: Int

  /// Maps the first `count` bytes of `descriptor`. No byte is mapped when `count` is 0, which mmap(2) refuses.
  init(_ descriptor: FileDescriptor, count: Int, writable: Bool) throws(Errno) {
    self.count = count
    guard count > 0 else {
      unsafe base = nil
      return
    }
    let protection = writable ? PROT_READ | PROT_WRITE : PROT_READ
    // Older kernels refuse a shared map of a write-sealed descriptor that was opened for writing, even a
    // read-only one; the content cannot change any more, so a private map shows the same.
    for flags in writable ? [MAP_SHARED] : [MAP_SHARED, MAP_PRIVATE] {
      let address = unsafe mmap(nil, count, protection, flags, descriptor.rawValue, 0)
      if unsafe address != MAP_FAILED {
        if let address = unsafe address, writable { unsafe SystemCalls.keepFromForks(address, count) }
        unsafe base = address
        return
      }
    }
    throw Errno(rawValue: Glibc.errno)
  }

  deinit {
    if let base = unsafe base { unsafe _ = munmap(base, count) }
  }

  /// Calls `body` with the mapped bytes.
  borrowing func withBytes<Result: ~Copyable, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(unsafe UnsafeRawBufferPointer(start: base, count: count).bytes)
  }

  /// Copies `block` to `offset`; the caller has mapped enough.
  mutating func copy(_ block: RawSpan, to offset: Int) {
    precondition(offset >= 0 && offset + block.byteCount <= count, "a block must lie inside the mapping")
    unsafe block.withUnsafeBytes { source in
      guard let base = unsafe base, let from = source.baseAddress else { return }
      unsafe base.advanced(by: offset).copyMemory(from: from, byteCount: source.count)
    }
  }
}

extension SystemCalls {
  /// Keeps a writable map to this process, madvise(2): while a child that was forked meanwhile has one too, no file can be
  /// sealed (EBUSY). Without it, on a kernel that refuses, a host that forks may see that error.
  static func keepFromForks(_ base: UnsafeMutableRawPointer, _ count: Int) {
    unsafe _ = madvise(base, count, MADV_DONTFORK)
  }
}
