// swift-tools-version: 6.2

import PackageDescription

let package = Package(
  name: "Examples",
  dependencies: [.package(name: "MemArchive", path: "..")],
  targets: [
    // Without pkgConfig: SwiftPM refuses flags that fluidsynth.pc carries, with a warning at each build.
    .systemLibrary(name: "CFluidSynth", providers: [.apt(["libfluidsynth-dev"])]),
    // What newcomers wrote first (`make newcomer`).
    .executableTarget(
      name: "Player", dependencies: ["CFluidSynth", .product(name: "MemArchive", package: "MemArchive")]),
    .executableTarget(
      name: "Uploads",
      dependencies: [
        .product(name: "MemArchive", package: "MemArchive"),
        .product(name: "MemArchiveFoundation", package: "MemArchive"),
        .product(name: "memarchive-worker", package: "MemArchive"),
      ]),
    .executableTarget(name: "Inspector", dependencies: [.product(name: "MemArchive", package: "MemArchive")]),
    .executableTarget(
      name: "PluginHost", dependencies: [.product(name: "MemArchive", package: "MemArchive")]),
  ]
)
