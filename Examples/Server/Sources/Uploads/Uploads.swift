import Hummingbird
import MemArchive
import MemArchiveObservability

/// What is in an archive.
public struct Listing: ResponseCodable, Equatable {
  /// The size in bytes of each file, by name.
  public let files: [String: Int]
}

/// The server's routes.
///
/// - Parameters:
///   - pool: Bounds the archives that are read at the same time.
///   - observer: Is told of each archive.
public func uploads(
  _ pool: ExtractionPool = .shared, observer: any ExtractionObserver = MetricsObserver()
) -> Router<BasicRequestContext> {
  // The first upload need not wait for the process that workers are forked from.
  pool.prepare(for: forStrangers(pool, observer))
  let router = Router()
  router.get("health") { _, _ in HTTPResponse.Status.ok }
  router.post("upload") { request, _ -> Listing in
    // Read while it arrives: of the upload itself nothing is kept.
    let archive = ArchiveReader(chunks: request.body.map(\.readableBytesView))
    do {
      // The async form: it waits for its turn, and no thread of Swift's pool waits with it.
      let files = try await archive.extract(options: forStrangers(pool, observer))
      return Listing(files: files.mapValues(\.size))
    } catch let error as ArchiveError {
      throw HTTPError(status(of: error), message: error.description)
    }
  }
  return router
}

/// A worker that can do nothing but return sealed files, or nothing at all; strict limits, names and time.
private func forStrangers(_ pool: ExtractionPool, _ observer: any ExtractionObserver) -> ExtractionOptions {
  ExtractionOptions {
    $0.sandbox = .required
    $0.limits = .strict
    $0.timeout = .seconds(10)
    $0.insecureNames = .reject
    $0.pool = pool
    $0.observer = observer
  }
}

/// The status that tells a client whose fault it is, and whether to try again.
func status(of error: ArchiveError) -> HTTPResponse.Status {
  switch error.code {
  case .unrecognizedFormat, .unsupportedFormat: .unsupportedMediaType
  case .limitExceeded, .tooManyLayers: .contentTooLarge
  // The client went away.
  case .sourceFailed: .badRequest
  case .sandboxUnavailable, .descriptorLimit, .processLimit, .outOfMemory: .serviceUnavailable
  case .system, .pathUnavailable: .internalServerError
  // Damaged, encrypted, hostile, or too slow: the same archive fails again.
  default: .unprocessableContent
  }
}
