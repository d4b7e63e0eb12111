import Foundation
import MemArchive
import TestSupport
import Testing

/// Layers over each other, and what an image says of itself.
struct ContainerImageTests {
  /// The files and links below a directory, "NAME: CONTENT" or "NAME -> TARGET", and directories that hold nothing, "NAME/".
  static func listing(_ tree: MemTree) throws -> [String] {
    try tree.withPath { top in
      let manager = FileManager.default
      return try manager.subpathsOfDirectory(atPath: top).compactMap { name in
        let path = top + "/" + name
        if let target = try? manager.destinationOfSymbolicLink(atPath: path) { return "\(name) -> \(target)" }
        if let names = try? manager.contentsOfDirectory(atPath: path) {
          return names.isEmpty ? name + "/" : nil
        }
        return "\(name): \(String(decoding: try Bytes(contentsOfFile: path), as: UTF8.self))"
      }.sorted()
    }
  }

  private static let keepingLinks = ExtractionOptions { $0.outwardLinks = .keep }

  private func listing(_ layers: [Bytes]..., options: ExtractionOptions = keepingLinks) throws -> [String] {
    let image = Image(layers.map { $0.reduce([], +) + Tar.end })
    return try Self.listing(ContainerImage(ArchiveReader(bytes: Image.layout(image))).tree(options: options))
  }

  private static func file(_ name: String, _ text: String) -> Bytes { Tar.entry(name, Bytes(text.utf8)) }
  private static func directory(_ name: String, mode: Int = 0o755) -> Bytes {
    Tar.entry(name, type: "5", mode: mode)
  }
  private static func link(_ name: String, _ target: String, hard: Bool = false) -> Bytes {
    Tar.entry(name, type: hard ? "1" : "2", link: target)
  }

  @Test func `A layer's entries replace those below, and hide what it says`() throws {
    let base = [
      Self.file("a", "1"), Self.file("d/x", "2"), Self.file("d/y", "3"), Self.file("e/f/g", "4"),
      Self.file("o/low", "5"), Self.file("o/deep/low", "6"),
    ]
    #expect(
      try listing(
        base,
        [
          Self.file("a", "new"), Self.file("d/.wh.x", ""), Self.file(".wh.e", ""), Self.file("o/high", "7"),
          Self.file("o/.wh..wh..opq", ""), Self.file("d/.wh.absent", ""), Self.file(".wh..wh.plnk", ""),
        ]) == ["a: new", "d/y: 3", "o/high: 7"])
    // The mark may come after what it does not hide, and in a directory that is new.
    #expect(
      try listing(
        base,
        [Self.file(".wh.d", ""), Self.file("d/z", "8"), Self.directory("n"), Self.file("n/.wh..wh..opq", "")])
        == ["a: 1", "d/z: 8", "e/f/g: 4", "n/", "o/deep/low: 6", "o/low: 5"])
    // Another kind.
    #expect(
      try listing(
        base, [Self.directory("a"), Self.file("d", "9"), Self.link("e", "o"), Self.file("o/deep", "10")])
        == ["a/", "d: 9", "e -> o", "o/deep: 10", "o/low: 5"])
  }

  @Test(arguments: Isolation.allCases)
  func `An absolute name in a layer begins at the image's root`(_ isolation: Isolation) throws {
    let layers = [[Self.file("a", "1")], [Self.file("/a", "rooted"), Self.file("../b", "2")]]
    #expect(try listing(layers[0], layers[1], options: isolation.applied()) == ["a: rooted"])
  }

  @Test func `A layer's directories are what the links of those below lead to, in the image`() throws {
    let base = [Self.directory("usr/bin"), Self.link("bin", "/usr/bin"), Self.link("up", "../../usr")]
    #expect(
      try listing(base, [Self.file("bin/tool", "1"), Self.file("up/bin/other", "2")])
        == ["bin -> /usr/bin", "up -> ../../usr", "usr/bin/other: 2", "usr/bin/tool: 1"])
    // A directory of its own takes the place of the link.
    #expect(
      try listing(base, [Self.directory("bin"), Self.file("bin/tool", "1")])
        == ["bin/tool: 1", "up -> ../../usr", "usr/bin/"])
    // What a layer hides may be in a directory that it replaces, as umoci has it.
    #expect(
      try listing([Self.file("d/x/f", "1")], [Self.file("d", "2"), Self.file("d/.wh.x", "")]) == ["d: 2"])
    // What is hidden is looked for there too.
    #expect(
      try listing(base + [Self.file("usr/bin/tool", "1")], [Self.file("bin/.wh.tool", "")])
        == ["bin -> /usr/bin", "up -> ../../usr", "usr/bin/"])
  }

  /// Layers, and what umoci makes of them.
  struct OwnLinks: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let layers: [[Bytes]]
    let listing: [String]

    init(_ testDescription: String, _ layers: [Bytes]..., gives listing: [String]) {
      (self.testDescription, self.layers, self.listing) = (testDescription, layers, listing)
    }
  }

  static let ownLinks = [
    OwnLinks(
      "a directory of the layer", [directory("usr/bin"), link("bin", "usr/bin"), file("bin/tool", "1")],
      gives: ["bin -> usr/bin", "usr/bin/tool: 1"]),
    OwnLinks(
      "one that is not there yet", [link("bin", "/no/where"), file("bin/tool", "1"), directory("bin/d")],
      gives: ["bin -> /no/where", "no/where/d/", "no/where/tool: 1"]),
    OwnLinks(
      "other kinds",
      [
        link("bin", "usr/bin"), file("bin/a", "1"), link("bin/b", "bin/a", hard: true), link("bin/c", "a"),
        link("d", "bin/a", hard: true),
      ], gives: ["bin -> usr/bin", "d: 1", "usr/bin/a: 1", "usr/bin/b: 1", "usr/bin/c -> a"]),
    OwnLinks(
      "links through each other",
      [link("a", "b/c"), link("b", "d"), link("d/c", "../e/./"), file("a/x/y", "1")],
      gives: ["a -> b/c", "b -> d", "d/c -> ../e/./", "e/x/y: 1"]),
    OwnLinks(
      "out of the root",
      [link("up", "../../.."), file("up/x", "1"), link("d/up", "../../e"), file("d/up/y", "2")],
      gives: ["d/up -> ../../e", "e/y: 2", "up -> ../../..", "x: 1"]),
    OwnLinks(
      "the root", [link("r", "/"), file("r/x", "1"), directory("r/d"), file("r/r/d/y", "2")],
      gives: ["d/y: 2", "r -> /", "x: 1"]),
    OwnLinks(
      "a link that is replaced", [link("a", "one"), file("a/x", "1"), link("a", "two"), file("a/y", "2")],
      gives: ["a -> two", "one/x: 1", "two/y: 2"]),
    OwnLinks(
      "a link that a directory replaces",
      [link("bin", "usr/bin"), file("bin/x", "1"), directory("bin"), file("bin/y", "2")],
      gives: ["bin/y: 2", "usr/bin/x: 1"]),
    OwnLinks(
      "a name of it again", [link("bin", "usr/bin"), file("usr/bin/x", "1"), file("bin/x", "2")],
      gives: ["bin -> usr/bin", "usr/bin/x: 2"]),
    OwnLinks(
      "what it hides", [file("usr/bin/old", "0"), file("usr/bin/kept", "1")],
      [link("bin", "usr/bin"), file("bin/.wh.old", "")], gives: ["bin -> usr/bin", "usr/bin/kept: 1"]),
    OwnLinks(
      "all that it hides", [file("usr/bin/old", "0")],
      [link("bin", "usr/bin"), file("bin/new", "1"), file("bin/.wh..wh..opq", "")],
      gives: ["bin -> usr/bin", "usr/bin/new: 1"]),
    OwnLinks(
      "what it hides where a link below leads", [link("usr", "/opt"), file("opt/bin/old", "0")],
      [link("bin", "usr/bin"), file("bin/x", "1"), file("bin/.wh.old", "")],
      gives: ["bin -> usr/bin", "opt/bin/x: 1", "usr -> /opt"]),
    OwnLinks(
      "up from where a link below leads",
      [directory("usr/lib"), directory("usr/share/foo"), link("lib", "usr/lib")],
      [link("lib/foo", "../share/foo"), file("lib/foo/x", "1")],
      gives: ["lib -> usr/lib", "usr/lib/foo -> ../share/foo", "usr/share/foo/x: 1"]),
    OwnLinks(
      "up from a directory in the place of a link below", [directory("usr/lib"), link("lib", "usr/lib")],
      [directory("lib"), link("lib/foo", "../share"), file("lib/foo/x", "1")],
      gives: ["lib/foo -> ../share", "share/x: 1", "usr/lib/"]),
    OwnLinks(
      "a link below to what is not there",
      [link("c", "/../a/../e/b"), link("e", "no/../where"), link("d", "f")],
      [file("c/d/x", "1"), file("d/y", "2"), directory("d/z")],
      gives: ["c -> /../a/../e/b", "d -> f", "e -> no/../where", "f/y: 2", "f/z/", "where/b/d/x: 1"]),
    OwnLinks(
      "a link below to what the layer hides", [file("e/low", "0"), link("d", "e")],
      [file("d/x", "1"), file(".wh.e", "")], gives: ["d -> e", "e/x: 1"]),
    OwnLinks(
      "a link below in a circle, which makes way", [link("a", "b"), link("b", "a")], [file("a/x", "1")],
      gives: ["a/x: 1", "b -> a"]),
    OwnLinks(
      "a link below to a file, which makes way",
      [file("f", "0"), link("l", "f"), link("m", "f/g"), link("n", "no/../f/g")],
      [file("l/x", "1"), file("m/y", "2"), file("n/z", "3")], gives: ["f: 0", "l/x: 1", "m/y: 2", "n/z: 3"]),
    OwnLinks(
      "through a link that a link below hides", [file("usr/bin/x", "1"), link("bin", "usr/bin")],
      [file(".wh.bin", ""), link("sbin", "bin"), file("sbin/y", "2")],
      gives: ["bin/y: 2", "sbin -> bin", "usr/bin/x: 1"]),
    OwnLinks(
      "a hard link through it", [file("usr/bin/x", "1")],
      [link("bin", "usr/bin"), link("h", "bin/x", hard: true), link("bin/i", "usr/bin/x", hard: true)],
      gives: ["bin -> usr/bin", "h: 1", "usr/bin/i: 1", "usr/bin/x: 1"]),
  ]

  @Test(arguments: ownLinks, Isolation.allCases)
  func `What a layer has below its own link is where that leads`(
    _ row: OwnLinks, _ isolation: Isolation
  ) throws {
    let image = Image(row.layers.map { $0.reduce([], +) + Tar.end })
    let options = ExtractionOptions {
      $0 = isolation.applied()
      $0.outwardLinks = .keep
    }
    let tree = try ContainerImage(ArchiveReader(bytes: image.saved()), options: options).tree(
      options: options)
    #expect(try Self.listing(tree) == row.listing)
    #expect(tree.skipped.isEmpty && tree.warnings.allSatisfy { $0.code == .duplicate })
  }

  @Test func `A hard link leads to the layers below, and to a link itself`() throws {
    let base = [Self.file("d/f", "1"), Self.link("s", "d/f"), Self.link("bin", "d")]
    #expect(
      try listing(
        base,
        [
          Self.link("h", "d/f", hard: true), Self.link("t", "s", hard: true),
          Self.link("i", "bin/f", hard: true),
        ])
        == ["bin -> d", "d/f: 1", "h: 1", "i: 1", "s -> d/f", "t -> d/f"])
    let image = Image([base.reduce([], +) + Tar.end, Self.link("h", "/d/f", hard: true) + Tar.end])
    let tree = try ContainerImage(ArchiveReader(bytes: image.saved())).tree()
    #expect(try tree.path(of: "h") != tree.path(of: "d/f"))
    var (one, other) = (stat(), stat())
    try tree.withPath(of: "h") { #expect(lstat($0, &one) == 0) }
    try tree.withPath(of: "d/f") { #expect(lstat($0, &other) == 0) }
    #expect(one.st_ino == other.st_ino)
    let missing = Image([base.reduce([], +) + Tar.end, Self.link("h", "nothing", hard: true) + Tar.end])
    let warned = try ContainerImage(ArchiveReader(bytes: missing.saved())).tree()
    #expect(warned.warnings.map(\.code) == [.brokenLink])
  }

  @Test func `A directory looks as the last layer that has it says`() throws {
    let image = Image([
      Self.directory("d", mode: 0o700) + Self.directory("e", mode: 0o511) + Self.file("d/f", "1") + Tar.end,
      Self.directory("d", mode: 0o555) + Self.file("e/g", "2") + Tar.end,
    ])
    let tree = try ContainerImage(ArchiveReader(bytes: Image.layout(image))).tree()
    for (name, mode) in [("d", 0o555), ("e", 0o511)] as [(String, mode_t)] {
      var status = stat()
      try tree.withPath(of: name) { #expect(lstat($0, &status) == 0) }
      #expect(status.st_mode & 0o777 == mode)
      #expect(status.st_mtim.tv_sec == 1_700_000_000)
    }
  }

  @Test(arguments: Isolation.allCases)
  func `Each kind of archive, and of compression, is the same image`(_ isolation: Isolation) throws {
    var image = Image(
      [Self.file("a", "1") + Tar.end, Tar.end, Self.file("b", "2") + Tar.end],
      config: """
        {"Env": ["A=1", "B=\\u00e9"], "User": "1:2", "WorkingDir": "/w", "Entrypoint": null, "Cmd": ["x", "y"]}
        """)
    var archives = [Image.layout(image), image.saved(), Gzip.deflated(image.saved())]
    image.packed = { Gzip.deflated($0) }
    archives += [Image.layout(image), image.saved()]
    for archive in archives {
      let options = isolation.applied()
      let image = try ContainerImage(ArchiveReader(bytes: archive), options: options)
      #expect(image.configuration.environment == ["A=1", "B=é"])
      #expect(image.configuration.user == "1:2" && image.configuration.workingDirectory == "/w")
      #expect(image.configuration.entrypoint == [] && image.configuration.command == ["x", "y"])
      #expect(image.tags == ["name:tag"] && image.layers.count == 3)
      let tree = try image.tree(writable: true, options: options)
      #expect(try Self.listing(tree) == ["a: 1", "b: 2"])
      try tree.withPath { try Bytes("3".utf8).write(to: $0 + "/c") }
      #expect(try tree.changes().map(\.name) == ["c"])
    }
  }

  @Test func `Of several images the one for the tag and the platform is read`() throws {
    var images = ["amd64", "arm64"].map { architecture in
      var image = Image([Self.file(architecture, "") + Tar.end])
      image.architecture = architecture
      return image
    }
    let layout = ArchiveReader(bytes: Image.layout(images[0], images[1]))
    for (architecture, image) in zip(["amd64", "arm64"], images) {
      let platform = try #require(ContainerImage.Platform("linux/" + architecture))
      #expect(
        try Self.listing(ContainerImage(layout, platform: platform).tree()) == [image.architecture + ": "])
    }
    #expect(try ContainerImage(layout).platform == .host)
    let absent = #expect(throws: ArchiveError.self) {
      try ContainerImage(layout, platform: .init(system: "plan9", architecture: "amd64"))
    }
    #expect(absent?.code == .noSuchEntry)
    images[1].architecture = "amd64"
    images[1].tag = "other:1"
    let platform = ContainerImage.Platform(system: "linux", architecture: "amd64")
    let tagged = ArchiveReader(bytes: Image.layout(images[0], images[1]))
    for tag in ["other:1", "1"] {
      #expect(try ContainerImage(tagged, tag: tag, platform: platform).tags == ["other:1"])
    }
    let several = #expect(throws: ArchiveError.self) { try ContainerImage(tagged, platform: platform) }
    #expect(several?.code == .noSuchEntry && several?.reason.contains("other:1") == true)
    for text in ["linux", "linux/", "a/b/c/d", ""] { #expect(ContainerImage.Platform(text) == nil) }
    #expect(ContainerImage.Platform("linux/arm/v7")?.description == "linux/arm/v7")
  }

  // MARK: Hostile

  struct Attack: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let code: ArchiveError.Code
    let archive: Bytes
    var limits = ExtractionLimits()
  }

  private static func lying(_ lie: Image.Lie) -> Image {
    var image = Image([file("a", "1") + Tar.end])
    image.lies = lie
    return image
  }

  private static func manifest(_ text: String) -> Bytes {
    Image([file("a", "1") + Tar.end]).saved(manifest: text)
  }

  private static let bomb: Bytes = {
    var image = Image((0..<4).map { Tar.entry("f\($0)", Bytes(repeating: $0, count: 1 << 20)) + Tar.end })
    image.packed = { Gzip.deflated($0) }
    return Image.layout(image)
  }()

  /// What is appended to an archive, before its end.
  private static func saved(_ entries: Bytes...) -> Bytes {
    let image = Image([file("a", "1") + Tar.end]).saved()
    return entries.reduce(Bytes(image.dropLast(Tar.end.count)), +) + Tar.end
  }

  /// Indexes in each other, the last of which has nothing.
  private static let indexes: Bytes = {
    var (blobs, text) = (Bytes(), "{\"manifests\": []}")
    for _ in 0..<6 {
      let digest = Image.digest(Bytes(text.utf8))
      blobs += file("blobs/sha256/\(digest)", text)
      text = "{\"manifests\": [{\"digest\": \"sha256:\(digest)\"}]}"
    }
    return blobs + file("index.json", text) + Tar.end
  }()

  static let attacks: [Attack] = [
    Attack(testDescription: "a layer's digest", code: .notVerified, archive: Image.layout(lying(.layer))),
    Attack(testDescription: "what it decodes to", code: .notVerified, archive: Image.layout(lying(.content))),
    Attack(testDescription: "the same, saved", code: .notVerified, archive: lying(.content).saved()),
    Attack(testDescription: "the configuration's", code: .notVerified, archive: Image.layout(lying(.config))),
    Attack(testDescription: "the same, saved", code: .notVerified, archive: lying(.config).saved()),
    Attack(testDescription: "the manifest's", code: .notVerified, archive: Image.layout(lying(.manifest))),
    Attack(
      testDescription: "a layer that is missing", code: .corrupt,
      archive: manifest(#"[{"Config": "c.json", "Layers": ["x/layer.tar"]}]"#)),
    Attack(
      testDescription: "a layer elsewhere", code: .insecureName,
      archive: manifest(#"[{"Config": "c.json", "Layers": ["../../etc/passwd"]}]"#)),
    Attack(
      testDescription: "a configuration elsewhere", code: .insecureName,
      archive: manifest(#"[{"Config": "/etc/passwd", "Layers": []}]"#)),
    Attack(
      testDescription: "a digest that is a path", code: .corrupt,
      archive: Image.layout(index: #"{"manifests": [{"digest": "sha256:../../../etc/passwd"}]}"#)),
    Attack(
      testDescription: "an index without its manifest", code: .corrupt,
      archive: Image.layout(
        index: "{\"manifests\": [{\"digest\": \"sha256:\(String(repeating: "0", count: 64))\"}]}")),
    Attack(
      testDescription: "a layer that is a link elsewhere", code: .linkTargetUnavailable,
      archive: saved(link("0/layer.tar", "/etc/passwd"))),
    Attack(
      testDescription: "a layer that is a hard link elsewhere", code: .linkTargetUnavailable,
      archive: saved(link("0/layer.tar", "../../etc/passwd", hard: true))),
    Attack(
      testDescription: "a manifest that is a link elsewhere", code: .corrupt,
      archive: saved(link("manifest.json", "/etc/hostname"))),
    Attack(testDescription: "indexes in each other", code: .corrupt, archive: indexes),
    Attack(
      testDescription: "501 layers", code: .corrupt,
      archive: Image.layout(Image(Array(repeating: Tar.end, count: 501)))),
    Attack(testDescription: "no image", code: .unrecognizedFormat, archive: file("a", "1") + Tar.end),
    Attack(
      testDescription: "a text without an end of depth", code: .corrupt,
      archive: manifest(String(repeating: "[", count: 1 << 20))),
    Attack(
      testDescription: "a million values", code: .corrupt,
      archive: manifest("[" + String(repeating: "0,", count: 1 << 20) + "0]")),
    Attack(
      testDescription: "a manifest of 5 MiB", code: .corrupt,
      archive: manifest("[" + String(repeating: " ", count: 5 << 20) + "]")),
    Attack(
      testDescription: "a mark that hides ..", code: .insecureName,
      archive: Image([file("d/a", "1") + Tar.end, file("d/.wh...", "") + Tar.end]).saved()),
    Attack(
      testDescription: "a mark that hides .", code: .insecureName,
      archive: Image([file("d/.wh..", "") + Tar.end]).saved()),
    Attack(
      testDescription: "a mark that hides nothing", code: .insecureName,
      archive: Image([file("d/.wh.", "") + Tar.end]).saved()),
    Attack(
      testDescription: "a circle of links, and a file below", code: .nameConflict,
      archive: Image([link("a", "b") + link("b", "a") + file("a/x", "1") + Tar.end]).saved()),
    Attack(
      testDescription: "a link into itself, and a file below", code: .nameConflict,
      archive: Image([link("a", "a/a/a/a") + file("a/x", "1") + Tar.end]).saved()),
    Attack(
      testDescription: "41 links one after another, and a file below", code: .nameConflict,
      archive: Image([(0..<41).flatMap { link("l\($0)", "l\($0 + 1)") } + file("l0/x", "1") + Tar.end])
        .saved()),
    Attack(
      testDescription: "links that make a path too long, and a file below", code: .nameTooLong,
      archive: Image([
        (0..<40).flatMap { link(String(repeating: "w/", count: $0) + "w", String(repeating: "d", count: 99)) }
          + file(String(repeating: "w/", count: 40) + "beyond/x", "1") + Tar.end
      ]).saved()),
    Attack(
      testDescription: "links that lead up and down for long, and a file below", code: .nameConflict,
      archive: Image([
        (0..<39).flatMap { link("l\($0)", String(repeating: "a/../", count: 19) + "l\($0 + 1)") }
          + file("l0/x", "1") + Tar.end
      ]).saved()),
    Attack(
      testDescription: "a link to a file, and a file below", code: .nameConflict,
      archive: Image([file("f", "1") + link("l", "f") + file("l/x", "1") + Tar.end]).saved()),
    Attack(
      testDescription: "a link in the place of a directory", code: .nameConflict,
      archive: Image([file("d/x", "1") + link("d", "e") + Tar.end]).saved()),
    Attack(
      testDescription: "layers that are large together", code: .limitExceeded, archive: bomb,
      limits: ExtractionLimits(totalBytes: 6 << 20)),
    Attack(
      testDescription: "layers of many entries together", code: .limitExceeded, archive: bomb,
      limits: ExtractionLimits(entries: 9)),
    Attack(
      testDescription: "a layer that is no tar", code: .unsupportedFormat,
      archive: Image([Zip.archive([Zip.Entry("a", file("a", "1"))])]).saved()),
  ]

  @Test(arguments: attacks, Isolation.allCases)
  func `A hostile image is an error`(_ attack: Attack, _ isolation: Isolation) throws {
    var options = isolation.applied()
    options.limits = attack.limits
    let error = #expect(throws: ArchiveError.self) {
      try ContainerImage(ArchiveReader(bytes: attack.archive), options: options).tree(options: options)
    }
    #expect(error?.code == attack.code, "\(String(describing: error))")
  }

  @Test(arguments: Isolation.allCases)
  func `Nothing of an image leads out of it`(_ isolation: Isolation) throws {
    try withTemporaryDirectory { outside in
      try Bytes("untouched".utf8).write(to: outside + "/f")
      let climb = String(repeating: "../", count: 12)
      let layers: [Bytes] = [
        Self.link("kept", outside) + Self.link("abs", outside) + Self.link("rel", climb + outside.dropFirst())
          + Self.link("proc", "/proc/self/cwd")
          + Self.link("file", outside + "/f"),
        Self.file("abs/f", "1") + Self.file("rel/f", "2") + Self.file("file/x", "3") + Self.file("../f", "4")
          + Self.file("abs/.wh.f", ""),
        Self.file(".wh.f", "") + Self.file("abs/.wh..wh..opq", "")
          + Self.link("h", outside + "/f", hard: true)
          + Self.link("i", "abs/f", hard: true) + Self.file("abs/.wh.f", ""),
      ]
      for links in ExtractionOptions.OutwardLinks.allCases {
        let options = ExtractionOptions {
          $0 = isolation.applied()
          $0.outwardLinks = links
        }
        let image = Image(layers.map { $0 + Tar.end })
        do {
          let tree = try ContainerImage(ArchiveReader(bytes: image.saved()), options: options).tree(
            options: options)
          let listing = try Self.listing(tree)
          #expect(!listing.contains { $0.hasSuffix("untouched") })
          #expect(listing.contains { $0.contains(outside) } == (links == .keep), "\(listing)")
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: outside) == ["f"])
        #expect(try Bytes(contentsOfFile: outside + "/f") == Bytes("untouched".utf8))
      }
    }
  }
}
