internal import CLinux
package import SystemPackage

/// Owns the descriptor of a memory file (memfd_create(2)); closing the last one frees the memory.
package struct Memfd: ~Copyable, Sendable {
  package let descriptor: FileDescriptor

  /// An empty, writable memory file, shown in /proc as `/memfd:/name (deleted)`.
  package static func create(name: String, executable: Bool) throws(MemoryError) -> Self {
    var flags = CLINUX_MFD_CLOEXEC | CLINUX_MFD_ALLOW_SEALING
    // Kernels before 6.3 know neither of these flags.
    if clinux_has_noexec_seal() == 1 { flags |= executable ? CLINUX_MFD_EXEC : CLINUX_MFD_NOEXEC_SEAL }
    let memfd: Self
    do throws(Errno) {
      memfd = Self(descriptor: try SystemCalls.memfdCreate(label(name), flags: UInt32(flags)))
    } catch {
      if executable, error == .permissionDenied { throw .executableForbidden }
      throw .system("memfd_create", error, doing: "creating a file in memory")
    }
    // Writing is about to be impossible, so the mode does not offer it: a consumer that tries to open the file read-write
    // first falls back to read-only at once. (Root may still open it for writing.)
    do throws(Errno) {
      try SystemCalls.changeMode(memfd.descriptor, to: executable ? 0o555 : 0o444)
      return memfd
    } catch {
      throw .system("fchmod", error, doing: "creating a file in memory")
    }
  }

  // A noncopyable value cannot be half initialized when its initializer throws; hence the factory above.
  private init(descriptor: FileDescriptor) { self.descriptor = descriptor }

  /// Takes over a descriptor that was opened elsewhere.
  package init(adopting descriptor: FileDescriptor) { self.descriptor = descriptor }

  /// Gives the descriptor to the caller, who closes it.
  package consuming func release() -> FileDescriptor {
    let descriptor = descriptor
    discard self
    return descriptor
  }

  deinit { SystemCalls.close(descriptor) }

  /// Makes the content final at `size` bytes, the size that the file has, and reads the seals back: what the kernel does not
  /// confirm is not promised.
  consuming func seal(size: Int) throws(MemoryError) -> SealedMemfd {
    do throws(Errno) { try addSeals() } catch {
      throw .system("fcntl", error, doing: "sealing a file in memory")
    }
    let seals: Int32
    do throws(Errno) {
      seals = try SystemCalls.seals(of: descriptor)
      guard seals & SealedMemfd.finalSeals == SealedMemfd.finalSeals else { throw .notPermitted }
    } catch {
      throw .system("fcntl", error, doing: "reading the seals of a file in memory")
    }
    return SealedMemfd(memfd: self, size: size, seals: seals)
  }

  /// F_SEAL_WRITE fails with EBUSY while a page is pinned, by a splice in flight for example. Nobody else has had a page of
  /// this file, so a pin is short and a few tries are enough; the number is bounded all the same.
  private func addSeals() throws(Errno) {
    for _ in 0..<100 {
      do throws(Errno) {
        return try SystemCalls.addSeals(SealedMemfd.finalSeals, to: descriptor)
      } catch .resourceBusy {
        SystemCalls.yield()
      }
    }
    try SystemCalls.addSeals(SealedMemfd.finalSeals, to: descriptor)
  }

  /// What memfd_create(2) is told: at most 249 bytes, the end of the name rather than its beginning, because that has the
  /// extension.
  ///
  /// A program that resolves the file's path gets the label as a path, and might make a file there: the slash in front puts
  /// that into a directory that does not exist, and ".." must not lead back out of it. Control characters would garble
  /// /proc/PID/maps.
  static func label(_ name: String) -> String {
    if name.utf8.count <= 248, name.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }), !hasTwoDots(name) {
      return "/" + name
    }
    var label: [Unicode.Scalar] = []
    var count = 1
    for component in name.unicodeScalars.split(separator: "/", omittingEmptySubsequences: false).reversed() {
      let isParent = component.elementsEqual("..".unicodeScalars)
      for scalar in (label.isEmpty ? component[...] : component + ["/"]).reversed() {
        let isHidden = scalar.value < 0x20 || scalar.value == 0x7F || (isParent && scalar == ".")
        let shown: Unicode.Scalar = isHidden ? "?" : scalar
        count += shown.utf8.count
        guard count <= 249 else { return "/" + String(String.UnicodeScalarView(label.reversed())) }
        label.append(shown)
      }
    }
    return "/" + String(String.UnicodeScalarView(label.reversed()))
  }

  private static func hasTwoDots(_ name: String) -> Bool {
    var isDot = false
    for byte in name.utf8 {
      if isDot, byte == UInt8(ascii: ".") { return true }
      isDot = byte == UInt8(ascii: ".")
    }
    return false
  }
}

/// A memory file whose bytes and size can no longer change.
package struct SealedMemfd: ~Copyable, Sendable {
  package let memfd: Memfd
  /// Exact size in bytes.
  package let size: Int
  /// The bits of F_GET_SEALS, as the kernel confirmed them.
  package let seals: Int32

  /// The seals that make content final: no byte changes, no size changes, no seal is added.
  package static let finalSeals = Int32(
    CLINUX_F_SEAL_SHRINK | CLINUX_F_SEAL_GROW | CLINUX_F_SEAL_WRITE | CLINUX_F_SEAL_SEAL)

  /// The seals' names as in fcntl(2), such as "SHRINK|GROW|WRITE|SEAL|EXEC".
  package static func names(of seals: Int32) -> String {
    let names = [
      (CLINUX_F_SEAL_SHRINK, "SHRINK"), (CLINUX_F_SEAL_GROW, "GROW"), (CLINUX_F_SEAL_WRITE, "WRITE"),
      (CLINUX_F_SEAL_FUTURE_WRITE, "FUTURE_WRITE"), (CLINUX_F_SEAL_SEAL, "SEAL"),
      (CLINUX_F_SEAL_EXEC, "EXEC"),
    ]
    return names.filter { seals & Int32($0.0) != 0 }.map(\.1).joined(separator: "|")
  }
}

/// Why memory could not be had, written or sealed. Of one word, so that it costs next to nothing where there is no error.
package indirect enum MemoryError: Error {
  /// A system call failed while it did this, such as "sealing a file in memory".
  case system(_ call: String, Errno, doing: String)
  /// vm.memfd_noexec is 2 (sysctl(8)), and the file was to be executable.
  case executableForbidden
}
