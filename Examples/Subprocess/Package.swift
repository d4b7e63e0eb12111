// swift-tools-version: 6.2

import PackageDescription

let package = Package(
  name: "PassFiles",
  dependencies: [
    .package(name: "MemArchive", path: "../.."),
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
  ],
  targets: [
    .executableTarget(
      name: "PassFiles",
      dependencies: [
        .product(name: "MemArchive", package: "MemArchive"),
        .product(name: "Subprocess", package: "swift-subprocess"),
      ])
  ]
)
