internal import CLinux
internal import Libc
internal import SystemPackage

/// The steps by which a worker gives up all privileges, in the only order that works: files are opened first;
/// Landlock binds threads that are started after it; the filter binds threads that are already running.
enum Lockdown {
  /// The unavailable part, and the reason.
  struct Failure: Error {
    let part: String
    let reason: String
    /// The error number of a system call; 0 for none.
    let errno: CInt
  }

  /// Descriptors for files in flight to the host, and for files that threads have extracted and not yet sent.
  private static let descriptors: UInt64 = 8192

  /// Bytes of memory besides files, used or merely reserved: what the most demanding decoder may take, and as much for
  /// everything else. libarchive has no bound of its own: a RAR of 125 bytes takes a gigabyte, and could take four.
  static let mostData = Filter.mostMemory + 1 << 30

  /// Locks the process in, and returns the protection in effect and the number of threads that may extract.
  ///
  /// - Parameters:
  ///   - archive: The archive, whose first bytes are looked at.
  ///   - window: The only memory in which the worker may wait for another process.
  ///   - cancellation: Its count shows that the worker makes progress.
  static func enter(
    _ request: WorkerRequest, _ archive: ArchiveReader, _ window: WorkerWindow?, _ cancellation: Cancellation
  ) throws(Failure) -> (SandboxProtection, threads: Int) {
    let isSmall = isSmall(request)
    let head = head(of: archive, request)
    // Each thread has some descriptors of its own.
    let threads = clinux_hard_descriptor_limit() < 4096 || isSmall ? 1 : request.options.threads
    unsafe clinux_settle_heap_and_zone(request.timeZone)
    unsafe _ = chdir("/")
    let diesFirst = clinux_prefer_for_oom() == 0
    try require("a process without dumps", clinux_forbid_dumps())
    try limitResources(request, threads)
    warm(request, head)
    try require("no_new_privs", clinux_forbid_privileges())
    try require("capabilities", clinux_drop_capabilities())
    var abi: CInt = 0
    let refused = unsafe clinux_landlock_nothing(&abi)
    if refused != 0, !request.isBestEffort || isExhaustion(refused) { throw failure("Landlock", refused) }
    // One decodes, except for a small archive; of the extracting threads, this is the first.
    try startThreads(isSmall ? 0 : threads + (mayHaveBlocks(request, head) ? threads : 0))
    try require("signs of life", showLife(cancellation))
    let seccomp = try lock(request, archive, window)
    return (
      SandboxProtection(landlock: refused == 0 ? Int(abi) : nil, seccomp: seccomp, diesFirst: diesFirst),
      threads
    )
  }

  /// Whether the archive takes less time to read than threads to start.
  private static func isSmall(_ request: WorkerRequest) -> Bool {
    guard request.sources.count == 1, let size = request.sources[0].size else { return false }
    return size <= 128 << 10
  }

  private static func limitResources(_ request: WorkerRequest, _ threads: Int) throws(Failure) {
    var resources = clinux_resources()
    // Plus the step by which a file is grown; the kernel takes what is more than the largest offset for less than none.
    let step: Int64 = 64 << 20
    resources.largest_file = UInt64(min(max(request.account.heldLimit, 0), .max - step) + step)
    resources.descriptors = descriptors
    resources.seconds = request.processorSeconds
    // Stacks count with their full size, two or three for each extracting thread.
    resources.data = mostData + UInt64(threads) << 25
    try require("resource limits", unsafe clinux_limit_resources(&resources))
  }

  /// Makes libraries load the files that they would open on first use, because they cannot be opened later.
  private static func warm(_ request: WorkerRequest, _ head: [UInt8]?) {
    // An archive that takes it finds out itself that it cannot be loaded.
    if request.loadsLibArchive || mayNeedLibArchive(request, head) {
      LibArchive.loadEarly()
    } else {
      LibArchive.stopLoading()
    }
    if request.loadsLibArchive || mayNeedSquashFS(request, head) {
      SquashFS.loadEarly()
    } else {
      SquashFS.stopLoading()
    }
    openConversions(request.options.encoding)
  }

  /// Opens the conversions between character sets that names may need.
  static func openConversions(_ encoding: String?) {
    let utf8 = unsafe clinux_enter_utf8_locale()
    unsafe clinux_restore_locale(utf8)
    let plain = unsafe clinux_enter_c_locale()
    unsafe clinux_restore_locale(plain)
    if let encoding {
      unsafe clinux_open_conversions(encoding)
    } else {
      clinux_open_conversions(nil)
    }
  }

  private static func startThreads(_ count: Int) throws(Failure) {
    do throws(ArchiveError) { try PrestartedThreads.fill(count) } catch {
      throw Failure(part: "threads", reason: "\(error.reason)", errno: error.errno?.rawValue ?? 0)
    }
  }

  /// Whether the archive may contain blocks of xz or bzip2, members of BGZF or folders of 7z for several threads, and enough to
  /// be worth them.
  private static func mayHaveBlocks(_ request: WorkerRequest, _ head: [UInt8]?) -> Bool {
    guard let head, let size = request.sources.first?.size else { return true }
    guard size >= 1 << 18 else { return false }
    return [.filter(.xz), .filter(.bzip2)].contains(Filter.recognize(head))
      || FormatSignature.recognize(head) == .sevenZip || MemberQueue.isFor(head)
  }

  /// Whether libarchive, which takes a millisecond or two to load, may be needed after something has been reported of the
  /// archive. Whether a zip needs it is known before.
  private static func mayNeedLibArchive(_ request: WorkerRequest, _ head: [UInt8]?) -> Bool {
    guard let head, request.hooks.engine == .own else { return true }
    return !request.options.formats.contains(.zip) || FormatSignature.recognize(head) != .zip
  }

  /// The first bytes of the archive's first file, none if they cannot be read; nil for a pipe.
  private static func head(of archive: ArchiveReader, _ request: WorkerRequest) -> [UInt8]? {
    guard request.sources.first?.size != nil else { return nil }
    return (try? archive.open([]).seekable?.bytes(TarHeader.size, at: 0)) ?? []
  }

  /// Whether it may be an image, as far as its first bytes tell: of what is compressed, libsquashfs says later that it is missing.
  private static func mayNeedSquashFS(_ request: WorkerRequest, _ head: [UInt8]?) -> Bool {
    guard request.options.formats.contains(.squashfs) else { return false }
    return head.map { SquashFSPlace.isPossible($0) } ?? true
  }

  /// Sends a sign of life every second while there is progress, and ends the process with its host. Returns an error number.
  private static func showLife(_ cancellation: Cancellation) -> CInt {
    unsafe PacketChannel.header(PacketChannel.alive).withUnsafeBufferPointer {
      unsafe clinux_show_life(CInt(CLINUX_WORKER_SOCKET), $0.baseAddress, $0.count, cancellation.progress)
    }
  }

  private static func lock(
    _ request: WorkerRequest, _ archive: ArchiveReader, _ window: WorkerWindow?
  ) throws(Failure) -> Bool {
    var settings = clinux_filter_settings()
    settings.allows_executable = request.options.executable ? 1 : 0
    let hasNoexecSeal = clinux_has_noexec_seal()
    guard hasNoexecSeal >= 0 else { throw failure("memfd_create", errno) }
    settings.has_noexec_seal = hasNoexecSeal
    settings.first_own = clinux_close_ranks()
    guard settings.first_own >= 0 else { throw failure("descriptors", errno) }
    settings.process = UInt32(bitPattern: getpid())
    let descriptor = archive.passedDescriptor?.rawValue ?? -1
    settings.pipe = request.sources.first == .pipe ? descriptor : -1
    settings.source = request.sources.first?.isAsked == true ? descriptor : 0
    settings.window = window?.waitingAddress ?? CLINUX_NO_WINDOW
    // Sent when a call is refused: a packet outside of the sequence, and a record with the call's number.
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

  /// Whether another attempt may succeed, because the shortage is temporary.
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
