internal import CLinux
internal import CSupervisor
internal import Libc
internal import SealedMemory
internal import Synchronization
internal import SystemPackage

/// The locked-in process that reads an archive for another one; see <doc:TheSandbox>.
public enum MemArchiveWorker {
  /// Makes this program able to be its own worker; call it first thing in `main`.
  ///
  /// Returns immediately unless this library started the program as a worker. In that case it reads the one archive that
  /// it was started for, and does not return.
  public static func runIfRequested() {
    guard isRequested else { return WorkerLocator.isOwnWorker.store(true, ordering: .relaxed) }
    ctemplate_run { MemArchiveWorker.serve() }
  }

  private static var isRequested: Bool {
    guard clinux_argument_count() == 2, let argument = unsafe clinux_argument(1),
      unsafe strcmp(argument, WorkerLocator.argument) == 0
    else { return false }
    return clinux_is_packet_socket(CInt(CLINUX_WORKER_SOCKET)) == 1
  }

  /// Returns in a process that was forked from this one for an archive, and nowhere else.
  static func awaitArchive() { ctemplate_serve { WarmUp.run() } }

  private static func serve() -> Never {
    awaitArchive()
    let channel = PacketChannel(HeldDescriptor(FileDescriptor(rawValue: CInt(CLINUX_WORKER_SOCKET))))
    let connection = WorkerConnection(channel)
    guard var request = connection.receiveRequest() else { _exit(1) }
    let cancellation = Cancellation()
    let window: WorkerWindow?
    do throws(ArchiveError) { window = try connection.window(request) } catch {
      connection.refuse(
        Lockdown.Failure(part: "the window", reason: error.reason, errno: error.errno?.rawValue ?? 0))
    }
    let archive = connection.archive(request)
    do throws(Lockdown.Failure) {
      let (protection, threads) = try Lockdown.enter(request, archive, window, cancellation)
      request.options.parallelism = threads
      connection.begin(protection)
    } catch {
      connection.refuse(error)
    }
    WorkerService(connection, request, archive, window, cancellation).run()
  }
}
