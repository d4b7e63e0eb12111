#if HTTP
public import AsyncHTTPClient
internal import HTTPRanges
public import MemArchive
internal import NIOCore
internal import NIOHTTP1

/// An archive on an HTTP server, of which only what is needed is fetched, by range requests:
/// `ArchiveReader(source: try HTTPSource("https://example.org/wheel.whl"))`.
///
/// Each answer has to be of the version that the first one was of, by its ETag or Last-Modified: a file that changes is an error,
/// as is a server that names no version, or sends no parts. Requests that get no answer, or less than one, and those that the server
/// has no time for (408, 429, 5xx) are repeated three times, after 0.1, 0.2 and 0.4 seconds; but a server that lets the first
/// request's time go by is not asked again. Connections are kept by the client.
///
/// Certificates are verified by the system's (BoringSSL's trust roots: /etc/ssl/certs, or what the client's `TLSConfiguration`
/// says). All errors have the code `sourceFailed`, and none has the address's password or query.
public struct HTTPSource: AsyncArchiveSource {
  private let file: RangedFile<ClientTransport>

  /// - Parameters:
  ///   - address: Begins with http:// or https://. Its last part names the archive.
  ///   - fields: Further fields of each request's header, such as `Authorization`.
  ///   - client: Keeps connections and follows redirections as it is configured; shared with the whole process by default.
  ///   - timeout: For each request, and so up to four times as long from a server that has answered before. The client connects
  ///     again and again for as long, whatever is wrong, a certificate too.
  /// - Throws: `ArchiveError` with `sourceFailed` for an address of another kind.
  public init(
    _ address: String, fields: [(name: String, value: String)] = [], client: HTTPClient = .shared,
    timeout: Duration = .seconds(30)
  ) throws {
    guard let address = FileAddress(address) else {
      throw ArchiveError(
        .sourceFailed, "the address does not begin with http:// or https://",
        advice: "Give a path to ArchiveReader(path:).")
    }
    let transport = ClientTransport(client: client, address: address, fields: fields, timeout: timeout)
    file = RangedFile(transport, name: address.name)
  }

  /// See `AsyncArchiveSource`.
  public var name: String? { file.name }
  /// See `AsyncArchiveSource`.
  public var size: Int64 { get async throws { try await file.size } }
  /// See `AsyncArchiveSource`.
  public func bytes(in range: Range<Int64>) async throws -> [UInt8] { try await file.bytes(in: range) }
}

private struct ClientTransport: RangeTransport {
  let client: HTTPClient
  let address: FileAddress
  let fields: [(name: String, value: String)]
  let timeout: Duration

  func get(_ fields: [(name: String, value: String)], most: Int) async throws -> RangeAnswer {
    var request = HTTPClientRequest(url: address.text)
    for field in self.fields + fields { request.headers.add(name: field.name, value: field.value) }
    request.headers.replaceOrAdd(name: "Accept-Encoding", value: "identity")
    let end = ContinuousClock.now + timeout
    do {
      let response = try await client.execute(request, timeout: TimeAmount(timeout))
      var fields: [String: String] = [:]
      for field in response.headers { fields[field.name.lowercased()] = field.value }
      guard response.status.code == 206 else {
        return RangeAnswer(status: Int(response.status.code), fields: fields, body: [])
      }
      var body: [UInt8] = []
      for try await part in response.body {
        guard body.count + part.readableBytes <= most else {
          throw ArchiveError.sourceFailed("the server sent more than \(most) bytes, which were asked for")
        }
        body.append(contentsOf: part.readableBytesView)
      }
      return RangeAnswer(status: 206, fields: fields, body: body)
    } catch let error as ArchiveError {
      throw error
    } catch let error as CancellationError {
      throw error
    } catch  where end <= .now {
      // The client has tried to connect all the time.
      throw UnansweredRequest("\(address.publicText): no answer in \(timeout): \(error)", isSilence: true)
    } catch {
      throw UnansweredRequest("\(address.publicText): \(error)")
    }
  }
}
#endif
