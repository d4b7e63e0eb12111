import CLinux
import Glibc
import Testing

/// The filter as the kernel would run it, for both architectures that it is written for.
struct FilterTests {
  enum Verdict: Equatable {
    case allowed, trapped, killed
    case error(UInt32)
  }

  struct Filter {
    let architecture: UInt32
    private var instructions = [clinux_instruction](
      repeating: clinux_instruction(), count: Int(CLINUX_MOST_INSTRUCTIONS))

    init(
      _ architecture: UInt32, executable: Bool = false, noexec: Bool = true, pipe: Int32 = -1,
      source: Int32 = 0
    ) {
      self.architecture = architecture
      var settings = clinux_filter_settings()
      settings.architecture = architecture
      settings.allows_executable = executable ? 1 : 0
      settings.has_noexec_seal = noexec ? 1 : 0
      settings.first_own = 5
      settings.process = 4711
      settings.pipe = pipe
      settings.source = source
      settings.window = 0x7000
      let count = clinux_build_filter(&settings, &instructions)
      instructions.removeSubrange(count...)
    }

    var count: Int { instructions.count }

    /// Classic BPF, as far as the filter uses it (Documentation/networking/filter.rst).
    func verdict(_ call: UInt32, _ arguments: UInt64..., on other: UInt32? = nil) -> Verdict? {
      var accumulator: UInt32 = 0
      var position = 0
      while position < instructions.count {
        let instruction = instructions[position]
        position += 1
        switch instruction.code {
        case 0x20:
          switch instruction.value {
          case 0: accumulator = call
          case 4: accumulator = other ?? architecture
          default:
            let index = Int(instruction.value - 16) / 8
            accumulator = UInt32(truncatingIfNeeded: index < arguments.count ? arguments[index] : 0)
          }
        case 0x05: position += Int(instruction.value)
        case 0x15:
          position += Int(accumulator == instruction.value ? instruction.if_true : instruction.if_false)
        case 0x35:
          position += Int(accumulator >= instruction.value ? instruction.if_true : instruction.if_false)
        case 0x45:
          position += Int(accumulator & instruction.value != 0 ? instruction.if_true : instruction.if_false)
        case 0x06:
          switch instruction.value {
          case 0x7FFF_0000: return .allowed
          case 0x0003_0000: return .trapped
          case 0x8000_0000: return .killed
          default:
            return instruction.value & 0xFFFF_0000 == 0x0005_0000 ? .error(instruction.value & 0xFFFF) : nil
          }
        default: return nil
        }
      }
      return nil
    }
  }

  /// The same calls by their numbers on x86-64 and aarch64.
  struct Numbers: CustomTestStringConvertible {
    let architecture: UInt32
    let memfd, fcntl, mmap, mprotect, sendmsg, read, openat, tgkill, fchmod, madvise, sigprocmask,
      futex: UInt32
    let refused: [UInt32]
    var testDescription: String { architecture == UInt32(CLINUX_X86_64) ? "x86-64" : "aarch64" }
  }

  static let numbers = [
    // execve, clone, fork, vfork, clone3, socket, connect, ptrace, kill, ioctl, prctl, dup, lseek, io_uring_setup.
    Numbers(
      architecture: UInt32(CLINUX_X86_64), memfd: 319, fcntl: 72, mmap: 9, mprotect: 10, sendmsg: 46, read: 0,
      openat: 257, tgkill: 234, fchmod: 91, madvise: 28, sigprocmask: 14, futex: 202,
      refused: [59, 56, 57, 58, 435, 41, 42, 101, 62, 16, 157, 32, 8, 425]),
    Numbers(
      architecture: UInt32(CLINUX_AARCH64), memfd: 279, fcntl: 25, mmap: 222, mprotect: 226, sendmsg: 211,
      read: 63, openat: 56, tgkill: 131, fchmod: 52, madvise: 233,
      sigprocmask: 135, futex: 98,
      refused: [221, 220, 435, 198, 203, 117, 129, 29, 167, 23, 62, 425]),
  ]

  @Test(arguments: numbers)
  func `Allowed calls are allowed only with these arguments`(_ n: Numbers) {
    let filter = Filter(n.architecture)
    #expect(filter.verdict(n.memfd, 0, 0xB) == .allowed)
    for flags: UInt64 in [0, 1, 2, 3, 7, 9, 0x13, 0x1B] {
      #expect(filter.verdict(n.memfd, 0, flags) == .trapped)
    }
    #expect(filter.verdict(n.fcntl, 5, 1033, 0xF) == .allowed)
    #expect(filter.verdict(n.fcntl, 5, 1034, 0) == .allowed)
    for seals: UInt64 in [0, 7, 0x1F] { #expect(filter.verdict(n.fcntl, 5, 1033, seals) == .trapped) }
    for command: UInt64 in [0, 2, 4, 8, 1024, 1030] {
      #expect(filter.verdict(n.fcntl, 5, command, 0xF) == .trapped)
    }
    for descriptor: UInt64 in 0..<5 {
      #expect(filter.verdict(n.fchmod, descriptor, 0o444) == .trapped)
      #expect(filter.verdict(n.fcntl, descriptor, 1033, 0xF) == .trapped)
    }
    for call in [n.mmap, n.mprotect] {
      for protection: UInt64 in 0...3 { #expect(filter.verdict(call, 0, 4096, protection) == .allowed) }
      for protection: UInt64 in 4...7 { #expect(filter.verdict(call, 0, 4096, protection) == .trapped) }
    }
    for flags: UInt64 in [1, 2, 0x22, 0x4022, 0x8022] {
      #expect(filter.verdict(n.mmap, 0, 4096, 3, flags) == .allowed)
    }
    // MAP_LOCKED, MAP_HUGETLB, MAP_32BIT.
    for flags: UInt64 in [0x2022, 0x40022, 0x62] {
      #expect(filter.verdict(n.mmap, 0, 4096, 3, flags) == .trapped)
    }
    #expect(filter.verdict(n.sendmsg, 3) == .allowed)
    #expect(filter.verdict(n.sendmsg, 4) == .trapped)
    #expect(Filter(n.architecture, source: 4).verdict(n.sendmsg, 3) == .allowed)
    #expect(Filter(n.architecture, source: 4).verdict(n.sendmsg, 4) == .allowed)
    #expect(Filter(n.architecture, source: 4).verdict(n.sendmsg, 2) == .trapped)
    #expect(Filter(n.architecture, source: 4).verdict(n.read, 4) == .trapped)
    #expect(filter.verdict(n.read, 0) == .trapped)
    #expect(filter.verdict(n.tgkill, 4711, 1, 6) == .allowed)
    #expect(filter.verdict(n.tgkill, 4712, 1, 9) == .trapped)
    #expect(filter.verdict(n.fchmod, 5, 0o444) == .allowed)
    #expect(filter.verdict(n.fchmod, 5, 0o555) == .trapped)
    #expect(filter.verdict(n.madvise, 0, 0, 25) == .allowed)
    #expect(filter.verdict(n.madvise, 0, 0, 100) == .trapped)
    // FUTEX_WAIT at the window alone, FUTEX_WAKE nowhere, both in private memory everywhere.
    #expect(filter.verdict(n.futex, 0x7FFF_0000_7000, 0) == .allowed)
    #expect(filter.verdict(n.futex, 0x7FFF_0000_7004, 0) == .trapped)
    #expect(filter.verdict(n.futex, 0x7FFF_0000_7000, 1) == .trapped)
    for operation: UInt64 in [0x80, 0x81] { #expect(filter.verdict(n.futex, 8, operation) == .allowed) }
    #expect(filter.verdict(n.openat, 0) == .error(UInt32(EACCES)))
    for how in [SIG_BLOCK, SIG_SETMASK] { #expect(filter.verdict(n.sigprocmask, UInt64(how)) == .error(0)) }
    #expect(filter.verdict(n.sigprocmask, UInt64(SIG_UNBLOCK)) == .allowed)
    for call in n.refused { #expect(filter.verdict(call, 3, 3, 3) == .trapped, "call \(call)") }
  }

  @Test(arguments: numbers)
  func `Settings open what they name`(_ n: Numbers) {
    let executable = Filter(n.architecture, executable: true, pipe: 4)
    #expect(executable.verdict(n.memfd, 0, 0x13) == .allowed)
    #expect(executable.verdict(n.fchmod, 5, 0o555) == .allowed)
    #expect(executable.verdict(n.read, 4) == .allowed)
    #expect(executable.verdict(n.read, 5) == .trapped)
    let old = Filter(n.architecture, noexec: false)
    #expect(old.verdict(n.memfd, 0, 3) == .allowed)
    #expect(old.verdict(n.memfd, 0, 0xB) == .trapped)
  }

  @Test(arguments: numbers)
  func `A call by another architecture's numbers ends the process`(_ n: Numbers) {
    let filter = Filter(n.architecture)
    #expect(filter.verdict(n.mmap, 0, 4096, 1, on: 0x4000_0003) == .killed)
    // x32 numbers have another bit set.
    #expect(filter.verdict(n.mmap | 0x4000_0000, 0, 4096, 1) == .trapped)
  }

  @Test(arguments: numbers)
  func `Every number has a verdict, and few are allowed`(_ n: Numbers) {
    let filter = Filter(n.architecture)
    let verdicts = (UInt32(0)..<1024).map { filter.verdict($0) }
    #expect(!verdicts.contains(nil))
    #expect(verdicts.count { $0 == .allowed } < 24)
    #expect(verdicts.count { $0 == .trapped } > 990)
  }

  @Test func `There is no filter for an architecture without a table`() {
    #expect(Filter(0x4000_0003).count == 0)
  }
}
