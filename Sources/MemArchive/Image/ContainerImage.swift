/// A container image in an archive: what `docker save` writes, or an OCI image layout as an archive, compressed or not.
///
/// The manifest and the configuration are read and verified when it is made, the layers when they are extracted: a layer's bytes
/// are compared with its digest, and what is decoded from it with its digest in the configuration, before anything in it is
/// looked at. The names that a manifest gives are looked up among the archive's entries, and never lead anywhere else.
///
/// ```swift
/// let image = try ContainerImage(ArchiveReader(path: "app.tar"))
/// let root = try image.tree()  // its layers over each other
/// ```
public struct ContainerImage: Sendable {
  /// The kind of machine that an image is for.
  public struct Platform: Hashable, Sendable {
    /// The operating system, such as "linux".
    public let system: String
    /// The processor as Go names it: "amd64", "arm64".
    public let architecture: String
    /// A variant of the processor, such as "v7".
    public let variant: String?

    /// A platform by the names that Go has for its parts.
    public init(system: String, architecture: String, variant: String? = nil) {
      (self.system, self.architecture, self.variant) = (system, architecture, variant)
    }

    /// The platform that this was compiled for.
    public static var host: Self {
      #if arch(x86_64)
      Self(system: "linux", architecture: "amd64")
      #elseif arch(arm64)
      Self(system: "linux", architecture: "arm64")
      #elseif arch(arm)
      Self(system: "linux", architecture: "arm", variant: "v7")
      #elseif arch(riscv64)
      Self(system: "linux", architecture: "riscv64")
      #else
      Self(system: "linux", architecture: "unknown")
      #endif
    }

    /// Whether an image for `other` is one for this; a variant counts where both have one.
    func accepts(_ other: Self) -> Bool {
      system == other.system && architecture == other.architecture
        && (variant == nil || other.variant == nil || variant == other.variant)
    }
  }

  /// How its program is to be started, as the image's maker wrote it. Nothing here is verified but its form.
  public struct Configuration: Hashable, Sendable {
    /// Variables, `NAME=VALUE`.
    public let environment: [String]
    /// The user, and after a colon the group, each by name or by number; empty for user 0.
    public let user: String
    /// An absolute path in the image; empty for "/".
    public let workingDirectory: String
    /// The program with its first arguments.
    public let entrypoint: [String]
    /// The arguments after the entrypoint, which whoever starts the image may replace; without an entrypoint, the program.
    public let command: [String]
  }

  /// One layer.
  public struct Layer: Hashable, Sendable {
    /// Its name in the archive.
    public let name: String
    /// The SHA-256 of its bytes there, in hexadecimal; nil in an archive of `docker save` that gives none.
    public let digest: String?
    /// The SHA-256 of what it decodes to, a tar.
    public let contentDigest: String
  }

  /// How its program is to be started.
  public let configuration: Configuration
  /// The layers, the lowest first.
  public let layers: [Layer]
  /// What the configuration says that it is for.
  public let platform: Platform
  /// The image's names, such as "debian:12".
  public let tags: [String]

  let reader: ArchiveReader

  /// Reads and verifies an image's manifest and configuration.
  ///
  /// - Parameters:
  ///   - reader: The archive. It is read again for the layers, so that a pipe has to be kept first: ``MemFile/init(name:reading:limits:)``.
  ///   - tag: The image with this name, of several; nil for the only one. "12" or "debian:12" name "docker.io/library/debian:12".
  ///   - platform: The platform that the image has to be for; by default ``Platform/host`` where an image is for several, and
  ///     otherwise any.
  ///   - options: As for ``ArchiveReader/extract(_:options:)-78d4g``.
  /// - Throws: ``ArchiveError`` as that, and with ``ArchiveError/Code/unrecognizedFormat`` where the archive has no image,
  ///   ``ArchiveError/Code/noSuchEntry`` where it has none for the tag or platform or several,
  ///   ``ArchiveError/Code/corrupt`` for a manifest that contradicts itself or names what the archive does not have, and
  ///   ``ArchiveError/Code/notVerified`` where a digest is another one.
  public init(
    _ reader: ArchiveReader, tag: String? = nil, platform: Platform? = nil,
    options: ExtractionOptions = ExtractionOptions()
  ) throws(ArchiveError) {
    self = try ExtractionContext(options).observing(.extract, of: reader) { context throws(ArchiveError) in
      try Self(reader, tag: tag, platform: platform, in: context)
    }
  }

  package init(
    _ reader: ArchiveReader, tag: String?, platform: Platform?, in context: ExtractionContext
  ) throws(ArchiveError) {
    let files = try reader.extract(
      .matching { $0.kind == .file && $0.size ?? .max <= Int64(JSON.mostBytes) },
      in: context.storing(.automatic))
    let documents = ImageDocuments(files, context.cancellation)
    let manifest = try ImageManifest(documents, tag: tag, platform: platform ?? .host)
    if let platform, !platform.accepts(manifest.platform) {
      throw .noImage(tag, platform, manifest.tags, [manifest.platform])
    }
    (configuration, layers) = (manifest.configuration, manifest.layers)
    (self.platform, tags) = (manifest.platform, manifest.tags)
    self.reader = reader
  }

  /// The image's file system: its layers over each other, in memory, as the tree of any archive is (<doc:Trees>).
  ///
  /// What a layer hides (whiteouts, opaque directories) is not there. A layer's entry replaces one of another kind, and its
  /// directories are those of the layers below where these have a symbolic link to one, and what is below a symbolic link of its
  /// own is where that leads in the image. Devices, pipes, set-user-ID,
  /// set-group-ID and sticky bits are left out as in every tree. ``MemTree/entries`` are those of all layers.
  ///
  /// - Parameters:
  ///   - writable: Whether files can be changed.
  ///   - options: Limits hold for all layers together; content counts once where it is compressed in the archive, once as a tar, and once in
  ///     the tree. ``ExtractionOptions/outwardLinks`` leaves out links to absolute paths by default, most of which lead to the
  ///     image's own files once its tree is the root of a process: for that, keep them.
  /// - Throws: ``ArchiveError`` as a tree, and as the initializer.
  public func tree(
    writable: Bool = false, options: ExtractionOptions = ExtractionOptions()
  ) throws(ArchiveError) -> MemTree {
    try tree(writable: writable, in: ExtractionContext(options))
  }

  package func tree(writable: Bool = false, in context: ExtractionContext) throws(ArchiveError) -> MemTree {
    try context.observing(.tree, of: reader) { context throws(ArchiveError) in
      let space = try TreeFileSystem(
        context.ledger, method: context.hooks.mountMethod, looks: TreeLooks(context.options))
      let stack = LayerStack(TreeBuilder(space, .all, nested: .keep), top: try space.openTop())
      try add(to: stack, in: context)
      try stack.finish(context)
      return try MemTree(stack.builder, writable: writable)
    }
  }

  /// Verifies each layer and applies it to what is there.
  func add(to stack: LayerStack, in context: ExtractionContext) throws(ArchiveError) {
    let names = Set(layers.map(\.name))
    let dedicated = context.storing(.dedicated)
    let extracted = try reader.extract(.names(names), in: dedicated)
    // A layer's memory is given back once it is applied, unless it comes again.
    var files = layers.map { extracted[$0.name] }
    _ = consume extracted
    for (index, layer) in layers.enumerated() {
      guard let file = files[index] else { throw .imageLacks(layer.name) }
      files[index] = nil
      let content = try verified(file, layer, in: dedicated)
      try stack.add(ArchiveReader(contentsOf: content), named: layer.name, in: context)
    }
  }

  /// The tar that a layer is, or decodes to.
  private func verified(
    _ file: MemFile, _ layer: Layer, in context: ExtractionContext
  ) throws(ArchiveError) -> MemFile {
    let digest = try SHA256.hex(of: file, context.cancellation)
    if let expected = layer.digest, expected != digest {
      throw .notVerified(layer.name, "the layer's digest is another one")
    }
    if digest == layer.contentDigest { return file }
    do throws(ArchiveError) {
      // One layer of compression is taken off, whatever is beneath it.
      let decoded = try ArchiveReader(contentsOf: file).extract(in: context.decodingOnly)
      if let content = decoded.values.first,
        try SHA256.hex(of: content, context.cancellation) == layer.contentDigest
      {
        return content
      }
    } catch {
      guard error.code == .unrecognizedFormat else { throw error.naming(layer.name) }
    }
    throw .notVerified(layer.name, "what the layer holds has another digest than the configuration gives")
  }
}

extension ContainerImage.Platform: LosslessStringConvertible {
  /// The parts with a slash between them, such as "linux/arm/v7".
  public var description: String {
    ([system, architecture] + (variant.map { [$0] } ?? [])).joined(separator: "/")
  }

  /// A platform as docker(1) writes it; nil if that has not two or three parts.
  public init?(_ description: String) {
    let parts = description.split(separator: "/", omittingEmptySubsequences: false).map { String($0) }
    guard (2...3).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }) else { return nil }
    self.init(system: parts[0], architecture: parts[1], variant: parts.count == 3 ? parts[2] : nil)
  }
}

extension ContainerImage: CustomStringConvertible {
  /// The image in one line, its tags escaped like ``ArchiveError/description``.
  public var description: String {
    PlainText.escaped("ContainerImage(\(tags.joined(separator: ", ")) \(platform), \(layers.count) layers)")
  }
}

extension ArchiveError {
  static func notVerified(_ name: String, _ reason: String) -> Self {
    Self(
      .notVerified, entry: name, reason,
      advice: "Fetch the image again from where it came from, and do not use this copy.")
  }

  static func imageLacks(_ name: String) -> Self {
    .corrupt("the image's manifest names \"\(name)\", which the archive does not have")
  }
}
