import AsyncHTTPClient
import Foundation
import MemArchive
import MemArchiveHTTP
import Testing

@testable import Remote

/// The server of the program's own tests, for a file of 30 MB.
private final class Server {
  let address: String
  private let process = Process()
  private let directory: URL

  init(tls: Bool = false) throws {
    directory = FileManager.default.temporaryDirectory.appending(path: "remote-\(UUID())")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
    let script = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../../../Tests/CommandTests/server.py").standardized.path
    let make = """
      python3 - <<'END'
      import zipfile
      with zipfile.ZipFile("large.whl", "w") as file:
        for number in range(300):
          file.writestr(f"package/module{number}.so", bytes([number % 256]) * 100_000)
        file.writestr("package-1.dist-info/METADATA", "Name: package\\nVersion: 1\\n")
      END
      """
    let certificate = """
      openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority 2>/dev/null
      openssl req -newkey rsa:2048 -nodes -keyout k -out r -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null
      openssl x509 -req -in r -CA ca.pem -CAkey ca.key -out c -days 2 -copy_extensions copy 2>/dev/null
      """
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = [
      "-c", "\(make)\n\(tls ? certificate : "")\nexec python3 \"$1\" . \(tls ? "c k" : "")", "sh", script,
    ]
    process.currentDirectoryURL = directory
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    var port = ""
    while !port.hasSuffix("\n") {
      let more = pipe.fileHandle.availableData
      guard !more.isEmpty else { throw CocoaError(.fileReadUnknown) }
      port += String(decoding: more, as: UTF8.self)
    }
    address = "\(tls ? "https://localhost" : "http://127.0.0.1"):\(port.dropLast())"
  }

  deinit {
    process.terminate()
    process.waitUntilExit()
    try? FileManager.default.removeItem(at: directory)
  }

  var authority: String { directory.appending(path: "ca.pem").path }

  /// The bytes that it has sent.
  func sent() async throws -> Int {
    let response = try await HTTPClient.shared.execute(
      HTTPClientRequest(url: address + "/log"), timeout: .seconds(10))
    let text = String(buffer: try await response.body.collect(upTo: 1000))
    return try #require(Int(text.split(separator: " ")[1].trimmingCharacters(in: .newlines)))
  }
}

extension Pipe {
  fileprivate var fileHandle: FileHandle { fileHandleForReading }
}

struct RemoteTests {
  @Test func `A wheel's metadata take a hundredth of it`() async throws {
    let server = try Server()
    let text = try await metadata(of: HTTPSource(server.address + "/redirect/large.whl"))
    #expect(text == "Name: package\nVersion: 1\n")
    #expect(try await server.sent() < 400_000)
    let reader = ArchiveReader(source: try HTTPSource(server.address + "/fine/large.whl"))
    let files = try await reader.extract()
    #expect(files.count == 301)
    #expect(files["package/module7.so"]?.size == 100_000)
  }

  @Test(arguments: [
    ("whole", "sends the file only as a whole"), ("unnamed", "names no version"), ("changed", "has changed"),
    ("careless", "has changed"), ("short", "4 times"), ("long", "more than"), ("cut", "4 times"),
    ("always-dropping", "4 times"), ("secret", "status 401"), ("loop", "edirect"),
  ])
  func `What a server does wrong is an error`(_ kind: String, _ reason: String) async throws {
    let server = try Server()
    let source = try HTTPSource(server.address + "/\(kind)/large.whl")
    for sandbox in [ExtractionOptions.Sandbox.off, .required] {
      let error = await #expect(throws: ArchiveError.self) {
        try await ArchiveReader(source: source).entries(options: ExtractionOptions(sandbox: sandbox))
      }
      #expect(error?.code == .sourceFailed)
      #expect(error?.reason.contains(reason) == true, "\(error as Any)")
    }
  }

  @Test func `What passes is asked for again, and fields are sent`() async throws {
    let server = try Server()
    for kind in ["busy", "dropping", "dated"] {
      let source = try HTTPSource(server.address + "/\(kind)/large.whl")
      #expect(try await ArchiveReader(source: source).entries().count == 301)
    }
    let source = try HTTPSource(server.address + "/secret/large.whl", fields: [("Authorization", "Bearer x")])
    #expect(try await ArchiveReader(source: source).entries().count == 301)
  }

  @Test func `Certificates are verified`() async throws {
    let server = try Server(tls: true)
    let address = server.address + "/fine/large.whl"
    let error = await #expect(throws: ArchiveError.self) {
      try await ArchiveReader(source: HTTPSource(address, timeout: .seconds(2))).entries()
    }
    #expect(error?.code == .sourceFailed)
    var configuration = HTTPClient.Configuration.singletonConfiguration
    configuration.tlsConfiguration = .makeClientConfiguration()
    configuration.tlsConfiguration?.trustRoots = .file(server.authority)
    let client = HTTPClient(configuration: configuration)
    let entries = try await ArchiveReader(source: HTTPSource(address, client: client)).entries()
    #expect(entries.count == 301)
    try await client.shutdown()
  }
}
