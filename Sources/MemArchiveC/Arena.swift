internal import CMemArchive
internal import MemArchive

/// Memory for structs and texts that the caller reads, all freed together.
///
/// Filled by one thread at a time; what is in it never moves and never changes.
@safe final class Arena {
  private var chunks: [UnsafeMutableRawBufferPointer] = unsafe []
  private var used = 0

  deinit { unsafe chunks.forEach { unsafe $0.deallocate() } }

  private func allocate(_ count: Int, alignment: Int = 16) -> UnsafeMutableRawPointer {
    used = (used + alignment - 1) & -alignment
    if unsafe chunks.last.map({ $0.count - used < count }) ?? true {
      // An error takes one small chunk, a listing of a million entries a few thousand.
      let size = unsafe max(count, min(64 << 10, (chunks.last?.count ?? 256) * 2))
      unsafe chunks.append(.allocate(byteCount: size, alignment: 16))
      used = 0
    }
    defer { used += count }
    return unsafe chunks[chunks.count - 1].baseAddress! + used
  }

  // MARK: Texts

  /// The bytes, with a zero byte behind them.
  func text(_ bytes: [UInt8]) -> memarchive_text {
    let copy = unsafe allocate(bytes.count + 1, alignment: 1)
    unsafe bytes.withUnsafeBytes {
      unsafe copy.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(copy), byteCount: $0.count)
    }
    unsafe copy.storeBytes(of: 0, toByteOffset: bytes.count, as: UInt8.self)
    return unsafe memarchive_text(
      data: UnsafePointer(copy.assumingMemoryBound(to: CChar.self)), length: bytes.count)
  }

  /// The raw bytes of an entry's name; NULL for nil.
  func name(_ name: String?) -> memarchive_text {
    unsafe name.map { unsafe text(ArchiveEntry.rawName(of: $0)) } ?? memarchive_text()
  }

  /// UTF-8; NULL for nil.
  func cString(_ string: String?) -> UnsafePointer<CChar>? {
    unsafe string.flatMap { unsafe text(Array($0.utf8)).data }
  }

  // MARK: Structs

  func value<Struct>(_ value: Struct) -> UnsafePointer<Struct> {
    let place = unsafe allocate(MemoryLayout<Struct>.stride).bindMemory(to: Struct.self, capacity: 1)
    unsafe place.initialize(to: value)
    return unsafe UnsafePointer(place)
  }

  /// Pointers to structs; NULL for none.
  func list<Struct>(_ values: [Struct]) -> UnsafePointer<UnsafePointer<Struct>?>? {
    guard !values.isEmpty else { return nil }
    let place = unsafe allocate(values.count * MemoryLayout<UnsafePointer<Struct>?>.stride)
      .bindMemory(to: UnsafePointer<Struct>?.self, capacity: values.count)
    for (index, value) in values.enumerated() {
      unsafe (place + index).initialize(to: self.value(value))
    }
    return unsafe UnsafePointer(place)
  }

  // MARK: Structs that the caller frees

  private static let prefix = 16

  /// A struct that `free` frees, with all of this arena.
  func record<Struct>(_ value: Struct) -> UnsafeMutablePointer<Struct> {
    let place = unsafe allocate(Self.prefix + MemoryLayout<Struct>.stride)
    unsafe place.storeBytes(of: Unmanaged.passRetained(self).toOpaque(), as: UnsafeMutableRawPointer.self)
    let record = unsafe (place + Self.prefix).bindMemory(to: Struct.self, capacity: 1)
    unsafe record.initialize(to: value)
    return unsafe record
  }

  static func free(_ record: UnsafeMutableRawPointer?) {
    guard let record = unsafe record else { return }
    unsafe Unmanaged<Arena>.fromOpaque((record - prefix).load(as: UnsafeMutableRawPointer.self)).release()
  }
}
