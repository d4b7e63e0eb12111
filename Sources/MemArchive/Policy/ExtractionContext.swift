internal import SystemPackage

/// One extraction: what it was told, what it has spent and when it must end. Made once where a public call begins, and
/// passed on as it is, into archives inside the archive too.
package struct ExtractionContext: Sendable {
  /// Where extracted files go.
  enum Recipient: Sendable {
    /// To the caller.
    case caller
    /// To the host that this worker process serves, which keeps the files, or copies their content.
    case host(copiesContent: Bool)
  }

  /// What tests and the command line replace.
  package struct Hooks: Sendable {
    /// Who does what libarchive can do too: tests compare the two.
    package enum Engine: CaseIterable, Sendable { case own, libarchive }
    /// Who makes a tree's file system: tests compare the two.
    package enum MountMethod: Sendable { case automatic, own, helper }

    /// Who reads zip.
    var engine: Engine
    /// Who takes compression off.
    var decoding: Engine
    var mountMethod: MountMethod
    /// Milliseconds for which a worker may show no sign of life: it shows one a second while anything goes on.
    var longestSilence: Int
    /// The formats that may be read where a sandbox was wanted and cannot be had; `nil`: the same.
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
  package let hooks: Hooks
  /// Holds the deadline, too.
  let cancellation: Cancellation
  let recipient: Recipient
  /// Why the archive is read without the sandbox that was wanted.
  private(set) var missingSandbox: String?

  /// An extraction that begins now: the timeout runs.
  ///
  /// - Parameter ledger: By default one with the options' limits.
  package init(_ options: ExtractionOptions, ledger: Ledger? = nil, hooks: Hooks = Hooks()) {
    self.init(
      options, ledger ?? Ledger(options.limits), Cancellation(timeout: options.timeout), hooks: hooks,
      recipient: .caller)
  }

  init(
    _ options: ExtractionOptions, _ ledger: Ledger, _ cancellation: Cancellation, hooks: Hooks,
    recipient: Recipient
  ) {
    self.options = options
    self.ledger = ledger
    self.cancellation = cancellation
    self.hooks = hooks
    self.recipient = recipient
  }

  /// The threads that may work.
  var threads: Int { options.threads }

  /// Whether there is time left to go on.
  package var hasTimeLeft: Bool { cancellation.remaining != .zero }

  /// Whether the rest is wanted without an inner archive that this is wrong with.
  func goesOnAfterInner(_ error: ArchiveError) -> Bool {
    options.onError == .keepGoing && (error.concernsArchive || error.code == .tooManyLayers)
  }

  /// The same by the same deadline, with an account of its own: for a reading whose files are nobody else's.
  package var withOwnAccount: Self {
    var context = Self(options, Ledger(options.limits), cancellation, hooks: hooks, recipient: recipient)
    context.missingSandbox = missingSandbox
    return context
  }

  /// The same for files that may be executed, or not.
  package func executable(_ isExecutable: Bool) -> Self { changed { $0.executable = isExecutable } }

  /// The same for another kind of storage.
  package func storing(_ storage: ExtractionOptions.Storage) -> Self { changed { $0.storage = storage } }

  /// The same going on after damage, or not.
  package func onError(_ policy: ExtractionOptions.ErrorPolicy) -> Self { changed { $0.onError = policy } }

  /// Checks that an archive may lie in so many others.
  package func check(level: Int) throws(ArchiveError) {
    guard level < options.limits.depth else { throw .tooManyLayers(options.limits.depth) }
  }

  /// The same for an archive inside the archive: compressed content that is no archive is a file that somebody compressed,
  /// while the outermost one was asked for.
  package var inside: Self { changed { $0.formats.subtract(.loneFile) } }

  /// The same for reading in this process, because the worker that was wanted cannot be had.
  func withoutSandbox(_ reason: String) -> Self {
    var context = changed {
      $0.sandbox = .off
      $0.formats = hooks.formatsOutsideSandbox ?? $0.formats
    }
    context.missingSandbox = reason
    return context
  }

  private func changed(_ change: (inout ExtractionOptions) -> Void) -> Self {
    var context = self
    change(&context.options)
    return context
  }
}
