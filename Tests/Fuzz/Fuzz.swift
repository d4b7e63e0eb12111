import MemArchive

/// What libFuzzer calls with each input (https://llvm.org/docs/LibFuzzer.html). A target returns when the library
/// behaves, and stops the process when it does not; so does every trap and every report of the address sanitizer.
enum FuzzTarget: String, CaseIterable {
  /// Zip: `ZipReader` against libarchive.
  case zip
  /// One decoder each, against libarchive's filter.
  case gzip, xz, lzma, lzip, zstd, lz4
  /// Names and links, whatever bytes they are of.
  case names
  /// A worker's messages to its host.
  case worker
  /// RAR headers, which are read without libarchive too.
  case rar
  /// All formats that are read without libarchive, with the archives inside them.
  case archive
  /// The same by what C calls.
  case abi

  func run(_ input: [UInt8]) {
    switch self {
    case .zip: ZipComparison.run(input)
    case .gzip, .xz, .lzma, .lzip, .zstd, .lz4: DecoderComparison.run(input)
    case .names: NameCheck.run(input)
    case .worker: WorkerCheck.run(input)
    case .rar: RARCheck.run(input)
    case .archive: ArchiveCheck.run(input)
    case .abi: ABICheck.run(input)
    }
  }
}

private let target: FuzzTarget = {
  // libFuzzer ignores arguments that begin with two dashes.
  let word = CommandLine.arguments.last { $0.hasPrefix("--target=") }?.dropFirst("--target=".count)
  guard let target = FuzzTarget(rawValue: String(word ?? "")) else {
    fatalError("name a target: --target=\(FuzzTarget.allCases.map(\.rawValue).joined(separator: "|"))")
  }
  return target
}()

/// Runs one input; always returns 0, as libFuzzer requires.
@c(LLVMFuzzerTestOneInput) public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  unsafe target.run(Array(UnsafeBufferPointer(start: start, count: count)))
  return 0
}

/// Reports a failure and ends the process, which makes libFuzzer keep the input.
func report(_ what: String) -> Never { fatalError(what) }

extension ExtractionOptions {
  /// No input may take more than this, and none may depend on what the machine has free.
  static var fuzzing: Self {
    Self {
      $0.limits = ExtractionLimits(totalBytes: 1 << 22, heldBytes: 1 << 22, entries: 2000)
      $0.parallelism = 1
    }
  }
}

extension MemFile {
  var content: [UInt8] {
    do { return try withBytes { bytes in unsafe bytes.withUnsafeBytes { unsafe Array($0) } } } catch {
      report("a file that was handed out cannot be read: \(error)")
    }
  }
}
