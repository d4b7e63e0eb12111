import Hummingbird
import Uploads

/// POST /upload takes an archive from a stranger, and answers with what is in it; GET /health answers at once.
@main struct Server {
  static func main() async throws {
    try await Application(
      router: uploads(), configuration: .init(address: .hostname("127.0.0.1", port: 8080))
    )
    .runService()
  }
}
