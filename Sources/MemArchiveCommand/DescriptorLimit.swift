import Glibc
import Synchronization

/// The soft limit on descriptors: ours while we extract, the user's again for a command that we execute.
enum DescriptorLimit {
  private static let original = Mutex<rlimit?>(nil)

  /// Raises the soft limit to the hard one.
  static func raise() {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    original.withLock { $0 = $0 ?? limit }
    limit.rlim_cur = limit.rlim_max
    unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }

  /// Puts the user's soft limit back.
  static func restore() {
    guard var limit = original.withLock({ $0 }) else { return }
    unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}
