internal import CLinux
internal import SystemPackage

/// A descriptor of a memory file (memfd_create(2)), closed with its owner; closing the last one frees the memory.
struct Memfd: ~Copyable {
  let descriptor: FileDescriptor

  /// The seals that make content final: no byte changes, no size changes, no seal is added any more.
  static let finalSeals = CLINUX_F_SEAL_SHRINK | CLINUX_F_SEAL_GROW | CLINUX_F_SEAL_WRITE | CLINUX_F_SEAL_SEAL

  /// An empty, writable memory file, shown in /proc as `memfd:name`.
  static func create(name: String, executable: Bool) throws(ArchiveError) -> Self {
    var flags = CLINUX_MFD_CLOEXEC | CLINUX_MFD_ALLOW_SEALING
    // Kernels before 6.3 know neither of these flags.
    if clinux_has_noexec_seal() == 1 { flags |= executable ? CLINUX_MFD_EXEC : CLINUX_MFD_NOEXEC_SEAL }
    let memfd: Self
    do throws(Errno) {
      memfd = Self(descriptor: try SystemCalls.memfdCreate(label(name), flags: UInt32(flags)))
    } catch {
      // vm.memfd_noexec is 2.
      if executable, error == .permissionDenied { throw .executableForbidden(entry: name) }
      throw .system("memfd_create", error, doing: "creating a file in memory", entry: name)
    }
    // Nobody can write, so nobody should be invited to open it for writing: a consumer that tries
    // read-write first and then read-only takes the second way at once (root may still open it).
    do throws(Errno) {
      try SystemCalls.changeMode(memfd.descriptor, to: executable ? 0o555 : 0o444)
      return memfd
    } catch {
      throw .system("fchmod", error, doing: "creating a file in memory", entry: name)
    }
  }

  // A noncopyable value cannot be half initialised when an initialiser throws; hence the factory above.
  private init(descriptor: FileDescriptor) { self.descriptor = descriptor }

  /// Takes over a descriptor that somebody else made.
  init(adopting descriptor: FileDescriptor) { self.descriptor = descriptor }

  /// Gives the descriptor away, which is not closed then.
  consuming func release() -> FileDescriptor {
    let descriptor = descriptor
    discard self
    return descriptor
  }

  deinit { SystemCalls.close(descriptor) }

  /// Makes the content final and reads the seals back: what the kernel does not confirm is not promised.
  func seal(entry name: String?) throws(ArchiveError) -> MemFile.Seals {
    do {
      try addSealsOutwaitingPins()
    } catch {
      throw .system("fcntl", error, doing: "sealing a file in memory", entry: name)
    }
    do throws(Errno) {
      let seals = MemFile.Seals(rawValue: try SystemCalls.seals(of: descriptor))
      guard seals.isSuperset(of: .final) else { throw .notPermitted }
      return seals
    } catch {
      throw .system("fcntl", error, doing: "reading the seals of a file in memory", entry: name)
    }
  }

  /// F_SEAL_WRITE is refused with EBUSY while a page is pinned (by a splice in flight, say); the pin of
  /// a page that nobody else was given is short, so a few tries are enough, and a bound is needed.
  private func addSealsOutwaitingPins() throws(Errno) {
    for _ in 0..<100 {
      do throws(Errno) {
        return try SystemCalls.addSeals(Int32(Self.finalSeals), to: descriptor)
      } catch .resourceBusy {
        SystemCalls.yield()
      }
    }
    try SystemCalls.addSeals(Int32(Self.finalSeals), to: descriptor)
  }

  /// memfd_create(2) takes at most 249 bytes; control characters would garble /proc/PID/maps.
  static func label(_ name: String) -> String {
    if name.utf8.count <= 249, name.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return name }
    var label = ""
    for scalar in name.unicodeScalars {
      let shown: Unicode.Scalar = scalar.value < 0x20 || scalar.value == 0x7F ? "?" : scalar
      guard label.utf8.count + shown.utf8.count <= 249 else { break }
      label.unicodeScalars.append(shown)
    }
    return label
  }
}
