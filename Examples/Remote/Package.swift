// swift-tools-version: 6.2

import PackageDescription

let package = Package(
  name: "Remote",
  dependencies: [
    .package(name: "MemArchive", path: "../..", traits: ["FastDecoders", "HTTP"]),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.30.0"),
  ],
  targets: [
    .executableTarget(
      name: "Remote",
      dependencies: [
        .product(name: "MemArchive", package: "MemArchive"),
        .product(name: "MemArchiveHTTP", package: "MemArchive"),
        // Built beside the program, where the library looks for it.
        .product(name: "memarchive-worker", package: "MemArchive"),
      ]),
    .testTarget(
      name: "RemoteTests",
      dependencies: [
        "Remote",
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "MemArchive", package: "MemArchive"),
        .product(name: "MemArchiveHTTP", package: "MemArchive"),
      ]),
  ]
)
