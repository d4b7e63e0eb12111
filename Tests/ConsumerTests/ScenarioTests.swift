import Foundation
import Glibc
import TestSupport
import Testing

/// What takes a server or several steps: a script each, which makes its input itself and prints one line.
struct Scenario: CustomTestStringConvertible, Sendable {
  /// As in the article.
  let name: String
  /// Its file, without the extension.
  let script: String
  let says: String
  var isOnlyRoots = false

  var testDescription: String { name }

  static let always = [
    Scenario(
      name: "ssh and sshd: keys of both", script: "ssh",
      says: #"Authenticated to machine (via proxy) using "publickey""#),
    Scenario(name: "ssh-keygen: a key from a zip without permissions", script: "key", says: "3 the key"),
    Scenario(name: "nginx: SIGHUP", script: "nginx", says: "nginx: reconfiguring, 0 errors"),
    Scenario(
      name: "mosquitto: a file of the user that it becomes", script: "mosquitto",
      says: "mosquitto: Connection error: Connection Refused: not authorised."),
    Scenario(
      name: "gpg: sign and verify", script: "gpg", says: "GOODSIG somebody <somebody@example.invalid>"),
    Scenario(name: "git: status and commit", script: "git", says: "M file second first"),
    Scenario(
      name: "mount: a squashfs on a loop device", script: "squashfs", says: "from an image in an archive",
      isOnlyRoots: true),
    Scenario(
      name: "clamdscan", script: "clamd",
      says: "bare: OK, descriptor: Found.It.UNOFFICIAL FOUND, tree: Found.It.UNOFFICIAL FOUND"),
    Scenario(
      name: "each: clamd, by descriptors", script: "clamd-each",
      says: "same, 2 found, 123\ntest.zip: inner.tar/7: Found.It.UNOFFICIAL FOUND\nclean"),
    Scenario(name: "each: sha256sum, file and YARA", script: "each", says: "6 same"),
    Scenario(
      name: "Python: a virtual environment", script: "venv", says: "a package of the environment True"),
    Scenario(
      name: "an AppImage, without FUSE", script: "appimage", says: "from the image, 3 entries"),
    Scenario(
      name: "umoci and skopeo: container images", script: "image",
      says: "umoci 0 /etc, 4 same"),
  ]

  /// Those of `make consumers`.
  static let more = [
    Scenario(
      name: "psql and PostgreSQL: keys and a password file", script: "psql",
      says: "psql: keyholder by key, typist by password file"),
    Scenario(name: "NumPy and SciPy from their wheels", script: "wheels", says: "scipy: determinant 42"),
    Scenario(name: "DuckDB and pyarrow", script: "tables", says: "DuckDB: 42 pyarrow: 42"),
    Scenario(name: "ONNX: weights beside the model", script: "onnx", says: "onnxruntime: 42.0"),
    Scenario(name: "Java: a runtime of jlink's, and System.load", script: "java", says: "true 42"),
    Scenario(
      name: "Debian: a root file system, by chroot", script: "debian", says: "Debian 12, awk 42"),
  ]
}

struct ScenarioTests {
  /// As whoever runs the tests: `make` does as root, and as nobody.
  @Test(
    .enabled(if: access(NSTemporaryDirectory(), W_OK) == 0, "a scenario makes its input in a directory"),
    arguments: Scenario.always + (Archives.withMore ? Scenario.more : []))
  func `A scenario ends as the article says`(scenario: Scenario) throws {
    if scenario.isOnlyRoots && geteuid() != 0 { return }
    var command = Command("sh", ByteString(Repository.path("\(Self.directory)/\(scenario.script).sh").utf8))
    command.environment["MA"] = Program.path.text
    for name in ["MEMARCHIVE_MORE", "TMPDIR"] {
      command.environment[name] = ProcessInfo.processInfo.environment[name]
    }
    #expect(try command.run().output.text == scenario.says + "\n")
  }

  @Test func `Each script is a scenario of the article`() throws {
    let scenarios = Scenario.always + Scenario.more
    let files = try FileManager.default.contentsOfDirectory(atPath: Repository.path(Self.directory))
    #expect(Set(files) == Set(scenarios.map { "\($0.script).sh" } + ["common.sh"]))
    let article = try Repository.text(of: "Sources/MemArchive/MemArchive.docc/ConsumerMatrix.md")
    for scenario in scenarios { #expect(article.contains("\n| \(scenario.name) | \(scenario.script) |")) }
  }

  private static let directory = "Tests/ConsumerTests/Scenarios"
}
