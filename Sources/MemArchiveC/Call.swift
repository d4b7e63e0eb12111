internal import CLinux
public import CMemArchive
internal import MemArchive

/// Where a function puts its error.
public typealias ErrorPlace = UnsafeMutablePointer<UnsafeMutablePointer<memarchive_error>?>
/// A zero-terminated text of the caller's.
public typealias CallerText = UnsafePointer<CChar>

/// What the caller gave makes no sense.
struct InvalidArgument: Error {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}

/// A callback of the caller's said that it failed.
struct CallbackFailure: Error {
  /// What it returned.
  let number: Int32
  /// Which, and while doing what.
  let reason: String
}

/// Runs what takes locks, on another thread where a fork(2) has left this one without a number of its own: hosts in Python
/// fork.
func answer<Result>(_ body: () -> Result) -> Result {
  guard clinux_is_forked_thread() == 1 else { return body() }
  var result: Result?
  withoutActuallyEscaping(body) { body in
    var work = { result = body() }
    unsafe withUnsafeMutablePointer(to: &work) { work in
      unsafe clinux_run_apart({ unsafe $0?.assumingMemoryBound(to: (() -> Void).self).pointee() }, work)
    }
  }
  guard let result else { return body() }
  return result
}

/// Runs a call's body, whose result goes to `place`: `empty` where it fails. No Swift error leaves a call.
func call<Value>(
  _ place: UnsafeMutablePointer<Value>?, empty: Value, _ error: ErrorPlace?, _ body: () throws -> Value
) -> memarchive_code {
  unsafe error?.pointee = nil
  unsafe place?.pointee = empty
  do {
    guard let place = unsafe place else { throw InvalidArgument("the place for the result is NULL") }
    unsafe place.pointee = try answer { Result { try body() } }.get()
    return memarchive_code(MEMARCHIVE_OK)
  } catch let failure {
    let report = ErrorReport(failure)
    if let error = unsafe error { unsafe error.pointee = report.record() }
    return report.code
  }
}

/// Runs the body of a call without a result.
func call(_ error: ErrorPlace?, _ body: () throws -> Void) -> memarchive_code {
  var nothing: Void = ()
  return unsafe call(&nothing, empty: (), error, body)
}

/// What an opaque pointer of the caller's stands for.
protocol Handle: AnyObject {
  /// What may have returned NULL, for callers that did not look.
  static var whyNull: String { get }
}

extension Handle {
  /// The handle behind a pointer, which stays the caller's.
  ///
  /// - Throws: `InvalidArgument` for NULL, and for a handle of another kind.
  static func of(_ pointer: OpaquePointer?) throws -> Self {
    guard let pointer = unsafe pointer else { throw InvalidArgument("the \(name) is NULL" + whyNull) }
    let object = unsafe Unmanaged<AnyObject>.fromOpaque(UnsafeRawPointer(pointer)).takeUnretainedValue()
    guard let handle = object as? Self else { throw InvalidArgument("the \(name) is another kind of handle") }
    return handle
  }

  static var whyNull: String { "" }

  private static var name: String { "\(Self.self)".dropLast("Handle".count).lowercased() }

  /// A pointer for the caller to free.
  func passed() -> OpaquePointer { unsafe OpaquePointer(Unmanaged.passRetained(self).toOpaque()) }

  /// A pointer that is valid as long as this object.
  var borrowed: OpaquePointer { unsafe OpaquePointer(Unmanaged.passUnretained(self).toOpaque()) }

  /// Gives back the reference that `passed` made.
  static func free(_ pointer: OpaquePointer?) {
    guard unsafe (try? of(pointer)) != nil, let pointer = unsafe pointer else { return }
    answer { unsafe Unmanaged<AnyObject>.fromOpaque(UnsafeRawPointer(pointer)).release() }
  }
}
