import CNettle

/// Container images, as tar archives built byte by byte.
package struct Image: Sendable {
  /// The tars of the layers, the lowest first.
  package var layers: [Bytes]
  /// What an image's configuration has under "config", JSON.
  package var config: String
  package var architecture = "amd64"
  /// How a layer is in the archive.
  package var packed: @Sendable (Bytes) -> Bytes = { $0 }
  /// Whether a digest is another one.
  package var lies: Lie?
  package var tag = "name:tag"

  package enum Lie: Sendable { case layer, content, config, manifest }

  package init(_ layers: [Bytes], config: String = "{}") {
    (self.layers, self.config) = (layers, config)
    #if arch(arm64)
    architecture = "arm64"
    #endif
  }

  package static func digest(_ bytes: Bytes) -> String {
    var hash = sha256_ctx()
    nettle_sha256_init(&hash)
    nettle_sha256_update(&hash, bytes.count, bytes)
    var digest = Bytes(repeating: 0, count: Int(SHA256_DIGEST_SIZE))
    nettle_sha256_digest(&hash, digest.count, &digest)
    return digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  private func digest(_ bytes: Bytes, _ lie: Lie) -> String { Self.digest(bytes + (lies == lie ? [0] : [])) }

  private var configuration: Bytes {
    let contents = layers.map { "\"sha256:\(digest($0, .content))\"" }.joined(separator: ",")
    return Bytes(
      """
      {"os": "linux", "architecture": "\(architecture)", "config": \(config),
       "rootfs": {"type": "layers", "diff_ids": [\(contents)]}}
      """.utf8)
  }

  private var manifest: Bytes {
    let layers = layers.map { descriptor(packed($0), .layer) }.joined(separator: ",")
    return Bytes(
      "{\"schemaVersion\": 2, \"config\": \(descriptor(configuration, .config)), \"layers\": [\(layers)]}"
        .utf8)
  }

  /// - Parameter more: Further members.
  private func descriptor(_ bytes: Bytes, _ lie: Lie, _ more: String = "") -> String {
    // What lies still finds its blob.
    let digest = Self.digest(bytes)
    return "{\"mediaType\": \"x\", \"size\": \(bytes.count), \"digest\": \"sha256:\(digest)\"\(more)}"
  }

  private func blob(_ bytes: Bytes, _ lie: Lie) -> Bytes {
    Tar.entry(
      "blobs/sha256/\(Self.digest(bytes))",
      bytes.isEmpty || lies != lie ? bytes : [bytes[0] ^ 1] + bytes[1...])
  }

  /// Its part of an OCI image layout.
  private var blobs: Bytes {
    layers.reduce(blob(manifest, .manifest) + blob(configuration, .config)) { $0 + blob(packed($1), .layer) }
  }

  /// An OCI image layout.
  package static func layout(_ images: Image..., index: String? = nil) -> Bytes {
    let manifests = images.map { image in
      image.descriptor(
        image.manifest, .manifest,
        """
        , "platform": {"os": "linux", "architecture": "\(image.architecture)"}, \
        "annotations": {"org.opencontainers.image.ref.name": "\(image.tag)"}
        """)
    }
    let text = index ?? "{\"schemaVersion\": 2, \"manifests\": [\(manifests.joined(separator: ","))]}"
    return images.reduce(
      Tar.entry("oci-layout", Bytes("{\"imageLayoutVersion\": \"1.0.0\"}".utf8))
        + Tar.entry("index.json", Bytes(text.utf8))
    ) { $0 + $1.blobs } + Tar.end
  }

  /// What `docker save` wrote before version 25.
  package func saved(manifest: String? = nil) -> Bytes {
    let config = Self.digest(configuration) + ".json"
    let names = layers.indices.map { "\($0)/layer.tar" }
    let list = names.map { "\"\($0)\"" }.joined(separator: ",")
    let text = manifest ?? "[{\"Config\": \"\(config)\", \"RepoTags\": [\"\(tag)\"], \"Layers\": [\(list)]}]"
    let files = zip(names, layers).reduce(into: Bytes()) { $0 += Tar.entry($1.0, packed($1.1)) }
    return files + Tar.entry(config, lies == .config ? configuration + [0x20] : configuration)
      + Tar.entry("manifest.json", Bytes(text.utf8)) + Tar.end
  }
}
