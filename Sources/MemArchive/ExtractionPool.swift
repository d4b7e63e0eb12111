internal import Synchronization
internal import SystemPackage

/// What extractions at the same time share.
public final class ExtractionPool: Sendable {
  /// The one that is used unless another is named.
  public static let shared = ExtractionPool()

  private let current = Mutex<WorkerTemplate?>(nil)

  public init() {}

  /// The template that workers of this program are forked from; started if there is none, or it has ended.
  func template(of program: WorkerLocator.Program) throws(Errno) -> WorkerTemplate {
    try current.withLock { current throws(Errno) in
      if let current, current.serves(program) { return current }
      let started = try WorkerTemplate(program)
      current = started
      return started
    }
  }

  /// Asks nothing more of a template.
  func remove(_ template: WorkerTemplate) {
    current.withLock { if $0 === template { $0 = nil } }
  }
}
