import MemArchive
import MemArchiveHTTP

/// Prints what a wheel on a server says of itself, without fetching the wheel:
/// `Remote https://files.pythonhosted.org/…/scipy-1.17.1-cp311-cp311-manylinux_2_27_x86_64.whl`.
@main struct Remote {
  static func main() async throws {
    for address in CommandLine.arguments.dropFirst() {
      print(try await metadata(of: HTTPSource(address)))
    }
  }
}

/// The METADATA of a wheel (PEP 427), read in the sandbox.
func metadata(of wheel: HTTPSource) async throws -> String {
  let files = try await ArchiveReader(source: wheel).extract(
    .glob("*.dist-info/METADATA"), options: ExtractionOptions(sandbox: .required, timeout: .seconds(60)))
  return try files.map { try $0.file.string() }.joined()
}
