/// The small files of an image's archive, by their paths.
struct ImageDocuments {
  private let files: [EntryPath: MemFile]
  private let known: Set<EntryPath>
  private let cancellation: Cancellation

  init(_ files: MemFiles, _ cancellation: Cancellation) {
    self.files = Dictionary(
      files.compactMap { name, file in EntryPath(name).map { ($0, file) } }, uniquingKeysWith: { $1 })
    known = Set(files.entries.lazy.compactMap { EntryPath($0.name) })
    names = Dictionary(
      files.entries.compactMap { entry in EntryPath(entry.name).map { ($0, entry.name) } },
      uniquingKeysWith: { $1 })
    self.cancellation = cancellation
  }

  private let names: [EntryPath: String]

  /// The name that an entry has in the archive.
  func name(of path: String) throws(ArchiveError) -> String {
    guard let found = EntryPath(path).flatMap({ names[$0] }) else { throw .imageLacks(path) }
    return found
  }

  /// A file's JSON; nil where the archive has no such entry.
  func read(_ path: String, digest: String? = nil) throws(ArchiveError) -> JSON? {
    guard let path = EntryPath(path), known.contains(path) else { return nil }
    let name = EntryName.key(path.bytes)
    guard let file = files[path] else {
      throw .corrupt("it is no file of at most \(JSON.mostBytes) bytes", entry: name)
    }
    if let digest, try SHA256.hex(of: file, cancellation) != digest {
      throw .notVerified(name, "its digest is another one than the image gives")
    }
    return try file.withContent { content throws(ArchiveError) in
      do throws(JSON.Malformed) { return try JSON(content) } catch {
        throw .corrupt("it is no JSON text: \(error.reason), at byte \(error.offset)", entry: name)
      }
    }.get()
  }
}

/// What an archive says of one image: the OCI image specification's layout, or docker's.
struct ImageManifest {
  let configuration: ContainerImage.Configuration
  let layers: [ContainerImage.Layer]
  let platform: ContainerImage.Platform
  let tags: [String]

  /// Upper bound of indexes in each other.
  private static let mostIndexes = 4
  /// Upper bound of layers; overlayfs, and so docker, take 128.
  private static let mostLayers = 500

  init(
    _ documents: ImageDocuments, tag: String?, platform: ContainerImage.Platform
  ) throws(ArchiveError) {
    // Docker writes both; the first has more digests.
    if let index = try documents.read("index.json") {
      try self.init(index, documents, tag, platform)
    } else if let list = try documents.read("manifest.json") {
      try self.init(docker: list, documents, tag, platform)
    } else {
      throw ArchiveError(
        .unrecognizedFormat,
        "this archive is no container image: it has neither index.json nor manifest.json",
        advice:
          "Give what docker save, podman save or skopeo copy writes; for the files of any other archive there is --tree."
      )
    }
  }

  // MARK: An OCI image layout

  private init(
    _ index: JSON, _ documents: ImageDocuments, _ tag: String?, _ platform: ContainerImage.Platform
  ) throws(ArchiveError) {
    let images = try Self.images(index, "index.json")
    let tagged = images.filter { image in
      tag.map { tag in image.tags.contains { Self.means($0, tag) } } ?? true
    }
    var chosen = try Self.choose(among: tagged, documents, platform, tag, images.flatMap(\.tags))
    var document = try Self.document(chosen, documents)
    for _ in 0..<Self.mostIndexes where document["manifests"] != nil {
      let inner = try Self.images(document, chosen.path)
      let tags = chosen.tags
      chosen = try Self.choose(among: inner, documents, platform, nil, tags)
      chosen.tags = tags
      document = try Self.document(chosen, documents)
    }
    let manifest = document
    guard let config = manifest["config"], let layers = manifest["layers"]?.array else {
      throw .corrupt("it is no image manifest: it has no config or layers", entry: chosen.path)
    }
    let described = try Descriptor(config, chosen.path)
    var digests: [Descriptor] = []
    for layer in layers.prefix(Self.mostLayers + 1) { digests.append(try Descriptor(layer, chosen.path)) }
    guard let text = try documents.read(described.path, digest: described.digest) else {
      throw .imageLacks(described.path)
    }
    try self.init(
      text, described.path,
      try digests.map { layer throws(ArchiveError) in (try documents.name(of: layer.path), layer.digest) },
      chosen.tags)
  }

  /// What a manifest or an index points to: a descriptor of the specification.
  private struct Descriptor {
    /// In hexadecimal.
    let digest: String
    let platform: ContainerImage.Platform?
    var tags: [String]

    init(_ json: JSON, _ document: String) throws(ArchiveError) {
      guard let text = json["digest"]?.string else {
        throw .corrupt("a descriptor has no digest", entry: document)
      }
      let digits = text.utf8.dropFirst("sha256:".utf8.count)
      guard text.hasPrefix("sha256:"), ImageManifest.isDigest(digits) else {
        throw .corrupt("\"\(text)\" is no digest by SHA-256", entry: document)
      }
      digest = String(decoding: digits, as: UTF8.self)
      platform = json["platform"].flatMap { ImageManifest.platform($0) }
      let annotations = json["annotations"]?.object ?? [:]
      tags = ["io.containerd.image.name", "org.opencontainers.image.ref.name"].compactMap {
        annotations[$0]?.string
      }
    }

    var path: String { "blobs/sha256/\(digest)" }
  }

  private static func images(_ index: JSON, _ document: String) throws(ArchiveError) -> [Descriptor] {
    guard let manifests = index["manifests"]?.array else {
      throw .corrupt("it is no image index: it has no manifests", entry: document)
    }
    var images: [Descriptor] = []
    for manifest in manifests { images.append(try Descriptor(manifest, document)) }
    return images
  }

  private static func document(
    _ image: Descriptor, _ documents: ImageDocuments
  ) throws(ArchiveError) -> JSON {
    guard let document = try documents.read(image.path, digest: image.digest) else {
      throw .imageLacks(image.path)
    }
    return document
  }

  /// The only image, or the only one for the platform. What is for no platform, such as an attestation, is for none.
  private static func choose(
    among images: [Descriptor], _ documents: ImageDocuments, _ platform: ContainerImage.Platform,
    _ tag: String?, _ tags: [String]
  ) throws(ArchiveError) -> Descriptor {
    if images.count == 1 { return images[0] }
    let fitting = images.filter { $0.platform.map { platform.accepts($0) } ?? true }
    // Several tags of one image are one.
    guard let first = fitting.first, fitting.allSatisfy({ $0.digest == first.digest }) else {
      throw .noImage(
        tag, fitting.isEmpty && !images.isEmpty ? platform : nil, tags, images.compactMap(\.platform))
    }
    return first
  }

  // MARK: What `docker save` wrote before it wrote such a layout

  private init(
    docker list: JSON, _ documents: ImageDocuments, _ tag: String?, _ platform: ContainerImage.Platform
  ) throws(ArchiveError) {
    let document = "manifest.json"
    guard let images = list.array else { throw .corrupt("it is no list of images", entry: document) }
    let tags = try images.map { image throws(ArchiveError) in
      try Self.strings(image["RepoTags"], "RepoTags", document)
    }
    let fitting = images.indices.filter { index in
      tag.map { tag in tags[index].contains { Self.means($0, tag) } } ?? true
    }
    guard fitting.count == 1 else { throw .noImage(tag, nil, tags.flatMap { $0 }, []) }
    let image = images[fitting[0]]
    guard let config = image["Config"]?.string, image["Layers"]?.array != nil else {
      throw .corrupt("an image has no Config or Layers", entry: document)
    }
    let names = try Self.strings(image["Layers"], "Layers", document)
    for name in names + [config] where EntryPath(name) == nil {
      throw ArchiveError(
        .insecureName, entry: document, "the manifest names \"\(name)\", which leads out of the archive",
        advice: "Do not trust this image.")
    }
    // Its name is its digest.
    let digits = config.utf8.split(separator: UInt8(ascii: "/")).last?.split(separator: UInt8(ascii: "."))
      .first
    let digest = digits.flatMap { Self.isDigest($0) ? String(Substring($0)) : nil }
    guard let text = try documents.read(config, digest: digest) else { throw .imageLacks(config) }
    try self.init(
      text, config,
      try names.map { name throws(ArchiveError) in (try documents.name(of: name), Self.digest(inPath: name))
      },
      tags[fitting[0]])
  }

  /// The digest that a blob of a layout is named by.
  private static func digest(inPath name: String) -> String? {
    guard name.hasPrefix("blobs/sha256/") else { return nil }
    let digits = name.utf8.dropFirst("blobs/sha256/".utf8.count)
    return isDigest(digits) ? String(decoding: digits, as: UTF8.self) : nil
  }

  // MARK: The configuration

  private init(
    _ config: JSON, _ document: String, _ blobs: [(name: String, digest: String?)], _ tags: [String]
  ) throws(ArchiveError) {
    guard let platform = Self.platform(config) else {
      throw .corrupt("it is no image configuration: it has no os or architecture", entry: document)
    }
    let digests = try Self.strings(config["rootfs"]?["diff_ids"], "diff_ids", document)
    guard digests.count == blobs.count, digests.count <= Self.mostLayers else {
      throw .corrupt(
        "the configuration has \(digests.count) layers, and the manifest \(blobs.count), of at most \(Self.mostLayers)",
        entry: document)
    }
    var layers: [ContainerImage.Layer] = []
    for (blob, digest) in zip(blobs, digests) {
      let digits = digest.utf8.dropFirst("sha256:".utf8.count)
      guard digest.hasPrefix("sha256:"), Self.isDigest(digits) else {
        throw .corrupt("\"\(digest)\" is no digest by SHA-256", entry: document)
      }
      layers.append(
        .init(name: blob.name, digest: blob.digest, contentDigest: String(decoding: digits, as: UTF8.self)))
    }
    let run = config["config"] ?? .null
    configuration = .init(
      environment: try Self.strings(run["Env"], "Env", document),
      user: try Self.string(run["User"], "User", document),
      workingDirectory: try Self.string(run["WorkingDir"], "WorkingDir", document),
      entrypoint: try Self.strings(run["Entrypoint"], "Entrypoint", document),
      command: try Self.strings(run["Cmd"], "Cmd", document))
    self.layers = layers
    self.platform = platform
    self.tags = tags
  }

  private static func platform(_ json: JSON) -> ContainerImage.Platform? {
    guard let system = json["os"]?.string, let architecture = json["architecture"]?.string else { return nil }
    return .init(system: system, architecture: architecture, variant: json["variant"]?.string)
  }

  /// A string that may be missing, without a NUL, which no argument of a program may have.
  private static func string(_ json: JSON?, _ name: String, _ document: String) throws(ArchiveError) -> String
  {
    guard let json else { return "" }
    guard let text = json.string, !text.utf8.contains(0) else {
      throw .corrupt("\(name) is no text", entry: document)
    }
    return text
  }

  private static func strings(_ json: JSON?, _ name: String, _ document: String) throws(ArchiveError)
    -> [String]
  {
    guard let json else { return [] }
    guard let values = json.array else { throw .corrupt("\(name) is no list", entry: document) }
    var strings: [String] = []
    for value in values { strings.append(try string(value, name, document)) }
    return strings
  }

  private static func isDigest(_ digits: some Collection<UInt8>) -> Bool {
    digits.count == 64
      && digits.allSatisfy {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
          || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
      }
  }

  /// Whether a full name is the one that is asked for, which may lack what comes before a slash or a colon.
  private static func means(_ name: String, _ asked: String) -> Bool {
    name == asked || name.hasSuffix("/" + asked) || name.hasSuffix(":" + asked)
  }
}

extension ArchiveError {
  /// - Parameter platform: For which there is none.
  static func noImage(
    _ tag: String?, _ platform: ContainerImage.Platform?, _ tags: [String],
    _ platforms: [ContainerImage.Platform]
  ) -> Self {
    func list(_ values: [String]) -> String {
      values.isEmpty ? "no names" : values.prefix(20).joined(separator: ", ")
    }
    if let platform {
      return Self(
        .noSuchEntry,
        "the archive has no image for \(platform), but for \(list(platforms.map(\.description)))",
        advice: platforms.count == 1
          ? "Ask for that platform, or for none." : "Choose one of these platforms.")
    }
    return Self(
      .noSuchEntry,
      tag.map { "the archive has no image, or several, of the name \"\($0)\", but \(list(tags))" }
        ?? "the archive has several images, or none: \(list(tags))",
      advice: "Choose one of them by its whole name.")
  }
}
