internal import CLinux
internal import Glibc
internal import SystemPackage

/// The system calls that the library makes: one small function each, and the only place that reads errno.
enum SystemCalls {
  /// Runs `call` again while a signal interrupts it; -1 becomes the `Errno`.
  static func valueOrErrno<Value: FixedWidthInteger & SignedInteger>(
    _ call: () -> Value
  ) throws(Errno) -> Value {
    while true {
      let value = call()
      guard value == -1 else { return value }
      let error = Errno(rawValue: Glibc.errno)
      guard error == .interrupted else { throw error }
    }
  }

  /// memfd_create(2)
  static func memfdCreate(_ name: String, flags: UInt32) throws(Errno) -> FileDescriptor {
    FileDescriptor(rawValue: try valueOrErrno { unsafe clinux_memfd_create(name, flags) })
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
  static func duplicate(_ descriptor: FileDescriptor, closeOnExec: Bool) throws(Errno) -> FileDescriptor {
    FileDescriptor(rawValue: try valueOrErrno { clinux_duplicate(descriptor.rawValue, closeOnExec ? 1 : 0) })
  }

  /// open(2), O_RDONLY | O_CLOEXEC
  static func openReadOnly(_ path: FilePath) throws(Errno) -> FileDescriptor {
    FileDescriptor(
      rawValue: try valueOrErrno { unsafe path.withPlatformString { unsafe clinux_open_read_only($0) } })
  }

  /// close(2). Never retried: Linux has released the descriptor also when it reports EINTR.
  static func close(_ descriptor: FileDescriptor) {
    _ = Glibc.close(descriptor.rawValue)
  }

  /// ftruncate(2)
  static func truncate(_ descriptor: FileDescriptor, to size: Int64) throws(Errno) {
    _ = try valueOrErrno { ftruncate(descriptor.rawValue, off_t(size)) }
  }

  /// fallocate(2), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
  static func punchHole(_ descriptor: FileDescriptor, at offset: Int64, count: Int64) throws(Errno) {
    _ = try valueOrErrno { clinux_punch_hole(descriptor.rawValue, off_t(offset), off_t(count)) }
  }

  /// fchmod(2)
  static func changeMode(_ descriptor: FileDescriptor, to mode: UInt32) throws(Errno) {
    _ = try valueOrErrno { fchmod(descriptor.rawValue, mode_t(mode)) }
  }

  /// pwrite(2), repeated until all bytes are written.
  static func write(_ bytes: RawSpan, to descriptor: FileDescriptor, at offset: Int64) throws(Errno) {
    var written = 0
    while written < bytes.byteCount {
      let rest = bytes.extracting(written..<bytes.byteCount)
      let count = try valueOrErrno {
        unsafe rest.withUnsafeBytes {
          unsafe pwrite(descriptor.rawValue, $0.baseAddress, $0.count, off_t(offset) + off_t(written))
        }
      }
      // Nothing written and no error would be tried again for ever.
      guard count > 0 else { throw .ioError }
      written += count
    }
  }

  /// read(2), or pread(2) when an offset is given. 0 at the end.
  static func read(
    _ descriptor: FileDescriptor, at offset: Int64?, into buffer: inout MutableRawSpan
  ) throws(Errno) -> Int {
    try valueOrErrno {
      unsafe buffer.withUnsafeMutableBytes { bytes in
        if let offset {
          unsafe pread(descriptor.rawValue, bytes.baseAddress, bytes.count, off_t(offset))
        } else {
          unsafe Glibc.read(descriptor.rawValue, bytes.baseAddress, bytes.count)
        }
      }
    }
  }

  /// poll(2): whether there is something to read, or an end, within this time (-1: however long it takes).
  static func waitForInput(_ descriptor: FileDescriptor, milliseconds: Int32) throws(Errno) -> Bool {
    try wait(for: POLLIN, on: descriptor, milliseconds: milliseconds)
  }

  /// poll(2): whether `events` can be had, or there is an end, within this time (-1: however long it takes).
  static func wait(
    for events: Int32, on descriptor: FileDescriptor, milliseconds: Int32
  ) throws(Errno) -> Bool {
    var request = pollfd(fd: descriptor.rawValue, events: Int16(events), revents: 0)
    return try valueOrErrno { unsafe poll(&request, 1, milliseconds) } > 0
  }

  /// The kind, size, identity and owner of a file, stat(2).
  struct Status: Equatable {
    let device: UInt64
    let inode: UInt64
    let mode: UInt32
    let owner: UInt32
    let size: Int64
    let linkCount: UInt64
    var isRegular: Bool { mode & S_IFMT == S_IFREG }
    var isBlockDevice: Bool { mode & S_IFMT == S_IFBLK }
    var isPipe: Bool { mode & S_IFMT == S_IFIFO }
    var isDirectory: Bool { mode & S_IFMT == S_IFDIR }
    var isLink: Bool { mode & S_IFMT == S_IFLNK }

    init(_ status: stat) {
      device = UInt64(status.st_dev)
      inode = UInt64(status.st_ino)
      mode = UInt32(status.st_mode)
      owner = UInt32(status.st_uid)
      size = Int64(status.st_size)
      linkCount = UInt64(status.st_nlink)
    }
  }

  /// How many bytes of an archive can be read by position; nil where they come one after the other alone.
  static func extent(of descriptor: FileDescriptor, _ status: Status) throws(Errno) -> Int64? {
    if status.isDirectory { throw .isDirectory }
    if status.isRegular { return status.size }
    return status.isBlockDevice ? try end(of: descriptor) : nil
  }

  /// fstat(2)
  static func status(of descriptor: FileDescriptor) throws(Errno) -> Status {
    var status = stat()
    _ = try valueOrErrno { unsafe fstat(descriptor.rawValue, &status) }
    return Status(status)
  }

  /// stat(2)
  static func status(of path: String) throws(Errno) -> Status {
    var status = stat()
    _ = try valueOrErrno { unsafe stat(path, &status) }
    return Status(status)
  }

  /// lseek(2) to the end: the size of a block device, which fstat(2) does not tell.
  static func end(of descriptor: FileDescriptor) throws(Errno) -> Int64 {
    Int64(try valueOrErrno { lseek(descriptor.rawValue, 0, SEEK_END) })
  }

  /// Whether an open file is on tmpfs, as every memory file is that is not of huge pages, fstatfs(2).
  static func isOnTmpfs(_ descriptor: FileDescriptor) throws(Errno) -> Bool {
    try valueOrErrno { clinux_is_on_tmpfs(descriptor.rawValue) } == 1
  }

  /// O_RDONLY, O_WRONLY or O_RDWR; O_WRONLY for a descriptor that stands for a path alone. fcntl(2), F_GETFL
  static func accessMode(of descriptor: FileDescriptor) throws(Errno) -> Int32 {
    try valueOrErrno { clinux_access_mode(descriptor.rawValue) }
  }

  /// open(2) on /proc/self/fd/N, read-only and without waiting for a lease; nil where /proc is not mounted.
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

  /// How many descriptors the process may have open, getrlimit(2); at most what a descriptor's number can be.
  static func descriptorLimit() -> Int {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
    return Int(min(limit.rlim_cur, rlim_t(CInt.max)))
  }

  /// Makes room at once for so many descriptors, or for as many as the process may have.
  ///
  /// The kernel doubles a table that is full, and lets a process of several threads wait for an RCU grace period each
  /// time, some ten milliseconds (expand_fdtable). A descriptor of a high number makes it do so once.
  static func growDescriptorTable(to count: Int = .max) {
    let count = min(count, descriptorLimit(), largestTable)
    guard let memfd = try? Memfd.create(name: "descriptors", executable: false) else { return }
    let high = fcntl(memfd.descriptor.rawValue, F_DUPFD_CLOEXEC, CInt(clamping: count - 1))
    if high >= 0 { close(FileDescriptor(rawValue: high)) }
  }

  /// A table takes 8 bytes for each descriptor.
  private static let largestTable = 64 << 10

  /// How many processors the calling thread may run on, sched_getaffinity(2).
  static func processorCount() -> Int { Int(clinux_processor_count()) }

  /// The processor time of the calling thread, clock_gettime(2).
  static func threadTime() -> Duration {
    var time = timespec()
    unsafe _ = clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }

  /// A time that only goes forward, a few milliseconds old and a quarter of the price, CLOCK_MONOTONIC_COARSE.
  static func roughTime() -> Duration {
    var time = timespec()
    unsafe _ = clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }

  /// The kernel's name, release and machine, uname(2).
  static func kernel() -> String {
    var name = utsname()
    guard unsafe uname(&name) == 0 else { return "unknown" }
    func text<Field>(_ field: Field) -> String {
      unsafe withUnsafeBytes(of: field) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
    return "\(text(name.sysname)) \(text(name.release)) \(text(name.machine))"
  }

  /// `/proc/PID/fd`, where PID is this process's number in the /proc that is mounted, which need not be getpid(2)'s.
  static func descriptorDirectory() throws(Errno) -> String {
    "/proc/\(try valueOrErrno { clinux_number_in_proc() })/fd"
  }

  /// sched_yield(2)
  static func yield() { sched_yield() }

  /// The first 64 KiB of a small text file such as those of /proc; empty when it cannot be read.
  static func text(of path: FilePath) -> String {
    guard let descriptor = try? openReadOnly(path) else { return "" }
    defer { close(descriptor) }
    var text = [UInt8](repeating: 0, count: 65_536)
    var filled = 0
    while filled < text.count {
      var span = text.mutableSpan
      var bytes = unsafe span.mutableBytes
      var free = bytes._mutatingExtracting(filled...)
      // A number that was cut would be taken for a smaller one.
      guard let count = try? read(descriptor, at: nil, into: &free) else { return "" }
      guard count > 0 else { break }
      filled += count
    }
    return String(decoding: text[..<filled], as: UTF8.self)
  }

  /// A C stream over a descriptor, which it then owns, fdopen(3).
  static func stream(_ descriptor: FileDescriptor) throws(Errno) -> UnsafeMutablePointer<FILE> {
    guard let stream = unsafe fdopen(descriptor.rawValue, "r") else { throw Errno(rawValue: Glibc.errno) }
    return unsafe stream
  }
}
