internal import CLinux
package import Libc
package import SystemPackage

/// The system calls that the library makes, one small function each.
package enum SystemCalls {
  /// Runs `call` again while a signal interrupts it; -1 becomes the `Errno`.
  @inlinable package static func valueOrErrno<Value: FixedWidthInteger & SignedInteger>(
    _ call: () -> Value
  ) throws(Errno) -> Value {
    while true {
      let value = call()
      guard value == -1 else { return value }
      let error = lastError
      guard error == .interrupted else { throw error }
    }
  }

  /// The calling thread's errno(3).
  package static var lastError: Errno { Errno(rawValue: Libc.errno) }

  /// memfd_create(2), with a number above the standard streams: in a program without these, a path would name one of them.
  static func memfdCreate(_ name: String, flags: UInt32) throws(Errno) -> FileDescriptor {
    FileDescriptor(
      rawValue: clinux_above_streams(try valueOrErrno { unsafe clinux_memfd_create(name, flags) }))
  }

  /// fcntl(2), F_ADD_SEALS
  static func addSeals(_ seals: Int32, to descriptor: FileDescriptor) throws(Errno) {
    _ = try valueOrErrno { clinux_add_seals(descriptor.rawValue, seals) }
  }

  /// fcntl(2), F_GET_SEALS
  static func seals(of descriptor: FileDescriptor) throws(Errno) -> Int32 {
    try valueOrErrno { clinux_get_seals(descriptor.rawValue) }
  }

  /// fcntl(2), F_DUPFD or F_DUPFD_CLOEXEC
  package static func duplicate(_ descriptor: FileDescriptor, closeOnExec: Bool) throws(Errno)
    -> FileDescriptor
  {
    FileDescriptor(rawValue: try valueOrErrno { clinux_duplicate(descriptor.rawValue, closeOnExec ? 1 : 0) })
  }

  /// open(2), O_RDONLY | O_CLOEXEC
  package static func openReadOnly(_ path: FilePath) throws(Errno) -> FileDescriptor {
    FileDescriptor(
      rawValue: try valueOrErrno { unsafe path.withPlatformString { unsafe clinux_open_read_only($0) } })
  }

  /// close(2). Never retried: Linux has released the descriptor even when it reports EINTR.
  package static func close(_ descriptor: FileDescriptor) {
    _ = Libc.close(descriptor.rawValue)
  }

  /// pipe2(2), O_CLOEXEC: the end to read from and the end to write to.
  package static func pipe() throws(Errno) -> (CInt, CInt) {
    var ends: [CInt] = [-1, -1]
    _ = try valueOrErrno { unsafe clinux_pipe(&ends) }
    return (ends[0], ends[1])
  }

  /// ftruncate(2)
  package static func truncate(_ descriptor: FileDescriptor, to size: Int64) throws(Errno) {
    _ = try valueOrErrno { ftruncate(descriptor.rawValue, off_t(size)) }
  }

  /// fallocate(2), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
  static func punchHole(_ descriptor: FileDescriptor, at offset: Int64, count: Int64) throws(Errno) {
    _ = try valueOrErrno { clinux_punch_hole(descriptor.rawValue, off_t(offset), off_t(count)) }
  }

  /// fchmod(2)
  package static func changeMode(_ descriptor: FileDescriptor, to mode: UInt32) throws(Errno) {
    _ = try valueOrErrno { fchmod(descriptor.rawValue, mode_t(mode)) }
  }

  /// pwrite(2), repeated until all bytes are written.
  package static func write(_ bytes: RawSpan, to descriptor: FileDescriptor, at offset: Int64) throws(Errno) {
    var written = 0
    while written < bytes.byteCount {
      let rest = bytes.extracting(written..<bytes.byteCount)
      let count = try valueOrErrno {
        unsafe rest.withUnsafeBytes {
          unsafe pwrite(descriptor.rawValue, $0.baseAddress, $0.count, off_t(offset) + off_t(written))
        }
      }
      // No error and nothing written would be retried forever.
      guard count > 0 else { throw .ioError }
      written += count
    }
  }

  /// write(2), or send(2) to a socket, which does not wait; neither raises SIGPIPE. Returns the number of bytes, which is not 0.
  package static func writeQuietly(
    _ bytes: RawSpan, to descriptor: FileDescriptor, isSocket: Bool = false
  ) throws(Errno) -> Int {
    let count = try valueOrErrno {
      unsafe bytes.withUnsafeBytes {
        unsafe clinux_write_quietly(descriptor.rawValue, $0.baseAddress, $0.count, isSocket ? 1 : 0)
      }
    }
    // No error and nothing written would be retried forever.
    guard count > 0 || bytes.byteCount == 0 else { throw .ioError }
    return count
  }

  /// read(2), or pread(2) where an offset is given. 0 at the end.
  package static func read(
    _ descriptor: FileDescriptor, at offset: Int64?, into buffer: inout MutableRawSpan
  ) throws(Errno) -> Int {
    try valueOrErrno {
      unsafe buffer.withUnsafeMutableBytes { bytes in
        if let offset {
          unsafe pread(descriptor.rawValue, bytes.baseAddress, bytes.count, off_t(offset))
        } else {
          unsafe Libc.read(descriptor.rawValue, bytes.baseAddress, bytes.count)
        }
      }
    }
  }

  /// sendfile(2) from one offset to another, which moves the position of `target`. 0 at the end.
  static func send(
    _ source: FileDescriptor, at offset: Int64, to target: FileDescriptor, at place: Int64, count: Int
  ) throws(Errno) -> Int {
    try valueOrErrno {
      clinux_send_file(source.rawValue, off_t(offset), target.rawValue, off_t(place), count)
    }
  }

  /// poll(2): whether there is input, or the end of it, within this time; -1 waits without a limit.
  package static func waitForInput(_ descriptor: FileDescriptor, milliseconds: Int32) throws(Errno) -> Bool {
    try wait(for: POLLIN, on: descriptor, milliseconds: milliseconds)
  }

  /// poll(2): whether one of `events`, an error or a hangup is there within this time; -1 waits without a limit.
  package static func wait(
    for events: Int32, on descriptor: FileDescriptor, milliseconds: Int32
  ) throws(Errno) -> Bool {
    try valueOrErrno { clinux_wait(descriptor.rawValue, events, milliseconds) } > 0
  }

  /// The number of bytes of an archive that can be read by position; nil where they can only be read one after another.
  package static func extent(of descriptor: FileDescriptor, _ status: Stat) throws(Errno) -> Int64? {
    switch status.type {
    case .directory: throw .isDirectory
    case .regular: status.size
    case .blockSpecial: try end(of: descriptor)
    default: nil
    }
  }

  /// lseek(2) to the end: the size of a block device, which fstat(2) does not report.
  static func end(of descriptor: FileDescriptor) throws(Errno) -> Int64 {
    Int64(try valueOrErrno { lseek(descriptor.rawValue, 0, SEEK_END) })
  }

  /// Whether an open file is on tmpfs, fstatfs(2), as every memory file is except those made of huge pages.
  static func isOnTmpfs(_ descriptor: FileDescriptor) throws(Errno) -> Bool {
    try valueOrErrno { clinux_is_on_tmpfs(descriptor.rawValue) } == 1
  }

  /// O_RDONLY, O_WRONLY or O_RDWR, fcntl(2), F_GETFL; O_WRONLY for a descriptor that only stands for a path (O_PATH).
  static func accessMode(of descriptor: FileDescriptor) throws(Errno) -> Int32 {
    try valueOrErrno { clinux_access_mode(descriptor.rawValue) }
  }

  /// open(2) of /proc/self/fd/N, read-only and without waiting for a lease; nil where /proc is not mounted.
  static func reopen(_ descriptor: FileDescriptor) throws(Errno) -> FileDescriptor? {
    do throws(Errno) {
      return FileDescriptor(
        rawValue: try valueOrErrno {
          unsafe "/proc/self/fd/\(descriptor.rawValue)".withCString { unsafe clinux_open_without_waiting($0) }
        })
    } catch .noSuchFileOrDirectory {
      return nil
    }
  }

  /// The number of descriptors that the process may have open, getrlimit(2), at most what fits into a descriptor's number.
  package static func descriptorLimit() -> Int {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
    return Int(min(limit.rlim_cur, rlim_t(CInt.max)))
  }

  /// The number of the next descriptor, the lowest that is free; nil where there is none.
  package static func nextDescriptor() -> CInt? {
    let next = clinux_next_descriptor()
    return next < 0 ? nil : next
  }

  /// Makes room for `count` descriptors at once, or for as many as the process may have.
  ///
  /// The kernel doubles a table that is full, and each time makes a process of several threads wait for an RCU grace period,
  /// some ten milliseconds (expand_fdtable). One descriptor with a high number makes it grow once.
  package static func growDescriptorTable(to count: Int = .max) {
    let count = min(count, descriptorLimit(), largestTable)
    guard let memfd = try? Memfd.create(name: "descriptors", executable: false) else { return }
    let high = fcntl(memfd.descriptor.rawValue, F_DUPFD_CLOEXEC, CInt(clamping: count - 1))
    if high >= 0 { close(FileDescriptor(rawValue: high)) }
  }

  /// A table takes 8 bytes for each descriptor.
  private static let largestTable = 64 << 10

  /// The number of processors that the calling thread may run on, sched_getaffinity(2).
  package static func processorCount() -> Int { Int(clinux_processor_count()) }

  /// The processor time of the calling thread, clock_gettime(2).
  static func threadTime() -> Duration {
    var time = timespec()
    unsafe _ = clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }

  /// Monotonic time, up to a few milliseconds old, at a quarter of the price: CLOCK_MONOTONIC_COARSE.
  package static func roughTime() -> Duration {
    var time = timespec()
    unsafe _ = clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }

  /// The kernel's name, release and machine, uname(2).
  package static func kernel() -> String {
    var name = utsname()
    guard unsafe uname(&name) == 0 else { return "unknown" }
    func text<Field>(_ field: Field) -> String {
      unsafe withUnsafeBytes(of: field) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
    return "\(text(name.sysname)) \(text(name.release)) \(text(name.machine))"
  }

  /// `/proc/PID/fd`, where PID is this process's number in the mounted /proc, which may differ from getpid(2)'s.
  package static func descriptorDirectory() throws(Errno) -> String {
    "/proc/\(try valueOrErrno { clinux_number_in_proc() })/fd"
  }

  /// sched_yield(2)
  package static func yield() { sched_yield() }

  /// The first 64 KiB of a small text file such as those of /proc; empty when it cannot be read.
  package static func text(of path: FilePath) -> String {
    guard let descriptor = try? openReadOnly(path) else { return "" }
    defer { close(descriptor) }
    // Most of these files are a line.
    var text = [UInt8](repeating: 0, count: 4096)
    var filled = 0
    while filled < 64 << 10 {
      if filled == text.count { text.append(contentsOf: repeatElement(0, count: filled)) }
      var span = text.mutableSpan
      var bytes = unsafe span.mutableBytes
      var free = bytes._mutatingExtracting(filled...)
      // A number that was cut off would be taken for a smaller one.
      guard let count = try? read(descriptor, at: nil, into: &free) else { return "" }
      guard count > 0 else { break }
      filled += count
    }
    return String(decoding: text[..<filled], as: UTF8.self)
  }

  /// A C stream that reads from a descriptor and owns it, fdopen(3).
  package static func stream(_ descriptor: FileDescriptor) throws(Errno) -> UnsafeMutablePointer<FILE> {
    guard let stream = unsafe fdopen(descriptor.rawValue, "r") else { throw lastError }
    return unsafe stream
  }
}
