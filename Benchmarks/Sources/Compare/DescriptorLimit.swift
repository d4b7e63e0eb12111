import Glibc

/// The soft limit on descriptors. This program is the host, so it may raise it; the library never does.
enum DescriptorLimit {
  /// Raises the soft limit to the hard one. Where that is too low, the ways that keep files open fail and say so.
  static func raise() {
    var limit = rlimit()
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard unsafe getrlimit(resource, &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    unsafe setrlimit(resource, &limit)
  }
}
