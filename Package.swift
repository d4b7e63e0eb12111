// swift-tools-version: 6.2

import PackageDescription

let package = Package(
  name: "MemArchive",
  products: [
    .library(name: "MemArchive", targets: ["MemArchive"]),
    .library(name: "MemArchiveFoundation", targets: ["MemArchiveFoundation"]),
    .executable(name: "memarchive", targets: ["MemArchiveCommand"]),
    .executable(name: "memarchive-worker", targets: ["memarchive-worker"]),
  ],
  traits: [
    .trait(
      name: "FastDecoders",
      description: "Decodes by ISA-L, liblzma and libzstd; without it, zlib, liblz4 and libarchive do."),
    .default(enabledTraits: ["FastDecoders"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"),
  ],
  targets: [
    .systemLibrary(name: "CLibArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
    .systemLibrary(name: "CISAL", pkgConfig: "libisal", providers: [.apt(["libisal-dev"])]),
    .systemLibrary(name: "CLZMA", pkgConfig: "liblzma", providers: [.apt(["liblzma-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .target(name: "CLinux"),
    .target(
      name: "MemArchive",
      dependencies: [
        "CLibArchive", "CLinux", "CLZ4", "CZlib",
        .target(name: "CISAL", condition: .when(traits: ["FastDecoders"])),
        .target(name: "CLZMA", condition: .when(traits: ["FastDecoders"])),
        .target(name: "CZstd", condition: .when(traits: ["FastDecoders"])),
        .product(name: "SystemPackage", package: "swift-system"),
      ]),
    .target(
      name: "MemArchiveFoundation",
      dependencies: ["MemArchive", .product(name: "SystemPackage", package: "swift-system")]),
    .executableTarget(
      name: "MemArchiveCommand",
      dependencies: [
        "MemArchive",
        "CLinux",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "SystemPackage", package: "swift-system"),
      ]),
    .executableTarget(
      name: "memarchive-worker", dependencies: ["MemArchive"], path: "Sources/MemArchiveWorker"),
    .target(name: "CFaults", path: "Tests/CFaults"),
    .target(name: "CTrying", dependencies: ["CLinux"], path: "Tests/CTrying"),
    .executableTarget(
      name: "trying-worker", dependencies: ["MemArchive", "CTrying"], path: "Tests/TryingWorker"),
    .testTarget(
      name: "MemArchiveTests",
      dependencies: [
        "MemArchive", "CFaults", "CLibArchive", "CLinux", "CTrying", "CZlib", "memarchive-worker",
        "trying-worker",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "SystemPackage", package: "swift-system"),
      ]),
    .testTarget(name: "FoundationTests", dependencies: ["MemArchiveFoundation", "MemArchive"]),
    .testTarget(
      name: "CommandTests",
      dependencies: ["MemArchive", "MemArchiveCommand"],
      exclude: ["Expected"]),
    .testTarget(
      name: "ConsumerTests",
      dependencies: ["MemArchive", "MemArchiveCommand"],
      exclude: ["archives.py"]),
    .testTarget(
      name: "OrdinaryTests",
      dependencies: [
        "MemArchive", "CTrying", "CZlib", "memarchive-worker", "trying-worker",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      exclude: ["ordinary.py"]),
  ]
)

// libFuzzer has its own main, and every target is instrumented for it: only `make fuzz` builds this target.
if Context.environment["MEMARCHIVE_FUZZ"] != nil {
  package.targets.append(
    .executableTarget(
      name: "Fuzz", dependencies: ["MemArchive"], path: "Tests/Fuzz", exclude: ["run.sh", "Worker"],
      swiftSettings: [.unsafeFlags(["-parse-as-library"])]))
}

// The library in a program that is its own worker, which `make kernels` runs on other kernels.
if Context.environment["MEMARCHIVE_KERNELS"] != nil {
  package.targets.append(
    .executableTarget(name: "KernelHost", dependencies: ["MemArchive"], path: "Tests/Kernels/Host"))
}

// Every Swift target gets the same flags, whatever builds it: other flags would be another build. Packages that depend on
// this one get no errors from warnings (SE-0480); MEMARCHIVE_WARNINGS=1 does the same for a checkout.
for target in package.targets
where target.type != .system && !["CLinux", "CFaults", "CTrying"].contains(target.name) {
  var settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
  ]
  if target.type != .test { settings.append(.strictMemorySafety()) }
  if Context.environment["MEMARCHIVE_WARNINGS"] == nil {
    settings.append(.treatAllWarnings(as: .error))
  }
  target.swiftSettings = (target.swiftSettings ?? []) + settings
}
