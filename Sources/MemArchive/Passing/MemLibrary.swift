public import Libc
internal import Synchronization
internal import SystemPackage

/// A shared library that the dynamic loader has loaded from a ``MemFile``.
///
/// It is loaded as long as this object lives, and closed with it; the file is kept as long.
@safe public final class MemLibrary: @unchecked Sendable {
  /// The file that it was loaded from.
  public let file: MemFile
  /// The loader's handle, for dlsym(3) and dlinfo(3): **borrowed**, this object closes it.
  public let handle: UnsafeMutableRawPointer

  fileprivate init(_ file: MemFile, handle: UnsafeMutableRawPointer) {
    self.file = file
    unsafe self.handle = handle
  }

  deinit { unsafe _ = dlclose(handle) }

  /// The address of a function or variable, valid while this object lives; nil where neither the library nor what it needs has
  /// such a symbol. Cast it to its type with `unsafeBitCast`.
  ///
  /// Calls dlsym(3).
  public func symbol(_ name: String) -> UnsafeMutableRawPointer? { unsafe dlsym(handle, name) }
}

extension MemFile {
  /// Loads this file as a shared library into the process.
  ///
  /// The loader identifies a library by the text of its path: for `/proc/self/fd/7` it would return the library that it loaded
  /// under this path before, as long as that is not unloaded, whatever file has the number 7 now. To prevent this, each call
  /// uses another spelling of the path. (The same file opened twice is loaded once, since the loader compares inodes too.)
  ///
  /// Libraries that this one needs are looked up by name, first among those already loaded and then on the system: open those
  /// from the same archive first, and keep them. A path relative to the library ($ORIGIN) leads nowhere.
  ///
  /// - Parameter mode: As in dlopen(3).
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/system`` and the loader's own words; otherwise as ``path``.
  ///
  /// Calls dlopen(3).
  public func openLibrary(_ mode: CInt = RTLD_NOW | RTLD_LOCAL) throws(ArchiveError) -> MemLibrary {
    _ = try path
    let path = Self.unusedSpelling(of: try fileDescriptor.rawValue)
    guard let handle = unsafe dlopen(path, mode) else {
      let reason = unsafe dlerror().map { unsafe String(cString: $0) }
      throw ArchiveError(
        .system, entry: name, reason ?? "the loader gave no reason", call: "dlopen",
        advice: "A library must be for this machine, and those that it needs must be loaded or installed.")
    }
    return unsafe MemLibrary(self, handle: handle)
  }

  /// "/proc/self/fd/N" with a counter encoded before its last slash: each bit is "/" or "/.".
  private static func unusedSpelling(of descriptor: CInt) -> String {
    var bits = spellings.wrappingAdd(1, ordering: .relaxed).newValue
    var path = "/proc/self/fd"
    while bits > 0 {
      path += bits & 1 == 0 ? "/" : "/."
      bits >>= 1
    }
    return path + "/\(descriptor)"
  }

  private static let spellings = Atomic<UInt64>(0)
}
