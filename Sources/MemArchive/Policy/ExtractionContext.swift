internal import SystemPackage

/// One extraction: its options, ledger and deadline. Made once where a public call begins, and passed on as it is, into
/// archives inside the archive too.
package struct ExtractionContext: Sendable {
  /// Where extracted files go.
  enum Recipient: Sendable {
    /// To the caller.
    case caller
    /// To the host that this worker process serves, which keeps the files, or copies their content.
    case host(copiesContent: Bool)

    var copiesContent: Bool { if case .host(copiesContent: true) = self { true } else { false } }
  }

  /// Settings for tests and the command line.
  package struct Hooks: Sendable {
    /// This library's code or libarchive's, which tests compare.
    package enum Engine: CaseIterable, Sendable { case own, libarchive }
    /// The process that makes a tree's file system: tests compare this one and the helper.
    package enum MountMethod: Sendable { case automatic, own, helper }

    /// The reader of zip.
    var engine: Engine
    /// The decoder of compression.
    var decoding: Engine
    var mountMethod: MountMethod
    /// Whether one layer of compression is taken off, and what it holds is a file, whatever that is.
    var decodesOnly = false
    /// Milliseconds that a worker may go without a sign of life: it sends one per second while it makes progress.
    var longestSilence: Int
    /// The formats that may be read if a wanted sandbox is unavailable; `nil`: the same.
    var formatsOutsideSandbox: ArchiveFormats?

    package init(
      engine: Engine = .own, decoding: Engine = .own, mountMethod: MountMethod = .automatic,
      longestSilence: Int = 60_000, formatsOutsideSandbox: ArchiveFormats? = nil
    ) {
      (self.engine, self.decoding, self.mountMethod) = (engine, decoding, mountMethod)
      (self.longestSilence, self.formatsOutsideSandbox) = (longestSilence, formatsOutsideSandbox)
    }
  }

  package private(set) var options: ExtractionOptions
  package let ledger: Ledger
  package private(set) var hooks: Hooks
  /// Has the deadline, too.
  package let cancellation: Cancellation
  let recipient: Recipient
  /// Its part of the pool, until the last copy of this is gone.
  private let share: ExtractionPool.Share?
  /// Whether only what is asked for is read, and verified, where the archive allows that.
  private var isSparing = false
  /// The reason that the archive is read without the wanted sandbox.
  private(set) var missingSandbox: String?

  /// An extraction that begins now: the timeout starts.
  ///
  /// - Parameter ledger: By default one with the options' limits.
  package init(_ options: ExtractionOptions, ledger: Ledger? = nil, hooks: Hooks = Hooks()) {
    let ledger = ledger ?? Ledger(options.limits, options.pool.memory)
    let share = options.pool.join(ledger)
    var options = options
    options.parallelism = options.parallelism.map { min($0, ExtractionOptions.mostThreads) } ?? share.threads
    self.init(
      options, ledger, Cancellation(timeout: options.timeout), hooks: hooks, recipient: .caller, share)
  }

  init(
    _ options: ExtractionOptions, _ ledger: Ledger, _ cancellation: Cancellation, hooks: Hooks,
    recipient: Recipient, _ share: ExtractionPool.Share? = nil
  ) {
    self.options = options
    self.share = share
    self.ledger = ledger
    self.cancellation = cancellation
    self.hooks = hooks
    self.recipient = recipient
  }

  /// Upper bound of threads.
  var threads: Int { options.threads }

  /// Ends the extraction at its next block, with the error `cancelled`.
  package func cancel() { cancellation.cancel() }

  /// Whether there is time left to continue.
  package var hasTimeLeft: Bool { cancellation.remaining != .zero }

  /// Whether extraction continues after an error that ended the reading of an inner archive.
  func continues(afterInnerArchive error: ArchiveError) -> Bool {
    options.continues(after: error) || (options.onError == .keepGoing && error.code == .tooManyLayers)
  }

  /// The same with a ledger of its own, for a separate reading, and with the same deadline.
  package var withOwnAccount: Self {
    let ledger = Ledger(options.limits, options.pool.memory)
    var context = Self(options, ledger, cancellation, hooks: hooks, recipient: recipient, share)
    context.missingSandbox = missingSandbox
    context.isSparing = isSparing
    return context
  }

  /// The same for a reading of which only some entries are wanted: where layers of compression can be read at any offset, what is
  /// not asked for is not verified either.
  package var sparing: Self {
    var context = self
    context.isSparing = true
    return context
  }

  /// What is read where `prefetch` is asked for.
  func extent(of prefetch: Prefetch) -> Prefetch {
    guard isSparing, prefetch.extent == .whole else { return prefetch }
    var prefetch = prefetch
    prefetch.extent = .sparing
    return prefetch
  }

  /// The same for files that may be executed, or not, with these permissions or their own.
  package func executable(_ isExecutable: Bool, mode: UInt16? = nil) -> Self {
    changed {
      $0.executable = isExecutable || (mode ?? 0) & 0o111 != 0
      $0.mode = mode
    }
  }

  /// The same for another kind of storage.
  package func storing(_ storage: ExtractionOptions.Storage) -> Self { changed { $0.storage = storage } }

  /// The same with another error policy.
  package func onError(_ policy: ExtractionOptions.ErrorPolicy) -> Self { changed { $0.onError = policy } }

  /// The same for an archive inside the archive, where compressed content that is not an archive stays a file; only the
  /// outermost file is read as a lone compressed file.
  package var inside: Self { changed { $0.formats.subtract(.loneFile) } }

  /// The same for taking off one layer of compression, and no more.
  var decodingOnly: Self {
    var context = changed { $0.formats = .loneFile }
    context.hooks.decodesOnly = true
    return context
  }

  /// The same for reading in this process, because the wanted worker is unavailable.
  func withoutSandbox(_ reason: String) -> Self {
    var context = changed {
      $0.sandbox = .off
      $0.formats.formIntersection(hooks.formatsOutsideSandbox ?? $0.formats)
    }
    context.missingSandbox = reason
    return context
  }

  package func changed(_ change: (inout ExtractionOptions) -> Void) -> Self {
    var context = self
    change(&context.options)
    return context
  }
}
