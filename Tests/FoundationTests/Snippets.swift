// Written by Scripts/snippets from the examples in articles and comments: change those.
// swift-format-ignore-file
import Foundation
import Glibc
import MemArchive
import MemArchiveFoundation
import MemArchiveVerification

private let (synth, player, library, socket) = (CInt(1), CInt(2), CInt(3), FileDescriptor.standardInput)
private let passphrase = ""
private func fluid_synth_sfload(_ synth: CInt, _ path: UnsafePointer<CChar>, _ reset: CInt) -> CInt { reset }
private func fluid_player_add(_ player: CInt, _ path: UnsafePointer<CChar>) {}
private func fluid_player_play(_ player: CInt) {}
private func fluid_player_join(_ player: CInt) {}
private func FT_New_Face(_ library: CInt, _ path: UnsafePointer<CChar>, _ index: Int, _ face: inout Int) -> CInt { 0 }
private func checksum(_ bytes: UnsafeRawPointer?, _ count: Int) {}
private func index(_ path: String) {}
private func read(_ path: String) -> Int { 0 }
private func use(_ file: MemFile) {}

private func examples(_ file: MemFile, _ files: MemFiles) {
  var actions = posix_spawn_file_actions_t()
  var (pid, face) = (pid_t(), 0)
  let arguments: [UnsafeMutablePointer<CChar>?] = []

  // Sources/MemArchive/MemArchive.docc/FromAnArchiveToAPath.md
  func example1() throws {
    let files = try ArchiveReader(path: "fonts.tar.xz").extract(.matching { $0.name.hasSuffix(".ttf") })
    for (name, file) in files { print(name, file.size) }
    _ = files
  }

  // Sources/MemArchive/MemArchive.docc/FromAnArchiveToAPath.md
  func example2() throws {
    var stream = try ArchiveReader(path: "linux.tar.zst").stream()
    while let entry = try stream.next() {
      guard entry.name.hasSuffix(".h") else { continue }
      let file = try stream.extract()
      try file.withPath { path in index(path) }
    }
    _ = stream
  }

  // Sources/MemArchive/MemArchive.docc/FromAnArchiveToAPath.md
  func example3() throws {
    let package = try ArchiveReader(path: "hello.deb").extract()
    let files = try ArchiveReader(contentsOf: package["data.tar.xz"]!).extract()
    _ = package
    _ = files
  }

  // Sources/MemArchive/MemArchive.docc/FromAnArchiveToAPath.md
  func example4() throws {
    let options = ExtractionOptions(nestedArchives: .expand)
    let files = try ArchiveReader(path: "hello.deb").extract(options: options)
    let program = files["data.tar.xz/usr/bin/hello"]
    _ = options
    _ = files
    _ = program
  }

  // Sources/MemArchive/MemArchive.docc/GettingStarted.md
  func example5() throws {
    let files = try ArchiveReader(path: "song.zip").extract()
    for (name, file) in files { print(name, file.size, "bytes") }

    guard let font = files["gm.sf2"] else { fatalError("there is no gm.sf2 in song.zip") }
    let number = try font.withPath { path in fluid_synth_sfload(synth, path, 1) }
    _ = files
    _ = number
  }

  // Sources/MemArchive/MemArchive.docc/GettingStarted.md
  func example6() throws {
    func sizes(of path: String) async throws -> [String: Int] {
      try await ArchiveReader(path: path).extract().mapValues(\.size)
    }
  }

  // Sources/MemArchive/MemArchive.docc/GettingStarted.md
  func example7() throws {
    let options = ExtractionOptions(limits: .strict, sandbox: .required, timeout: .seconds(10))
    do {
      let files = try ArchiveReader(path: "upload.zip").extract(options: options)
      print(files.count, "files, read by", files.protection.map { "\($0)" } ?? "this process")
    } catch {
      switch error.code {
      case .unrecognizedFormat, .corrupt, .truncated: print("not a whole archive:", error)
      case .limitExceeded, .timedOut: print("too large:", error)
      case .sandboxUnavailable: print("no worker:", error)
      default: throw error
      }
    }
    _ = options
  }

  // Sources/MemArchive/MemArchive.docc/GettingStarted.md
  func example8() throws {
    let text = try ArchiveReader(path: "package.zip").extract(.names("README.txt"))["README.txt"]?.string()
    _ = text
  }

  // Sources/MemArchive/MemArchive.docc/GettingStarted.md
  func example9() throws {
    try file.withBytes { bytes in
      bytes.withUnsafeBytes { checksum($0.baseAddress, $0.count) }
    }
  }

  // Sources/MemArchive/MemArchive.docc/GettingStarted.md
  func example10() throws {
    let data = try file.data()
    _ = data
  }

  // Sources/MemArchive/MemArchive.docc/GettingStarted.md
  func example11() throws {
    try file.write(to: "/var/lib/player/gm.sf2")
  }

  // Sources/MemArchive/MemArchive.docc/GettingStarted.md
  func example12() throws {
    for (name, font) in try ArchiveReader(path: "fonts.tar.xz").extract(.glob("*.ttf", "*.otf")) {
      try font.withPath(named: String(name.split(separator: "/").last!)) { path in index(path) }
    }
  }

  // Sources/MemArchive/MemArchive.docc/GettingStarted.md
  func example13() throws {
    let plugin = try ArchiveReader(path: "plugins.tar").extract(.names("reverb.so"))["reverb.so"]!.openLibrary()
    let entryPoint = plugin.symbol("plugin_main")
    _ = plugin
    _ = entryPoint
  }

  // Sources/MemArchive/MemArchive.docc/GettingStarted.md
  func example14() throws {
    let options = ExtractionOptions(passphrases: [passphrase])
    let key = try ArchiveReader(path: "keys.zip").extract(.names("id_ed25519"), options: options)["id_ed25519"]!
    _ = options
    _ = key
  }

  // Sources/MemArchive/MemArchive.docc/GettingStarted.md
  func example15() throws {
    let tree = try ArchiveReader(path: "site.tar").tree()
    try tree.withPath { directory in index(directory) }
    _ = tree
  }

  // Sources/MemArchive/MemArchive.docc/GettingStarted.md
  func example16() async throws {
    let options = ExtractionOptions(nestedArchives: .expand)
    for try await file in ArchiveReader(path: "hello.deb").files(.glob("data.tar.*/usr/bin/*"), options: options) {
      print(file.name, file.size)
    }
    _ = options
  }

  // Sources/MemArchive/MemArchive.docc/HowLongAPathLives.md
  func example17() throws {
    let font = try file.withPath { path in FT_New_Face(library, path, 0, &face) }
    _ = font
  }

  // Sources/MemArchive/MemArchive.docc/HowLongAPathLives.md
  func example18() throws {
    try withExtendedLifetime(files) {
      fluid_player_add(player, try files["tune.mid"]!.path)
      fluid_player_play(player)
      fluid_player_join(player)
    }
  }

  // Sources/MemArchive/MemArchive.docc/Images.md
  func example19() throws {
    let image = try ContainerImage(ArchiveReader(path: "app.tar"))
    let tree = try image.tree()
    for variable in image.configuration.environment { print(variable) }
    _ = image
    _ = tree
  }

  // Sources/MemArchive/MemArchive.docc/InAServer.md
  func example20() throws {
    func receive(_ body: some AsyncSequence<ArraySlice<UInt8>, any Error> & Sendable) async throws {
      let reader = ArchiveReader(chunks: body)
      for try await file in reader.files(options: ExtractionOptions(sandbox: .required)) { use(file) }
    }
  }

  // Sources/MemArchive/MemArchive.docc/InAServer.md
  func example21() throws {
    let options = ExtractionOptions {
      $0.sandbox = .required
      $0.limits = .strict
      $0.timeout = .seconds(10)
      $0.insecureNames = .reject
      $0.storage = .packed
    }
    _ = options
  }

  // Sources/MemArchive/MemArchive.docc/KeysAndCertificates.md
  func example22() throws {
    let keys = try ArchiveReader(path: "keys.zip").extract(options: ExtractionOptions { $0.mode = 0o600 })
    try keys["id"]!.withPath { path in index(path) }
    _ = keys
  }

  // Sources/MemArchive/MemArchive.docc/Lazily.md
  func example23() throws {
    func serve(_ path: String) throws -> MemFile {
      let site = try ArchiveReader(path: path).lazyFiles()  // names, sizes and times: no content has been read
      for (name, entry) in site { print(name, entry.size ?? 0) }
      return try site.file("index.html")  // this entry is read and verified now, and kept
    }
  }

  // Sources/MemArchive/MemArchive.docc/Lazily.md
  func example24() throws {
    func listed(_ path: String, savedIndex: String) throws -> LazyMemFiles {
      let reader = ArchiveReader(path: path)
      if let bytes = try? Data(contentsOf: URL(filePath: savedIndex)) {
        return try reader.lazyFiles(index: MemFile(name: "index", bytes: bytes))
      }
      let files = try reader.lazyFiles()
      try files.index?.write(to: savedIndex)
      return files
    }
  }

  // Sources/MemArchive/MemArchive.docc/MemArchive.md
  func example25() throws {
    let files = try ArchiveReader(path: "song.zip").extract()
    let font = try files["gm.sf2"]!.withPath { path in fluid_synth_sfload(synth, path, 1) }
    _ = files
    _ = font
  }

  // Sources/MemArchive/MemArchive.docc/NativeExtensions.md
  func example26() throws {
    let tree = try ArchiveReader(path: "plugins.zip").tree()
    let place = try tree.attach(at: "/mnt")
    withExtendedLifetime(place) { index("/mnt/plugin.so") }
    _ = tree
    _ = place
  }

  // Sources/MemArchive/MemArchive.docc/PassingFilesOn.md
  func example27() throws {
    let path = try file.addToFileActions(&actions)
    posix_spawnp(&pid, "fluidsynth", &actions, nil, arguments + [strdup(path), nil], environ)
    _ = path
  }

  // Sources/MemArchive/MemArchive.docc/PlugInsAndData.md
  func example28() throws {
    let tree = try ArchiveReader(path: "site.tar").tree(writable: true)
    try tree.withPath(of: "data.db") { path in index(path) }
    for change in try tree.changes() { print(change.kind, change.name) }
    _ = tree
  }

  // Sources/MemArchive/MemArchive.docc/Scanners.md
  func example29() throws {
    try file.withBytes { span in span.withUnsafeBytes { bytes in checksum(bytes.baseAddress, bytes.count) } }
  }

  // Sources/MemArchive/MemArchive.docc/SourcesOfYourOwn.md
  func example30() throws {
    struct Volume: ArchiveSource {
      let descriptor: FileDescriptor
      let start: Int64
      let size: Int64

      func read(at offset: Int64, into buffer: inout MutableRawSpan) throws -> Int {
        let count = buffer.withUnsafeMutableBytes {
          pread(descriptor.rawValue, $0.baseAddress, $0.count, Int(start + offset))
        }
        guard count >= 0 else { throw Errno(rawValue: errno) }
        return count
      }
    }
    let inside = ArchiveReader(source: Volume(descriptor: .standardInput, start: 512, size: 4096))
    _ = inside
  }

  // Sources/MemArchive/MemArchive.docc/TheSandbox.md
  func example31() throws {
    let options = ExtractionOptions(formats: .all, sandbox: .required)
    let files = try ArchiveReader(path: "untrusted.rar").extract(options: options)
    _ = options
    _ = files
  }

  // Sources/MemArchive/MemArchive.docc/Trees.md
  func example32() throws {
    let tree = try ArchiveReader(path: "map.zip").tree()
    let features = try tree.withPath(of: "roads.shp") { path in read(path) }
    _ = tree
    _ = features
  }

  // Sources/MemArchive/MemArchive.docc/Trees.md
  func example33() throws {
    let tree = try ArchiveReader(path: "site.tar").tree(writable: true)
    try tree.withPath(of: "data.db") { path in index(path) }
    for change in try tree.changes() where change.kind != .removed { print(change.name) }
    _ = tree
  }

  // Sources/MemArchive/MemArchive.docc/VerifyThenUnpack.md
  func example34() throws {
    func bundle(_ path: String, signedBy key: String) throws -> MemFiles {
      let signature = try String(contentsOfFile: path + ".minisig", encoding: .utf8)
      return try ArchiveReader(path: path)
        .verified(by: .signature(.init(parsing: signature), .init(parsing: key)))
        .extract(options: ExtractionOptions(sandbox: .required))
    }
  }

  // Sources/MemArchive/MemArchive.docc/WhenSomethingIsWrong.md
  func example35() throws {
    func inform(about error: ArchiveError) -> String {
      error.description { advice in
        switch advice {
        case .raiseLimit(.totalBytes): "Choose a larger quota in the settings."
        case .givePassphrase: "Enter the archive's passphrase."
        default: "\(advice)"
        }
      }
    }
  }

  // Sources/MemArchive/MemArchive.docc/WritingArchives.md
  func example36() throws {
    let tree = try ArchiveReader(path: "site.tar.zst").tree(writable: true)
    try tree.withPath { path in index(path) }
    let archive = try ArchiveWriter(.tar(.zstd)).archive(of: tree)  // a sealed MemFile
    try archive.write(to: "site-2.tar.zst")
    _ = tree
    _ = archive
  }

  // Sources/MemArchive/MemArchive.docc/WritingArchives.md
  func example37() throws {
    let reader = ArchiveReader(path: "upload.7z")
    let files = try reader.extract(options: ExtractionOptions(sandbox: .required))
    try ArchiveWriter(.zip).write(files, to: socket)  // as another format
    _ = reader
    _ = files
  }

  // Sources/MemArchive/MemArchive.docc/WritingArchives.md
  func example38() throws {
    let report = try MemFile(name: "report/summary.txt", bytes: "12 files, no errors".utf8)
    let archive = try ArchiveWriter(.zip).archive(of: MemFiles([report]))
    _ = report
    _ = archive
  }

  // Sources/MemArchive/MemArchive.docc/WritingArchives.md
  func example39() throws {
    let time = ArchiveEntry.Time(seconds: 1_700_000_000)
    let writer = ArchiveWriter(.tar(.gzip), options: .init { $0.modified = .fixed(time) })
    _ = time
    _ = writer
  }

  // Sources/MemArchive/ArchiveReader.swift
  func example40() throws {
    let files = try ArchiveReader(path: "song.zip").extract()
    let font = try files["gm.sf2"]!.withPath { path in fluid_synth_sfload(synth, path, 1) }
    _ = files
    _ = font
  }

  // Sources/MemArchive/ArchiveStream.swift
  func example41() throws {
    var stream = try ArchiveReader(path: "linux.tar.xz").stream()
    while let entry = try stream.next() {
      if entry.name.hasSuffix(".h") { use(try stream.extract()) }
    }
    _ = stream
  }

  // Sources/MemArchive/Image/ContainerImage.swift
  func example42() throws {
    let image = try ContainerImage(ArchiveReader(path: "app.tar"))
    let root = try image.tree()  // its layers over each other
    _ = image
    _ = root
  }

  // Sources/MemArchive/LazyMemFiles.swift
  func example43() throws {
    let files = try ArchiveReader(path: "fonts.zip").lazyFiles()  // names, sizes, times: no content has been read
    let serif = try files.file("serif.ttf")  // this entry alone is read, and verified
    _ = files
    _ = serif
  }

  // Sources/MemArchive/MemTree.swift
  func example44() throws {
    let tree = try ArchiveReader(path: "map.zip").tree()
    let features = try tree.withPath(of: "roads.shp") { path in read(path) }  // finds roads.dbf beside it
    _ = tree
    _ = features
  }

  // Sources/MemArchive/Passing/MemFile+Spawn.swift
  func example45() throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    let path = try file.addToFileActions(&actions)
    posix_spawnp(&pid, "fluidsynth", &actions, nil, [strdup("fluidsynth"), strdup(path), nil], environ)
    withExtendedLifetime(file) {}
    _ = actions
    _ = path
  }

  // Sources/MemArchive/Source/ArchiveSource.swift
  func example46() throws {
    struct Volume: ArchiveSource {
      let descriptor: FileDescriptor
      let size: Int64
      func read(at offset: Int64, into buffer: inout MutableRawSpan) throws -> Int {
        let count = buffer.withUnsafeMutableBytes { pread(descriptor.rawValue, $0.baseAddress, $0.count, Int(offset)) }
        guard count >= 0 else { throw Errno(rawValue: errno) }
        return count
      }
    }
    let files = try ArchiveReader(source: Volume(descriptor: .standardInput, size: 4096)).extract()
    _ = files
  }

  // Sources/MemArchive/Writing/ArchiveWriter.swift
  func example47() throws {
    let archive = try ArchiveWriter(.tar(.zstd)).archive(of: files)  // a sealed MemFile
    try ArchiveWriter(.zip).write(files, to: .standardOutput)
    _ = archive
  }

  // Sources/MemArchiveVerification/Verification.swift
  func example48() throws {
    let signature = try Verification.Signature(parsing: String(contentsOfFile: "bundle.tar.xz.minisig", encoding: .utf8))
    let key = try Verification.PublicKey(parsing: String(contentsOfFile: "release.pub", encoding: .utf8))
    let files = try ArchiveReader(path: "bundle.tar.xz").verified(by: .signature(signature, key)).extract()
    _ = signature
    _ = key
    _ = files
  }
}
