import CFaults
import Foundation
import Glibc
import MemArchive
import SystemPackage
import TestSupport
import Testing

/// If the system refuses a tree, the error names the call, and says what to change.
struct TreeRefusalTests {
  /// The calls of a tree; their numbers are the same on all architectures, except clone(2)'s.
  static let calls: [(name: String, number: CInt, bits: UInt32)] = [
    ("fsopen", 430, 0), ("fsconfig", 431, 0), ("fsmount", 432, 0), ("move_mount", 429, 0),
    ("open_tree", 428, 0), ("mount_setattr", 442, 0),
    // With CLONE_NEWUSER, which Debian's and Docker's hardening deny to other users than root.
    ("clone", cloneNumber, 0x1000_0000),
  ]

  #if arch(x86_64)
  private static let cloneNumber: CInt = 56
  #else
  private static let cloneNumber: CInt = 220
  #endif

  /// The result on a separate thread, which gets EPERM for a call.
  private func refusing<Result: Sendable>(
    _ number: CInt, _ bits: UInt32, _ body: @escaping @Sendable () -> Result
  ) async -> Result? {
    await withCheckedContinuation { continuation in
      Thread.detachNewThread {
        continuation.resume(returning: cfaults_refuse(number, bits) == 0 ? body() : nil)
      }
    }
  }

  private static let archive = Tar.archive(Tar.entry("a/b", Bytes("content".utf8)))

  @Test(arguments: calls)
  func `A refused call is named, with what to change`(name: String, number: CInt, bits: UInt32) async throws {
    let result = await refusing(number, bits) { () -> Result<Bool, ArchiveError> in
      do throws(ArchiveError) {
        _ = try ArchiveReader(bytes: Self.archive).tree(in: .making(.helper))
        return .success(true)
      } catch {
        return .failure(error)
      }
    }
    let error = #expect(throws: ArchiveError.self) { try #require(result).get() }
    #expect(error?.code == .treeUnavailable)
    #expect(error?.call == name)
    #expect(error?.errno == .notPermitted)
    #expect(error?.advice.description.isEmpty == false)
  }

  /// As root, who may mount without a user namespace.
  @Test(.enabled(if: geteuid() == 0))
  func `A process that may mount gets a tree even if user namespaces are refused`() async throws {
    let made = await refusing(Self.cloneNumber, 0x1000_0000) {
      let tree = try? ArchiveReader(bytes: Self.archive).tree()
      return (try? tree?.withPath(of: "a/b") { try Bytes(contentsOfFile: $0) }) == Bytes("content".utf8)
    }
    // Root in a container may not, and is told so above.
    let own = try? ArchiveReader(bytes: Self.archive).tree(in: .making(.own))
    #expect(made == (own != nil))
  }
}
