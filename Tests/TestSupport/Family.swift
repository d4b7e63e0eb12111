import Foundation
package import Glibc

/// The processes below this one, as /proc tells them.
package enum Family {
  package struct Worker {
    package let supervisor: pid_t
    package let template: pid_t
    package let worker: pid_t
  }

  package static func children(of process: String) -> [pid_t] {
    let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task")) ?? []
    return tasks.flatMap { task in
      ((try? String(contentsOfFile: "/proc/\(process)/task/\(task)/children", encoding: .utf8)) ?? "")
        .split(separator: " ").compactMap { pid_t($0) }
    }
  }

  /// The workers of templates that were started by this path, if not reaped, each with those above it. Tests beside this one have
  /// theirs in the same process: it is a path of one's own (`NamedWorker`), or one asks in a process of one's own.
  package static func workers(named path: String) -> [Worker] {
    children(of: "self").flatMap { supervisor in
      children(of: "\(supervisor)").filter { template in
        let command = (try? Bytes(contentsOfFile: "/proc/\(template)/cmdline")) ?? []
        return String(decoding: command, as: UTF8.self).contains(path)
      }.flatMap { template in
        children(of: "\(template)").map { Worker(supervisor: supervisor, template: template, worker: $0) }
      }
    }
  }

  /// Whether it is there and more than a corpse that waits for its parent.
  package static func lives(_ process: pid_t) -> Bool {
    guard let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
      let name = status.lastIndex(of: ")")
    else { return false }
    return !["Z", "X"].contains(status[name...].dropFirst(2).prefix(1))
  }

  /// Waits until it lives no more.
  package static func awaitEnd(of process: pid_t) { while lives(process) { sched_yield() } }
}
