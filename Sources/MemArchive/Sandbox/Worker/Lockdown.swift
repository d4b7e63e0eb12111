internal import CLinux
internal import Glibc
internal import SystemPackage

/// The steps by which a worker gives everything up, in the only order that works: what has to be opened is opened first;
/// Landlock binds the threads that are started after it; the filter binds those that have begun to run.
enum Lockdown {
  /// What cannot be had, and why.
  struct Failure: Error {
    let part: String
    let reason: String
    /// The error number of a system call; 0 for none.
    let errno: CInt
  }

  /// Descriptors for what is on its way to the parent, and for what threads have extracted and not handed over yet.
  private static let descriptors: UInt64 = 8192

  /// Bytes of memory besides files, used or only reserved: libarchive reserves up to 4 GiB where a header says that so much
  /// follows, and then finds that it does not.
  private static let mostData: UInt64 = 6 << 30

  /// What holds now, and how many threads may extract.
  ///
  /// - Parameters:
  ///   - archive: The archive's first descriptor.
  ///   - cancellation: Counts what goes on.
  static func enter(
    _ request: WorkerRequest, _ archive: CInt?, _ cancellation: Cancellation
  ) throws(Failure) -> (Protection, threads: Int) {
    // Each thread has some descriptors of its own.
    let threads = clinux_hard_descriptor_limit() < 4096 ? 1 : request.options.threads
    unsafe clinux_settle_heap_and_zone(request.timeZone)
    unsafe _ = chdir("/")
    let diesFirst = clinux_prefer_for_oom() == 0
    try require("a process without dumps", clinux_forbid_dumps())
    try limitResources(request, threads)
    warm(request)
    try require("no_new_privs", clinux_forbid_privileges())
    try require("capabilities", clinux_drop_capabilities())
    var abi: CInt = 0
    let refused = unsafe clinux_landlock_nothing(&abi)
    if refused != 0, !request.isBestEffort || isExhaustion(refused) { throw failure("Landlock", refused) }
    // One watches, one decodes while the others extract, and the first of these is here.
    try startThreads(threads + 1 + (mayBeXZ(request, archive) ? threads : 0), cancellation)
    let seccomp = try lock(request, request.sources.first == .pipe ? archive : nil)
    return (
      Protection(landlock: refused == 0 ? Int(abi) : nil, seccomp: seccomp, diesFirst: diesFirst), threads
    )
  }

  private static func limitResources(_ request: WorkerRequest, _ threads: Int) throws(Failure) {
    var resources = clinux_resources()
    // Rounded up by what a file is grown by at once.
    resources.largest_file = UInt64(max(request.account.heldLimit, 0)) &+ 64 << 20
    resources.descriptors = descriptors
    resources.seconds = request.processorSeconds
    // Stacks count with their whole size, two or three for each thread that extracts.
    resources.data = mostData + UInt64(threads) << 25
    try require("resource limits", unsafe clinux_limit_resources(&resources))
  }

  /// What libraries look up once they need it, in files that cannot be opened later.
  private static func warm(_ request: WorkerRequest) {
    let utf8 = unsafe clinux_enter_utf8_locale()
    unsafe clinux_restore_locale(utf8)
    let plain = unsafe clinux_enter_c_locale()
    unsafe clinux_restore_locale(plain)
    if let encoding = request.options.encoding {
      unsafe clinux_open_conversions(encoding)
    } else {
      clinux_open_conversions(nil)
    }
  }

  private static func startThreads(_ count: Int, _ cancellation: Cancellation) throws(Failure) {
    do throws(ArchiveError) {
      try PrestartedThreads.fill(count)
      try watchParent(cancellation)
    } catch {
      throw Failure(part: "threads", reason: "\(error.reason)", errno: error.errno?.rawValue ?? 0)
    }
  }

  /// Whether blocks of xz may come for threads of their own, and more than a few milliseconds' worth.
  private static func mayBeXZ(_ request: WorkerRequest, _ archive: CInt?) -> Bool {
    guard let archive, case .file(let size) = request.sources.first else { return true }
    guard size >= 1 << 20 else { return false }
    var head = [UInt8](repeating: 0, count: 6)
    let count = unsafe head.withUnsafeMutableBytes { unsafe pread(archive, $0.baseAddress, $0.count, 0) }
    return count == head.count && Filter.recognize(head) == .filter(.xz)
  }

  /// Starts a thread that ends the process with its parent, and shows a sign of life every second while anything goes on.
  private static func watchParent(_ cancellation: Cancellation) throws(ArchiveError) {
    try JoinableThread.start {
      var before: UInt = 0
      while true {
        clinux_exit_with_peer(CInt(CLINUX_WORKER_SOCKET), 1000)
        let now = cancellation.count
        if now != before {
          _ = try? PacketChannel.send(
            PacketChannel.header(PacketChannel.alive), [], on: CInt(CLINUX_WORKER_SOCKET))
        }
        before = now
      }
    }.detach()
  }

  private static func lock(_ request: WorkerRequest, _ pipe: CInt?) throws(Failure) -> Bool {
    var settings = clinux_filter_settings()
    settings.allows_executable = request.options.executable ? 1 : 0
    let hasNoexecSeal = clinux_has_noexec_seal()
    guard hasNoexecSeal >= 0 else { throw failure("memfd_create", errno) }
    settings.has_noexec_seal = hasNoexecSeal
    settings.first_own = clinux_close_ranks()
    guard settings.first_own >= 0 else { throw failure("descriptors", errno) }
    settings.process = UInt32(bitPattern: getpid())
    settings.pipe = pipe ?? -1
    // What is sent when a call is refused: a packet outside of the row, and a record with the call's number.
    var words = BinaryEncoder()
    words.record { writer in
      writer.put(WorkerMessage.refusedKind)
      writer.put(UInt32(0))
    }
    let packet = PacketChannel.header(PacketChannel.last) + words.bytes.dropLast(4)
    let refused = unsafe packet.withUnsafeBufferPointer {
      unsafe clinux_lock_calls(&settings, CInt(CLINUX_WORKER_SOCKET), $0.baseAddress, $0.count)
    }
    if refused != 0, !request.isBestEffort || isExhaustion(refused) { throw failure("seccomp", refused) }
    return refused == 0
  }

  /// Whether another try may succeed: the system does not lack it for good.
  private static func isExhaustion(_ error: CInt) -> Bool {
    ArchiveError.exhausted("", Errno(rawValue: error), doing: "") != nil
  }

  private static func require(_ part: String, _ error: CInt) throws(Failure) {
    if error != 0 { throw failure(part, error) }
  }

  private static func failure(_ part: String, _ error: CInt) -> Failure {
    Failure(part: part, reason: "\(Errno(rawValue: error))", errno: error)
  }
}
