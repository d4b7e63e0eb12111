// swift-tools-version: 6.2

import PackageDescription

let package = Package(
  name: "MemArchive",
  products: [
    .library(name: "MemArchive", targets: ["MemArchive"]),
    .library(name: "MemArchiveFoundation", targets: ["MemArchiveFoundation"]),
    .library(name: "MemArchiveVerification", targets: ["MemArchiveVerification"]),
    .library(name: "MemArchiveHTTP", targets: ["MemArchiveHTTP"]),
    .library(name: "MemArchiveObservability", targets: ["MemArchiveObservability"]),
    .library(name: "MemArchiveC", type: .dynamic, targets: ["MemArchiveC"]),
    .executable(name: "memarchive", targets: ["MemArchiveCommand"]),
    .executable(name: "memarchive-worker", targets: ["memarchive-worker"]),
  ],
  traits: [
    .trait(
      name: "FastDecoders",
      description: "Decodes by ISA-L, liblzma, libzstd and Nettle; otherwise by zlib, liblz4, libarchive."),
    .trait(
      name: "Program",
      description: "The product memarchive: without it, clients do not resolve swift-argument-parser."),
    .trait(
      name: "Observability",
      description:
        "The product MemArchiveObservability: without it, clients resolve neither swift-log nor swift-metrics."
    ),
    .trait(
      name: "HTTP",
      description: "The product MemArchiveHTTP: without it, clients do not resolve async-http-client."),
    .default(enabledTraits: ["FastDecoders", "Program"]),
  ],
  dependencies: [
    // The lowest versions that compile, for clients that need them (zsh's completions of entries take argument parser 1.8.0);
    // `Scripts/client` sees what clients resolve.
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.5.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.100.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.7.2"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.30.0"),
  ],
  targets: [
    .systemLibrary(name: "CBZip2", providers: [.apt(["libbz2-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
    .systemLibrary(name: "CISAL", pkgConfig: "libisal", providers: [.apt(["libisal-dev"])]),
    .systemLibrary(name: "CLZMA", pkgConfig: "liblzma", providers: [.apt(["liblzma-dev"])]),
    .systemLibrary(name: "CNettle", pkgConfig: "nettle", providers: [.apt(["nettle-dev"])]),
    .systemLibrary(name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .target(name: "CLibArchive"),
    .target(name: "Libc"),
    .target(name: "CSquashFS"),
    .target(name: "CMemArchive"),
    .target(name: "CLinux"),
    .target(name: "CSupervisor", dependencies: ["CLinux"], exclude: ["README.md"]),
    .target(
      name: "SealedMemory",
      dependencies: ["CLinux", "Libc", .product(name: "SystemPackage", package: "swift-system")]),
    .target(
      name: "MemArchive",
      dependencies: [
        "CBZip2", "CLibArchive", "CLinux", "CLZ4", "CSquashFS", "CSupervisor", "CZlib", "Libc",
        "SealedMemory",
        .target(name: "CISAL", condition: .when(traits: ["FastDecoders"])),
        .target(name: "CLZMA", condition: .when(traits: ["FastDecoders"])),
        .target(name: "CNettle", condition: .when(traits: ["FastDecoders"])),
        .target(name: "CZstd", condition: .when(traits: ["FastDecoders"])),
        .product(name: "SystemPackage", package: "swift-system"),
      ]),
    .target(
      name: "MemArchiveFoundation",
      dependencies: ["MemArchive", .product(name: "SystemPackage", package: "swift-system")]),
    .target(name: "MemArchiveVerification", dependencies: ["CNettle", "CSodium", "MemArchive"]),
    // Files on servers, whatever carries the requests.
    .target(name: "HTTPRanges", dependencies: ["MemArchive"]),
    .target(
      name: "MemArchiveHTTP",
      dependencies: [
        "HTTPRanges", "MemArchive",
        .product(name: "AsyncHTTPClient", package: "async-http-client", condition: .when(traits: ["HTTP"])),
        .product(name: "NIOCore", package: "swift-nio", condition: .when(traits: ["HTTP"])),
        .product(name: "NIOHTTP1", package: "swift-nio", condition: .when(traits: ["HTTP"])),
      ]),
    // Requests of the program, by libcurl.
    .target(name: "CTransfer"),
    .target(
      name: "MemArchiveObservability",
      dependencies: [
        "MemArchive",
        .product(name: "Logging", package: "swift-log", condition: .when(traits: ["Observability"])),
        .product(name: "Metrics", package: "swift-metrics", condition: .when(traits: ["Observability"])),
      ]),
    // What C, C++ and Python call; `Scripts/static` links it as it is installed.
    .target(
      name: "MemArchiveC",
      dependencies: [
        "CLinux", "CMemArchive", "Libc", "MemArchive", "SealedMemory",
        .product(name: "SystemPackage", package: "swift-system"),
      ]),
    .executableTarget(
      name: "MemArchiveCommand",
      dependencies: [
        "MemArchive",
        "CLinux",
        "CNettle",
        "CTransfer",
        "HTTPRanges",
        "Libc",
        "MemArchiveVerification",
        "SealedMemory",
        .product(
          name: "ArgumentParser", package: "swift-argument-parser", condition: .when(traits: ["Program"])),
        .product(name: "SystemPackage", package: "swift-system"),
      ]),
    .executableTarget(
      name: "memarchive-worker", dependencies: ["Libc", "MemArchive"], path: "Sources/MemArchiveWorker"),
    .target(name: "CFaults", path: "Tests/CFaults"),
    .target(name: "CTrying", dependencies: ["CLinux"], path: "Tests/CTrying"),
    .executableTarget(
      name: "trying-worker", dependencies: ["MemArchive", "CTrying"], path: "Tests/TryingWorker"),
    .executableTarget(
      name: "HostileWorker",
      dependencies: [
        "MemArchive", "CLinux", "SealedMemory", .product(name: "SystemPackage", package: "swift-system"),
      ],
      path: "Tests/HostileWorker"),
    // The same file for each kind of client; see below for their settings.
    .target(
      name: "ClientSwift5", dependencies: ["MemArchive", "MemArchiveFoundation"], path: "Tests/Clients/Swift5"
    ),
    .target(
      name: "ClientMainActor", dependencies: ["MemArchive", "MemArchiveFoundation"],
      path: "Tests/Clients/MainActor"),
    .target(
      name: "ClientStrictMemory", dependencies: ["MemArchive", "MemArchiveFoundation"],
      path: "Tests/Clients/StrictMemory"),
    .target(
      name: "ClientUpcoming", dependencies: ["MemArchive", "MemArchiveFoundation"],
      path: "Tests/Clients/Upcoming"),
    // What the tests have in common; nothing else depends on it.
    .target(
      name: "TestSupport",
      dependencies: [
        "MemArchive", "CNettle", "CZlib",
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      path: "Tests/TestSupport"),
    .testTarget(
      name: "MemArchiveTests",
      dependencies: [
        "MemArchive", "SealedMemory", "TestSupport", "CFaults", "CLibArchive", "CLinux", "CTrying", "CZlib",
        "HostileWorker", "memarchive-worker", "trying-worker",
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      // Called without the library too, to see which of its faults it has.
      linkerSettings: [.linkedLibrary("archive")]),
    .testTarget(
      name: "FoundationTests",
      dependencies: [
        "ClientMainActor", "ClientStrictMemory", "ClientSwift5", "ClientUpcoming", "MemArchive",
        "MemArchiveFoundation", "MemArchiveVerification", "TestSupport",
      ]),
    .testTarget(
      name: "VerificationTests", dependencies: ["MemArchive", "MemArchiveVerification", "TestSupport"]),
    .testTarget(
      name: "CommandTests",
      dependencies: ["HTTPRanges", "MemArchive", "MemArchiveCommand", "TestSupport"],
      exclude: ["Expected", "completion.py", "server.py"]),
    .testTarget(
      name: "ConsumerTests",
      dependencies: ["MemArchive", "MemArchiveCommand", "TestSupport"],
      exclude: ["Scenarios", "archives.py"]),
    .testTarget(
      name: "OrdinaryTests",
      dependencies: [
        "MemArchive", "TestSupport", "CTrying", "memarchive-worker", "trying-worker",
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      exclude: ["ordinary.py"]),
  ]
)

// libFuzzer has its own main, and every target is instrumented for it: only `make fuzz` and `make fuzzer` build this target.
if Context.environment["MEMARCHIVE_FUZZ"] != nil {
  package.targets.append(
    .executableTarget(
      name: "Fuzz", dependencies: ["CMemArchive", "MemArchive", "MemArchiveC"], path: "Tests/Fuzz",
      exclude: ["run.sh", "Worker"],
      swiftSettings: [.unsafeFlags(["-parse-as-library"])]))
}

// A plugin is built with whatever is built: only `make docs` needs this one.
if Context.environment["MEMARCHIVE_DOCS"] != nil {
  package.dependencies.append(
    .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"))
}

// The library in a program that is its own worker, which `make kernels` runs on other kernels.
if Context.environment["MEMARCHIVE_KERNELS"] != nil {
  package.targets.append(
    .executableTarget(name: "KernelHost", dependencies: ["MemArchive"], path: "Tests/Kernels/Host"))
}

// Examples/Sources/Demo, of which `make demo` makes a program without building the library once more.
if Context.environment["MEMARCHIVE_DEMO"] != nil {
  package.targets += [
    // Without pkgConfig: SwiftPM refuses flags that fluidsynth.pc carries, with a warning at each build.
    .systemLibrary(
      name: "CFluidSynth", path: "Examples/Sources/CFluidSynth", providers: [.apt(["libfluidsynth-dev"])]),
    .systemLibrary(
      name: "CFreeType", path: "Examples/Sources/CFreeType", pkgConfig: "freetype2",
      providers: [.apt(["libfreetype-dev"])]),
    .executableTarget(
      name: "Demo", dependencies: ["CFluidSynth", "CFreeType", "MemArchive"], path: "Examples/Sources/Demo"),
  ]
}

// The library and its own tests, without the program and what that is made of: for builds beside the usual one.
if Context.environment["MEMARCHIVE_LIBRARY"] != nil {
  let others = [
    "MemArchiveC", "MemArchiveCommand", "CommandTests", "ConsumerTests", "FoundationTests", "OrdinaryTests",
    "VerificationTests",
  ]
  package.targets.removeAll { others.contains($0.name) || $0.name.hasPrefix("Client") }
  package.products.removeAll { ["MemArchiveC", "memarchive"].contains($0.name) }
}

// Tests run optimised, as users have the library (`make test`): then what @testable needs must be asked for. Optimising the
// tests themselves would take longer than it saves.
let isTested = Context.environment["MEMARCHIVE_TESTED"] != nil

// Every Swift target is held to the same rules, by whatever builds it: other flags would be another build. Packages that take
// this one from a repository are spared the errors (SE-0480); MEMARCHIVE_WARNINGS=1 spares whoever takes a checkout.
for target in package.targets
where target.type != .system
  && ![
    "CLibArchive", "CLinux", "CMemArchive", "CSquashFS", "CSupervisor", "CTransfer", "CFaults", "CTrying",
    "Demo",
  ].contains(target.name)
  && !target.name.hasPrefix("Client")
{
  var settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
  ]
  if target.type == .test || ["TestSupport", "HostileWorker"].contains(target.name) {
    // Whether the library can be imported with @testable.
    settings.append(isTested ? .define("TESTABLE") : .define("TESTABLE", .when(configuration: .debug)))
  } else {
    settings.append(.strictMemorySafety())
  }
  if isTested { settings.append(.unsafeFlags([target.type == .test ? "-Onone" : "-enable-testing"])) }
  if Context.environment["MEMARCHIVE_WARNINGS"] == nil {
    settings.append(.treatAllWarnings(as: .error))
  }
  target.swiftSettings = (target.swiftSettings ?? []) + settings
}

// Clients have rules of their own, and no warning by any.
let clients: [String: [SwiftSetting]] = [
  "ClientSwift5": [.swiftLanguageMode(.v5)],
  "ClientMainActor": [.defaultIsolation(MainActor.self)],
  "ClientStrictMemory": [.strictMemorySafety()],
  "ClientUpcoming": [
    .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"), .enableUpcomingFeature("InferIsolatedConformances"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"), .enableUpcomingFeature("ImmutableWeakCaptures"),
  ],
]
for target in package.targets {
  if let settings = clients[target.name] { target.swiftSettings = settings + [.treatAllWarnings(as: .error)] }
}
