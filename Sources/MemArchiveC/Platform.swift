// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation
// memarchive.h documents these functions.

public import CMemArchive
internal import MemArchive

/// Never freed, as the caller is told.
nonisolated(unsafe) private let versionText: (arena: Arena, text: CallerText?) = {
  let arena = Arena()
  return unsafe (arena, arena.cString(PlatformReport.memArchiveVersion))
}()

@c(memarchive_version)
public func version() -> CallerText? { unsafe versionText.text }

@c(memarchive_version_number)
public func versionNumber() -> Int32 {
  PlatformReport.memArchiveVersion.split(separator: ".").reduce(0) { $0 * 100 + (Int32($1) ?? 0) }
}

@c(memarchive_platform_new)
public func platformNew() -> UnsafeMutablePointer<memarchive_platform>? {
  let report = answer { PlatformReport() }
  let arena = Arena()
  let features = unsafe report.features.map { feature in
    unsafe memarchive_feature(
      name: arena.cString(feature.name), meaning: arena.cString(feature.meaning),
      is_available: feature.isAvailable.map { $0 ? 1 : 0 } ?? -1)
  }
  return unsafe arena.record(
    memarchive_platform(
      description: arena.cString("\(report)"), kernel: arena.cString(report.kernel),
      sandbox: arena.cString(report.sandbox), has_worker: report.hasWorker ? 1 : 0,
      feature_count: features.count,
      features: arena.list(features)))
}

@c(memarchive_platform_free)
public func platformFree(_ platform: UnsafeMutablePointer<memarchive_platform>?) {
  unsafe Arena.free(platform)
}

@c(memarchive_pool_end)
public func poolEnd() { answer { ExtractionPool.shared.end() } }
