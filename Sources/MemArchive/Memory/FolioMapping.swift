internal import CLinux
internal import Glibc
internal import SystemPackage

/// A memory file mapped for writing in huge folios, prepared step by step as real bytes arrive.
///
/// A 4 KiB page of a memory file takes 1.7 µs to allocate, charge and insert, mapped or not. MADV_COLLAPSE (Linux 6.1)
/// gives the file 2 MiB folios whatever shmem_enabled says, at a seventh of that price a byte; it wants one page of
/// the step to exist, and an address that is aligned like the folio.
@safe struct FolioMapping: ~Copyable {
  /// The size of a folio in bytes: a page middle directory's reach with 4 KiB pages.
  static let step = 2 << 20

  private let base: UnsafeMutableRawPointer
  private let mappedCount: Int
  private let size: Int
  /// Everything before this offset is backed by huge folios.
  private var prepared = 0
  private var isRefused = false

  /// Maps `descriptor`, which is `size` bytes long already: a file that is truncated afterwards loses its folios.
  static func create(_ descriptor: FileDescriptor, size: Int) throws(Errno) -> Self {
    let count = (size + step - 1) / step * step
    // More address space than needed is reserved, so that an aligned part can be cut out of it.
    let reserved = unsafe mmap(
      nil, count + step, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let reserved = unsafe reserved, unsafe reserved != MAP_FAILED else {
      throw Errno(rawValue: Glibc.errno)
    }
    let aligned = unsafe reserved.alignedUp(toMultipleOf: step)
    let before = unsafe aligned - reserved
    if before > 0 { unsafe _ = munmap(reserved, before) }
    if before < step { unsafe _ = munmap(aligned + count, step - before) }
    let mapped = unsafe mmap(
      aligned, count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, descriptor.rawValue, 0)
    guard unsafe mapped != MAP_FAILED else {
      let error = Errno(rawValue: Glibc.errno)
      unsafe _ = munmap(aligned, count)
      throw error
    }
    return unsafe Self(base: aligned, mappedCount: count, size: size)
  }

  private init(base: UnsafeMutableRawPointer, mappedCount: Int, size: Int) {
    unsafe self.base = base
    self.mappedCount = mappedCount
    self.size = size
  }

  deinit { unsafe _ = munmap(base, mappedCount) }

  /// Copies as much of the front of `block` as lies in huge folios, and returns how many bytes that were; the rest is to
  /// be written (pwrite(2)).
  mutating func copy(_ block: RawSpan, to offset: Int) -> Int {
    // A block behind a hole: the hole is to stay one.
    guard offset <= prepared else {
      isRefused = true
      return 0
    }
    while prepared < offset + block.byteCount, !isRefused { prepareStep() }
    let count = min(block.byteCount, prepared - offset)
    guard count > 0 else { return 0 }
    unsafe block.withUnsafeBytes { source in
      guard let start = source.baseAddress else { return }
      unsafe base.advanced(by: offset).copyMemory(from: start, byteCount: count)
    }
    return count
  }

  private mutating func prepareStep() {
    // The last folio may reach past the file's end, but not by more than an eighth of the file.
    guard (prepared + Self.step - size) * 8 <= size else {
      isRefused = true
      return
    }
    unsafe base.storeBytes(of: 0, toByteOffset: prepared, as: UInt8.self)
    // An older kernel, no free huge page, a policy against them: small pages will do.
    guard unsafe madvise(base + prepared, Self.step, CInt(CLINUX_MADV_COLLAPSE)) == 0 else {
      isRefused = true
      return
    }
    prepared = min(prepared + Self.step, mappedCount)
  }
}
