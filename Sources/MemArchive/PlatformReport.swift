internal import CLinux
internal import Libc
internal import SealedMemory

/// Versions and kernel features, for a bug report or for a decision before an extraction.
public struct PlatformReport: Sendable {
  /// The version of MemArchive.
  public static let memArchiveVersion = "0.1.0"

  /// A feature of the kernel, and what it means for this library.
  public struct Feature: Hashable, Sendable {
    /// Its name, as in the man pages.
    public let name: String
    /// Whether the kernel has it; `nil` if that is unknown.
    public let isAvailable: Bool?
    /// The consequence for this library.
    public let meaning: String
  }

  /// The libraries in use, with the versions they report at run time.
  public let libraries: [String]
  /// The kernel's name and release, uname(2).
  public let kernel: String
  /// The kernel's features.
  public let features: [Feature]
  /// The program that reads archives in a sandbox, and the names of its processes; or why there is none.
  public let sandbox: String
  /// Whether there is such a program.
  package let hasWorker: Bool

  /// Queries the libraries and the kernel. Starts one short-lived child process (to probe user namespaces), for which the
  /// host receives no SIGCHLD.
  public init() {
    let always = [
      LibArchive.version, GzipDecoder.libraryVersion, BZip2Decoder.libraryVersion,
      LZ4Decoder.libraryVersion,
    ]
    #if FastDecoders
    let fast = [RawInflater.libraryVersion, LZMADecoder.libraryVersion, ZstdDecoder.libraryVersion]
    libraries = always + fast
    #else
    libraries = always
    #endif
    kernel = SystemCalls.kernel()
    do throws(ArchiveError) {
      let program = try WorkerLocator.program(ExtractionOptions(sandbox: .required))
      sandbox =
        "\(program.name) (memarchive-ward watches memarchive-tmpl, which forks memarchive-work for each archive)"
      hasWorker = true
    } catch {
      sandbox = error.reason
      hasWorker = false
    }
    let memfd = try? MemFile(name: "probe", bytes: [0])
    let landlock = clinux_landlock_abi()
    features = [
      Feature(
        name: "memfd_create, sealing", isAvailable: memfd != nil,
        meaning: memfd != nil ? "files in memory can be made and sealed" : "nothing can be extracted"),
      Feature(
        name: "/proc/self/fd", isAvailable: (try? memfd?.path) != nil,
        meaning: (try? memfd?.path) != nil
          ? "files have paths" : "files have descriptors and bytes, but no path"),
      Self.feature(
        "MFD_NOEXEC_SEAL", clinux_has_noexec_seal(), yes: "files cannot be made executable",
        no: "files carry no F_SEAL_EXEC (Linux 6.3 has it)"),
      Self.feature(
        "MADV_COLLAPSE", clinux_has_collapse(), yes: "large files can get huge pages",
        no: "large files are filled in 4 KiB pages (Linux 6.1 has it)"),
      Self.hugePages,
      Feature(
        name: "Landlock", isAvailable: landlock > 0,
        meaning: landlock > 0
          ? "ABI \(landlock): a worker can be locked in" : "a worker cannot be locked in (Linux 5.13)"),
      Self.feature(
        "user namespaces", clinux_has_user_namespaces(), yes: "a private mount is possible without root",
        no: "no private mounts for this user"),
    ]
  }

  /// What /sys/kernel/mm/transparent_hugepage/shmem_enabled says of memory files that ask for nothing.
  private static var hugePages: Feature {
    let text = SystemCalls.text(of: "/sys/kernel/mm/transparent_hugepage/shmem_enabled")
    let setting = text.split { "[]".contains($0) }.dropFirst().first.map { String($0) }
    let meaning =
      switch setting {
      case nil: "the system does not say whether memory files get huge pages as they are written"
      case "within_size", "always": "memory files get huge pages as they are written"
      case let other?: "\(other): only large files get huge pages; root may write within_size into it"
      }
    return Feature(
      name: "shmem_enabled", isAvailable: setting.map { ["within_size", "always"].contains($0) },
      meaning: meaning)
  }

  private static func feature(_ name: String, _ answer: Int32, yes: String, no: String) -> Feature {
    Feature(name: name, isAvailable: answer < 0 ? nil : answer > 0, meaning: answer > 0 ? yes : no)
  }
}

extension PlatformReport: CustomStringConvertible {
  /// The version, the libraries, the kernel and what it lacks, in one line.
  public var description: String {
    let missing = features.filter { $0.isAvailable == false }.map(\.name)
    let lacks = missing.isEmpty ? "" : " without \(missing.joined(separator: ", "))"
    return "MemArchive \(Self.memArchiveVersion), \(libraries.joined(separator: ", ")), \(kernel)\(lacks)"
  }
}
