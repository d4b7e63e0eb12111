internal import SealedMemory
internal import SystemPackage

// What comes before the first message about the archive: the template, its worker and the request.
extension HostConnection {
  /// Starts a worker and waits until it is locked in.
  ///
  /// - Parameter loadsLibArchive: Whether the archive is known to need libarchive.
  /// - Throws: `sandboxUnavailable` if no worker can be started.
  static func start(
    _ archive: ArchiveReader, in context: ExtractionContext, _ prefetch: Prefetch, copiesContent: Bool,
    loadsLibArchive: Bool
  ) throws(ArchiveError) -> HostConnection {
    let program = try WorkerLocator.program(context.options)
    var source: WorkerSource?
    func attempt(isFirst: Bool) throws(ArchiveError) -> HostConnection {
      // An archive that cannot be opened takes no worker.
      if source == nil { source = try WorkerSource(archive, in: context) }
      let template = try Self.template(of: program, in: context)
      do throws(ArchiveError) {
        let process = try startProcess(from: template, in: context)
        return try start(
          process, archive, source!, in: context, prefetch, copiesContent: copiesContent,
          loadsLibArchive: loadsLibArchive)
      } catch {
        // It may be why, unless it lives and the caller has lost patience.
        if error.code != .cancelled || template.wasKilled { context.options.pool.remove(template) }
        // Nothing of the archive has been read.
        if isFirst, template.wasKilled {
          // The socket of a caller's source belongs to the worker that is gone.
          if source?.server != nil { source = nil }
          return try attempt(isFirst: false)
        }
        throw error
      }
    }
    return try attempt(isFirst: true)
  }

  private static func start(
    _ process: WorkerProcess, _ archive: ArchiveReader, _ source: WorkerSource,
    in context: ExtractionContext, _ prefetch: Prefetch, copiesContent: Bool, loadsLibArchive: Bool
  ) throws(ArchiveError) -> HostConnection {
    let window = copiesContent ? try HostWindow.create(threads: context.threads) : nil
    let connection = HostConnection(process, source, window?.0, context)
    var request = request(archive, source, in: context)
    request.prefetch = prefetch
    request.loadsLibArchive = loadsLibArchive
    request.panes = UInt32(window?.0.panes ?? 0)
    if context.options.descriptorBudget == nil {
      connection.descriptorBudget = request.options.descriptorBudget
    }
    var writer = BinaryEncoder()
    request.encode(to: &writer)
    let index = if let index = source.index { [try index.contentDescriptor.rawValue] } else { [CInt]() }
    try connection.send(writer, source.descriptors + index + (window.map { [$0.1.rawValue] } ?? []))
    try connection.awaitGreeting()
    return connection
  }

  private static func template(
    of program: WorkerLocator.Program, in context: ExtractionContext
  ) throws(ArchiveError) -> WorkerTemplate {
    do throws(Errno) { return try context.options.pool.template(of: program) } catch {
      throw cannotStart(program, error)
    }
  }

  private static func startProcess(
    from template: WorkerTemplate, in context: ExtractionContext
  ) throws(ArchiveError) -> WorkerProcess {
    do throws(PacketChannel.SendFailure) {
      var waited = 0
      return try WorkerProcess(from: template) { error throws(ArchiveError) in
        guard waited < context.hooks.longestSilence else {
          throw .system("sendmsg", error, doing: "asking for a sandboxed worker")
        }
        waited += 10
        try context.cancellation.check()
        template.awaitRoom(milliseconds: 10)
      }
    } catch {
      switch error {
      case .gaveUp(let error): throw error
      case .system(.brokenPipe), .system(.connectionReset): throw ended(template)
      case .system(let error): throw cannotStart(template.program, error)
      }
    }
  }

  static func cannotStart(_ program: WorkerLocator.Program, _ error: Errno) -> ArchiveError {
    .exhausted("clone", error, doing: "starting a sandboxed worker")
      ?? .sandboxUnavailable("the worker", "\(program.name) cannot be started (\(error))")
  }

  /// The error for a template that ended before its worker was locked in.
  static func ended(_ template: WorkerTemplate) -> ArchiveError {
    switch template.endByItself() {
    // 127: the loader found no library, or no memory for one.
    case .exit(let status) where status != 127: notAWorker(template.program, "it ended with status \(status)")
    case let end: .workerFailed("\(end)")
    }
  }

  private static func request(
    _ archive: ArchiveReader, _ source: WorkerSource, in context: ExtractionContext
  ) -> WorkerRequest {
    let (options, ledger) = (context.options, context.ledger)
    var request = WorkerRequest()
    request.sources = source.sources
    request.indexSize = source.index.map { Int64($0.size) }
    request.name = archive.fileName
    request.account = ledger.snapshot
    request.options = options
    request.hooks = context.hooks
    let free = freeDescriptors()
    if options.storage == .automatic, options.descriptorBudget == nil {
      request.options.descriptorBudget =
        max(0, free - MemFileFactory.reserve) / max(1, options.pool.running) + ledger.descriptors
    }
    // Two packets may be in flight, and other descriptors have to be opened too.
    request.mostDescriptors = UInt32(max(1, min(PacketChannel.mostDescriptors, free / 3)))
    request.timeZone = Environment.value("TZ") ?? WorkerRequest.usualTimeZone
    request.wantsProgress = options.onProgress != nil
    request.isBestEffort = options.sandbox == .bestEffort
    request.processorSeconds = processorSeconds(context, source)
    return request
  }

  /// Seconds of processor time: the timeout, or without one far more than decoding takes, as a bound on a worker that was
  /// taken over. The slowest decoder produces several MB a second, and 1 MiB of an archive rarely expands to more than 1,000.
  private static func processorSeconds(_ context: ExtractionContext, _ source: WorkerSource) -> UInt64 {
    if let left = context.cancellation.remaining, left < .seconds(1 << 30) {
      return UInt64(max(0, left.components.seconds) + 2) * UInt64(context.threads)
    }
    return source.packedSize.map { 600 + UInt64($0 >> 20) * 60 } ?? 100_000
  }

  /// The number of descriptors that the process may still open.
  static func freeDescriptors() -> Int {
    guard let next = SystemCalls.nextDescriptor() else { return 0 }
    return max(0, SystemCalls.descriptorLimit() - Int(next))
  }

  /// The error for a program that was started as a worker and is not one.
  static func notAWorker(_ program: WorkerLocator.Program, _ reason: String) -> ArchiveError {
    .sandboxUnavailable("the worker", "\(program.name) is not a worker: \(reason)")
  }
}
