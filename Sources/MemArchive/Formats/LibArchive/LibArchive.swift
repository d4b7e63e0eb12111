internal import CLibArchive
internal import Libc
internal import SystemPackage

/// libarchive, which is loaded when something is first read by it.
enum LibArchive {
  private static let library = LateLibrary("libarchive", package: "libarchive13")

  /// Its functions, by their names in C, for the life of the process; loads the library if it is not loaded yet.
  ///
  /// - Throws: `system` if that is impossible, and what stands for a shortage where there is one.
  static func functions() throws(ArchiveError) -> UnsafePointer<clibarchive> {
    if let functions = unsafe clibarchive_functions() { return unsafe functions }
    let error = Errno(rawValue: errno)
    throw library.failure(error, failure)
  }

  /// Loads it for a process that may soon not open files any more.
  static func loadEarly() { library.loadEarly { () throws(ArchiveError) in unsafe _ = try functions() } }

  /// If it is not loaded yet, it is out of reach from here on.
  static func stopLoading() { clibarchive_stop_loading() }

  /// To be called before anything is reported of an archive whose entries take libarchive: a host can then have it read again
  /// by a worker that has loaded the library.
  ///
  /// - Throws: What `functions` throws if `stopLoading` came before it.
  static func checkReach() throws(ArchiveError) {
    if clibarchive_is_out_of_reach() != 0 { unsafe _ = try functions() }
  }

  /// Whether this system seems to have none: a worker that has loaded it before it was locked in would not help.
  static func isMissing(by error: ArchiveError) -> Bool {
    error.lacksLibArchive && clibarchive_is_out_of_reach() == 0
  }

  /// Its version and those of the decoders it was built with, or why there is none.
  static var version: String {
    guard let functions = unsafe clibarchive_functions(),
      let text = unsafe functions.pointee.archive_version_details()
    else { return "libarchive: \(failure)" }
    return unsafe String(cString: text)
  }

  private static var failure: String { unsafe String(cString: clibarchive_failure()) }
}

extension ArchiveError {
  /// Whether libarchive was out of reach.
  var lacksLibArchive: Bool { code == .system && call == "dlopen" }
}
