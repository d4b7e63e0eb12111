internal import CSupervisor
internal import Libc
internal import SealedMemory
internal import SystemPackage

/// A running worker, forked from a template; killed when this object is released.
@safe final class WorkerProcess {
  let channel: PacketChannel
  let template: WorkerTemplate
  /// Where the template says how it ended; nil once that is known.
  private var control: HeldDescriptor?

  /// Its program's name in messages.
  var name: String { template.program.name }

  /// Milliseconds that a template may take to end a worker: one that takes longer has been stopped.
  private static let longestEnd: CInt = 5000

  /// - Parameter retry: Called before another attempt, with `wouldBlock` where the template has many requests, and
  ///   `tooManyReferences` where this user's processes have too many descriptors in flight.
  init(from template: WorkerTemplate, retry: (Errno) throws(ArchiveError) -> Void) throws(PacketChannel
    .SendFailure)
  {
    self.template = template
    let socket: HeldDescriptor
    let end: HeldDescriptor
    do throws(Errno) {
      let (own, theirs) = try WorkerTemplate.packetSockets()
      (channel, socket) = (PacketChannel(own), theirs)
      (control, end) = try WorkerTemplate.packetSockets()
    } catch {
      throw .system(error)
    }
    while true {
      do throws(Errno) {
        try template.ask(socket: socket, control: end)
        return
      } catch {
        guard error == .wouldBlock || error == .tooManyReferences else { throw .system(error) }
        do throws(ArchiveError) { try retry(error) } catch { throw .gaveUp(error) }
      }
    }
  }

  deinit { end() }

  /// Kills it unless it has ended already, and waits for its end.
  @discardableResult func end() -> ProcessEnd {
    guard let control = control.take() else { return .unknown }
    // The template takes this for the wish to have it killed.
    shutdown(control.rawValue, CInt(SHUT_WR))
    if let end = Self.end(on: control, milliseconds: Self.longestEnd) { return end }
    template.end()
    return .unknown
  }

  /// How it ended, after it has closed its socket: a crash takes a moment, and a worker that does not end is killed.
  func endAfterSilence() -> ProcessEnd {
    guard let control, let end = Self.end(on: control, milliseconds: 2000) else {
      end()
      return .unknown
    }
    self.control = nil
    return end
  }

  /// Lets it end by itself, after its last message: it closes its end of the socket with everything that it has.
  func finish() {
    shutdown(channel.socket.rawValue, CInt(SHUT_WR))
    let socket = FileDescriptor(rawValue: channel.socket.rawValue)
    guard (try? SystemCalls.wait(for: 0, on: socket, milliseconds: Self.longestEnd)) == true else {
      end()
      return
    }
    control = nil
  }

  /// What the template says; nil for nothing in this time.
  private static func end(on control: HeldDescriptor, milliseconds: CInt) -> ProcessEnd? {
    let socket = FileDescriptor(rawValue: control.rawValue)
    guard (try? SystemCalls.waitForInput(socket, milliseconds: milliseconds)) == true else { return nil }
    var end = ctemplate_end()
    let count = unsafe read(control.rawValue, &end, MemoryLayout<ctemplate_end>.size)
    guard count == MemoryLayout<ctemplate_end>.size else { return .unknown }
    return ProcessEnd(how: end.how, status: end.status)
  }
}
