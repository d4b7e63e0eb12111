// swift-tools-version: 6.2

import PackageDescription

let package = Package(
  name: "Server",
  dependencies: [
    .package(name: "MemArchive", path: "../..", traits: ["FastDecoders", "Observability"]),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.5.0"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
  ],
  targets: [
    .target(
      name: "Uploads",
      dependencies: [
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "MemArchive", package: "MemArchive"),
        .product(name: "MemArchiveObservability", package: "MemArchive"),
        // Built beside the program, where the library looks for it. It links little, and starts in half the time that a
        // server which is its own worker takes.
        .product(name: "memarchive-worker", package: "MemArchive"),
      ]),
    .executableTarget(name: "Server", dependencies: ["Uploads"]),
    .testTarget(
      name: "ServerTests",
      dependencies: [
        "Uploads",
        .product(name: "HummingbirdTesting", package: "hummingbird"),
        .product(name: "InMemoryLogging", package: "swift-log"),
        .product(name: "MetricsTestKit", package: "swift-metrics"),
      ]),
  ]
)
