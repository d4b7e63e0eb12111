import Foundation
package import Testing

/// Whether `make quick` runs.
package let isQuick = ProcessInfo.processInfo.environment["MEMARCHIVE_QUICK"] != nil

extension Trait where Self == ConditionTrait {
  /// For a case of more than a second, or cases of many seconds together, on a machine with nothing else to do: `make quick`
  /// passes them by.
  package static var slow: Self { .disabled(if: isQuick, "it is slow") }
}
